"""The key that contexts are signed with: told to the database, checked, and removed again."""

from collections.abc import Iterator
from uuid import uuid4

from django.conf import settings
from django.core.checks import CheckMessage, Error
from django.db import connections, transaction

from shelfops.tenancy.context import connection_of
from shelfops.tenancy.signing import INSTALL, Identity, key_of

KNOWN = "SELECT key_id, installed_at FROM private.context_keys ORDER BY installed_at"
REMOVE_OTHERS = "DELETE FROM private.context_keys WHERE key_id <> %s RETURNING key_id"


def install_key() -> None:
    """As the owner; keys that are there stay valid. Nothing where there is no table for it yet."""
    key = key_of(settings.CONTEXT_KEY)
    values = {"key_id": key.key_id, "inner": key.pad(0x36), "outer": key.pad(0x5C)}
    connection = connection_of("owner")
    with connection.bound_by_the_server(), connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass('private.context_keys') IS NOT NULL")
        if cursor.fetchone() == (True,):
            cursor.execute(INSTALL, values)  # type: ignore[arg-type]


def known_keys() -> list[tuple[str, object]]:
    """Names of the keys that the database believes, with when it was told them, oldest first."""
    with connections["owner"].cursor() as cursor:
        cursor.execute(KNOWN)
        return list(cursor.fetchall())


def remove_other_keys() -> list[str]:
    """Believe the key of the settings alone; the names of those that are believed no more."""
    install_key()
    with connections["owner"].cursor() as cursor:
        cursor.execute(REMOVE_OTHERS, [key_of(settings.CONTEXT_KEY).key_id])
        return [name for (name,) in cursor.fetchall()]


def unknown_key(alias: str) -> Iterator[CheckMessage]:
    """The database does not believe what this process signs (E010)."""
    probe = Identity(uuid4())
    with transaction.atomic(using=alias), connections[alias].cursor() as cursor:
        connection_of(alias).identify(probe)
        cursor.execute("SELECT current_customer_id()")
        believed = cursor.fetchone() == (probe.customer,)
    if not believed:
        yield Error(
            "The database does not know the key that this process signs with.",
            hint="Run `manage.py migrate` with the same CONTEXT_KEY (or SECRET_KEY).",
            id="shelfops.E010",
        )


def told_activities(alias: str) -> Iterator[CheckMessage]:
    """Other log-ins could read what the web's sessions ask (E011)."""
    with connections[alias].cursor() as cursor:
        cursor.execute("SELECT current_setting('track_activities')")
        if cursor.fetchone() != ("off",):
            yield Error(
                "The server shows what the web's sessions ask (track_activities is on).",
                hint="Run `manage.py provision_database ADMIN_URL` again, or, as a superuser,"
                " ALTER ROLE shelfops_app SET track_activities = off.",
                id="shelfops.E011",
            )
