"""How gunicorn serves ShelfOps; it reads this file by itself when started in this folder."""

import os

worker_class = "shelfops.serving.worker.PatientWorker"
workers = int(os.environ.get("WEB_CONCURRENCY", "2"))
threads = 8
# Of each worker; the one that has been quiet for the longest time makes room for the next.
worker_connections = 500
keepalive = 5
loglevel = "warning"
