"""Takes back an import of master data: old values return, what it made goes.

All of it, or nothing and, row by row, why not: a row that somebody has changed since, or that
something else refers to by now, stays what it is.
"""

from collections.abc import Callable
from dataclasses import dataclass

from django.db import IntegrityError, connection, transaction

from shelfops.ingestion.master import undo_queries as sql
from shelfops.ingestion.models import ImportBatch
from shelfops.ingestion.undo import KINDS, CannotUndo, Undo
from shelfops.reports.sql import rows

LINES_NAMED = 20


@dataclass(frozen=True)
class Way:
    """Statements of one kind: `spoiled` gives line, key and reason of what hinders it."""

    locked: str
    spoiled: str
    restored: str
    removed: str


WAYS = {
    "products": Way(
        sql.LOCK_PRODUCTS, sql.SPOILED_PRODUCTS, sql.RESTORE_PRODUCTS, sql.REMOVE_PRODUCTS
    ),
    "stores": Way(sql.LOCK_STORES, sql.SPOILED_STORES, sql.RESTORE_STORES, sql.REMOVE_STORES),
    "reorder_points": Way(
        sql.LOCK_REORDER_POINTS, sql.SPOILED_REORDER_POINTS, "", sql.REMOVE_REORDER_POINTS
    ),
}


def obstacles(batch: ImportBatch) -> list[str]:
    """Why the batch cannot be undone, a sentence for each row."""
    params = {"batch_id": batch.pk}
    [found] = rows(sql.KEPT, params)
    if not found["kept"]:
        return ["What it changed was not written down: it is older than the undoing."]
    spoiled = rows(WAYS[batch.kind].spoiled, params)
    named = [f"Line {row['line_number']}, {row['key']}: {row['reason']}." for row in spoiled]
    if len(named) > LINES_NAMED:
        named[LINES_NAMED:] = [f"And {len(named) - LINES_NAMED:,} more rows."]
    return named


def apply(way: Way) -> Callable[[ImportBatch], int]:
    """Restores and removes the rows, once they are locked and nothing hinders it still."""

    def undo(batch: ImportBatch) -> int:
        try:
            with transaction.atomic(), connection.cursor() as cursor:
                restored = 0
                cursor.execute(way.locked, {"batch_id": batch.pk})
                if reasons := obstacles(batch):
                    raise CannotUndo(reasons)
                if way.restored:
                    cursor.execute(way.restored, {"batch_id": batch.pk})
                    restored = cursor.rowcount
                cursor.execute(way.removed, {"batch_id": batch.pk})
                [(removed,)] = cursor.fetchall()
        except IntegrityError as error:
            raise CannotUndo(["Something else refers to one of its rows by now."]) from error
        if restored + removed != batch.rows_inserted + batch.rows_changed:
            raise CannotUndo(["Not all of its rows are as it left them."])
        return restored + int(removed)

    return undo


def register() -> None:
    """Tell the undoing of imports how these kinds are undone."""
    for kind, way in WAYS.items():
        KINDS[kind] = Undo(obstacles, apply(way))
