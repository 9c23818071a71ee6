"""Brings aggregates, columnstore and statistics up to date at once, as the owner.

On a server TimescaleDB's jobs and autovacuum do it in the background; whoever has just loaded
data, or runs where there is neither, need not wait for them.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic, sleep

from django.db import OperationalError, connections
from django.db.backends.utils import CursorWrapper
from psycopg import sql
from psycopg.errors import LockNotAvailable

PATIENCE_SECONDS = 600


@contextmanager
def owner_cursor() -> Iterator[CursorWrapper]:
    """A cursor of the owner outside any transaction, which refreshing and compressing want."""
    connection = connections["owner"]
    if connection.in_atomic_block:
        raise RuntimeError("Aggregates cannot be refreshed inside a transaction.")
    with connection.cursor() as cursor:
        yield cursor


def refresh_requested() -> None:
    """Refresh every aggregate over the days that imports have touched, and over no others.

    TimescaleDB refuses to refresh a window that its job, or another import, is refreshing: then
    this waits, and finds the days done or does them. Raises OperationalError after ten minutes.
    """
    give_up = monotonic() + PATIENCE_SECONDS
    with owner_cursor() as cursor:
        while True:
            try:
                cursor.execute("CALL timeseries.refresh_requested()")
                return
            except OperationalError as error:
                if not isinstance(error.__cause__, LockNotAvailable) or monotonic() > give_up:
                    raise
            sleep(1)


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


def update_statistics(*tables: str) -> None:
    """Have the planner know these tables of schema public, or all tables and hypertables.

    Without statistics it checks each reference to a store by reading all of the customer's.
    """
    with owner_cursor() as cursor:
        if not tables:
            cursor.execute(
                """
                SELECT relnamespace::regnamespace::text, relname FROM pg_class
                WHERE relnamespace IN ('public'::regnamespace, 'timeseries'::regnamespace)
                  AND relkind = 'r' AND pg_has_role(relowner, 'USAGE')
                """
            )
        names = [("public", table) for table in tables] or cursor.fetchall()
        cursor.execute(
            sql.SQL("ANALYZE {}").format(sql.SQL(", ").join(sql.Identifier(*n) for n in names))
        )
