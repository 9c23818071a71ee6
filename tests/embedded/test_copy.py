"""COPY both ways, with PostgreSQL's own checks: nothing of it runs as somebody else."""

import threading
import time

import psycopg
import pytest
from psycopg import errors

ROWS = 50_000
COLUMNS = "a int, b text, c numeric, d timestamptz, e uuid, f int, g text, h numeric"


def copy_in(connection, statement, *pieces):
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        for piece in pieces or ["1\n"]:
            copy.write(piece)


def copy_out(connection, statement):
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        return b"".join(copy).decode()


def line(number: int) -> str:
    return (
        f"{number}\tproduct {number}\t{number}.25\t2025-01-02 03:04:05+00\t"
        f"00000000-0000-4000-8000-{number:012d}\t{number % 7}\tstore\t1.5\n"
    )


def test_it_copies_batches_into_a_temporary_table(connect):
    connection = connect()
    lines = [line(number) for number in range(ROWS)]
    data = "".join(lines)
    started = time.monotonic()
    with connection.transaction():
        connection.execute(f"CREATE TEMP TABLE batch ({COLUMNS}) ON COMMIT DROP")
        with connection.cursor() as cursor, cursor.copy("COPY batch FROM STDIN") as copy:
            copy.write(data)
        rate = ROWS / (time.monotonic() - started)
        assert connection.execute("SELECT count(*), sum(a) FROM batch").fetchone() == (
            ROWS,
            ROWS * (ROWS - 1) // 2,
        )
        with connection.cursor() as cursor, cursor.copy("COPY batch TO STDOUT") as copy:
            back = b"".join(copy)
    assert len(back.splitlines()) == ROWS
    assert rate > 20_000, f"{rate:.0f} lines/s"  # a busy machine's; see the notes on speed


@pytest.mark.parametrize(
    "form", ["(FORMAT text)", "(FORMAT csv)", "(FORMAT csv, HEADER)", "BINARY"]
)
def test_it_copies_there_and_back(connect, form):
    connection = connect()
    with connection.transaction():
        connection.execute("CREATE TEMP TABLE source (a int, b text) ON COMMIT DROP")
        connection.execute("CREATE TEMP TABLE target (a int, b text) ON COMMIT DROP")
        connection.execute(
            "INSERT INTO source SELECT i, CASE i % 4 WHEN 0 THEN NULL WHEN 1 THEN ''"
            " WHEN 2 THEN E'a\\t\\n\\\\\"é,;' ELSE repeat('x', i) END"
            " FROM generate_series(1, 400) i"
        )
        with connection.cursor() as cursor:
            with cursor.copy(f"COPY source TO STDOUT {form}") as copy:
                data = [bytes(piece) for piece in copy]
            with cursor.copy(f"COPY target FROM STDIN {form}") as copy:
                for piece in data:
                    copy.write(piece)
        difference = "(TABLE source EXCEPT TABLE target) UNION (TABLE target EXCEPT TABLE source)"
        assert connection.execute(difference).fetchall() == []
        assert connection.execute("SELECT count(*) FROM target").fetchone() == (400,)


def test_it_copies_rows_and_a_query(connect):
    connection = connect()
    with connection.transaction(), connection.cursor() as cursor:
        cursor.execute("CREATE TEMP TABLE pairs (a int, b text) ON COMMIT DROP")
        with cursor.copy("COPY pairs (b, a) FROM STDIN") as copy:
            for number in range(1000):
                copy.write_row((str(number), number))
        with cursor.copy("COPY (SELECT a FROM pairs WHERE a < 3 ORDER BY a) TO STDOUT") as copy:
            assert list(copy.rows()) == [("0",), ("1",), ("2",)]


def test_it_copies_in_the_extended_protocol(connect):
    pgconn = connect().pgconn
    pgconn.exec_(b"BEGIN; CREATE TEMP TABLE t (a int) ON COMMIT DROP")
    result = pgconn.exec_params(b"COPY t FROM STDIN", [])
    assert result.status == psycopg.pq.ExecStatus.COPY_IN
    pgconn.put_copy_data(b"1\n2\n")
    pgconn.put_copy_end()
    assert pgconn.get_result().command_tuples == 2
    assert pgconn.get_result() is None
    result = pgconn.exec_params(b"COPY t TO STDOUT", [])
    assert result.status == psycopg.pq.ExecStatus.COPY_OUT
    assert [pgconn.get_copy_data(0)[1] for _ in range(2)] == [b"1\n", b"2\n"]
    assert pgconn.get_copy_data(0)[0] == -1
    pgconn.get_result()
    assert pgconn.get_result() is None
    assert pgconn.exec_(b"COMMIT").error_message == b""


