"""How rows of any kind get from a file into the product.

A feed says what its rows are and how the database judges and places them; `load` streams
records of any source through it. Rows go to the database as arrays and from there, set by set,
into the product's tables, as the customer and as the application's role: what the policies and
keys forbid to a page they forbid to an import.

A file is imported whole or not at all, in one transaction: whatever ends it half-way, even the
death of the process, leaves nothing behind, and importing again starts from nothing. (A load
that its caller can complete, as the demonstration's, may commit each block by itself.) Imports
of one kind for one customer come one after the other, block by block or file by file, so that
two with the same rows neither lock each other out nor miss what the other has brought.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

import pyarrow
from django.db import connection
from django.db.backends.utils import CursorWrapper
from django.db.models import DateTimeField, F, Value
from django.db.models.functions import Greatest, Least
from django.utils import timezone

from shelfops.ingestion import keeping, staging
from shelfops.ingestion.chunks import (
    ATTEMPTS,
    EARLIEST,
    ChunkMissing,
    make_chunks,
    require_chunks,
)
from shelfops.ingestion.files import FileProblem
from shelfops.ingestion.models import KEPT, REPEATED_TIMES, ImportBatch
from shelfops.tenancy.context import set_local, tenant
from shelfops.tenancy.models import Customer

# Rows placed at once, and bytes of them. Large enough to make the joins worth their while, small
# enough for the memory, and for the embedded engine, which serves nobody else meanwhile.
BLOCK_ROWS, BLOCK_BYTES = 50_000, 32 * 1024 * 1024

MOMENT = DateTimeField()

# The joins and the judged rows of one block fit into memory; late rows may belong to many
# compressed segments.
SETTINGS = """
SELECT set_config('work_mem', '64MB', true),
       set_config('timescaledb.max_tuples_decompressed_per_dml_transaction', '0', true),
       set_config('statement_timeout', '30min', true)
"""
# A statement whose process has been killed ends, too, where the server can see that.
NOTICE_DEATH = """
SELECT set_config(name, '10s', true) FROM pg_settings
WHERE name = 'client_connection_check_interval' AND version() NOT LIKE '%emscripten%'
"""
# To be had before a statement looks at what is there already. The batch's own lock tells others
# that its import is alive.
TAKE_TURNS = """
SELECT take_turn(%(alive)s), take_turn(%(turn)s)
"""
ALIVE = "import batch "
# An import takes its lock a moment after its record is there; a few seconds are left to it.
BURY = """
UPDATE import_batches SET status = 'failed', error = 'interrupted', finished_at = now()
WHERE status = 'running' AND kind = ANY (%(kinds)s)
  AND (source_hash = %(hash)s OR started_at < now() - INTERVAL '10 seconds')
  AND try_turn(%(alive)s || batch_id::text)
"""

# `judged` has the columns to place, and `problem`: NULL, or what is wrong as {field, reason}; if
# the feed compares, also whether the row is `present`. `placed` returns what is new, with
# `touched`: the time of a ledger's row, or NULL.
STATEMENT = """
WITH {staged},
{judge},
{kept},
refused AS (
    INSERT INTO refused_rows AS refused
           (batch_id, kind, source_hash, line_number, field, reason, content)
    SELECT %(batch_id)s, %(kind)s, %(source_hash)s, line_number, problem[1], problem[2],
           content
    FROM kept
    ON CONFLICT (customer_id, kind, source_hash, line_number) DO UPDATE
    SET batch_id = excluded.batch_id, field = excluded.field, reason = excluded.reason,
        content = excluded.content
),
{place}
SELECT (SELECT count(*) FROM judged WHERE problem IS NOT NULL), count(*),
       {absent} - count(*), min(touched), max(touched), {repeated},
       request_refresh(array_agg(DISTINCT date_trunc('day', touched, 'UTC'))),
       (SELECT count(*) FROM kept), (SELECT coalesce(max(filled), 0)::bigint FROM kept)
