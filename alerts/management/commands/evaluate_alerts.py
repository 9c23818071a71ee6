from argparse import ArgumentParser, ArgumentTypeError
from datetime import datetime
from typing import Any

from django.core.management.base import CommandError
from django.db import DatabaseError
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from alerts.evaluation import evaluate
from alerts.models import Evaluation
from shelfops.ingestion.command import CustomerCommand
from shelfops.tenancy.models import Customer


class Command(CustomerCommand):
    help = (
        "Evaluate the alert rules of all active customers, or of one. A server does so every 15"
        " minutes by itself. The exit status is 1 if an evaluation fails; the others still run."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--customer", help="its id, or its exact name (all active ones)")
        parser.add_argument(
            "--as-of",
            type=moment,
            metavar="TIME",
            help="a past moment, after the last one evaluated, such as 2026-03-31T14:05+00:00",
        )

    def handle(
        self, *args: Any, customer: str | None, as_of: datetime | None, **options: Any
    ) -> None:
        active = Customer.objects.using("operator").filter(is_active=True)
        customers = [self.customer(customer)] if customer else list(active)
        failed = sum(not self.evaluated(each, as_of) for each in customers)
        if failed:
            raise CommandError(f"{failed} of {len(customers)} evaluations failed.")

    def evaluated(self, customer: Customer, as_of: datetime | None) -> bool:
        """Whether it succeeded; says what came of it."""
        try:
            run = evaluate(customer, as_of=as_of)
            error = run.error
        except DatabaseError as failure:  # not even its record could be written
            error = str(failure).splitlines()[0]
        if error:
            self.stderr.write(f"{customer}: FAILED: {error}")
        else:
            self.stdout.write(f"{customer}: {summary(run)}")
        return not error


def summary(run: Evaluation) -> str:
    seconds = (run.finished_at - run.started_at).total_seconds()
    return (
        f"{run.held:,} conditions hold; {run.opened:,} alerts opened, {run.regressed:,} came back,"
        f" {run.worse:,} got worse, {run.woken:,} snoozes ended, {run.resolved:,} resolved"
        f" ({seconds:.1f} s)"
    )


def moment(text: str) -> datetime:
    """A time; one without a zone is in UTC."""
    try:
        found = parse_datetime(text)
    except ValueError:
        found = None
    if found is None:
        raise ArgumentTypeError(f"{text} is no time such as 2026-03-31T14:05+00:00")
    return found if timezone.is_aware(found) else timezone.make_aware(found)
