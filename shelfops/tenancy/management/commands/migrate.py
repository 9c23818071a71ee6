from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.core.management.commands import migrate
from django.db import connections

from shelfops.tenancy.keys import install_key


class Command(migrate.Command):
    """Django's own, as the role that owns the schema unless told otherwise.

    At its end the database knows the key that contexts are signed with.
    """

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.set_defaults(database="owner")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["database"] not in connections:
            raise CommandError("DATABASE_OWNER_URL is not set: the owner changes the schema.")
        super().handle(*args, **options)
        if options["database"] == "owner" and not (options["plan"] or options["check_unapplied"]):
            install_key()
