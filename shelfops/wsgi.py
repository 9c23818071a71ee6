"""The WSGI entry point: `gunicorn shelfops.wsgi`.

It checks the database first: a server that cannot keep customers apart serves nobody. No request
may keep the database waiting for long. The owner's and the operator's log-ins are not the web's,
whatever its environment and .env say, nor are they its children's.
"""

import logging
import os

from django.core.management.base import BaseCommand
from django.core.wsgi import get_wsgi_application
from django.db import connections

from shelfops.logs import GUNICORN, keep_out_of
from shelfops.tenancy.connections import WEB, limit

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shelfops.settings")
for variable in ("DATABASE_OWNER_URL", "DATABASE_OPERATOR_URL"):
    os.environ.update({variable: "", f"{variable}_FILE": ""})
application = get_wsgi_application()
for alias in connections:
    limit(connections.settings[alias], WEB)
keep_out_of(*map(logging.getLogger, GUNICORN))
BaseCommand().check(databases=["default"])
