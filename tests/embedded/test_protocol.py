"""What a client of any server may expect: messages, pipelines, cursors, errors, log-in."""

import hashlib
import shutil
import socket
import struct
import subprocess

import psycopg
import pytest
from psycopg import errors

MEGABYTE = 1 << 20


@pytest.mark.parametrize("size", [8187, 8192, 65536, 3 * MEGABYTE + 1, 40 * MEGABYTE])
def test_it_takes_and_gives_messages_of_any_size(connect, size):
    text = "x" * size
    connection = connect()
    assert connection.execute("SELECT length(%s), md5(%s)", [text, text]).fetchone() == (
        size,
        hashlib.md5(text.encode(), usedforsecurity=False).hexdigest(),
    )
    given = connection.execute("SELECT repeat('y', %s)", [size]).fetchone()[0]
    assert given == "y" * size


def test_it_takes_large_messages_in_a_pipeline(connect):
    connection = connect()
    with connection.pipeline():
        cursors = [
            connection.execute("SELECT %s::text", [character * 2 * MEGABYTE])
            for character in "abcde"
        ]
    assert [len(cursor.fetchone()[0]) for cursor in cursors] == [2 * MEGABYTE] * 5


def test_it_keeps_every_message_boundary_in_a_pipeline(connect):
    """Messages that end exactly where the backend's 8 KB buffer does must not be lost."""
    connection = connect()
    for size in range(8100, 8200):
        with connection.pipeline():
            first = connection.execute("SELECT length(%s::text)", ["x" * size])
            second = connection.execute("SELECT %s::int", [size])
        assert (first.fetchone(), second.fetchone()) == ((size,), (size,))


def test_it_returns_many_rows(connect):
    rows = connect().execute("SELECT i, repeat('r', 100) FROM generate_series(1, 50000) i")
    assert sum(row[0] for row in rows) == 50000 * 50001 // 2


def test_it_pipelines_after_an_error(connect):
    connection = connect()
    with pytest.raises(errors.DivisionByZero), connection.pipeline():
        connection.execute("SELECT 1")
        connection.execute("SELECT 1 / 0")
        connection.execute("SELECT 2")
    assert connection.execute("SELECT 3").fetchone() == (3,)


def test_it_gives_results_inside_a_pipeline(connect):
    connection = connect()
    with connection.pipeline() as pipeline:
        first = connection.execute("SELECT 1")
        assert first.fetchone() == (1,)
        second = connection.execute("SELECT 2")
        pipeline.sync()
        assert second.fetchone() == (2,)


def test_it_runs_executemany(connect):
    connection = connect()
    with connection.transaction():
        connection.execute("CREATE TEMP TABLE many (a int, b text) ON COMMIT DROP")
        with connection.cursor() as cursor:
            cursor.executemany(
                "INSERT INTO many VALUES (%s, %s)", [(i, str(i)) for i in range(5000)]
            )
            cursor.executemany(
                "INSERT INTO many VALUES (%s, 'r') RETURNING a", [(1,), (2,)], returning=True
            )
            assert [result.fetchone() for result in cursor.results()] == [(1,), (2,)]
        assert connection.execute("SELECT count(*), sum(a) FROM many").fetchone() == (
            5002,
            4999 * 5000 // 2 + 3,
        )


def test_it_has_named_cursors(connect):
    connection = connect()
    with connection.transaction(), connection.cursor("numbers") as cursor:
        cursor.itersize = 10
        cursor.execute("SELECT generate_series(1, 35)")
        assert [row[0] for row in cursor] == list(range(1, 36))


def test_it_scrolls_a_named_cursor(connect):
    connection = connect()
    with connection.transaction(), connection.cursor("scrolled", scrollable=True) as cursor:
        cursor.execute("SELECT generate_series(1, 100)")
        cursor.scroll(50)
        assert cursor.fetchone() == (51,)
        cursor.scroll(-2)
        assert cursor.fetchone() == (50,)


