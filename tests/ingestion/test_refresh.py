"""Aggregates are refreshed over the days that an import touched, by their owner alone."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from django.db import DatabaseError, ProgrammingError, connection, connections, transaction

from shelfops.ingestion.undo import undo
from shelfops.tenancy.context import tenant
from shelfops.timescale.refresh import compress_old_chunks, owner_cursor, refresh_requested
from tests.cast import Cast
from tests.ingestion.feeding import days_ago, load_sales, query, sale
from tests.refreshing import watermarks

DAILY = """
SELECT business_date, lines, quantity_sold, revenue FROM daily_sales ORDER BY business_date
"""


def days_in_aggregate(cast: Cast) -> list[object]:
    return [row[0] for row in query(cast.customer, DAILY)]


def insert_unasked(cast: Cast, days: int) -> None:
    """A line that arrives without asking for a refresh."""
    with tenant(cast.customer), connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO transactions (store_id, product_id, sold_at, business_date, receipt, line,
                                      quantity, unit_price, total_amount)
            VALUES (%s, %s, %s, %s, 'R1', 1, 1, 1, 1)
            """,
            [cast.store.pk, cast.product.pk, days_ago(days), days_ago(days).date()],
        )


def test_it_refreshes_the_touched_days_and_no_others(cast: Cast) -> None:
    load_sales(cast.customer, sale(cast, sold_at=days_ago(40)), sale(cast, sold_at=days_ago(50)))
    refresh_requested()
    insert_unasked(cast, 45)
    load_sales(cast.customer, sale(cast, sold_at=days_ago(48)))
    refresh_requested()
    # The aggregate reads days before the latest refreshed one from what was refreshed only.
    assert days_in_aggregate(cast) == [days_ago(days).date() for days in (50, 48, 40)]


def test_it_shows_a_late_line_after_the_refresh(cast: Cast) -> None:
    load_sales(cast.customer, sale(cast, sold_at=days_ago(60)))
    refresh_requested()
    late = sale(cast, sold_at=days_ago(60), line=2, quantity="3", total_amount="4.50")
    load_sales(cast.customer, late)
    refresh_requested()
    assert query(cast.customer, DAILY) == [(days_ago(60).date(), 2, 5, 7.5)]


def test_it_waits_for_a_refresh_that_is_under_way(cast: Cast) -> None:
    for days in range(100, 130, 2):
        load_sales(cast.customer, sale(cast, sold_at=days_ago(days)))

    def refresh() -> None:
        try:
            refresh_requested()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(3) as pool:
        for future in [pool.submit(refresh) for _ in range(3)]:
            future.result()
    assert len(days_in_aggregate(cast)) == 15


def test_it_works_off_requests_as_a_job(cast: Cast) -> None:
    load_sales(cast.customer, sale(cast, sold_at=days_ago(70)))
    with connections["owner"].cursor() as cursor:
        cursor.execute(
            "SELECT job_id, schedule_interval FROM timescaledb_information.jobs"
            " WHERE proc_schema = 'timeseries' AND proc_name = 'refresh_requested'"
        )
        [(job_id, interval)] = cursor.fetchall()
        cursor.execute("SHOW work_mem")
        before = cursor.fetchone()
        cursor.execute("CALL run_job(%s)", [job_id])
        cursor.execute("SHOW work_mem")
        assert cursor.fetchone() == before
    assert interval.total_seconds() == 60
    assert days_in_aggregate(cast) == [days_ago(70).date()]


def test_it_never_refreshes_beyond_what_is_kept_or_into_the_last_hour(cast: Cast) -> None:
    load_sales(cast.customer, sale(cast, sold_at=days_ago(80)))
    with tenant(cast.customer), connection.cursor() as cursor:
        cursor.execute(
            "SELECT request_refresh(ARRAY['-infinity', 'infinity', '0001-01-01', now(), NULL,"
            " now() + INTERVAL '9 years']::timestamptz[])"
        )
    before = watermarks()
    refresh_requested()
    an_hour_ago = datetime.now(UTC) - timedelta(hours=1)
    for aggregate, watermark in watermarks().items():
        assert watermark <= max(before[aggregate], an_hour_ago), aggregate
    load_sales(cast.customer, sale(cast, sold_at=days_ago(0, hour=0), receipt="R2"))
    refresh_requested()
    # Midnight UTC is the evening before in New York.
    assert days_in_aggregate(cast) == [days_ago(80).date(), days_ago(1).date()]


