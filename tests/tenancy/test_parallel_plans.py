"""No query runs in parallel, whoever asks: TimescaleDB would lose rows of it, or double them."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from time import monotonic, sleep

import psycopg
import pytest
from django.core.checks import run_checks
from django.db import connections
from psycopg import sql

from shelfops.timescale.refresh import owner_cursor

SETTING = "max_parallel_workers_per_gather"
ALIASES = ["default", "owner", "operator"]
pytestmark = pytest.mark.skipif(
    "DATABASE_ADMIN_URL" not in os.environ, reason="the embedded engine starts no parallel workers"
)


def refusals(*aliases: str) -> list[str]:
    found = run_checks(tags=["database"], databases=aliases or ["default"])
    return [error.msg for error in found if error.id == "shelfops.E009"]


@contextmanager
def changed(admin_url: str, change: str, back: str) -> Iterator[None]:
    """`{}` stands for the tests' database."""
    name = connections["owner"].settings_dict["NAME"]
    with psycopg.connect(admin_url, autocommit=True) as connection:
        connection.execute(sql.SQL(change).format(sql.Identifier(name)))
        try:
            yield
        finally:
            connection.execute(sql.SQL(back).format(sql.Identifier(name)))


@pytest.mark.parametrize("alias", ALIASES)
def test_it_is_switched_off_for_every_login(alias: str) -> None:
    with psycopg.connect(**connections[alias].get_connection_params()) as connection:
        assert connection.execute(f"SHOW {SETTING}").fetchone() == ("0",)
    assert refusals(*ALIASES) == []


def test_it_refuses_to_start_where_a_database_lacks_it(admin_url: str) -> None:
    with changed(
        admin_url, f"ALTER DATABASE {{}} RESET {SETTING}", f"ALTER DATABASE {{}} SET {SETTING} = 0"
    ):
        found = refusals(*ALIASES)
        roles = ["shelfops_app", "shelfops_operator", "shelfops_owner"]
        assert [message.split()[2] for message in found] == roles
        assert refusals("owner") == [], "`migrate`, which mends it, has to run"


@pytest.mark.parametrize("role", ["shelfops_app", "shelfops_owner"])
@pytest.mark.parametrize("where", ["", "IN DATABASE {} "])
def test_it_refuses_a_role_that_has_its_own_setting(admin_url: str, role: str, where: str) -> None:
    """The web is told of the owner's, too: jobs and refreshes run as the owner."""
    alter = f"ALTER ROLE {role} {where}"
    with changed(admin_url, f"{alter} SET {SETTING} = 3", f"{alter} RESET {SETTING}"):
        [message] = refusals("default")
        assert f"Queries of {role} may run in parallel ({SETTING} = 3)" in message


def test_it_mends_a_database_that_was_there_before(admin_url: str, database_urls) -> None:
    """The migration's own statement, as the owner."""
    switch_off = import_module("shelfops.timescale.migrations.0002_no_parallel_plans").SWITCH_OFF
    with changed(
        admin_url, f"ALTER DATABASE {{}} RESET {SETTING}", f"ALTER DATABASE {{}} SET {SETTING} = 0"
    ):
        with psycopg.connect(database_urls["owner"], autocommit=True) as owner:
            owner.execute(switch_off)
        assert refusals(*ALIASES) == []


PROBE = """
CREATE TABLE timeseries.probe (setting text, is_client boolean);
CREATE PROCEDURE timeseries.probe(job_id int, config jsonb) LANGUAGE sql AS $$
    INSERT INTO timeseries.probe
    SELECT current_setting('max_parallel_workers_per_gather'), backend_type = 'client backend'
    FROM pg_stat_activity WHERE pid = pg_backend_pid()
$$;
SELECT add_job('timeseries.probe', '1 hour');
"""
REMOVE = """
SELECT delete_job(job_id) FROM timescaledb_information.jobs WHERE proc_name = 'probe';
DROP PROCEDURE timeseries.probe;
DROP TABLE timeseries.probe;
"""


def test_it_is_switched_off_in_timescaledbs_own_jobs() -> None:
    """Its workers log in as the owner without a connection, and take the same settings."""
    with owner_cursor() as cursor:
        cursor.execute(PROBE)
        try:
            assert first_row(cursor, "SELECT * FROM timeseries.probe") == ("0", False)
        finally:
            cursor.execute(REMOVE)


def first_row(cursor, statement: str) -> tuple | None:
    """Once there is one; the scheduler starts a new job within seconds."""
    give_up = monotonic() + 60
    while monotonic() < give_up:
        cursor.execute(statement)
        if row := cursor.fetchone():
            return row
        sleep(0.5)
    return None