def test_it_fails_a_transaction_and_takes_savepoints(connect):
    connection = connect()
    with connection.transaction():
        connection.execute("CREATE TEMP TABLE kept (a int) ON COMMIT DROP")
        connection.execute("INSERT INTO kept VALUES (1)")
        with pytest.raises(errors.UndefinedTable), connection.transaction():
            connection.execute("SELECT * FROM nowhere")
        connection.execute("INSERT INTO kept VALUES (2)")
        assert connection.execute("SELECT count(*) FROM kept").fetchone() == (2,)
    with pytest.raises(errors.InFailedSqlTransaction), connection.transaction():
        with pytest.raises(errors.DivisionByZero):
            connection.execute("SELECT 1 / 0")
        assert connection.info.transaction_status == psycopg.pq.TransactionStatus.INERROR
        connection.execute("SELECT 1")
    assert connection.execute("SELECT 1").fetchone() == (1,)


def test_it_reports_settings_as_they_change(connect):
    connection = connect(autocommit=False)
    assert connection.info.server_version == 170005
    assert connection.info.parameter_status("integer_datetimes") == "on"
    assert connection.info.parameter_status("standard_conforming_strings") == "on"
    connection.execute("SET timezone TO 'Asia/Tokyo'")
    assert connection.info.timezone.key == "Asia/Tokyo"
    connection.rollback()
    assert connection.info.timezone.key != "Asia/Tokyo"


def test_it_applies_what_a_client_asks_for_at_log_in(connect):
    connection = connect(
        options="-c timezone=Europe/Paris -c app.customer=c\\ 1 --work-mem=8MB",
        application_name="a name",
    )
    assert connection.info.timezone.key == "Europe/Paris"
    names = ["timezone", "app.customer", "work_mem", "application_name"]
    assert [connection.execute(f"SHOW {name}").fetchone()[0] for name in names] == [
        "Europe/Paris",
        "c 1",
        "8MB",
        "a name",
    ]


def test_it_refuses_a_setting_that_does_not_exist(connect):
    connection = connect(options="-c no_such_setting=1")
    with pytest.raises(errors.UndefinedObject):
        connection.execute("SELECT 1")
    assert connection.closed


def test_it_applies_settings_of_the_role(connect):
    connect("admin").execute("ALTER ROLE bob SET work_mem TO '7MB'")
    assert connect("bob").execute("SHOW work_mem").fetchone() == ("7MB",)
    assert connect("alice").execute("SHOW work_mem").fetchone() != ("7MB",)
    connect("admin").execute("ALTER ROLE bob RESET ALL")


def test_it_refuses_who_it_does_not_know(server):
    right = server.url("alice")
    wrong = right.replace("secret", "guess")
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(wrong)
    with pytest.raises(psycopg.OperationalError, match='role "nobody" does not exist'):
        psycopg.connect(right.replace("//alice:", "//nobody:"))
    with pytest.raises(psycopg.OperationalError, match='database "other" does not exist'):
        psycopg.connect(right.replace("/shelfops", "/other"))


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE DATABASE another",
        "/* a comment */ create database another",
        "LISTEN news",
        "COPY pg_class TO PROGRAM 'cat'",
        "COPY pg_class FROM '/etc/passwd'",
        "SELECT pg_advisory_lock(1)",
        "SELECT pg_try_advisory_lock(1)",
        "SET client_encoding TO 'LATIN1'",
        "set local client_encoding = win1252",
        "SET NAMES 'latin1'",
        "SELECT set_config('client_encoding', 'LATIN1', false)",
    ],
)
@pytest.mark.parametrize("parameters", [None, []])
def test_it_refuses_what_it_cannot_do(connect, statement, parameters):
    connection = connect("admin")
    cursor = psycopg.RawCursor(connection)
    with pytest.raises(errors.FeatureNotSupported, match="the embedded engine"):
        cursor.execute(statement, parameters)
    assert connection.execute("SELECT 1").fetchone() == (1,)


def test_it_refuses_replication(server):
    with pytest.raises(psycopg.OperationalError, match="replication is not possible"):
        server.connect(replication="database")


