"""Evaluating a customer's rules: the statements are the database's (migration 0003)."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from alerts.models import AlertEvent, Evaluation
from shelfops.tenancy.context import tenant
from shelfops.tenancy.models import Customer

EVALUATE = "SELECT * FROM evaluate_alerts(%s, %s, %s)"


def evaluate(
    customer: Customer,
    source: AlertEvent.Source = AlertEvent.Source.COMMAND,
    *,
    as_of: datetime | None = None,
    stores: Sequence[UUID] | None = None,
) -> Evaluation:
    """Judge the customer's stock and feeds, in all stores or some, now or as of a past moment.

    Alerts, their events and the record that is returned are one transaction. A failure has
    changed no alert and is the record's `error`. Moments are judged in their order: one before
    the latest is such a failure.
    """
    with tenant(customer):
        asked = [source, as_of, None if stores is None else list(stores)]
        [run] = Evaluation.objects.raw(EVALUATE, asked)
    return run
