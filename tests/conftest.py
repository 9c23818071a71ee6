"""The tests' database, and the fixed cast that every test may use.

Tests run real transactions as the application's role. Each works for customers of its own, so
nothing has to be cleaned up, and every test also is a test that tenants do not meet.
"""

import hmac
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psycopg
import pytest
from django.conf import settings
from django.core.management import call_command
from django.db import connections, transaction
from django.test import Client
from psycopg import sql

from shelfops.embedded.engine import Engine
from shelfops.settings import database
from shelfops.tenancy.context import set_local
from shelfops.tenancy.management.commands.provision_database import provision_server
from shelfops.tenancy.models import User
from shelfops.tenancy.provision import ROLES
from shelfops.timescale.refresh import owner_cursor
from tests.cast import Cast, make_cast

ALIASES = {"app": "default", "owner": "owner", "operator": "operator"}


@contextmanager
def embedded_urls() -> Iterator[dict[str, str]]:
    with Engine(None) as engine:
        yield {role: engine.url(role) for role in ALIASES}


@contextmanager
def server_urls(admin_url: str) -> Iterator[dict[str, str]]:
    """A database of this worker's own on a real server, dropped at the end."""
    name = f"shelfops_test_{os.getpid()}"
    drop = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
    with psycopg.connect(admin_url, autocommit=True) as connection:
        try:
            yield provision_server(admin_url, name, server_passwords(connection))
        finally:
            connection.execute(drop)


# Databases that the tests made, or that a server has anyway.
INSTALLATIONS = """
SELECT string_agg(datname, ', ') FROM pg_database
WHERE datdba = to_regrole('shelfops_owner') AND datname NOT LIKE 'shelfops\\_test\\_%'
"""


def server_passwords(connection: psycopg.Connection) -> dict[str, str]:
    """Of the roles that all workers on the server share; nobody's installation loses its own."""
    [(installations,)] = connection.execute(INSTALLATIONS).fetchall()
    if installations and os.environ.get("DATABASE_ADMIN_RESET") != "true":
        pytest.exit(
            f"The server of DATABASE_ADMIN_URL holds {installations}, whose log-ins would get the"
            " tests' passwords. Take another server, or set DATABASE_ADMIN_RESET=true.",
            returncode=4,
        )
    return {
        key: hmac.digest(settings.SECRET_KEY.encode(), role.encode(), "sha256").hex()
        for key, role in ROLES.items()
    }


@pytest.fixture(scope="session")
def admin_url() -> str:
    """A superuser's URL on a real server; skips where the tests run on the embedded engine."""
    if url := os.environ.get("DATABASE_ADMIN_URL"):
        return url
    pytest.skip("needs DATABASE_ADMIN_URL: the embedded engine has one database only")


@pytest.fixture(scope="session")
def database_urls() -> Iterator[dict[str, str]]:
    """URL of each role ("app", "owner", "operator") of the tests' database, not yet migrated."""
    admin_url = os.environ.get("DATABASE_ADMIN_URL")
    with server_urls(admin_url) if admin_url else embedded_urls() as urls:
        yield urls


@pytest.fixture(scope="session", autouse=True)
def migrated(database_urls: dict[str, str], django_db_blocker) -> Iterator[None]:
    """Point Django at the tests' database and migrate it as the owner."""
    for role, alias in ALIASES.items():
        options = settings.DATABASES[alias]["OPTIONS"]
        settings.DATABASES[alias].update(database(alias, database_urls[role]))
        settings.DATABASES[alias]["OPTIONS"] = options
    with django_db_blocker.unblock():
        call_command("migrate", verbosity=0)
        yield
        connections.close_all()
        connections["default"].close_pool()


@pytest.fixture(scope="module", autouse=True)
def nothing_to_refresh(migrated: None, django_db_blocker) -> None:
    """No module spends its time on what the imports of others have asked to refresh."""
    with django_db_blocker.unblock():
        with owner_cursor() as cursor:
            cursor.execute("DELETE FROM timeseries.refresh_requests")
        connections["owner"].close()


@pytest.fixture(autouse=True)
def no_leftovers() -> Iterator[None]:
    """Each test ends outside any transaction, and gives its connections back."""
    yield
    for alias in connections:
        assert not connections[alias].in_atomic_block, f"{alias} is left in a transaction"
    connections.close_all()


@pytest.fixture
def cast() -> Cast:
    return make_cast()


def logged_in(user: User) -> Client:
    client = Client()
    with transaction.atomic():
        # What logging in through the form leaves set, for the time stamp it writes.
        set_local("current_user_id", user.pk)
        set_local("current_customer_id", user.customer_id)
        client.force_login(user)
    return client


@pytest.fixture
def client_of() -> Callable[[User], Client]:
    return logged_in
