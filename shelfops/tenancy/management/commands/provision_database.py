import secrets
from argparse import ArgumentParser
from typing import Any
from urllib.parse import quote, urlsplit, urlunsplit

import psycopg
from django.core.management.base import BaseCommand, CommandError

from shelfops.tenancy import provision

VARIABLES = {
    "app": "DATABASE_URL",
    "owner": "DATABASE_OWNER_URL",
    "operator": "DATABASE_OPERATOR_URL",
}
# Where a printed URL wants the password that was printed when its role was made.
PLACE = "PASSWORD"


class Command(BaseCommand):
    help = (
        "Make the database, the TimescaleDB extension and the three roles on a server, and print"
        " the URLs to put into the environment. Run it again after a restore, after an update of"
        " the extension, and whenever a check asks for it: roles that are there keep their"
        " passwords."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("admin_url", help="postgresql://superuser:password@host:5432/postgres")
        parser.add_argument("--database", default="shelfops", help="its name (%(default)s)")
        parser.add_argument(
            "--new-passwords",
            action="store_true",
            help="also for roles that are there; every installation on the server needs them then",
        )

    def handle(
        self, *args: Any, admin_url: str, database: str, new_passwords: bool, **options: Any
    ) -> None:
        words = {key: secrets.token_urlsafe(32) for key in provision.ROLES}
        passwords = words if new_passwords else None
        try:
            urls = provision_server(admin_url, database, passwords)
        except (psycopg.Error, provision.ProvisionError, ValueError) as error:
            raise CommandError(f"The server could not be provisioned: {error}") from error
        for role, variable in VARIABLES.items():
            self.stdout.write(f"{variable}={urls[role]}")
        if kept := [provision.ROLES[key] for key in VARIABLES if f":{PLACE}@" in urls[key]]:
            self.stderr.write(
                f"{', '.join(kept)} had a password already and kept it. It stands in the URLs of"
                " the installation that made the role; --new-passwords sets others."
            )


def provision_server(
    admin_url: str, database: str, passwords: dict[str, str] | None = None
) -> dict[str, str]:
    """Provision `database` on the server of `admin_url`; the URL of each of the three roles.

    Roles belong to the whole server, so those that are there keep their passwords, which the
    URLs then cannot say, unless `passwords` names new ones.
    """
    parts = urlsplit(admin_url)
    if parts.scheme not in {"postgresql", "postgres"} or not parts.hostname:
        raise ValueError("ADMIN_URL must look like postgresql://user:password@host:5432/postgres")
    with psycopg.connect(admin_url, autocommit=True) as connection:
        provision.require_timescaledb(connection)
        passwords = provision.provision_roles(connection, passwords)
        provision.create_database(connection, database)
    for neighbour in provision.NEIGHBOURS:
        with psycopg.connect(admin_url, dbname=neighbour, autocommit=True) as connection:
            provision.keep_signals(connection)
    with psycopg.connect(admin_url, dbname=database, autocommit=True) as connection:
        provision.provision_database(connection)
    host = parts.netloc.rpartition("@")[2]
    return {
        key: urlunsplit(
            parts._replace(
                netloc=f"{role}:{passwords.get(key, PLACE)}@{host}",
                path=f"/{quote(database, safe='')}",
            )
        )
        for key, role in provision.ROLES.items()
    }