def test_it_copies_among_other_statements(connect):
    """More than was hoped for: a COPY may even stand in a query of several statements."""
    pgconn = connect().pgconn
    result = pgconn.exec_(
        b"BEGIN; CREATE TEMP TABLE t (a int) ON COMMIT DROP; COPY t FROM STDIN; SELECT 5; COMMIT"
    )
    while result.status != psycopg.pq.ExecStatus.COPY_IN:
        result = pgconn.get_result()
    pgconn.put_copy_data(b"1\n")
    pgconn.put_copy_end()
    tags = []
    while result := pgconn.get_result():
        tags.append(result.command_status)
    assert tags == [b"COPY 1", b"SELECT 1", b"COMMIT"]


def test_it_reports_bad_data_and_the_failed_transaction(connect):
    connection = connect()
    connection.execute("SELECT 1")
    with pytest.raises(errors.InFailedSqlTransaction), connection.transaction():
        connection.execute("CREATE TEMP TABLE t (a int) ON COMMIT DROP")
        with pytest.raises(errors.InvalidTextRepresentation) as raised:
            copy_in(connection, "COPY t FROM STDIN", *["1\nnonsense\n" + "2\n" * 10_000] * 50)
        assert raised.value.diag.context == 'COPY t, line 2, column a: "nonsense"'
        connection.execute("SELECT 1")
    assert connection.execute("SELECT 2").fetchone() == (2,)


@pytest.mark.parametrize("extended", [False, True])
def test_it_lets_a_client_give_up(connect, extended):
    pgconn = connect().pgconn
    pgconn.exec_(b"BEGIN; CREATE TEMP TABLE t (a int) ON COMMIT DROP; SAVEPOINT s")
    start = pgconn.exec_params if extended else (lambda sql, _: pgconn.exec_(sql))
    start(b"COPY t FROM STDIN", [])
    pgconn.put_copy_data(b"1\n")
    pgconn.put_copy_end(b"changed my mind")
    assert b"changed my mind" in pgconn.get_result().error_message
    assert pgconn.get_result() is None
    assert pgconn.transaction_status == psycopg.pq.TransactionStatus.INERROR
    pgconn.exec_(b"ROLLBACK TO SAVEPOINT s")
    assert pgconn.exec_(b"SELECT count(*) FROM t").get_value(0, 0) == b"0"
    pgconn.exec_(b"ROLLBACK")


def test_it_lets_others_wait_for_a_copy(connect):
    copying, waiting = connect("alice"), connect("bob")
    answers = []
    other = threading.Thread(target=lambda: answers.append(waiting.execute("SELECT 1").fetchone()))
    copying.execute("CREATE TABLE IF NOT EXISTS alice.slow (a int)")
    with copying.cursor() as cursor, cursor.copy("COPY alice.slow FROM STDIN") as copy:
        copy.write("1\n")
        other.start()
        time.sleep(0.3)
        assert answers == []
        copy.write("2\n")
    other.join()
    assert answers == [(1,)]
    assert copying.execute("SELECT count(*) FROM alice.slow").fetchone() == (2,)
    copying.execute("DROP TABLE alice.slow")


def test_it_takes_more_data_than_its_buffers_hold(connect):
    connection = connect()
    piece = "x" * (1 << 20) + "\n"
    with connection.transaction(), connection.cursor() as cursor:
        cursor.execute("CREATE TEMP TABLE large (a text) ON COMMIT DROP")
        with cursor.copy("COPY large FROM STDIN") as copy:
            for _ in range(80):
                copy.write(piece)
        cursor.execute("SELECT count(*), sum(length(a)) FROM large")
        assert cursor.fetchone() == (80, 80 << 20)


# --- what it must not allow -------------------------------------------------------------


