"""Brings continuous aggregates and the columnstore up to date at once, as their owner.

On a server TimescaleDB's own jobs do both in the background; whoever has just loaded data, or
runs where there is no scheduler, need not wait for them.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connections
from django.db.backends.utils import CursorWrapper


@contextmanager
def owner_cursor() -> Iterator[CursorWrapper]:
    """A cursor of the owner outside any transaction, which refreshing and compressing want."""
    connection = connections["owner"]
    if connection.in_atomic_block:
        raise RuntimeError("Aggregates cannot be refreshed inside a transaction.")
    with connection.cursor() as cursor:
        yield cursor


def refresh_requested() -> None:
    """Refresh every aggregate over the days that imports have touched, and over no others."""
    with owner_cursor() as cursor:
        cursor.execute("CALL timeseries.refresh_requested()")


def compress_old_chunks() -> None:
    """Move into the columnstore what its policies say is old enough."""
    with owner_cursor() as cursor:
        cursor.execute(
            """
            SELECT job_id FROM timescaledb_information.jobs
            WHERE proc_name = 'policy_compression' ORDER BY job_id
            """
        )
        for (job_id,) in cursor.fetchall():
            cursor.execute("CALL run_job(%s)", [job_id])
