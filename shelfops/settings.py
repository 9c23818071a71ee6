"""Settings, read once from the environment (or a `.env` file beside manage.py).

A value that is missing or malformed stops the start and names its variable. A secret may
come from a file: `NAME_FILE` holds the path.
"""

import hmac
import logging
import os
import re
from pathlib import Path

import environ
from django.core.exceptions import ImproperlyConfigured

from shelfops.embedded import database_urls
from shelfops.encryption import is_exposed
from shelfops.navigation import UNFOLD  # noqa: F401  (read by Unfold)
from shelfops.tenancy.connections import SESSION, clean, limit

BASE_DIR = Path(__file__).resolve().parent.parent

env = environ.Env()
env.read_env(BASE_DIR / ".env")


def boolean(name: str, default: bool) -> bool:
    """A variable that is true or false; anything else stops the start."""
    words = {"1": True, "true": True, "on": True, "0": False, "false": False, "off": False}
    value = env.str(name, default=str(default)).strip().lower()
    if value not in words:
        raise ImproperlyConfigured(f"{name} must be true or false, not {value!r}.")
    return words[value]


def whole_number(name: str, default: int) -> int:
    """A variable that is a whole number of 0 or more; anything else stops the start."""
    value = env.str(name, default=str(default)).strip()
    if not value.isdecimal():
        raise ImproperlyConfigured(f"{name} must be a whole number, not {value!r}.")
    return int(value)


def secret(name: str) -> str:
    """A secret from the variable, or from the file that NAME_FILE names; empty if neither."""
    path = env.str(f"{name}_FILE", default="")
    if not path:
        return str(env.str(name, default=""))
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ImproperlyConfigured(f"{name}_FILE cannot be read: {error}") from error


def mail(name: str, default: str) -> dict[str, object]:
    """Django's e-mail settings for the server that the variable `name` gives."""
    url = secret(name) or default
    try:
        return dict(env.email_url_config(url))
    except (ImproperlyConfigured, ValueError) as error:
        raise ImproperlyConfigured(
            f"{name} must look like smtp+tls://user:password@host:587."
        ) from error


def web_address(name: str, default: str) -> str:
    """A variable that is the address of a site, without a path; anything else stops the start."""
    value = env.str(name, default=default).strip().rstrip("/")
    if not re.fullmatch(r"https?://[^/?#\s@]+", value):
        raise ImproperlyConfigured(f"{name} must look like https://shop.example, not {value!r}.")
    return str(value)


def log_level(name: str) -> str:
    level = str(env.str(name, default="INFO")).strip().upper()
    if level not in logging.getLevelNamesMapping():
        raise ImproperlyConfigured(f"{name} must be a level such as INFO, not {level!r}.")
    return level


def database(name: str, url: str) -> dict[str, object]:
    """Django's settings for the log-in that the variable `name` gives."""
    config = env.db_url_config(url)
    if config.get("ENGINE") != "django.db.backends.postgresql" or not config.get("NAME"):
        raise ImproperlyConfigured(
            f"{name} must look like postgresql://role:password@host:5432/database."
        )
    if is_exposed(config, os.environ) and not boolean("DATABASE_PLAINTEXT", False):
        raise ImproperlyConfigured(
            f"{name} leads to another machine unencrypted. Add ?sslmode=verify-full with"
            " &sslrootcert=..., or at least ?sslmode=require. DATABASE_PLAINTEXT=true lets it be"
            " where nobody else is in the network."
        )
    # A connection that a restart of the server has cut is replaced before a request meets it. One
    # that is kept without the pool would carry a session from one request to the next.
    config = {**config, "CONN_HEALTH_CHECKS": True, "CONN_MAX_AGE": 0}
    config["ENGINE"] = "shelfops.tenancy.postgresql"
    config["OPTIONS"] = {**config.get("OPTIONS", {})}
    limit(config, SESSION)
    return config


DEBUG = boolean("DEBUG", False)
SECRET_KEY = secret("SECRET_KEY")
if not SECRET_KEY:
    raise ImproperlyConfigured(
        "SECRET_KEY is not set. Set SECRET_KEY or SECRET_KEY_FILE in the environment or in .env;"
        " `make run` writes a .env with a new one."
    )
# What the web signs each transaction's customer and user with; `migrate` tells the database.
CONTEXT_KEY = secret("CONTEXT_KEY") or hmac.digest(SECRET_KEY.encode(), b"context", "sha256").hex()
if len(CONTEXT_KEY) < 32:
    raise ImproperlyConfigured("CONTEXT_KEY must have 32 characters or more.")
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"])
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])

# One log-in for each database role. The application's is Django's default; migrations, jobs
# and refreshes go through "owner", cross-customer reads of platform staff through "operator".
ALIASES = {
    "default": "DATABASE_URL",
    "owner": "DATABASE_OWNER_URL",
    "operator": "DATABASE_OPERATOR_URL",
}
# A process has the log-ins that it is given. The web is given DATABASE_URL alone: a variable that
# is set and empty withholds a log-in, from .env and of the embedded engine, too.
WITHHELD = {name for name in ALIASES.values() if os.environ.get(name) == ""}
DATABASE_URLS = {name: secret(name) for name in ALIASES.values()}
if not any(DATABASE_URLS.values()):
    DATABASE_URLS = database_urls(BASE_DIR)
