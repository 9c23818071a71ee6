"""No client becomes anybody but itself: PostgreSQL itself must refuse, on every route."""

import psycopg
import pytest
from psycopg import errors

TARGETS = ["postgres", "shelfops_owner", "bob"]

ROUTES = [
    "SET SESSION AUTHORIZATION {target}",
    "SET LOCAL SESSION AUTHORIZATION {target}",
    "set session_authorization to '{target}'",
    "SELECT set_config('session_authorization', '{target}', false)",
    "SELECT set_config('session_authorization', '{target}', true)",
    "SELECT set_config('session_' || 'authorization', '{target}', false)",
    "DO $$ BEGIN EXECUTE 'SET SESSION AUTH' || 'ORIZATION {target}'; END $$",
    "SET ROLE {target}",
    "SELECT set_config('role', '{target}', false)",
    "DO $$ BEGIN EXECUTE 'SET RO' || 'LE {target}'; END $$",
    "UPDATE pg_catalog.pg_settings SET setting = '{target}' WHERE name = 'session_authorization'",
]


def identity(connection: psycopg.Connection) -> tuple:
    return connection.execute(
        "SELECT session_user, current_user, current_setting('is_superuser')"
    ).fetchone()


def assert_still(connection: psycopg.Connection, role: str) -> None:
    assert identity(connection) == (role, role, "off")
    with pytest.raises(errors.InsufficientPrivilege):
        connection.execute("SELECT rolpassword FROM pg_authid")


def attack(connection: psycopg.Connection, statement: str) -> None:
    """Succeeds only where it changes nothing: pg_settings hides this setting from UPDATE."""
    if statement.startswith("UPDATE"):
        connection.execute(statement)
    else:
        with pytest.raises(errors.InsufficientPrivilege):
            connection.execute(statement)


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("route", ROUTES)
def test_it_refuses_another_identity(connect, route, target):
    connection = connect("alice")
    attack(connection, route.format(target=target))
    assert_still(connection, "alice")


@pytest.mark.parametrize("route", ROUTES)
def test_it_refuses_another_identity_in_a_transaction(connect, route):
    connection = connect("alice")
    with connection.transaction():
        with pytest.raises(errors.DivisionByZero), connection.transaction():
            connection.execute("SELECT 1 / 0")
        with connection.transaction(force_rollback=True):
            attack(connection, route.format(target="postgres"))
        assert identity(connection) == ("alice", "alice", "off")
    assert_still(connection, "alice")


@pytest.mark.parametrize("route", ROUTES)
def test_it_refuses_another_identity_in_the_extended_protocol(connect, route):
    connection = connect("alice")
    with pytest.raises(psycopg.Error):
        with connection.pipeline():
            connection.execute("SELECT 1")
            connection.execute(route.format(target="postgres"))
        raise errors.InsufficientPrivilege  # the one route that does nothing
    assert_still(connection, "alice")


@pytest.mark.parametrize(
    "statement",
    ["RESET SESSION AUTHORIZATION", "SET SESSION AUTHORIZATION DEFAULT", "RESET ROLE",
     "SET ROLE NONE", "DISCARD ALL", "RESET ALL", "SET SESSION AUTHORIZATION alice"],
)  # fmt: skip
def test_it_stays_the_same_after_a_reset(connect, statement):
    connection = connect("alice")
    connection.execute(statement)
    assert_still(connection, "alice")
    if statement != "DISCARD ALL":
        connection.execute(f"BEGIN; {statement}; ROLLBACK")
        connection.execute(f"BEGIN; {statement}; COMMIT")
        assert_still(connection, "alice")


def test_it_refuses_a_function_that_sets_the_identity(connect):
    connection = connect("alice")
    for setting in ["session_authorization", "role"]:
        with pytest.raises(errors.InsufficientPrivilege):
            connection.execute(
                f"CREATE OR REPLACE FUNCTION alice.become() RETURNS name LANGUAGE sql"
                f" SET {setting} = postgres AS 'SELECT current_user'"
            )
            connection.execute("SELECT alice.become()")
        assert_still(connection, "alice")


