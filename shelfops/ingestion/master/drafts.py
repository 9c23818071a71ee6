"""From an uploaded file to a draft, and from the draft into the product's tables.

A draft shows what its file would do. It is applied whole, by one transaction, and only while
what it would overwrite is as it was shown: what somebody else has changed meanwhile is neither
overwritten nor lost, but compared again.
"""

import json
import zlib
from collections.abc import Mapping
from hashlib import sha256
from typing import Any
from uuid import UUID
from zoneinfo import available_timezones

import pyarrow
import pyarrow.compute as pc
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from inventory.models import Store
from shelfops.ingestion import staging
from shelfops.ingestion.feeds import take_turn
from shelfops.ingestion.files import FileProblem
from shelfops.ingestion.master import queries
from shelfops.ingestion.master.files import MasterRows, reader
from shelfops.ingestion.master.kinds import Field, Kind
from shelfops.ingestion.master.matching import Match, matched
from shelfops.ingestion.master.products import PRODUCTS
from shelfops.ingestion.master.reorder_points import REORDER_POINTS
from shelfops.ingestion.master.stores import STORES
from shelfops.ingestion.master.words import NO, SHORTENED, SPACES, YES
from shelfops.ingestion.models import ImportBatch, ImportDraft
from shelfops.reports.sql import Row, rows
from shelfops.tenancy.models import User

KINDS: dict[str, Kind] = {kind.name: kind for kind in (PRODUCTS, STORES, REORDER_POINTS)}
PAGE_ROWS = 100


class Changed(Exception):
    """What the draft would overwrite is no longer as it was shown; nothing was applied."""

    def __init__(self, lines: list[int]) -> None:
        super().__init__(f"Lines {lines}")
        self.lines = lines


def start(kind: Kind, user: User, name: str, content: bytes) -> tuple[ImportDraft, Match]:
    """A draft of the file, not compared yet, and how its columns are understood.

    FileProblem if it cannot be read.
    """
    file = MasterRows(content, {})
    match = matched(kind, file.header)
    draft = ImportDraft.objects.create(
        user_id=user.pk,
        kind=kind.name,
        source=name[-255:],
        source_hash=sha256(content).hexdigest(),
        file=zlib.compress(content, 1),
        reading={"columns": match.columns, "sheets": file.sheets},
    )
    return draft, match


def content_of(draft: ImportDraft) -> bytes:
    return zlib.decompress(draft.file)


def compare(draft: ImportDraft, user: User) -> None:
    """Read the file and keep what it would do; FileProblem leaves the draft as it was."""
    kind = KINDS[draft.kind]
    records, fields = reader(content_of(draft), draft.reading, kind.fields)
    staged = pyarrow.Table.from_batches(list(records.records()) or [empty(records)])
    if not staged.num_rows:
        raise FileProblem("The file has headings, but no rows.")
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(queries.SETTINGS)
        cursor.execute(queries.FORGET_ROWS, {"draft_id": draft.pk})
        columns = columns_of(kind)
        statement = queries.COMPARE.format(staged=staging.staged(columns), found=kind.sql["found"])
        params = parameters(draft, user, fields)
        counts = staging.execute(statement, params, columns, staged)
        draft.rows_created, draft.rows_changed, draft.rows_refused = counts
        if draft.rows_refused:
            keep_originals(cursor, draft, staged)
        draft.rows_read, draft.compared_at = staged.num_rows, timezone.now()
        draft.reading["header"] = records.file.header
        draft.save()


def empty(records: Any) -> pyarrow.RecordBatch:
    return pyarrow.RecordBatch.from_pydict({"line_number": pyarrow.array([], pyarrow.int64())})


def columns_of(kind: Kind) -> dict[str, str]:
    """What is staged of a line, and the types."""
    columns = {"line_number": "bigint", "flaw": "text[]"}
    for field in kind.fields:
        columns |= field.staged
    return columns


def parameters(draft: ImportDraft, user: User, fields: list[Field]) -> dict[str, Any]:
    kind = KINDS[draft.kind]
    key = next(field for field in reversed(kind.fields) if field.is_key)
    return {
        "draft_id": draft.pk,
        "stores": stores_of(user),
        "absent": [field.name for field in kind.fields if field not in fields],
        "key": key.name,
        "what": kind.identity,
        "yes": YES,
        "no": NO,
        "shortened": SHORTENED,
        "spaces": SPACES,
        "zones": sorted(available_timezones()),
        "time_zone": None,
        "moved": False,
    }