FROM placed
"""
REPEATED = "(SELECT count(*) FROM judged WHERE problem IS NULL AND repeated)"
ABSENT = "(SELECT count(*) FROM judged WHERE problem IS NULL AND NOT present)"

# For a join of `stores`: those that the importing person works in.
ALLOWED = "(%(stores)s::uuid[] IS NULL OR stores.store_id = ANY (%(stores)s::uuid[]))"


def beyond(limit: int) -> str:
    """Why a figure is refused that no feed can mean."""
    return f"beyond the limit of {limit:,}"


@dataclass(frozen=True)
class Feed:
    """The rows of one kind.

    `columns` names the columns of its records and their types in the database; a record also
    has its `line_number` in the source, first, `flaw`, what its reader found wrong with it, and
    the `size` that it has there.
    `judge` is a SELECT from `staged`; `place` the CTE `placed`, and any that follow it. With
    `compare`, that what `judge` gives are the `candidates`, from which `compare` makes
    `judged`, looking at what is there already. See STATEMENT for what each returns. `time` is
    the column of a ledger's time; a ledger has the name of its kind.
    """

    kind: str
    columns: dict[str, str]
    judge: str
    place: str
    compare: str = ""
    time: str = ""

    @property
    def staged(self) -> dict[str, str]:
        return {"line_number": "bigint", "flaw": "text[]", "size": "bigint", **self.columns}

    @property
    def statement(self) -> str:
        repeated = REPEATED if "local_time" in self.columns else "0"
        if not self.compare:
            judge = f"judged AS MATERIALIZED ({self.judge})"
            absent = "count(*)"
        else:
            judge = f"candidates AS MATERIALIZED ({self.judge}),\n{self.compare}"
            absent = ABSENT
        return STATEMENT.format(
            staged=staging.staged(self.staged),
            judge=judge,
            kept=keeping.KEPT_ROWS_OF_BLOCK,
            place=self.place,
            absent=absent,
            repeated=repeated,
        )


@dataclass(frozen=True)
class Source:
    """Where records come from: the file's name, its SHA-256, and who imports it.

    Times without a zone are those of `time_zone`, or of the store's own if it is None. Those
    that a change of clocks skips are refused, unless they were `moved` from another year. Stores
    other than `stores` are unknown, if it is not None. The batch gets `batch_id`, or a new id.
    """

    name: str
    sha256: str
    imported_by: str
    metadata: dict[str, Any] = field(default_factory=dict)
    time_zone: str | None = None
    moved: bool = False
    stores: Sequence[UUID] | None = None
    batch_id: UUID | None = None


@dataclass(frozen=True)
class Placed:
    """What became of a block: its rows inserted and refused, and when the inserted ones were.

    `repeated` counts the rows whose time the clocks showed twice, of which the first was taken.
    """

    inserted: int
    refused: int
    first: datetime | None
    last: datetime | None
    repeated: int


def load(
    customer: Customer,
    feed: Feed,
    source: Source,
    records: Iterable[pyarrow.RecordBatch],
    progress: Callable[[int], None] = lambda rows: None,
    *,
    by_block: bool = False,
) -> ImportBatch:
    """Place all records or none, and return the import's record with its counts.

    An error marks the import as failed and goes on up. With `by_block`, each block is committed
    by itself, with its counts, and an error leaves the blocks before it in place. Records that
    are no iterator may be read several times; `progress` then takes back what it told.
    """
    with recorded(customer, feed, source) as batch:
        if by_block:
            for block in blocks(records):
                place_all([block], batch, feed, source, progress)
        else:
            place_whole(records, batch, feed, source, progress)
    with tenant(customer):
        batch.refresh_from_db()
    batch.customer = customer
    return batch


def place_whole(
    records: Iterable[pyarrow.RecordBatch],
    batch: ImportBatch,
    feed: Feed,
    source: Source,
    progress: Callable[[int], None],
) -> None:
    """All blocks in one transaction, which makes no chunk if the records can be read again."""
    can_begin_again = feed.time and iter(records) is not records
    for attempt in range(ATTEMPTS if can_begin_again else 0):
        try:
            return place_all(blocks(records), batch, feed, source, progress, check_chunks=True)
        except ChunkMissing as missing:
            make_chunks(batch.customer, feed.kind, EARLIEST if attempt else missing.since)
    place_all(blocks(records), batch, feed, source, progress)


def place_all(
    run: Iterable[pyarrow.Table],
    batch: ImportBatch,
    feed: Feed,
    source: Source,
    progress: Callable[[int], None],
    *,
    check_chunks: bool = False,
) -> None:
    """The blocks in one transaction; ChunkMissing leaves no trace of it."""
    placed = 0
    try:
        with placing(batch) as cursor:
            for block in run:
                if check_chunks:
                    require_chunks(cursor, feed.kind, feed.time, block)
                count(batch, block.num_rows, place(cursor, feed, source, batch, block))
                progress(block.num_rows)
                placed += block.num_rows
    except ChunkMissing:
        progress(-placed)
        for told in (REPEATED_TIMES, KEPT):
            batch.metadata.pop(told, None)
        raise


@contextmanager
def placing(batch: ImportBatch) -> Iterator[CursorWrapper]:
    """A transaction of the customer's, when the import's turn has come."""
    with tenant(batch.customer), connection.cursor() as cursor:
        cursor.execute(SETTINGS)
        cursor.execute(NOTICE_DEATH)
        set_local("import_batch_id", batch.pk)
        take_turn(cursor, batch)
        yield cursor


def take_turn(cursor: CursorWrapper, batch: ImportBatch) -> None:
    """Wait for the imports of this kind and customer that came before; then they wait for us."""
    cursor.execute(TAKE_TURNS, {"alive": f"{ALIVE}{batch.pk}", "turn": f"import {batch.kind}"})


@contextmanager
def recorded(customer: Customer, feed: Feed, source: Source) -> Iterator[ImportBatch]:
    """The record of an import that the block carries out: done, or failed if it raises."""
    with tenant(customer):
        bury([feed.kind], source.sha256)
        batch = ImportBatch.objects.create(
            batch_id=source.batch_id or uuid4(),
            customer=customer,
            kind=feed.kind,
            source=source.name,
            source_hash=source.sha256,
            imported_by=source.imported_by,
            metadata=source.metadata,
        )
    try:
        yield batch
    except BaseException as error:
        finish(customer, batch, ImportBatch.Status.FAILED, explain(error))
        raise
    finish(customer, batch, ImportBatch.Status.DONE)


def bury(kinds: Sequence[str], file_hash: str = "") -> None:
    """Mark as failed the imports of these kinds whose process has gone, at once those of a file."""
    with connection.cursor() as cursor:
        cursor.execute(BURY, {"kinds": list(kinds), "hash": file_hash, "alive": ALIVE})


def finish(customer: Customer, batch: ImportBatch, status: str, error: str = "") -> None:
    with tenant(customer):
        ImportBatch.objects.filter(pk=batch.pk).update(
            status=status, error=error, finished_at=timezone.now()
        )


def describe(error: BaseException) -> str:
    """The error's first line; what the database adds below it can quote other rows."""
    first, *_ = str(error).splitlines() or [""]
    return f"{type(error).__name__}: {first}"


