"""What customers share on one server, and what the application's role can do to others there."""

from collections.abc import Iterator
from uuid import uuid4

import psycopg
import pytest
from django.db import connections
from psycopg import errors

from shelfops.tenancy import checks
from shelfops.tenancy.context import tenant
from shelfops.tenancy.executable import OF_EXTENSIONS, VOLATILE
from tests.cast import Cast
from tests.sessions import second_session


@pytest.fixture
def app(database_urls) -> Iterator[psycopg.Connection]:
    with psycopg.connect(database_urls["app"], autocommit=True) as connection:
        yield connection


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT pg_terminate_backend(pg_backend_pid())",
        "SELECT pg_cancel_backend(pg_backend_pid())",
        "SELECT query FROM pg_stat_activity",
        "SELECT pg_advisory_xact_lock(1)",
        "SELECT pg_try_advisory_xact_lock(1)",
        "SELECT pg_advisory_xact_lock_shared(1, 1)",
        "SELECT objid FROM pg_locks",
        "SELECT lo_create(0)",
        "SELECT lo_from_bytea(0, 'x')",
        "SELECT pg_logical_emit_message(false, 'x', 'x')",
        "SELECT pg_notify('channel', 'x')",
        "SELECT pg_sleep(0)",
        "SELECT add_job('request_refresh', INTERVAL '1 second')",
        "CALL run_job(1)",
        "SELECT delete_job(1)",
        "SELECT alter_job(1, scheduled => false)",
        "CALL _timescaledb_functions.policy_recompression(1, '{}')",
        "CALL _timescaledb_functions.policy_retention(1, '{}')",
        "CALL _timescaledb_functions.policy_refresh_continuous_aggregate(1, '{}')",
        "SELECT _timescaledb_functions.stop_background_workers()",
        "SELECT drop_chunks('timeseries.transactions', older_than => now())",
        "SELECT compress_chunk('timeseries.transactions')",
        "SELECT decompress_chunk('timeseries.transactions')",
        "SELECT add_retention_policy('timeseries.transactions', INTERVAL '1 day')",
        "SELECT remove_retention_policy('timeseries.transactions')",
        "SELECT approximate_row_count('timeseries.transactions')",
        "SELECT timescaledb_pre_restore()",
    ],
)
def test_it_refuses_to_act_on_what_all_share(app, statement: str) -> None:
    """Refused as a function, before its arguments are looked at or found to be wrong."""
    with pytest.raises(errors.InsufficientPrivilege):
        app.execute(statement)


@pytest.mark.parametrize("role", ["app", "operator"])
def test_it_executes_what_is_listed_and_no_more(database_urls, role: str) -> None:
    """Every function of the catalogue, by its volatility: not the ones that we thought of."""
    with psycopg.connect(database_urls[role]) as connection:
        volatile = connection.execute(
            """
            SELECT DISTINCT p.proname FROM pg_proc AS p
            WHERE p.pronamespace = 'pg_catalog'::regnamespace AND p.provolatile = 'v'
              AND has_function_privilege(p.oid, 'EXECUTE')
            """
        ).fetchall()
        acting = connection.execute(
            """
            SELECT DISTINCT p.proname FROM pg_proc AS p
            JOIN pg_depend AS d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid
                                AND d.deptype = 'e'
            WHERE p.pronamespace <> 'pg_catalog'::regnamespace AND p.provolatile <> 'i'
              AND has_function_privilege(p.oid, 'EXECUTE')
            """
        ).fetchall()
    assert {name for (name,) in volatile} <= set(VOLATILE)
    assert {name for (name,) in acting} <= set(OF_EXTENSIONS)


def test_it_cannot_end_sessions_from_the_databases_that_are_always_there(
    admin_url: str, database_urls
) -> None:
    for name in ("postgres", "template1"):
        with (
            psycopg.connect(database_urls["app"], dbname=name) as elsewhere,
            pytest.raises(errors.InsufficientPrivilege),
        ):
            elsewhere.execute("SELECT pg_terminate_backend(pg_backend_pid())")


def test_it_finds_what_an_update_of_the_extension_has_opened(admin_url: str, database_urls) -> None:
    name = connections["default"].settings_dict["NAME"]
    with psycopg.connect(admin_url, dbname=name, autocommit=True) as admin:
        admin.execute("GRANT EXECUTE ON FUNCTION delete_job(integer) TO PUBLIC")
        try:
            [error] = checks.check_database(databases=["default"])
        finally:
            admin.execute("REVOKE EXECUTE ON FUNCTION delete_job(integer) FROM PUBLIC")
    assert (error.id, "delete_job" in error.msg) == ("shelfops.E014", True)
    assert "provision_database" in error.hint


def test_it_waits_for_nobody_of_another_customer(cast: Cast, admin_url: str) -> None:
    """The same words are another lock for another customer; the customer itself waits."""
    take, ask = "SELECT take_turn(%s)", "SELECT try_turn(%s)"
    topic = ["import transactions"]
    with second_session() as other, tenant(cast.other_customer, using=other):
        connections[other].cursor().execute(take, topic)
        with tenant(cast.customer), connections["default"].cursor() as ours:
            ours.execute(ask, topic)
            assert ours.fetchone() == (True,)
        with tenant(cast.other_customer), connections["default"].cursor() as same:
            same.execute(ask, topic)
            assert same.fetchone() == (False,)


def test_it_has_no_turn_without_a_customer(app) -> None:
    for statement in ("SELECT take_turn('alerts')", "SELECT try_turn('alerts')"):
        with pytest.raises(errors.RaiseException, match="no customer is set"):
            app.execute(statement)


# What operators write: customers, and each other. All else they read.
WRITES = {"customers": {"INSERT", "UPDATE"}, "users": {"INSERT", "UPDATE"}}


def test_it_lets_the_operators_role_write_what_is_listed() -> None:
    with connections["operator"].cursor() as cursor:
        cursor.execute(
            """
            SELECT c.relname, privilege FROM pg_class AS c,
                   unnest(ARRAY['INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'TRIGGER',
                                'REFERENCES']) AS privilege
            WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f')
              AND c.relnamespace::regnamespace::text !~ '^(pg_|information_schema)'
              AND has_table_privilege(c.oid, privilege)
            """
        )
        found: dict[str, set[str]] = {}
        for table, privilege in cursor.fetchall():
            found.setdefault(table, set()).add(privilege)
    assert found == WRITES


def test_it_lets_the_operators_role_write_no_customers_rows(cast: Cast) -> None:
    """With the customer set as well: its policies are the application's and the owner's."""
    with tenant(cast.customer, using="operator"), connections["operator"].cursor() as cursor:
        cursor.execute("UPDATE users SET password = 'x' WHERE customer_id IS NOT NULL")
        assert cursor.rowcount == 0
    with pytest.raises(errors.InsufficientPrivilege), tenant(cast.customer, using="operator"):
        connections["operator"].connection.execute(
            "INSERT INTO users (customer_id, email, name, role, password)"
            " VALUES (%s, %s, 'X', 'admin', 'x')",
            [cast.customer.pk, f"{uuid4()}@example.com"],
        )


def test_it_keeps_policies_of_customers_rows_to_the_two_roles() -> None:
    with connections["owner"].cursor() as cursor:
        cursor.execute(
            "SELECT policyname FROM pg_policies WHERE schemaname = 'public'"
            " AND permissive = 'PERMISSIVE' AND 'public' = ANY (roles)"
        )
        assert cursor.fetchall() == []