def stores_of(user: User) -> list[UUID] | None:
    """The stores that the user may write for; None for all."""
    if not user.is_store_scoped:
        return None
    return list(Store.objects.visible_to(user).values_list("pk", flat=True))


def keep_originals(cursor: Any, draft: ImportDraft, staged: pyarrow.Table) -> None:
    """Add to the refused rows what the file says, in its own columns."""
    cursor.execute(queries.REFUSED_LINES, {"draft_id": draft.pk})
    lines = pyarrow.array([line for (line,) in cursor.fetchall()], pyarrow.int64())
    kept = staged.filter(pc.is_in(staged["line_number"], value_set=lines))
    originals = [json.dumps(row, ensure_ascii=False) for row in kept["original"].to_pylist()]
    cursor.execute(
        queries.KEEP_ORIGINALS,
        {
            "draft_id": draft.pk,
            "lines": kept["line_number"].to_pylist(),
            "originals": originals,
        },
    )


def page(draft: ImportDraft, outcome: str, number: int) -> list[Row]:
    """Rows of one outcome, or of all for an empty one; pages are counted from 1."""
    params = {
        "draft_id": draft.pk,
        "outcome": outcome,
        "limit": PAGE_ROWS,
        "offset": (number - 1) * PAGE_ROWS,
    }
    return rows(queries.PAGE, params)


def zone_changes(draft: ImportDraft) -> int:
    """How many stores keep their old time zone for the days that they have already."""
    if draft.kind != STORES.name:
        return 0
    with connection.cursor() as cursor:
        cursor.execute(queries.ZONE_CHANGES, {"draft_id": draft.pk})
        return int(cursor.fetchone()[0])


def apply(draft: ImportDraft, user: User) -> ImportBatch:
    """Do what the draft shows, all of it, and leave a record; Changed if that is not possible.

    `draft` is locked by the caller. Rows that are refused are kept with the record.
    """
    kind = KINDS[draft.kind]
    try:
        with transaction.atomic():
            batch = record(draft, user)
            place(kind, draft, batch, user)
            draft.delete()
    except IntegrityError as error:  # somebody made the same row at the same moment
        raise Changed([]) from error
    return batch


def record(draft: ImportDraft, user: User) -> ImportBatch:
    now = timezone.now()
    header = draft.reading.get("header", [])
    return ImportBatch.objects.create(
        customer_id=draft.customer_id,
        kind=draft.kind,
        source=draft.source,
        source_hash=draft.source_hash,
        imported_by=user.email,
        status=ImportBatch.Status.DONE,
        rows_read=draft.rows_read,
        rows_inserted=draft.rows_created,
        rows_changed=draft.rows_changed,
        rows_present=draft.rows_same,
        rows_refused=draft.rows_refused,
        metadata={
            "columns": header,
            "named": draft.reading.get("columns", {}),
            "draft": str(draft.pk),
        },
        started_at=now,
        finished_at=now,
    )


def place(kind: Kind, draft: ImportDraft, batch: ImportBatch, user: User) -> None:
    """Raise Changed, in the transaction that it undoes, if it cannot be exactly as shown."""
    params: Mapping[str, Any] = {
        "draft_id": draft.pk,
        "batch_id": batch.pk,
        "kind": batch.kind,
        "source_hash": batch.source_hash,
        "stores": stores_of(user),
    }
    with connection.cursor() as cursor:
        take_turn(cursor, batch)
        cursor.execute(kind.sql["locked"], params)
        cursor.execute(kind.sql["stale"], params)
        if stale := sorted(line for (line,) in cursor.fetchall()):
            raise Changed(stale)
        cursor.execute(kind.sql["placed"], params)
        if cursor.fetchone() != (draft.rows_created, draft.rows_changed):
            raise Changed([])
        if "kept" in kind.sql:
            cursor.execute(kind.sql["kept"], params)
        cursor.execute(queries.KEEP_REFUSED, params)