LINES = """
SELECT (SELECT sum(lines) FROM daily_sales), (SELECT sum(lines) FROM daily_store_sales),
       (SELECT sum(lines) FROM receipts), (SELECT sum(lines) FROM daily_group_sales)
"""


def test_it_shows_late_lines_and_an_undo_of_the_present_day(cast: Cast) -> None:
    """Of which the hourly refresh, or somebody by hand, has made every total already."""
    at = datetime.now(UTC) - timedelta(hours=2)
    load_sales(cast.customer, sale(cast, sold_at=at))
    window = [at - timedelta(days=2), at + timedelta(days=2)]
    with owner_cursor() as cursor:
        for aggregate in watermarks():
            cursor.execute(f"CALL refresh_continuous_aggregate('{aggregate}', %s, %s)", window)
    late = load_sales(cast.customer, sale(cast, sold_at=at, line=2))
    refresh_requested()
    assert query(cast.customer, LINES) == [(2, 2, 2, 2)]
    undo(cast.customer, late, "x")
    refresh_requested()
    assert query(cast.customer, LINES) == [(1, 1, 1, 1)]


ASK = "SELECT request_refresh(ARRAY[%s, %s]::timestamptz[])"
REQUESTS = "SELECT count(*) FROM timeseries.refresh_requests WHERE asked_for = %s"


def requests_of(cast: Cast) -> int:
    with owner_cursor() as cursor:
        cursor.execute(REQUESTS, [cast.customer.pk])
        return cursor.fetchone()[0]


def test_it_writes_a_transaction_s_requests_for_a_day_once_and_none_of_days_not_kept(
    cast: Cast,
) -> None:
    for _ in range(2):
        with tenant(cast.customer), connection.cursor() as cursor:
            for _ in range(3):
                cursor.execute(ASK, [days_ago(80), days_ago(60)])
            cursor.execute(ASK, [days_ago(800), days_ago(-9)])
    assert requests_of(cast) == 4


def test_it_writes_no_request_of_nobody() -> None:
    with owner_cursor() as cursor:
        cursor.execute("DELETE FROM timeseries.refresh_requests")
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(ASK, [days_ago(80), days_ago(60)])
    with owner_cursor() as cursor:
        cursor.execute("SELECT count(*) FROM timeseries.refresh_requests")
        assert cursor.fetchone() == (0,)


def test_it_bounds_how_many_requests_wait(cast: Cast) -> None:
    with owner_cursor() as cursor:
        cursor.execute(
            "INSERT INTO timeseries.refresh_requests (days, asked_for)"
            " SELECT 'empty', %s FROM generate_series(1, 10000)",
            [cast.customer.pk],
        )
    with (
        pytest.raises(DatabaseError, match="still to be refreshed for 10,000"),
        tenant(cast.customer),
        connection.cursor() as cursor,
    ):
        cursor.execute(ASK, [days_ago(80), days_ago(60)])
    with owner_cursor() as cursor:
        cursor.execute("DELETE FROM timeseries.refresh_requests")


def test_it_refuses_to_refresh_inside_a_transaction(cast: Cast) -> None:
    with (
        transaction.atomic(using="owner"),
        pytest.raises(RuntimeError, match="inside a transaction"),
    ):
        refresh_requested()


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM timeseries.refresh_requests",
        "INSERT INTO timeseries.refresh_requests (days) VALUES ('empty')",
        "CALL timeseries.refresh_requested()",
    ],
)
def test_it_keeps_the_application_away_from_the_requests(cast: Cast, statement: str) -> None:
    with (
        pytest.raises(ProgrammingError, match="permission denied"),
        tenant(cast.customer),
        connection.cursor() as cursor,
    ):
        cursor.execute(statement)


def test_it_lets_nobody_else_ask_for_a_refresh() -> None:
    with (
        pytest.raises(ProgrammingError, match="permission denied"),
        connections["operator"].cursor() as cursor,
    ):
        cursor.execute("SELECT request_refresh(ARRAY[now()])")


def test_it_adds_nothing_to_compressed_days_twice(cast: Cast) -> None:
    rows = [sale(cast, sold_at=days_ago(90)), sale(cast, sold_at=days_ago(91))]
    load_sales(cast.customer, *rows)
    refresh_requested()
    compress_old_chunks()
    again = load_sales(cast.customer, *rows, sale(cast, sold_at=days_ago(91), line=2))
    assert (again.rows_inserted, again.rows_present) == (1, 2)
    refresh_requested()
    assert [row[:2] for row in query(cast.customer, DAILY)] == [
        (days_ago(91).date(), 2),
        (days_ago(90).date(), 1),
    ]
