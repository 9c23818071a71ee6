"""Takes back what an import brought: exactly that, or nothing and the reasons why not.

Each kind of import says by itself whether and how it can be undone, in KINDS. `undo` has its
turn among the imports of that kind, and all of it is one transaction.
"""

from collections.abc import Callable
from dataclasses import dataclass

from django.db import connection
from django.utils import timezone

from shelfops.ingestion.feeds import take_turn
from shelfops.ingestion.models import ImportBatch
from shelfops.tenancy.context import tenant
from shelfops.tenancy.models import Customer

Status = ImportBatch.Status


@dataclass(frozen=True)
class Undo:
    """How imports of one kind are undone, in the open transaction of the batch's customer.

    `obstacles` gives the reasons why it cannot be, each a sentence; none if it can. `apply`
    takes back what the batch brought and returns how many rows that were.
    """

    obstacles: Callable[[ImportBatch], list[str]]
    apply: Callable[[ImportBatch], int]


KINDS: dict[str, Undo] = {}


class CannotUndo(Exception):
    """The batch stays as it is, for these `reasons`."""

    def __init__(self, reasons: list[str]) -> None:
        super().__init__(" ".join(reasons))
        self.reasons = reasons


def obstacles(batch: ImportBatch) -> list[str]:
    """Why the batch cannot be undone, in the open transaction of its customer."""
    if batch.status == Status.UNDONE:
        return [f"It was undone on {batch.undone_at:%Y-%m-%d %H:%M} UTC by {batch.undone_by}."]
    if batch.status == Status.RUNNING:
        return ["It is still running."]
    if not batch.has_effect:
        return ["It brought nothing."]
    if batch.kind not in KINDS:
        return [f"Imports of {batch.kind} cannot be undone."]
    return KINDS[batch.kind].obstacles(batch)


def undo(customer: Customer, batch: ImportBatch, by: str) -> int:
    """Undo the customer's batch and return how many rows that were; CannotUndo if it stays.

    `by` is who undoes it: a person's e-mail, or a command. What the import refused stays.
    """
    with tenant(customer):
        with connection.cursor() as cursor:
            take_turn(cursor, batch)
        current = ImportBatch.objects.select_for_update().get(pk=batch.pk)
        if reasons := obstacles(current):
            raise CannotUndo(reasons)
        rows = KINDS[current.kind].apply(current)
        current.status, current.undone_by, current.undone_at = Status.UNDONE, by, timezone.now()
        current.save(update_fields=["status", "undone_by", "undone_at"])
    return rows
