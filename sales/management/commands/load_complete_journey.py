"""Loads a real grocer's year of sales, as two customers."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from alerts.evaluation import evaluate
from alerts.models import AlertRule, AlertType, Severity
from sales.complete_journey.demo_users import demo_password, ensure_demo_users, log_ins
from sales.complete_journey.load import demo_customers, is_wanted, load_year
from sales.complete_journey.source import SourceMissing
from shelfops.ingestion.models import ImportBatch
from shelfops.ingestion.progress import show
from shelfops.tenancy.context import tenant
from shelfops.tenancy.models import Customer
from shelfops.timescale.refresh import compress_old_chunks, refresh_requested, update_statistics


class Command(BaseCommand):
    help = (
        "Load a real grocer's year of sales, split between two customers, with stock simulated"
        " from it and a log-in in each role. Loading again adds only what is missing."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        size = parser.add_mutually_exclusive_group()
        size.add_argument(
            "--stores", type=int, default=12, help="how many of the busiest stores (12)"
        )
        size.add_argument("--all", action="store_true", help="all 457 stores, 1.47 million lines")
        parser.add_argument(
            "--if-empty",
            action="store_true",
            help="only where there is no customer yet, or a load was cut short",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["stores"] < 2:
            raise CommandError("--stores must be 2 or more: each customer has one at least.")
        if options["if_empty"] and not is_wanted():
            self.stdout.write("There are customers already; nothing loaded.")
            return
        half = options["stores"] // 2
        limits = [None, None] if options["all"] else [options["stores"] - half, half]
        try:
            batches = self.load(limits)
        except SourceMissing as error:
            raise CommandError(str(error)) from error
        for batch in batches:
            self.stdout.write(
                f"{batch.customer.name}, {batch.kind}: {batch.rows_read:,} rows read,"
                f" {batch.rows_inserted:,} added, {batch.rows_present:,} there already,"
                f" {batch.rows_refused:,} refused"
            )
        if not options["if_empty"]:  # `make run` says it with the address
            self.stdout.write("\n".join(["", *log_ins()]))

    def load(self, limits: list[int | None]) -> list[ImportBatch]:
        customers = demo_customers()
        with show(self.stdout) as step:
            batches = load_year(customers, limits, step)
            for customer in customers:
                expect_no_more_sales(customer)
            ensure_demo_users(demo_password(), customers)
            with step("Daily sales", 0):
                refresh_requested()
            with step("Columnstore", 0):
                compress_old_chunks()
            with step("Statistics", 0):  # last: compressed chunks are quickly sampled
                update_statistics()
            for customer in customers:  # not a quarter of an hour later, by the job
                with step(f"Alerts of {customer}", 0):
                    evaluate(customer)
        return batches


def expect_no_more_sales(customer: Customer) -> None:
    """A year that has ended is no feed that broke, which would hide every other alert."""
    month = {"threshold": 30 * 24, "severity": Severity.WARNING}
    with tenant(customer):
        if not AlertRule.objects.filter(alert_type=AlertType.FEED_GAP, store=None).exists():
            AlertRule.objects.create(alert_type=AlertType.FEED_GAP, **month)
