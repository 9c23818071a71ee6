"""Takes back what an import brought: exactly that, or nothing and the reasons why not.

Each kind of import says by itself whether and how it can be undone, in KINDS. `undo` has its
turn among the imports of that kind, and all of it is one transaction.
"""

from collections.abc import Callable
from dataclasses import dataclass

from django.db import connection
from django.utils import timezone

from shelfops.ingestion.chunks import open_chunks
from shelfops.ingestion.feeds import take_turn
from shelfops.ingestion.models import ImportBatch
from shelfops.tenancy.context import tenant
from shelfops.tenancy.models import Customer

Status = ImportBatch.Status
NAMES_SHOWN = 10


@dataclass(frozen=True)
class Undo:
    """How imports of one kind are undone, in the open transaction of the batch's customer.

    `obstacles` gives the reasons why it cannot be, each a sentence; none if it can. `apply`
    takes back what the batch brought and returns how many rows that were. `warnings` says what
    else follows from it.
    """

    obstacles: Callable[[ImportBatch], list[str]]
    apply: Callable[[ImportBatch], int]
    warnings: Callable[[ImportBatch], list[str]] = lambda batch: []


class CannotUndo(Exception):
    """The batch stays as it is, for these `reasons`."""

    def __init__(self, reasons: list[str]) -> None:
        super().__init__(" ".join(reasons))
        self.reasons = reasons


# Totals of older days can no longer be put right; an import places none of them either.
TOO_OLD = "SELECT %s < kept_since()"


def ledger_obstacles(batch: ImportBatch) -> list[str]:
    if batch.touched_from is None:
        return ["Its rows do not say that it brought them: it is older than the undoing."]
    with connection.cursor() as cursor:
        cursor.execute(TOO_OLD, [batch.touched_from])
        [(too_old,)] = cursor.fetchall()
    if too_old:
        return [
            f"It brought rows of {batch.touched_from:%Y-%m-%d}: the totals of days about to leave"
            " the two years that are kept can no longer be put right."
        ]
    return []


def ledger_warnings(batch: ImportBatch) -> list[str]:
    """Rows that two files share are the first one's, and go with it."""
    later = ImportBatch.objects.filter(
        kind=batch.kind, status=Status.DONE, started_at__gt=batch.started_at, rows_present__gt=0
    )
    names = list(later.order_by("started_at").values_list("source", flat=True)[:NAMES_SHOWN])
    if not names:
        return []
    return [
        "Later imports found rows there already. Those that this one brought are gone then;"
        f" import again what shall keep them: {', '.join(names)}."
    ]


def undo_ledger(function: str) -> Callable[[ImportBatch], int]:
    """Undoing with a function of the database; see migration 0003_rows_of_imports."""

    def apply(batch: ImportBatch) -> int:
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT {function}(%s)", [batch.pk])
            [(rows,)] = cursor.fetchall()
        if rows != batch.rows_inserted:
            raise CannotUndo([f"It brought {batch.rows_inserted:,} rows, and {rows:,} are left."])
        return int(rows)

    return apply


def ledger(function: str) -> Undo:
    return Undo(ledger_obstacles, undo_ledger(function), ledger_warnings)


KINDS: dict[str, Undo] = {
    "transactions": ledger("undo_transactions"),
    "inventory_levels": ledger("undo_inventory_levels"),
}


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
    if batch.touched_from and batch.touched_until:
        open_chunks(customer, batch.kind, batch.touched_from, batch.touched_until)
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
