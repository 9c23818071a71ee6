from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from shelfops.tenancy.keys import known_keys, remove_other_keys


class Command(BaseCommand):
    help = (
        "List the keys whose signatures the database believes. To change the key: set CONTEXT_KEY,"
        " run migrate, restart every process, then remove the others here."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--remove-others",
            action="store_true",
            help="believe the key of the settings alone, at once",
        )

    def handle(self, *args: Any, remove_others: bool, **options: Any) -> None:
        if remove_others:
            removed = remove_other_keys()
            self.stdout.write(f"Removed {len(removed)} keys: {', '.join(removed) or 'none'}.")
        for name, since in known_keys():
            self.stdout.write(f"{name}  since {since:%Y-%m-%d %H:%M}")
