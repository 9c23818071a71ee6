"""What one request leaves in a pooled connection, the next must not meet."""

import os
from collections.abc import Iterator

import psycopg
import pytest
from django.db import connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.utils import ConnectionHandler
from psycopg import errors

from shelfops.settings import database
from shelfops.tenancy.connections import WEB, limit

POISON = [
    "DECLARE kept CURSOR WITH HOLD FOR SELECT 'a row of somebody else'",
    "SET search_path = pg_temp, public",
    "SET TimeZone = 'Asia/Tokyo'",
    "SET statement_timeout = '1h'",
    "SET app.current_customer_id = 'somebody'",
    "PREPARE planned AS SELECT 'prepared by somebody else'",
]
NATIVE_ONLY = ["LISTEN whispers"]
LOOK = """
SELECT (SELECT count(*) FROM pg_cursors WHERE is_holdable) AS cursors,
       (SELECT count(*) FROM pg_prepared_statements WHERE from_sql) AS prepared,
       (SELECT count(*) FROM pg_listening_channels()) AS channels,
       current_setting('search_path') AS search_path,
       current_setting('TimeZone') AS zone,
       current_setting('statement_timeout') AS patience,
       coalesce(current_setting('app.current_customer_id', true), '') AS customer
"""
CLEAN = (0, 0, 0, "public,pg_temp", "UTC", "1min", "")


@pytest.fixture
def pooled() -> Iterator[BaseDatabaseWrapper]:
    """The application's log-in, as the web has it, over a pool of a single connection."""
    alias = "single"
    ours = connections["default"].settings_dict
    options = {**ours["OPTIONS"], "pool": {**ours["OPTIONS"]["pool"], "max_size": 1}}
    handler = ConnectionHandler({"default": {}, alias: {**ours, "OPTIONS": options}})
    limit(handler[alias].settings_dict, WEB)
    connection = handler[alias]
    yield connection
    connection.close()
    connection.close_pool()


def execute(connection: BaseDatabaseWrapper, *statements: str) -> tuple | None:
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
        return cursor.fetchone() if cursor.description else None


def test_it_cleans_a_connection_that_goes_back_to_the_pool(pooled) -> None:
    first = execute(pooled, "SELECT pg_backend_pid()")
    on_a_server = "DATABASE_ADMIN_URL" in os.environ
    execute(pooled, *POISON, *(NATIVE_ONLY if on_a_server else []))
    assert execute(pooled, LOOK) != CLEAN
    pooled.close()
    assert execute(pooled, "SELECT pg_backend_pid()") == first
    assert execute(pooled, LOOK) == CLEAN


def test_it_cleans_a_connection_that_comes_back_in_a_transaction(pooled) -> None:
    execute(pooled, "SELECT 1")
    pooled.connection.autocommit = False
    execute(pooled, "SET TimeZone = 'Asia/Tokyo'")
    pooled.close()
    assert execute(pooled, LOOK) == CLEAN


def test_it_finds_its_own_tables_before_temporary_ones() -> None:
    """A temporary `users` is passed over in its own session; the owner alone can make one."""
    with transaction.atomic(using="owner"), connections["owner"].cursor() as cursor:
        cursor.execute("CREATE TEMP TABLE users (role text) ON COMMIT DROP")
        cursor.execute("SELECT 'users'::regclass = 'public.users'::regclass")
        assert cursor.fetchone() == (True,)


def test_it_keeps_no_connection_without_the_pool() -> None:
    """A kept connection would not be cleaned: CONN_MAX_AGE cannot be asked for in the URL."""
    kept = database("DATABASE_URL", "postgresql://a:b@127.0.0.1:5432/x?conn_max_age=600")
    assert kept["CONN_MAX_AGE"] == 0


def test_it_lets_the_web_wait_for_a_while_only(pooled) -> None:
    shown = [execute(pooled, f"SHOW {name}") for name in WEB]
    assert shown == [("1min",), ("10s",), ("1min",)]
    assert execute(connections["default"], "SHOW statement_timeout") == ("0",)


def test_it_shows_nobody_what_a_session_asks(database_urls) -> None:
    """Not the text of statements, and the application cannot switch that on again."""
    with psycopg.connect(database_urls["app"], autocommit=True) as app:
        assert app.execute("SHOW track_activities").fetchone() == ("off",)
        for change in (
            "SET track_activities = on",
            "ALTER ROLE shelfops_app SET track_activities = on",
            "ALTER ROLE shelfops_app RESET track_activities",
        ):
            with pytest.raises(errors.InsufficientPrivilege):
                app.execute(change)
        with pytest.raises(errors.InsufficientPrivilege):
            app.execute("SELECT query FROM pg_stat_activity")
