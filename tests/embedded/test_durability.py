"""What was committed is there after any end of the engine."""

import os
import signal
import threading
import time

import psycopg
import pytest
from psycopg import errors

# This build has no conversions between encodings, and jumps to nowhere for one.
TRAP = "SELECT convert_to('é', 'LATIN1')"

SERIES = """
    CREATE SCHEMA IF NOT EXISTS series AUTHORIZATION shelfops_owner;
    SET ROLE shelfops_owner;
    CREATE TABLE series.sales (at timestamptz NOT NULL, store int NOT NULL, amount numeric);
    SELECT create_hypertable('series.sales', 'at', chunk_time_interval => interval '7 days');
    INSERT INTO series.sales SELECT t, s, 1.5
      FROM generate_series('2025-01-01'::timestamptz, '2025-02-28', '1 hour') t,
           generate_series(1, 3) s;
    ALTER TABLE series.sales SET (timescaledb.compress, timescaledb.compress_segmentby = 'store');
"""
DAILY = """
    CREATE MATERIALIZED VIEW series.daily WITH
      (timescaledb.continuous, timescaledb.materialized_only = false) AS
      SELECT time_bucket('1 day', at) AS day, store, sum(amount) AS amount, count(*) AS lines
        FROM series.sales GROUP BY 1, 2 WITH NO DATA
"""


def admin(engine) -> psycopg.Connection:
    return psycopg.connect(engine.url("admin"), autocommit=True)


def kill(engine) -> None:
    pid = engine.status().pid
    os.kill(pid, signal.SIGKILL)
    while engine.status().running:
        time.sleep(0.01)


def wait_until(condition, seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.05)


def answers(engine) -> bool:
    try:
        with admin(engine) as connection:
            return connection.execute("SELECT 1").fetchone() == (1,)
    except psycopg.OperationalError:
        return False


def totals(connection) -> tuple:
    compressed = connection.execute(
        "SELECT count(*) FROM timescaledb_information.chunks WHERE is_compressed"
    ).fetchone()
    lines = connection.execute("SELECT count(*), sum(amount) FROM series.sales").fetchone()
    daily = connection.execute("SELECT sum(lines), sum(amount), count(*) FROM series.daily")
    return compressed, lines, daily.fetchone()


def test_it_keeps_every_committed_row_through_kill_9(start_engine):
    engine = start_engine()
    with admin(engine) as connection:
        connection.execute(SERIES)
        connection.execute(DAILY)
        connection.execute("CALL refresh_continuous_aggregate('series.daily', NULL, '2025-02-20')")
        connection.execute("SELECT compress_chunk(c) FROM show_chunks('series.sales') c")
        connection.execute("RESET ROLE; CREATE TABLE written (a int PRIMARY KEY)")
        before = totals(connection)
    assert before[0][0] > 5 and before[1][0] > 4000 and before[2][0] == before[1][0]

    committed: list[int] = []

    def write() -> None:
        try:
            with admin(engine) as connection:
                for number in range(1_000_000):
                    connection.execute("INSERT INTO written VALUES (%s)", [number])
                    committed.append(number)
        except psycopg.OperationalError:
            pass

    writer = threading.Thread(target=write)
    writer.start()
    time.sleep(1)
    kill(engine)
    writer.join()
    assert len(committed) > 50

    engine.start()
    with admin(engine) as connection:
        found = {row[0] for row in connection.execute("SELECT a FROM written")}
        assert set(committed) <= found
        assert len(found) - len(committed) in (0, 1)  # one may have been on its way
        assert totals(connection) == before
        connection.execute("INSERT INTO series.sales VALUES ('2025-02-27 12:30Z', 1, 100)")
        assert connection.execute("SELECT sum(amount) FROM series.daily").fetchone() == (
            before[2][1] + 100,
        )
        before = totals(connection)
    # Without loading the extension's libraries compressed rows would silently be missing.
    engine.stop()
    engine.start()
    with psycopg.connect(engine.url("owner"), autocommit=True) as owner:
        assert totals(owner) == before


def test_it_checkpoints_so_that_the_log_does_not_grow_for_ever(start_engine):
    engine = start_engine()
    with admin(engine) as connection:
        connection.execute("CREATE TABLE filler (a text)")
        for _ in range(12):
            connection.execute(
                "INSERT INTO filler SELECT repeat('x', 1000) FROM generate_series(1, 40000)"
            )
        connection.execute("SELECT 1")
        written = connection.execute("SELECT pg_current_wal_lsn() - '0/0'").fetchone()[0]
        kept = connection.execute("SELECT sum(size) FROM pg_ls_waldir()").fetchone()[0]
    assert written > 400 << 20
    assert kept * 5 < written * 4


def test_it_restarts_after_a_trap_and_keeps_the_data(start_engine):
    engine = start_engine()
    with admin(engine) as connection, admin(engine) as witness:
        connection.execute("CREATE TABLE kept AS SELECT 1 AS a")
        witness.execute("SELECT 1")
        with pytest.raises(errors.CrashShutdown, match="is restarting"):
            connection.execute(TRAP)
        with pytest.raises(psycopg.OperationalError):
            witness.execute("SELECT 1")
    wait_until(lambda: answers(engine))
    with admin(engine) as connection:
        assert connection.execute("SELECT a FROM kept").fetchone() == (1,)
    with psycopg.connect(engine.url("app"), autocommit=True) as app:
        assert app.execute("SELECT session_user").fetchone() == ("shelfops_app",)
        with pytest.raises(errors.InsufficientPrivilege):
            app.execute("SET SESSION AUTHORIZATION postgres")


def test_it_stops_restarting_in_the_end(start_engine):
    engine = start_engine(environment={"SHELFOPS_EMBEDDED_RESTARTS": "1"})
    traps = 0
    while engine.status().running and traps < 10:
        try:
            with admin(engine) as connection:
                connection.execute(TRAP)
        except errors.CrashShutdown:
            traps += 1
            time.sleep(0.5)  # it ends after its last messages
        except psycopg.OperationalError:
            time.sleep(0.1)
    assert traps == 2
    assert "too often" in engine.log.read_text()


def test_it_says_that_what_was_in_memory_is_gone(start_engine):
    engine = start_engine(None)
    with (
        psycopg.connect(engine.url("app")) as connection,
        pytest.raises(errors.CrashShutdown, match="in memory, so its data is gone"),
    ):
        connection.execute(TRAP)
    wait_until(lambda: not engine.status().running)
