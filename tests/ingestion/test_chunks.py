"""A long import keeps nobody from editing products or importing for another customer."""

from datetime import datetime
from pathlib import Path
from uuid import UUID

import psycopg
import pytest
from django.db import ProgrammingError, connection, connections, transaction

from shelfops.ingestion import feeds
from shelfops.tenancy.context import tenant
from shelfops.tenancy.signing import Identity, opening, say
from tests.cast import Cast
from tests.ingestion.columnstore import compress, packed
from tests.ingestion.feeding import (
    days_ago,
    load_counts,
    load_sales,
    outcome,
    query,
    sale,
    stock_count,
)
from tests.ingestion.importing import import_sales, line, write


def chunks(ledger: str) -> list[tuple[datetime, datetime]]:
    with connections["owner"].cursor() as cursor:
        cursor.execute(
            "SELECT range_start, range_end FROM timescaledb_information.chunks"
            " WHERE hypertable_schema = 'timeseries' AND hypertable_name = %s ORDER BY 1",
            [ledger],
        )
        return cursor.fetchall()


def drop_chunks(ledger: str) -> None:
    """Those older than three weeks, which other tests may have left."""
    with connections["owner"].cursor() as cursor:
        cursor.execute(
            "SELECT drop_chunks(%s, older_than => now() - INTERVAL '21 days')",
            [f"timeseries.{ledger}"],
        )


@pytest.fixture
def few_chunks() -> None:
    for ledger in ("transactions", "inventory_levels"):
        drop_chunks(ledger)


def test_it_makes_the_chunks_since_the_first_row(cast: Cast, few_chunks: None) -> None:
    assert outcome(load_sales(cast.customer, sale(cast, sold_at=days_ago(60))))[1] == 1
    made = chunks("transactions")
    assert made[0][0] <= days_ago(60) < made[0][1]
    assert made[-1][1] > days_ago(0, hour=0)
    assert [end for _, end in made[:-1]] == [start for start, _ in made[1:]]
    load_counts(cast.customer, stock_count(cast, "5", 40))
    assert chunks("inventory_levels")[0][0] <= days_ago(40)
    assert chunks("inventory_levels")[0][1] > days_ago(40)


