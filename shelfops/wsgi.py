"""The WSGI entry point: `gunicorn shelfops.wsgi`.

It checks the database first: a server that cannot keep customers apart serves nobody. No request
may keep the database waiting for long.
"""

import os

from django.core.management.base import BaseCommand
from django.core.wsgi import get_wsgi_application
from django.db import connections

from shelfops.tenancy.connections import WEB, limit

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shelfops.settings")
application = get_wsgi_application()
for alias in connections:
    limit(connections.settings[alias], WEB)
BaseCommand().check(databases=["default"])
