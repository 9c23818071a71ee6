"""The WSGI entry point: `gunicorn shelfops.wsgi`.

It checks the database first: a server that cannot keep customers apart serves nobody.
"""

import os

from django.core.management.base import BaseCommand
from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shelfops.settings")
application = get_wsgi_application()
BaseCommand().check(databases=["default"])
