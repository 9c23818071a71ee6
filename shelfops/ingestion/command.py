"""What the commands share that import a file of rows for one customer."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any
from uuid import UUID
from zoneinfo import available_timezones

from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError
from django.db.models import Count

from shelfops.ingestion.feeds import describe, explain
from shelfops.ingestion.files import FileProblem
from shelfops.ingestion.imports import Kind, Order, import_file
from shelfops.ingestion.models import ImportBatch, RefusedRow
from shelfops.ingestion.progress import show
from shelfops.ingestion.reader import Dialect
from shelfops.ingestion.signals import import_finished
from shelfops.tenancy.context import tenant
from shelfops.tenancy.models import Customer
from shelfops.timescale.refresh import refresh_requested

REASONS_SHOWN = 10


class CustomerCommand(BaseCommand):
    """A command that works for the customer named by --customer."""

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--customer", required=True, help="its id, or its exact name")

    def customer(self, text: str) -> Customer:
        """CommandError unless exactly one customer has this id or name."""
        found = Customer.objects.using("operator")
        try:
            customers = list(found.filter(pk=UUID(text)))
        except ValueError:
            customers = list(found.filter(name=text)[:2])
        if len(customers) > 1:
            raise CommandError(f"Several customers are called {text}. Give the id of one.")
        if not customers:
            raise CommandError(f"There is no customer with the id or exact name {text}.")
        return customers[0]

    def refresh(self) -> None:
        """The rows are what they shall be; that their totals are late is no failure."""
        try:
            refresh_requested()
        except DatabaseError as error:
            self.stderr.write(f"The aggregates follow with the next job: {describe(error)}")


class ImportCommand(CustomerCommand):
    """Imports a file whole or not at all; exit status 1 says that nothing was imported."""

    kind: Kind

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("file", type=Path, help="CSV, CSV packed with gzip, or Parquet")
        parser.add_argument(
            "--time-zone",
            metavar="ZONE",
            help="of times that come without one, such as Europe/Berlin (the store's own)",
        )
        parser.add_argument(
            "--encoding", help="of a CSV file, such as cp1252 (UTF-8, or what its mark says)"
        )
        parser.add_argument("--delimiter", help="of a CSV file (, ; tab or |, as its first line)")
        parser.add_argument(
            "--decimal",
            choices=[".", ","],
            help="the decimal sign; with it, groups of thousands are read too (. without groups)",
        )
        parser.add_argument(
            "--columns",
            nargs="+",
            default=[],
            metavar="NAME=HEADER",
            help="headers that are not found by name; columns: "
            + ", ".join(column.name for column in self.kind.columns),
        )

    def handle(self, *args: Any, **options: Any) -> None:
        customer = self.customer(options["customer"])
        dialect = Dialect(
            encoding=options["encoding"],
            delimiter=delimiter(options["delimiter"]),
            decimal=options["decimal"],
            columns=named_columns(options["columns"]),
        )
        zone = options["time_zone"]
        if zone is not None and zone not in available_timezones():
            raise CommandError(f"{zone} is not a time zone. Use a name such as Europe/Berlin.")
        order = Order(
            options["file"],
            type(self).__module__.rpartition(".")[2],
            dialect=dialect,
            time_zone=zone,
        )
        self.summarise(self.imported(customer, order))

    def imported(self, customer: Customer, order: Order) -> ImportBatch:
        try:
            with show(self.stdout) as step:
                with step(order.path.name, 0) as advance:
                    batch = import_file(customer, self.kind, order, lambda rows, _: advance(rows))
                if batch.rows_inserted:
                    with step("Aggregates", 0):
                        self.refresh()
                    with step("Alerts", 0):
                        import_finished.send_robust(ImportBatch, batch=batch)
        except (FileProblem, DatabaseError) as error:
            raise CommandError(f"Nothing was imported. {explain(error)}") from error
        except KeyboardInterrupt as error:
            raise CommandError("Interrupted. Nothing was imported.", returncode=130) from error
        return batch

    def summarise(self, batch: ImportBatch) -> None:
        self.stdout.write(
            f"{batch.source} for {batch.customer.name}: {batch.rows_read:,} rows read,"
            f" {batch.rows_inserted:,} added, {batch.rows_present:,} there already,"
            f" {batch.rows_refused:,} refused."
        )
        if batch.repeated_times:
            self.stdout.write(
                f"  {batch.repeated_times:,} times came twice, as the clocks were put back; the"
                " first was taken."
            )
        if not batch.rows_refused:
            return
        if batch.refused_unkept:
            self.stdout.write(
                f"  {batch.refused_unkept:,} of the refused rows are counted, but not kept: there"
                " are too many. The reasons are those of the rest."
            )
        with tenant(batch.customer):
            reasons = RefusedRow.objects.filter(batch=batch).values_list("field", "reason")
            counted = list(reasons.annotate(rows=Count("pk")).order_by("-rows", "field", "reason"))
        for field, reason, rows in counted[:REASONS_SHOWN]:
            self.stdout.write(f"  {rows:,} refused: {field}: {reason}")
        if len(counted) > REASONS_SHOWN:
            self.stdout.write(f"  and {len(counted) - REASONS_SHOWN} more reasons")
        self.stdout.write(
            f"Read them with: manage.py refused_rows {batch.pk} --customer {batch.customer.pk}"
        )


def delimiter(text: str | None) -> str | None:
    """CommandError unless it is one character, or the word tab."""
    sign = "\t" if text in {"tab", "\\t"} else text
    if sign is not None and (len(sign) != 1 or sign in '"\r\n\0'):
        raise CommandError("--delimiter is one character, or the word tab.")
    return sign


def named_columns(pairs: list[str]) -> dict[str, str]:
    """CommandError unless each is NAME=HEADER, and no name comes twice."""
    named: dict[str, str] = {}
    for pair in pairs:
        name, equals, header = pair.partition("=")
        if not equals or not name or not header or name in named:
            raise CommandError(f"--columns takes NAME=HEADER, each name once; not {pair}.")
        named[name] = header
    return named