def test_it_refuses_what_needs_a_superuser(connect):
    connection = connect("alice")
    for statement in [
        "COPY pg_class TO '/tmp/pglite/base/x'",
        "SELECT pg_read_file('/tmp/pglite/base/postgresql.conf')",
        "ALTER ROLE alice SUPERUSER",
        "CREATE ROLE another SUPERUSER",
        "GRANT postgres TO alice",
        "UPDATE pg_authid SET rolsuper = true WHERE rolname = 'alice'",
        "SET session_replication_role TO replica",
        "LOAD '/tmp/pglite/lib/postgresql/timescaledb.so'",
        "ALTER SYSTEM SET work_mem TO '1GB'",
    ]:
        with pytest.raises((errors.InsufficientPrivilege, errors.FeatureNotSupported)):
            connection.execute(statement)
    assert_still(connection, "alice")


def test_it_hands_over_the_right_identity(connect):
    """Whatever the last client attempted, and however its work ended."""
    people = {name: connect(name) for name in ["alice", "bob", "app", "owner", "admin"]}
    names = {"app": "shelfops_app", "owner": "shelfops_owner", "admin": "postgres"}
    for _ in range(3):
        for name, connection in people.items():
            role = names.get(name, name)
            superuser = "on" if name == "admin" else "off"
            assert identity(connection) == (role, role, superuser)
            if name != "admin":
                with pytest.raises(errors.InsufficientPrivilege):
                    connection.execute("SET SESSION AUTHORIZATION postgres")


def test_it_grows_its_memory_and_keeps_the_identity(connect):
    """The engine's memory is re-mapped when it grows; the identity is written into it."""
    connection, other = connect("alice"), connect("bob")
    for size in [20, 60, 120]:
        connection.execute("SELECT length(repeat('x', %s))", [size << 20])
        attack(connection, "SET SESSION AUTHORIZATION postgres")
        assert_still(connection, "alice")
        assert_still(other, "bob")


def test_it_keeps_a_role_that_was_set(connect):
    admin, alice, bob = connect("admin"), connect("alice"), connect("bob")
    admin.execute("CREATE ROLE helpers; GRANT helpers TO alice")
    alice.execute("SET ROLE helpers")
    assert_still(bob, "bob")
    assert identity(alice)[:2] == ("alice", "helpers")
    alice.execute("RESET ROLE")
    assert_still(bob, "bob")
    assert_still(alice, "alice")


def test_it_keeps_the_administrators_identity_apart(connect):
    admin, alice = connect("admin"), connect("alice")
    admin.execute("SET SESSION AUTHORIZATION bob")
    assert_still(alice, "alice")
    # A superuser's own SET SESSION AUTHORIZATION is not kept; its log-in is.
    assert identity(admin)[0] == "postgres"


def test_it_runs_a_hand_over_with_no_more_rights_than_the_client(connect):
    """Objects that shadow the catalog cannot make the server's own statements help."""
    alice, bob, admin = connect("alice"), connect("bob"), connect("admin")
    alice.execute(
        """
        CREATE TABLE IF NOT EXISTS alice.seen (who text, super text);
        CREATE OR REPLACE FUNCTION alice.spy() RETURNS text LANGUAGE plpgsql AS $$
          BEGIN
            INSERT INTO alice.seen VALUES (current_user, current_setting('is_superuser'));
            RETURN 'session';
          END $$;
        CREATE OR REPLACE VIEW alice.pg_settings AS SELECT alice.spy() AS name, 'x' AS setting;
        CREATE OR REPLACE FUNCTION alice.pg_advisory_unlock_all() RETURNS text
          LANGUAGE sql AS 'SELECT alice.spy()';
        CREATE OR REPLACE FUNCTION alice.same(text, text) RETURNS bool
          LANGUAGE plpgsql AS $$ BEGIN PERFORM alice.spy(); RETURN true; END $$;
        """
    )
    exists = "SELECT 1 FROM pg_operator WHERE oprnamespace = 'alice'::regnamespace"
    if not alice.execute(exists).fetchone():
        alice.execute(
            "CREATE OPERATOR alice.= (FUNCTION = alice.same, LEFTARG = text, RIGHTARG = text)"
        )
    alice.execute("SET search_path TO alice, pg_catalog")
    assert_still(bob, "bob")
    assert alice.execute("SHOW search_path").fetchone() == ("alice, pg_catalog",)
    assert_still(bob, "bob")
    assert admin.execute("SELECT who FROM alice.seen WHERE who <> 'alice'").fetchall() == []