DATABASE_URLS = {name: url for name, url in DATABASE_URLS.items() if url and name not in WITHHELD}
if "DATABASE_URL" not in DATABASE_URLS:
    raise ImproperlyConfigured(
        "DATABASE_URL is not set. `manage.py provision_database ADMIN_URL` prints it. With none of"
        f" {', '.join(ALIASES.values())} set, the embedded engine is used."
    )
DATABASES = {
    alias: database(name, DATABASE_URLS[name])
    for alias, name in ALIASES.items()
    if name in DATABASE_URLS
}
# psycopg's own pool; 0 turns it off, as PgBouncer in front of the server wants.
if pool_size := whole_number("DATABASE_POOL_SIZE", 10):
    DATABASES["default"]["OPTIONS"]["pool"] = {  # type: ignore[index]
        "min_size": 1,
        "max_size": pool_size,
        "timeout": 30,
        "reset": clean,
    }
DATABASE_ROUTERS = ["shelfops.tenancy.routers.OwnerMigrates"]

INSTALLED_APPS = [
    "unfold.apps.BasicAppConfig",
    "unfold.contrib.filters",
    "shelfops.site.BackOfficeConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "django_filters",
    "shelfops",
    "shelfops.embedded",
    "shelfops.timescale",
    "shelfops.tenancy",
    "shelfops.ingestion",
    "shelfops.saved_views",
    "inventory",
    "sales",
    "alerts",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "shelfops.middleware.keep_nothing",
    "shelfops.middleware.log_in_on_a_full_page",
    "django.contrib.sessions.middleware.SessionMiddleware",
    # Before anything that reads the body or opens a transaction.
    "shelfops.serving.bodies.BodyMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    # Innermost: everything a view or its template reads happens inside the tenant's transaction.
    "shelfops.tenancy.middleware.TenantMiddleware",
]

ROOT_URLCONF = "shelfops.urls"
WSGI_APPLICATION = "shelfops.wsgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "shelfops.tenancy.context_processors.tenant",
                "alerts.notifications.bell.bell",
                "shelfops.timescale.pending.to_refresh",
            ],
        },
    },
]

# Uploaded files until they are imported; private, and swept by itself.
UPLOAD_DIR = Path(env.str("UPLOAD_DIR", default=str(BASE_DIR / ".shelfops" / "uploads")))

AUTH_USER_MODEL = "tenancy.User"
AUTHENTICATION_BACKENDS = [
    "shelfops.tenancy.throttle.Throttle",  # asked first
    "shelfops.tenancy.backends.EmailBackend",
]
# Proxies of one's own between people and the web, each of which adds to X-Forwarded-For.
PROXIES = whole_number("PROXIES", 0)
PASSWORD_HASHERS = ["django.contrib.auth.hashers.Argon2PasswordHasher"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": validator}
    for validator in (
        "django.contrib.auth.password_validation.UserAttributeSimilarityValidator",
        "django.contrib.auth.password_validation.MinimumLengthValidator",
        "shelfops.tenancy.passwords.Common",
        "shelfops.tenancy.passwords.OwnNames",
    )
]
LOGIN_URL = "admin:login"
LOGIN_REDIRECT_URL = "admin:index"

SESSION_ENGINE = "shelfops.tenancy.sessions"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
# Behind TLS set HTTPS=true: cookies are then sent over TLS only and plain requests redirected.
HTTPS = boolean("HTTPS", False)
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE_SSL_REDIRECT = HTTPS
if HTTPS:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    SECURE_HSTS_SECONDS = 31_536_000
X_FRAME_OPTIONS = "SAMEORIGIN"

# Where links in e-mails lead. Without EMAIL_URL nothing is mailed; in DEBUG it is printed.
SITE_URL = web_address("SITE_URL", "http://127.0.0.1:8000")
SENDS_MAIL = DEBUG or bool(secret("EMAIL_URL"))
vars().update(mail("EMAIL_URL", "consolemail://" if DEBUG else "dummymail://"))
EMAIL_TIMEOUT = 20
DEFAULT_FROM_EMAIL = env.str("DEFAULT_FROM_EMAIL", default="ShelfOps <noreply@localhost>")
MESSAGE_STORAGE = "django.contrib.messages.storage.session.SessionStorage"

LANGUAGE_CODE = "en-us"
TIME_ZONE = "UTC"
USE_TZ = True
FORMAT_MODULE_PATH = ["shelfops.formats"]

STATIC_URL = "static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
STATICFILES_DIRS = [BASE_DIR / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}

DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}},
    "filters": {"redacting": {"()": "shelfops.logs.Redacting"}},
    "handlers": {
        "console": {
            "class": "logging.StreamHandler",
            "formatter": "line",
            "filters": ["redacting"],
        }
    },
    "root": {"handlers": ["console"], "level": log_level("LOG_LEVEL")},
}
