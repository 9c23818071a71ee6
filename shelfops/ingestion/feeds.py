"""How rows of any kind get from a file into the product.

A feed says what its rows are and how the database judges and places them; `load` streams
records of any source through it. Rows go by COPY into a temporary table and from there, set by
set, into the product's tables, as the customer and as the application's role: what the policies
and keys forbid to a page they forbid to an import.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any

import pyarrow
import pyarrow.csv
from django.db import connection
from django.db.models import F
from django.utils import timezone

from shelfops.ingestion.models import ImportBatch
from shelfops.tenancy.context import tenant
from shelfops.tenancy.models import Customer

# Rows of one transaction. Large enough to make the joins worth their while, small enough for the
# embedded engine, which serves nobody else meanwhile.
BLOCK_ROWS = 50_000

AS_CSV = pyarrow.csv.WriteOptions(include_header=False)

# The joins and the judged rows of one block fit into memory; late rows may belong to many
# compressed segments.
SETTINGS = """
SELECT set_config('work_mem', '64MB', true),
       set_config('timescaledb.max_tuples_decompressed_per_dml_transaction', '0', true)
"""

# `judged` has the columns to place, and `problem`: NULL, or what is wrong as {field, reason}.
# `placed` returns what is new, with `touched`: the time of a row that aggregates count, or NULL.
STATEMENT = """
WITH judged AS MATERIALIZED ({judge}),
refused AS (
    INSERT INTO refused_rows AS refused
           (batch_id, kind, source_hash, line_number, field, reason, content)
    SELECT %(batch_id)s, %(kind)s, %(source_hash)s, line_number, problem[1], problem[2],
           to_jsonb(staged) - 'line_number'
    FROM judged JOIN staged USING (line_number)
    WHERE problem IS NOT NULL
    ON CONFLICT (customer_id, kind, source_hash, line_number) DO UPDATE
    SET batch_id = excluded.batch_id, field = excluded.field, reason = excluded.reason,
        content = excluded.content
),
{place}
SELECT (SELECT count(*) FROM judged WHERE problem IS NOT NULL), count(*),
       request_refresh(array_agg(DISTINCT date_trunc('day', touched, 'UTC')))
FROM placed
"""


@dataclass(frozen=True)
class Feed:
    """The rows of one kind.

    `columns` names the columns of its records and their types in the database; a record also
    has its `line_number` in the source, first. `judge` is a SELECT from `staged`; `place` the
    CTE `placed`, and any that follow it. See STATEMENT for what each returns.
    """

    kind: str
    columns: dict[str, str]
    judge: str
    place: str

    @property
    def staging(self) -> str:
        columns = ", ".join(f"{name} {kind}" for name, kind in self.columns.items())
        return f"CREATE TEMP TABLE staged (line_number bigint, {columns}) ON COMMIT DROP"

    @property
    def statement(self) -> str:
        return STATEMENT.format(judge=self.judge, place=self.place)


@dataclass(frozen=True)
class Source:
    """Where records come from: the file's name, its SHA-256, and who imports it."""

    name: str
    sha256: str
    imported_by: str
    metadata: dict[str, Any] = field(default_factory=dict)


def load(
    customer: Customer,
    feed: Feed,
    source: Source,
    records: Iterable[pyarrow.RecordBatch],
    progress: Callable[[int], None] = lambda rows: None,
) -> ImportBatch:
    """Place all records, block by block, and return the import's record with its counts.

    Each block is committed whole, with its counts. An error leaves the blocks before it in
    place, marks the import as failed and goes on up; importing again adds what is missing.
    """
    with recorded(customer, feed, source) as batch:
        for block in blocks(records):
            with tenant(customer):
                refused, inserted = place(feed, batch, block)
                count(batch, block.num_rows, inserted, refused)
            progress(block.num_rows)
    with tenant(customer):
        batch.refresh_from_db()
    batch.customer = customer
    return batch


@contextmanager
def recorded(customer: Customer, feed: Feed, source: Source) -> Iterator[ImportBatch]:
    """The record of an import that the block carries out: done, or failed if it raises."""
    with tenant(customer):
        batch = ImportBatch.objects.create(
            kind=feed.kind,
            source=source.name,
            source_hash=source.sha256,
            imported_by=source.imported_by,
            metadata=source.metadata,
        )
    try:
        yield batch
    except BaseException as error:
        finish(customer, batch, ImportBatch.Status.FAILED, describe(error))
        raise
    finish(customer, batch, ImportBatch.Status.DONE)


def finish(customer: Customer, batch: ImportBatch, status: str, error: str = "") -> None:
    with tenant(customer):
        ImportBatch.objects.filter(pk=batch.pk).update(
            status=status, error=error, finished_at=timezone.now()
        )


def describe(error: BaseException) -> str:
    """The error's first line; what the database adds below it can quote other rows."""
    first, *_ = str(error).splitlines() or [""]
    return f"{type(error).__name__}: {first}"


def place(feed: Feed, batch: ImportBatch, block: pyarrow.Table) -> tuple[int, int]:
    """Stage, judge and place one block in the open transaction; rows refused and inserted."""
    with connection.cursor() as cursor:
        cursor.execute(SETTINGS)
        cursor.execute(feed.staging)
        with cursor.copy("COPY staged FROM STDIN (FORMAT csv)") as copy:
            copy.write(as_csv(block.select(["line_number", *feed.columns])))
        cursor.execute(
            feed.statement,
            {"batch_id": batch.pk, "kind": batch.kind, "source_hash": batch.source_hash},
        )
        refused, inserted, _ = cursor.fetchone()
        cursor.execute("DROP TABLE staged")
    return refused, inserted


def count(batch: ImportBatch, read: int, inserted: int, refused: int) -> None:
    ImportBatch.objects.filter(pk=batch.pk).update(
        rows_read=F("rows_read") + read,
        rows_inserted=F("rows_inserted") + inserted,
        rows_refused=F("rows_refused") + refused,
        rows_present=F("rows_present") + read - inserted - refused,
    )


def as_csv(block: pyarrow.Table) -> memoryview:
    """The block as CSV: an empty string is quoted, NULL is nothing at all."""
    sink = BytesIO()
    pyarrow.csv.write_csv(block, sink, AS_CSV)
    return sink.getbuffer()


def blocks(records: Iterable[pyarrow.RecordBatch]) -> Iterator[pyarrow.Table]:
    """Gather record batches into tables of about BLOCK_ROWS rows."""
    gathered: list[pyarrow.RecordBatch] = []
    for batch in records:
        gathered.append(batch)
        if sum(part.num_rows for part in gathered) >= BLOCK_ROWS:
            yield pyarrow.Table.from_batches(gathered)
            gathered = []
    if any(part.num_rows for part in gathered):
        yield pyarrow.Table.from_batches(gathered)