def test_it_refuses_another_encoding(server, connect):
    with pytest.raises(psycopg.OperationalError, match="client encoding latin1 is not possible"):
        server.connect(client_encoding="latin1")
    for name in ["utf8", "UTF-8", "unicode"]:
        connection = connect(client_encoding=name)
        connection.execute("SET client_encoding TO 'UTF8'")
        assert connection.execute("SELECT 'é'").fetchone() == ("é",)


def test_it_ignores_a_cancel_request(connect):
    connection = connect()
    connection.execute("SELECT 1")
    connection.cancel()
    assert connection.execute("SELECT 2").fetchone() == (2,)


@pytest.mark.parametrize(
    "bytes_sent",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        struct.pack("!i", 4),
        struct.pack("!ib", 5, 1),
        struct.pack("!ii", 8, 3 << 16),
        struct.pack("!ii", 2**31 - 1, 3 << 16),
        struct.pack("!ii", 16, 3 << 16) + b"user\0bob",
        b"\0" * 64,
        b"\xff" * 64,
    ],
)
def test_it_survives_nonsense(server, connect, bytes_sent):
    with socket.create_connection(("127.0.0.1", server.engine.status().port)) as raw:
        raw.settimeout(5)
        raw.sendall(bytes_sent)
        raw.shutdown(socket.SHUT_WR)
        while raw.recv(4096):
            pass
    assert connect().execute("SELECT 1").fetchone() == (1,)


def log_in(server) -> socket.socket:
    raw = socket.create_connection(("127.0.0.1", server.engine.status().port))
    raw.settimeout(10)
    startup = b"user\0alice\0database\0shelfops\0\0"
    raw.sendall(struct.pack("!ii", len(startup) + 8, 3 << 16) + startup)
    password = b"alice's secret\0"
    raw.sendall(b"p" + struct.pack("!i", len(password) + 4) + password)
    received = b""
    while not received.endswith(b"Z\0\0\0\5I"):
        received += raw.recv(4096)
    return raw


@pytest.mark.parametrize("kind", [b"\0", b"p", b"z", b"R", b"\xff", b"Q", b"P", b"B", b"E", b"F"])
@pytest.mark.parametrize(
    "body", [b"", b"\0", b"no end", b"\0\0\xff\xff\xff\xff", b"x\0y\0\x7f\xff"]
)
def test_it_survives_malformed_messages(server, connect, kind, body):
    bob = connect("bob")
    with log_in(server) as raw:
        raw.sendall(kind + struct.pack("!i", len(body) + 4) + body)
        raw.sendall(b"S" + struct.pack("!i", 4))
        answer = raw.recv(65536)
        assert answer[:1] in (b"E", b"I", b"Z", b"1", b"S")
    assert bob.execute("SELECT session_user").fetchone() == ("bob",)


def test_it_serves_psql(server):
    program = shutil.which("psql")
    if program is None:
        pytest.skip("psql is not installed")
    script = (
        "\\set ON_ERROR_STOP on\nBEGIN;\nCREATE TEMP TABLE p (a int, b text) ON COMMIT DROP;\n"
        "\\copy p from stdin\n1\tone\n2\ttwo\n\\.\nSELECT sum(a) AS total FROM p;\n"
        "\\copy p to stdout\nCOMMIT;\n\\dn\nSELECT 1 \\; SELECT 2;\n"
    )
    done = subprocess.run(
        [program, "-X", "-v", "VERBOSITY=verbose", server.url("app")],
        input=script,
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "1\tone\n2\ttwo\n" in done.stdout


def test_it_survives_recursion(connect):
    """The build's own stack is too small and unguarded: see server/stack.mjs."""
    connection = connect("alice")
    connection.execute(
        "CREATE OR REPLACE FUNCTION alice.forever(a int) RETURNS int LANGUAGE plpgsql AS"
        " $$ BEGIN RETURN alice.forever(a + 1); END $$"
    )
    with pytest.raises(errors.StatementTooComplex):
        connection.execute("SELECT alice.forever(1)")
    assert connection.execute("SELECT 1").fetchone() == (1,)
