from argparse import ArgumentParser
from typing import Any
from urllib.parse import quote, urlsplit, urlunsplit

import psycopg
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from shelfops.tenancy import provision

VARIABLES = {
    "app": "DATABASE_URL",
    "owner": "DATABASE_OWNER_URL",
    "operator": "DATABASE_OPERATOR_URL",
}


class Command(BaseCommand):
    help = (
        "Make the database, the TimescaleDB extension and the three roles on a server, and print"
        " the URLs to put into the environment. May be run again: it changes nothing then."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("admin_url", help="postgresql://superuser:password@host:5432/postgres")
        parser.add_argument("--database", default="shelfops", help="its name (%(default)s)")

    def handle(self, *args: Any, admin_url: str, database: str, **options: Any) -> None:
        try:
            urls = provision_server(admin_url, database, settings.SECRET_KEY)
        except (psycopg.Error, provision.ProvisionError, ValueError) as error:
            raise CommandError(f"The server could not be provisioned: {error}") from error
        for role, variable in VARIABLES.items():
            self.stdout.write(f"{variable}={urls[role]}")


def provision_server(admin_url: str, database: str, secret: str) -> dict[str, str]:
    """Provision `database` on the server of `admin_url`; the URL of each of the three roles.

    Passwords are derived from `secret`, so running it again gives the same URLs.
    """
    parts = urlsplit(admin_url)
    if parts.scheme not in {"postgresql", "postgres"} or not parts.hostname:
        raise ValueError("ADMIN_URL must look like postgresql://user:password@host:5432/postgres")
    passwords = provision.derive_passwords(secret, parts.hostname, parts.port or 5432)
    with psycopg.connect(admin_url, autocommit=True) as connection:
        provision.require_timescaledb(connection)
        provision.provision_roles(connection, passwords)
        provision.create_database(connection, database)
    with psycopg.connect(admin_url, dbname=database, autocommit=True) as connection:
        provision.provision_database(connection)
    host = parts.netloc.rpartition("@")[2]
    return {
        key: urlunsplit(
            parts._replace(
                netloc=f"{role}:{passwords[key]}@{host}", path=f"/{quote(database, safe='')}"
            )
        )
        for key, role in provision.ROLES.items()
    }
