"""The chunks that an import's rows go into, made and opened before it in a short transaction.

See migrations 0011_chunks_beforehand and 0014_open_chunks for why. A block that would need a new
chunk, or one that is closed, stops the import; it is rolled back, the chunks are made and opened,
and it begins again.
"""

from datetime import UTC, datetime, timedelta

import pyarrow
import pyarrow.compute as pc
from django.db import connection
from django.db.backends.utils import CursorWrapper

from shelfops.tenancy.context import tenant
from shelfops.tenancy.models import Customer

DAY = timedelta(days=1)
# No zone is further from UTC.
FURTHEST = timedelta(hours=14)
# Before the two years that are kept, whenever that is.
EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
# How often an import begins again: after the chunks since its first block are there, and after
# all are.
ATTEMPTS = 2


class ChunkMissing(Exception):
    """A row of the time `since` would be the first of its chunk, or beside its columnstore."""

    def __init__(self, since: datetime) -> None:
        super().__init__(f"no chunk for {since}")
        self.since = since


def require_chunks(cursor: CursorWrapper, ledger: str, time: str, block: pyarrow.Table) -> None:
    """ChunkMissing unless there are chunks for all rows of the block; `time` is their column."""
    cursor.execute("SELECT first_without_chunk(%s, %s)", [ledger, moments(block, time)])
    [(since,)] = cursor.fetchall()
    if since is not None:
        raise ChunkMissing(since)


def make_chunks(customer: Customer, ledger: str, since: datetime) -> None:
    """From `since` until now; a short transaction, for which nobody waits long."""
    with tenant(customer), connection.cursor() as cursor:
        cursor.execute("SELECT make_chunks(%s, %s)", [ledger, since])
        cursor.execute("SELECT open_chunks(%s, %s, now())", [ledger, since])


def open_chunks(customer: Customer, ledger: str, since: datetime, until: datetime) -> None:
    """Those between the two times, as `make_chunks` does."""
    with tenant(customer), connection.cursor() as cursor:
        cursor.execute("SELECT open_chunks(%s, %s, %s)", [ledger, since, until])


def moments(block: pyarrow.Table, time: str) -> list[datetime]:
    """Both ends of each day in the block; of local times, wherever the store may be."""
    ends: set[datetime] = set()
    for name, leeway in ((time, timedelta()), ("local_time", FURTHEST)):
        if name in block.column_names and pyarrow.types.is_timestamp(block[name].type):
            for day in pc.unique(pc.floor_temporal(block[name], unit="day")).drop_null():
                start = day.as_py().replace(tzinfo=UTC)
                ends |= {start - leeway, start + DAY + leeway}
    return sorted(ends)