@pytest.fixture
def guarded(connect):
    owner = connect("owner")
    owner.execute(
        """
        DROP TABLE IF EXISTS guarded, private;
        CREATE TABLE guarded (customer text, body text);
        ALTER TABLE guarded ENABLE ROW LEVEL SECURITY;
        CREATE POLICY own ON guarded USING (customer = current_setting('app.customer', true));
        INSERT INTO guarded VALUES ('one', 'secret of one'), ('two', 'secret of two');
        GRANT SELECT, INSERT ON guarded TO alice;
        CREATE TABLE private (a int, b int);
        GRANT INSERT (a), SELECT (a) ON private TO alice;
        """
    )
    return owner


def test_it_respects_privileges_and_row_security(connect, guarded):
    alice = connect("alice")
    copy_in(alice, "COPY private (a) FROM STDIN")
    assert copy_out(alice, "COPY private (a) TO STDOUT") == "1\n"
    for statement in ["COPY private FROM STDIN", "COPY private (b) FROM STDIN"]:
        with pytest.raises(errors.InsufficientPrivilege):
            copy_in(alice, statement)
    for statement in ["COPY private TO STDOUT", "COPY pg_authid TO STDOUT"]:
        with pytest.raises(errors.InsufficientPrivilege):
            copy_out(alice, statement)
    with pytest.raises(errors.FeatureNotSupported):
        copy_in(alice, "COPY guarded FROM STDIN", "one\tforged\n")
    assert copy_out(alice, "COPY guarded TO STDOUT") == ""
    alice.execute("SET app.customer TO 'one'")
    assert copy_out(alice, "COPY guarded TO STDOUT") == "one\tsecret of one\n"
    assert guarded.execute("SELECT count(*) FROM guarded").fetchone() == (2,)


def test_it_runs_triggers_defaults_and_checks_as_the_client(connect):
    alice = connect("alice")
    with alice.transaction(force_rollback=True):
        alice.execute(
            """
            CREATE FUNCTION pg_temp.who() RETURNS text LANGUAGE plpgsql AS
              $$ BEGIN
                RETURN current_user || session_user || current_setting('is_superuser');
              END $$;
            CREATE FUNCTION pg_temp.fill() RETURNS trigger LANGUAGE plpgsql AS
              $$ BEGIN NEW.by_trigger := pg_temp.who(); RETURN NEW; END $$;
            CREATE FUNCTION pg_temp.valid(text) RETURNS bool LANGUAGE plpgsql AS
              $$ BEGIN RETURN pg_temp.who() = 'alicealiceoff'; END $$;
            CREATE DOMAIN pg_temp.checked AS text CHECK (pg_temp.valid(VALUE));
            CREATE TEMP TABLE trap (
              a pg_temp.checked CHECK (pg_temp.valid(a)), by_default text DEFAULT pg_temp.who(),
              by_trigger text);
            CREATE TRIGGER fill BEFORE INSERT ON trap
              FOR EACH ROW EXECUTE FUNCTION pg_temp.fill();
            """
        )
        copy_in(alice, "COPY trap (a) FROM STDIN")
        rows = alice.execute("SELECT by_default, by_trigger FROM trap").fetchall()
        assert rows == [("alicealiceoff", "alicealiceoff")]


def test_it_refuses_an_escape_out_of_a_copy(connect):
    alice = connect("alice")
    with alice.transaction(force_rollback=True):
        alice.execute(
            """
            CREATE FUNCTION pg_temp.escape() RETURNS text LANGUAGE plpgsql AS
              $$ BEGIN EXECUTE 'SET SESSION AUTHORIZATION postgres'; RETURN 'out'; END $$;
            CREATE TEMP TABLE trap (a int, b text DEFAULT pg_temp.escape());
            """
        )
        with pytest.raises(errors.InsufficientPrivilege), alice.transaction():
            copy_in(alice, "COPY trap (a) FROM STDIN")
        assert alice.execute("SELECT session_user").fetchone() == ("alice",)


@pytest.mark.parametrize("to", ["'/tmp/pglite/base/leak'", "PROGRAM 'id'", "'/dev/blob'"])
def test_it_refuses_files_and_programs(connect, to):
    alice = connect("alice")
    for statement in [f"COPY pg_class TO {to}", f"DO $$ BEGIN COPY pg_class TO {to}; END $$"]:
        with pytest.raises((errors.InsufficientPrivilege, errors.FeatureNotSupported)):
            alice.execute(statement.replace("$$", "$body$"))
    assert alice.execute("SELECT 1").fetchone() == (1,)