def test_it_locks_nobody_out(
    cast: Cast,
    few_chunks: None,
    tmp_path: Path,
    admin_url: str,
    database_urls: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Also of blocks that go back in time: the import begins again twice, and counts once."""
    monkeypatch.setattr(feeds, "BLOCK_ROWS", 1)
    monkeypatch.setattr("shelfops.ingestion.files.ROWS_AT_ONCE", 1)
    counted = feeds.count
    edits = []

    def count_while_others_work(*args) -> None:
        counted(*args)
        edits.append(edit(database_urls["app"], cast.customer.pk, cast.product.pk))
        edits.append(edit(database_urls["app"], cast.other_customer.pk, cast.other_product.pk))

    monkeypatch.setattr(feeds, "count", count_while_others_work)
    days = (1, 30, 29, 90, 60, 120)
    batch = import_sales(
        cast, write(tmp_path, *(line(receipt=f"R{day}", time=days_ago(day)) for day in days))
    )
    assert outcome(batch) == (6, 6, 0, 0)
    assert len(edits) > 12 and set(edits) == {1}


def edit(url: str, customer: UUID, product: UUID) -> int:
    """Rows that somebody else can change within a second."""
    with psycopg.connect(url) as other:
        other.execute("SET LOCAL lock_timeout = '1s'")
        say(other, Identity(customer), opening(other))
        changed = other.execute("UPDATE products SET name = name WHERE product_id = %s", [product])
        return changed.rowcount


def test_it_makes_no_chunk_for_times_that_are_refused(cast: Cast, few_chunks: None) -> None:
    before = chunks("transactions")
    rows = [
        sale(cast, sold_at=days_ago(days), receipt=f"R{days}") for days in (-400, 800, 9_000, 1)
    ]
    assert outcome(load_sales(cast.customer, *rows)) == (4, 1, 0, 3)
    assert [chunk for chunk in chunks("transactions") if chunk[1] < days_ago(21)] == [
        chunk for chunk in before if chunk[1] < days_ago(21)
    ]


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM timeseries.ledger_chunks",
        "SELECT make_chunks('forecasts', now())",
        "SELECT make_chunks('products; DROP TABLE products', now())",
    ],
)
def test_it_makes_chunks_of_the_ledgers_alone(cast: Cast, statement: str) -> None:
    with pytest.raises(Exception) as error, tenant(cast.customer):  # noqa: B017, PT011, SIM117
        with connection.cursor() as cursor:
            cursor.execute(statement)
    assert isinstance(error.value, ProgrammingError) or "no ledger" in str(error.value)


def test_it_makes_a_bounded_number_of_chunks(cast: Cast) -> None:
    """Of all weeks that are kept; taken back, as other tests need them not."""
    with tenant(cast.customer), connection.cursor() as cursor:
        cursor.execute("SELECT make_chunks('transactions', '-infinity')")
        cursor.execute(
            "SELECT count(*) FROM timescaledb_information.chunks"
            " WHERE hypertable_schema = 'timeseries' AND hypertable_name = 'transactions'"
        )
        assert 104 <= cursor.fetchone()[0] <= 108
        transaction.set_rollback(True)


def test_it_keeps_nobody_waiting_for_a_week_of_the_columnstore(
    cast: Cast,
    few_chunks: None,
    tmp_path: Path,
    admin_url: str,
    database_urls: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Two customers' imports of one compressed week, one within the other's transaction."""
    theirs = {"store": cast.other_store.code, "product": cast.other_product.sku}
    at = days_ago(40)
    load_sales(cast.other_customer, sale(cast, **theirs, sold_at=at))
    load_sales(cast.customer, sale(cast, sold_at=at))
    compress("transactions")
    counted, waited = feeds.count, []

    def count_while_another_imports(*args) -> None:
        counted(*args)
        waited.append(add_line(database_urls["app"], cast, at))

    monkeypatch.setattr(feeds, "count", count_while_another_imports)
    batch = import_sales(cast, write(tmp_path, line(receipt="R2", time=at)))
    assert outcome(batch) == (1, 1, 0, 0)
    assert waited == [1]
    assert packed("transactions", cast.other_customer) == 1


def add_line(url: str, cast: Cast, at: datetime) -> int:
    """Lines that the other customer can add within two seconds."""
    with psycopg.connect(url) as other:
        other.execute(
            "SELECT set_config('app.current_customer_id', %s, true),"
            " set_config('lock_timeout', '2s', true)",
            [str(cast.other_customer.pk)],
        )
        added = other.execute(
            "INSERT INTO transactions (store_id, product_id, sold_at, business_date, receipt, line,"
            " quantity, unit_price, total_amount) VALUES (%s, %s, %s, %s, 'R3', 1, 1, 1, 1)",
            [cast.other_store.pk, cast.other_product.pk, at, at.date()],
        )
        return added.rowcount


def test_opening_a_week_leaves_no_row_and_takes_no_others(cast: Cast) -> None:
    load_sales(cast.customer, sale(cast, sold_at=days_ago(40)))
    load_counts(cast.customer, stock_count(cast, "5", 40))
    for ledger in ("transactions", "inventory_levels"):
        compress(ledger)
        for customer in (cast.customer, cast.other_customer):
            query(customer, "SELECT open_chunks(%s, '-infinity', now())", [ledger])
        assert packed(ledger, cast.customer) == 1
        for customer, rows in ((cast.customer, 1), (cast.other_customer, 0)):
            assert query(customer, f"SELECT count(*) FROM {ledger}") == [(rows,)]
    assert query(cast.customer, "SELECT open_chunks('products', '-infinity', now())") == [("",)]
