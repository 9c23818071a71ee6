"""Takes back what an import brought."""

from argparse import ArgumentParser
from typing import Any
from uuid import UUID

from django.core.management.base import CommandError

from shelfops.ingestion.command import CustomerCommand
from shelfops.ingestion.models import ImportBatch
from shelfops.ingestion.undo import KINDS, CannotUndo, obstacles, undo
from shelfops.tenancy.context import tenant
from shelfops.tenancy.models import Customer


class Command(CustomerCommand):
    help = (
        "Take back what an import brought, all of it or nothing. Without --yes it only says what"
        " it would do. Rows that the import refused stay; the file can be imported again."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("batch", type=UUID, help="the import's id")
        parser.add_argument("--yes", action="store_true", help="do it")

    def handle(self, *args: Any, **options: Any) -> None:
        customer = self.customer(options["customer"])
        batch = self.checked(customer, options["batch"])
        if not options["yes"]:
            rows = batch.rows_inserted + batch.rows_changed
            self.stdout.write(
                f"Would take back {rows:,} rows. Do it with --yes. Nothing has been changed."
            )
            return
        try:
            rows = undo(customer, batch, "undo_import")
        except CannotUndo as error:
            raise CommandError(f"Nothing was undone. {error}") from error
        self.stdout.write(f"{rows:,} rows taken back.")
        self.refresh()

    def checked(self, customer: Customer, batch_id: UUID) -> ImportBatch:
        """The batch and what follows from undoing it; CommandError if it cannot be undone."""
        with tenant(customer):
            batch = ImportBatch.objects.filter(pk=batch_id).first()
            if batch is None:
                raise CommandError("This customer has no import with this id.")
            if reasons := obstacles(batch):
                raise CommandError(f"Nothing was undone. {' '.join(reasons)}")
            warnings = KINDS[batch.kind].warnings(batch)
        self.stdout.write(
            f"{batch.source} for {customer.name}, {batch.kind}, imported"
            f" {batch.started_at:%Y-%m-%d %H:%M} UTC by {batch.imported_by}."
        )
        for warning in warnings:
            self.stdout.write(warning)
        return batch
