"""Writes the rows that an import refused as CSV."""

from argparse import ArgumentParser
from typing import Any
from uuid import UUID

from django.core.management.base import CommandError

from shelfops.ingestion.command import CustomerCommand
from shelfops.ingestion.models import ImportBatch
from shelfops.ingestion.refused import refused_csv
from shelfops.tenancy.context import tenant


class Command(CustomerCommand):
    help = (
        "Write the rows that an import refused as CSV: line, field, reason, and the row as the"
        " file has it. Put right, it can be imported as it is."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("batch", type=UUID, help="the import's id")

    def handle(self, *args: Any, **options: Any) -> None:
        with tenant(self.customer(options["customer"])):
            batch = ImportBatch.objects.filter(pk=options["batch"]).first()
            if batch is None:
                raise CommandError("This customer has no import with this id.")
            for line in refused_csv(batch):
                self.stdout.write(line, ending="")
