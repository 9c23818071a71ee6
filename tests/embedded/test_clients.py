"""Many clients on one backend: each keeps what is its own and sees nothing of another."""

import threading
import time

import psycopg
import pytest
from psycopg import errors

from shelfops.embedded.engine import Engine
from tests.embedded.conftest import provision

CLIENTS = 20


@pytest.fixture
def tenants(connect):
    """A table whose rows a client sees only by its own setting."""
    owner = connect("owner")
    owner.execute(
        """
        DROP TABLE IF EXISTS notes;
        CREATE TABLE notes (customer text NOT NULL, body text NOT NULL);
        ALTER TABLE notes ENABLE ROW LEVEL SECURITY;
        CREATE POLICY own ON notes USING (customer = current_setting('app.customer', true));
        GRANT SELECT, INSERT ON notes TO shelfops_app, alice, bob;
        """
    )
    return owner


def test_it_keeps_twenty_tenants_apart(connect, tenants):
    failures: list[str] = []

    def work(number: int) -> None:
        role = ["app", "alice", "bob"][number % 3]
        mine = f"customer {number}"
        connection = connect(role, application_name=mine, prepare_threshold=0)
        local = number % 2 == 0
        if not local:
            connection.execute("SELECT set_config('app.customer', %s, false)", [mine])
        for turn in range(8):
            with connection.transaction():
                if local:
                    connection.execute("SELECT set_config('app.customer', %s, true)", [mine])
                connection.execute("INSERT INTO notes VALUES (%s, %s)", [mine, str(turn)])
                rows = connection.execute("SELECT customer, body FROM notes").fetchall()
                seen = connection.execute(
                    "SELECT session_user, current_setting('application_name')"
                ).fetchone()
            if rows != [(mine, str(done)) for done in range(turn + 1)]:
                failures.append(f"{mine} saw {rows}")
            if not seen[0].endswith(role) or seen[1] != mine:
                failures.append(f"{mine} was {seen}")
            outside = connection.execute("SELECT count(*) FROM notes").fetchone()[0]
            if outside != (0 if local else turn + 1):
                failures.append(f"{mine} saw {outside} rows outside a transaction")

    threads = [threading.Thread(target=work, args=[number]) for number in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert tenants.execute("SELECT count(*) FROM notes").fetchone() == (CLIENTS * 8,)


def test_it_keeps_settings_across_a_hand_over(connect):
    one, other = connect("alice"), connect("bob")
    one.execute("SET work_mem TO '9MB'; SET app.plain TO 'it''s \\ mine'; SET timezone TO 'UTC'")
    one.execute("SET search_path TO alice, public; SET default_transaction_read_only TO on")
    shown = ["work_mem", "app.plain", "timezone", "search_path", "default_transaction_read_only"]

    def settings(connection):
        return [connection.execute(f"SELECT current_setting('{n}', true)").fetchone()[0] or None
                for n in shown]  # fmt: skip

    base = settings(other)
    assert base[0] == "4MB" and base[1] is None and base[4] == "off"
    other.execute("SET work_mem TO '5MB'; SET timezone TO 'Asia/Tokyo'")
    assert settings(one) == ["9MB", "it's \\ mine", "UTC", "alice, public", "on"]
    assert settings(other) == ["5MB", None, "Asia/Tokyo", base[3], "off"]
    one.execute("RESET ALL")
    assert settings(connect("bob")) == base
    assert settings(one)[:2] == ["4MB", None]


def test_it_loses_a_hidden_setting_and_never_leaks_it(connect):
    one, other = connect("alice"), connect("bob")
    one.execute("DO $$ BEGIN PERFORM set_config('app.' || 'hidden', 'secret', false); END $$")
    assert one.execute("SELECT current_setting('app.hidden', true)").fetchone() == ("secret",)
    for connection in [other, one]:
        value = connection.execute("SELECT current_setting('app.hidden', true)").fetchone()[0]
        assert not value


def test_it_keeps_prepared_statements_apart(connect):
    connections = [connect("alice", prepare_threshold=0) for _ in range(4)]
    for _ in range(5):
        for number, connection in enumerate(connections):
            # Each calls its first statement _pg3_0.
            row = connection.execute(f"SELECT {number} + %s::int", [10]).fetchone()
            assert row == (number + 10,)
    for connection in connections:
        connection.execute("DEALLOCATE ALL")
    assert connections[0].execute("SELECT 7").fetchone() == (7,)


def test_it_keeps_statements_prepared_in_sql(connect):
    one, other = connect("alice"), connect("bob")
    one.execute("PREPARE answer AS SELECT 42")
    with pytest.raises(errors.InvalidSqlStatementName):
        other.execute("EXECUTE answer")
    assert one.execute("EXECUTE answer").fetchone() == (42,)
    other.execute("SELECT 1")
    one.execute("DEALLOCATE answer")


def test_it_deallocates_a_statement_after_a_hand_over(connect):
    one, other = connect("alice"), connect("bob")
    one.pgconn.prepare(b"mine", b"SELECT 1")
    other.execute("SELECT 1")
    assert one.pgconn.exec_(b"DEALLOCATE mine").error_message == b""
    other.execute("SELECT 1")
    result = one.pgconn.exec_prepared(b"mine", [])
    assert b"does not exist" in result.error_message


def test_it_never_runs_anothers_unnamed_statement(connect):
    one, other = connect("alice"), connect("bob")
    one.pgconn.prepare(b"", b"SELECT 'alice''s'")
    result = other.pgconn.exec_prepared(b"", [])
    assert b"does not exist" in result.error_message
    assert one.pgconn.exec_prepared(b"", []).get_value(0, 0) == b"alice's"


def test_it_wipes_temporary_tables_sequences_and_cursors(connect):
    one, other = connect("alice"), connect("alice")
    one.execute("CREATE TEMP TABLE private AS SELECT 1 AS secret")
    one.execute("CREATE SEQUENCE IF NOT EXISTS alice.numbers")
    one.execute("SELECT nextval('alice.numbers')")
    one.execute("DECLARE held CURSOR WITH HOLD FOR SELECT 'secret'")
    for statement, expected in [
        ("SELECT * FROM private", errors.UndefinedTable),
        ("SELECT lastval()", errors.ObjectNotInPrerequisiteState),
        ("FETCH held", errors.InvalidCursorName),
    ]:
        with pytest.raises(expected):
            other.execute(statement)


def test_it_serves_others_while_one_is_idle(connect):
    idle = connect("alice")
    idle.execute("SELECT 1")
    assert connect("bob").execute("SELECT 2").fetchone() == (2,)


def test_it_waits_for_a_transaction_in_order(connect):
    order: list[str] = []

    def later(name, connection):
        connection.execute("SELECT 1")
        order.append(name)

    names = ["second", "third", "fourth"]
    connections = [connect("bob") for _ in names]
    with connect("alice") as first:
        first.autocommit = False
        first.execute("SELECT 1")
        waiting = []
        for name, connection in zip(names, connections, strict=True):
            waiting.append(threading.Thread(target=later, args=[name, connection]))
            waiting[-1].start()
            time.sleep(0.2)
        assert order == []
    for thread in waiting:
        thread.join()
    assert order == names


@pytest.mark.parametrize("doing", ["idle in transaction", "failed", "in a batch", "copying"])
def test_it_rolls_back_for_a_client_that_vanishes(connect, doing):
    owner = connect("owner")
    owner.execute("CREATE TABLE IF NOT EXISTS half (a int); TRUNCATE half")
    owner.execute("GRANT ALL ON half TO alice")
    victim = connect("alice", autocommit=False)
    victim.execute("SET app.secret TO 'secret'")
    victim.execute("INSERT INTO half VALUES (1)")
    if doing == "failed":
        with pytest.raises(errors.DivisionByZero):
            victim.execute("SELECT 1 / 0")
    elif doing == "in a batch":
        victim.pgconn.enter_pipeline_mode()
        victim.pgconn.send_query_params(b"INSERT INTO half VALUES (2)", [])
        victim.pgconn.send_flush_request()
        victim.pgconn.flush()
    elif doing == "copying":
        victim.pgconn.exec_(b"COPY half FROM STDIN")
        victim.pgconn.put_copy_data(b"3\n")
        victim.pgconn.flush()
    victim.pgconn.finish()
    assert owner.execute("SELECT count(*) FROM half").fetchone() == (0,)
    assert not owner.execute("SELECT current_setting('app.secret', true)").fetchone()[0]


@pytest.fixture(scope="module")
def impatient():
    environment = {"SHELFOPS_EMBEDDED_IDLE_SECONDS": "0.5"}
    with Engine(None, provision=provision, environment=environment) as engine:
        yield engine


def test_it_ends_an_idle_transaction_that_others_wait_for(impatient):
    with (
        psycopg.connect(impatient.url("app"), autocommit=False) as stuck,
        psycopg.connect(impatient.url("owner"), autocommit=True) as waiting,
    ):
        stuck.execute("SELECT 1")
        time.sleep(1)
        stuck.execute("SELECT 1")  # nobody waits: it may take its time
        assert waiting.execute("SELECT 2").fetchone() == (2,)
        with pytest.raises(errors.IdleInTransactionSessionTimeout):
            stuck.execute("SELECT 3")


def test_it_does_not_end_a_statement_that_takes_long(impatient):
    with (
        psycopg.connect(impatient.url("app"), autocommit=True) as slow,
        psycopg.connect(impatient.url("owner"), autocommit=True) as waiting,
    ):
        answers = []
        busy = threading.Thread(
            target=lambda: answers.append(slow.execute("SELECT pg_sleep(1), 5").fetchone()[1])
        )
        busy.start()
        time.sleep(0.2)
        assert waiting.execute("SELECT 2").fetchone() == (2,)
        busy.join()
        assert answers == [5]


def test_it_returns_to_the_settings_of_the_log_in_after_discard_all(connect):
    one, other = connect("alice", options="-c search_path=pg_temp -c work_mem=7MB"), connect("bob")
    shown = "SELECT current_setting('search_path'), current_setting('work_mem'), session_user"
    as_it_began = one.execute(shown).fetchone()
    assert as_it_began[:2] == ("pg_temp", "7MB")
    one.execute("SET search_path = public; SET work_mem = '9MB'; CREATE TEMP TABLE mine (x int)")
    one.execute("DISCARD ALL")
    assert one.execute(shown).fetchone() == as_it_began
    assert one.execute("SELECT to_regclass('pg_temp.mine')").fetchone() == (None,)
    other.execute("SELECT 1")
    assert one.execute(shown).fetchone() == as_it_began
    assert other.execute(shown).fetchone()[1:] == ("4MB", other.info.user)
