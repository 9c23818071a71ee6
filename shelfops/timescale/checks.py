"""System check: no query may run in parallel, or reports come out wrong.

A parallel plan over a hypertable whose filter is a sub-select, as in every tenant view, loses rows
at random (timescale/timescaledb issue 10503). `timescaledb.enable_parallel_chunk_append = off`
loses none, but counts rows twice where only some chunks of a plan are scanned in parallel. With
`max_parallel_workers_per_gather = 0` there is no such plan.

No release is known to repair it, so that every version is asked for the setting.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import psycopg
from django.core.checks import CheckMessage, Error, Tags, register
from django.db import connections

# The embedded engine, which emcc has compiled, can start no worker.
ALLOWED = """
SELECT current_user, current_database(), current_setting('max_parallel_workers_per_gather')
WHERE version() NOT LIKE '%emcc%'
"""
# What a role has of its own counts for more than the database's setting.
OVERRIDES = """
SELECT setrole::regrole::text, current_database(), split_part(setting, '=', 2)
FROM pg_db_role_setting CROSS JOIN unnest(setconfig) AS setting
WHERE split_part(setting, '=', 1) = 'max_parallel_workers_per_gather'
  AND setrole::regrole::text IN ('shelfops_app', 'shelfops_owner', 'shelfops_operator')
  AND setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
  AND version() NOT LIKE '%emcc%'
"""


@register(Tags.database)
def check_parallel_plans(
    app_configs: Any = None, databases: Sequence[str] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    """E009 for each role whose queries may run in parallel.

    The owner alone is asked before `migrate`, which is what may have to mend it.
    """
    if "default" not in (databases or ()):
        return []
    allowed = {row for alias in databases or () for row in parallel_roles(alias)}
    return [refusal(*row) for row in sorted(allowed)]


def parallel_roles(alias: str) -> Iterator[tuple[str, str, str]]:
    """Role, database and number of workers, as a new connection past the pool has them.

    A server that does not answer is E007's.
    """
    try:
        with psycopg.connect(**connections[alias].get_connection_params()) as connection:
            rows = [*connection.execute(ALLOWED), *connection.execute(OVERRIDES)]
    except psycopg.Error:
        return
    yield from (row for row in rows if row[2] != "0")


def refusal(role: str, database: str, workers: str) -> CheckMessage:
    return Error(
        f"Queries of {role} may run in parallel (max_parallel_workers_per_gather = {workers}),"
        " and TimescaleDB then loses rows of reports.",
        hint="Run `manage.py provision_database ADMIN_URL` again, or as a superuser: ALTER DATABASE"
        f' "{database}" SET max_parallel_workers_per_gather = 0; ALTER ROLE {role} RESET'
        " max_parallel_workers_per_gather. Then restart what is connected.",
        id="shelfops.E009",
    )
