"""Settings of the tests: the product's own, with log-ins that conftest fills in.

The databases are the tests' own: an embedded engine in memory for each worker, or databases
on the server of DATABASE_ADMIN_URL.
"""

import os
from pathlib import Path

import environ

environ.Env.read_env(Path(__file__).resolve().parent.parent / ".env")
os.environ.setdefault("SECRET_KEY", "tests-only")
os.environ["DEBUG"] = "false"
for _name in ("DATABASE_URL", "DATABASE_OWNER_URL", "DATABASE_OPERATOR_URL"):
    os.environ[_name] = "postgresql://nobody:none@127.0.0.1:1/filled-in-by-conftest"

from shelfops.settings import *  # noqa: E402, F403

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
SENDS_MAIL = True
EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
WHITENOISE_AUTOREFRESH = True  # static files come from the apps; nothing is collected
WHITENOISE_USE_FINDERS = True
