"""Refused rows are kept as the file has them, up to a limit for each import; all are counted."""

import json
from typing import Any

import pyarrow
import pyarrow.compute as pc
from django.db.backends.utils import CursorWrapper

from shelfops.ingestion.models import KEPT, ImportBatch

KEPT_ROWS, KEPT_BYTES = 50_000, 32 * 1024 * 1024

# What is kept of a block's refused rows: the first, while there is room. `size` is that of the row
# in the file.
KEPT_ROWS_OF_BLOCK = """
refusals AS MATERIALIZED (
    SELECT line_number, problem, content, row_number() OVER in_order AS place,
           sum(length(content::text) + coalesce(size, 0)) OVER in_order AS filled
    FROM (SELECT line_number, problem, staged.size,
                 to_jsonb(staged) - 'line_number' - 'flaw' - 'size' AS content
          FROM judged JOIN staged USING (line_number)
          WHERE problem IS NOT NULL) AS refused_rows_of_block
    WINDOW in_order AS (ORDER BY line_number)
),
kept AS (
    SELECT * FROM refusals WHERE place <= %(rows_left)s AND filled <= %(bytes_left)s
)"""

# By idx_refused_rows_batch.
REFUSED_LINES = """
SELECT line_number FROM refused_rows WHERE batch_id = %s AND line_number BETWEEN %s AND %s
"""
# A refused row as the file has it, in the order of the file's columns.
KEEP_ORIGINALS = """
UPDATE refused_rows SET content = content || jsonb_build_object('original', given.original)
FROM unnest(%(lines)s::bigint[], %(originals)s::text[]::jsonb[]) AS given (line, original)
WHERE batch_id = %(batch_id)s AND line_number = given.line
"""


def room(batch: ImportBatch) -> dict[str, int]:
    """What may still be kept of the batch's refused rows."""
    kept = batch.metadata.get(KEPT, {"rows": 0, "bytes": 0})
    return {"rows_left": KEPT_ROWS - kept["rows"], "bytes_left": KEPT_BYTES - kept["bytes"]}


def note(batch: ImportBatch, rows: int, size: int) -> None:
    """That more of its refused rows are kept now."""
    left = room(batch)
    batch.metadata[KEPT] = {
        "rows": KEPT_ROWS - left["rows_left"] + rows,
        "bytes": KEPT_BYTES - left["bytes_left"] + size,
    }


def keep_originals(cursor: CursorWrapper, batch: ImportBatch, block: pyarrow.Table) -> None:
    """Add to the block's refused rows what the file says, in its own columns."""
    last = block["line_number"][-1].as_py()
    cursor.execute(REFUSED_LINES, [batch.pk, block["line_number"][0].as_py(), last])
    lines = pyarrow.array([line for (line,) in cursor.fetchall()], pyarrow.int64())
    kept = block.filter(pc.is_in(block["line_number"], value_set=lines))
    originals = [json.dumps(row, ensure_ascii=False) for row in kept["original"].to_pylist()]
    params: dict[str, Any] = {
        "batch_id": batch.pk,
        "lines": kept["line_number"].to_pylist(),
        "originals": originals,
    }
    cursor.execute(KEEP_ORIGINALS, params)