def explain(error: BaseException) -> str:
    """What a person can do with the error: all of what we say ourselves, else its first line."""
    return str(error) if isinstance(error, FileProblem) else describe(error)


def place(
    cursor: CursorWrapper, feed: Feed, source: Source, batch: ImportBatch, block: pyarrow.Table
) -> Placed:
    """Judge and place one block in the open transaction."""
    params: dict[str, Any] = {
        "batch_id": batch.pk,
        "kind": batch.kind,
        "source_hash": batch.source_hash,
        "time_zone": source.time_zone,
        "moved": source.moved,
        **keeping.room(batch),
        "stores": None if source.stores is None else list(source.stores),
    }
    outcome = staging.execute(feed.statement, params, feed.staged, block)
    refused, inserted, twice, first, last, repeated, _, *kept = outcome
    if twice:  # lines of the block had the same key; now each is compared with the first
        refused, *_, rows, size = staging.execute(feed.statement, params, feed.staged, block)
        kept = [rows, size]
    if refused:
        keeping.note(batch, *kept)
    if refused and "original" in block.column_names:
        keeping.keep_originals(cursor, batch, block)
    return Placed(inserted, refused, first, last, repeated)


def count(batch: ImportBatch, read: int, placed: Placed) -> None:
    if placed.repeated:
        batch.metadata[REPEATED_TIMES] = batch.metadata.get(REPEATED_TIMES, 0) + placed.repeated
    ImportBatch.objects.filter(pk=batch.pk).update(
        rows_read=F("rows_read") + read,
        rows_inserted=F("rows_inserted") + placed.inserted,
        rows_refused=F("rows_refused") + placed.refused,
        rows_present=F("rows_present") + read - placed.inserted - placed.refused,
        metadata=batch.metadata,
        touched_from=Least("touched_from", Value(placed.first, MOMENT)),
        touched_until=Greatest("touched_until", Value(placed.last, MOMENT)),
    )


def blocks(records: Iterable[pyarrow.RecordBatch]) -> Iterator[pyarrow.Table]:
    """Gather record batches into tables of about BLOCK_ROWS rows, or BLOCK_BYTES if earlier."""
    gathered: list[pyarrow.RecordBatch] = []
    rows = size = 0
    for batch in records:
        gathered.append(batch)
        rows, size = rows + batch.num_rows, size + batch.nbytes
        if rows >= BLOCK_ROWS or size >= BLOCK_BYTES:
            yield pyarrow.Table.from_batches(gathered)
            gathered, rows, size = [], 0, 0
    if rows:
        yield pyarrow.Table.from_batches(gathered)
