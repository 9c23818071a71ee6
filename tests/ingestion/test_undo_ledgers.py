"""Undoing sales and counts of stock: in the ledger, the columnstore, the totals, current stock."""

from decimal import Decimal

import pytest
from django.db import ProgrammingError, connection, connections, transaction

from inventory.models import CurrentStock
from shelfops.ingestion.models import ImportBatch, RefusedRow
from shelfops.ingestion.undo import CannotUndo, obstacles, undo
from shelfops.tenancy.context import set_local, tenant
from shelfops.timescale.refresh import compress_old_chunks, refresh_requested
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

RECEIPTS = "SELECT receipt, line FROM transactions ORDER BY 1, 2"
TOTALS = {
    "daily_sales": "sum(lines), sum(revenue)",
    "daily_store_sales": "sum(lines), sum(revenue)",
    "daily_group_sales": "sum(lines), sum(revenue)",
    "receipts": "sum(lines), sum(revenue)",
}


def totals(cast: Cast) -> list[tuple]:
    """Lines and revenue by every aggregate."""
    return [query(cast.customer, f"SELECT {sums} FROM {name}")[0] for name, sums in TOTALS.items()]


def total(lines: int) -> list[tuple]:
    return [(lines, 3 * lines) if lines else (None, None)] * len(TOTALS)


def stock(cast: Cast) -> list[tuple]:
    with tenant(cast.customer):
        return list(
            CurrentStock.objects.values_list("store__code", "timestamp", "quantity_on_hand")
        )


def test_it_removes_exactly_what_the_batch_brought(cast: Cast) -> None:
    """Also from the columnstore and all aggregates, of days on both sides of their watermark."""
    shared = [sale(cast, receipt="A", line=n, sold_at=days_ago(60 + n)) for n in range(3)]
    more = [sale(cast, receipt="B", line=n, sold_at=days_ago(20 * n)) for n in range(4)]
    load_sales(cast.customer, *shared)
    theirs = sale(cast, store=cast.other_store.code, sold_at=days_ago(60))
    load_sales(cast.other_customer, theirs)
    second = load_sales(cast.customer, *shared, *more, sale(cast, store="nowhere"))
    assert outcome(second) == (8, 4, 3, 1)
    refresh_requested()
    compress_old_chunks()
    assert totals(cast) == total(7)
    assert undo(cast.customer, second, "x") == 4
    assert query(cast.customer, RECEIPTS) == [("A", 0), ("A", 1), ("A", 2)]
    refresh_requested()
    assert totals(cast) == total(3)
    compress_old_chunks()
    assert totals(cast) == total(3)
    assert len(query(cast.other_customer, RECEIPTS)) == 1
    with tenant(cast.customer):
        assert RefusedRow.objects.count() == 1
    assert outcome(load_sales(cast.customer, *shared, *more)) == (7, 4, 3, 0)


def test_it_knows_the_span_of_what_it_brought(cast: Cast) -> None:
    rows = [sale(cast, receipt=f"R{days}", sold_at=days_ago(days)) for days in (5, 40, 9)]
    batch = load_sales(cast.customer, *rows)
    assert (batch.touched_from, batch.touched_until) == (days_ago(40), days_ago(5))
    again = load_sales(cast.customer, *rows)
    assert (again.touched_from, again.touched_until) == (None, None)


def test_it_leaves_the_latest_count_that_remains(cast: Cast) -> None:
    unassigned = cast.unassigned_store.code
    load_counts(cast.customer, stock_count(cast, "5", 30), stock_count(cast, "6", 9))
    later = load_counts(
        cast.customer,
        stock_count(cast, "8", 40),
        stock_count(cast, "7", 2),
        stock_count(cast, "1", 2, store=unassigned),
    )
    load_counts(cast.customer, stock_count(cast, "9", 20, quantity_allocated="4"))
    compress_old_chunks()
    assert undo(cast.customer, later, "x") == 3
    assert stock(cast) == [("S1", days_ago(9), Decimal(6))]
    assert query(cast.customer, "SELECT quantity_on_hand FROM inventory_levels ORDER BY 1") == [
        (Decimal(quantity),) for quantity in (5, 6, 9)
    ]
    assert outcome(load_counts(cast.customer, stock_count(cast, "7", 2))) == (1, 1, 0, 0)
    assert stock(cast) == [("S1", days_ago(2), Decimal(7))]


def test_it_leaves_current_stock_that_another_batch_brought(cast: Cast) -> None:
    earlier = load_counts(cast.customer, stock_count(cast, "5", 9))
    load_counts(cast.customer, stock_count(cast, "6", 2))
    undo(cast.customer, earlier, "x")
    assert stock(cast) == [("S1", days_ago(2), Decimal(6))]


def test_it_cannot_undo_what_reaches_the_end_of_the_retention(cast: Cast) -> None:
    """The import was just in time; days later its first day is about to go."""
    batch = load_sales(cast.customer, sale(cast, sold_at=days_ago(727)), sale(cast, line=2))
    with tenant(cast.customer):
        ImportBatch.objects.update(touched_from=days_ago(729))
    with pytest.raises(CannotUndo, match="the two years that are kept"):
        undo(cast.customer, batch, "x")
    assert len(query(cast.customer, RECEIPTS)) == 2
    assert undo(cast.customer, load_sales(cast.customer, sale(cast, line=3)), "x") == 1


def test_it_cannot_undo_what_came_before_rows_knew_their_import(cast: Cast) -> None:
    batch = load_sales(cast.customer, sale(cast))
    with tenant(cast.customer):
        ImportBatch.objects.update(touched_from=None, touched_until=None)
    with pytest.raises(CannotUndo, match="older than the undoing"):
        undo(cast.customer, batch, "x")
    assert len(query(cast.customer, RECEIPTS)) == 1


def test_it_undoes_all_or_nothing(cast: Cast) -> None:
    batch = load_counts(cast.customer, stock_count(cast, "5", 9), stock_count(cast, "4", 8))
    with connections["owner"].cursor() as cursor:
        cursor.execute(
            "DELETE FROM timeseries.inventory_levels WHERE batch_id = %s AND quantity_on_hand = 5",
            [batch.pk],
        )
    with pytest.raises(CannotUndo, match="It brought 2 rows, and 1 are left"):
        undo(cast.customer, batch, "x")
    assert query(cast.customer, "SELECT quantity_on_hand FROM inventory_levels") == [(4,)]
    assert stock(cast) == [("S1", days_ago(8), Decimal(4))]


def test_it_warns_of_imports_that_shared_its_rows(cast: Cast) -> None:
    from shelfops.ingestion.undo import KINDS

    first = load_sales(cast.customer, sale(cast))
    second = load_sales(cast.customer, sale(cast), sale(cast, line=2))
    with tenant(cast.customer):
        assert KINDS["transactions"].warnings(second) == []
        [warning] = KINDS["transactions"].warnings(first)
        assert obstacles(first) == []
    assert warning.endswith("import again what shall keep them: sales.csv.")


ATTACKS = [
    "DELETE FROM transactions",
    "DELETE FROM inventory_levels",
    "DELETE FROM timeseries.transactions",
    "UPDATE transactions SET quantity = 0",
    "SELECT batch_id FROM timeseries.transactions",
    "INSERT INTO transactions (batch_id) VALUES (NULL)",
    "ALTER FUNCTION undo_transactions(uuid) RESET ALL",
]


@pytest.mark.parametrize("statement", ATTACKS)
def test_it_lets_the_application_delete_nothing_else(cast: Cast, statement: str) -> None:
    load_sales(cast.customer, sale(cast))
    with pytest.raises(ProgrammingError), tenant(cast.customer), connection.cursor() as cursor:
        cursor.execute(statement)
    assert len(query(cast.customer, RECEIPTS)) == 1


@pytest.mark.parametrize("function", ["undo_transactions", "undo_inventory_levels"])
def test_it_removes_nothing_of_another_customer(cast: Cast, function: str) -> None:
    sold = load_sales(cast.customer, sale(cast))
    counted = load_counts(cast.customer, stock_count(cast, "5", 9))
    for batch in (sold, counted):
        assert query(cast.other_customer, f"SELECT {function}(%s)", [batch.pk]) == [(0,)]
        with transaction.atomic(), connection.cursor() as cursor:  # no customer at all
            cursor.execute(f"SELECT {function}(%s)", [batch.pk])
            assert cursor.fetchone() == (0,)
    wrong = counted if function == "undo_transactions" else sold
    assert query(cast.customer, f"SELECT {function}(%s)", [wrong.pk]) == [(0,)]
    assert len(query(cast.customer, RECEIPTS)) == len(stock(cast)) == 1


def test_it_removes_nothing_of_another_customer_that_bears_the_same_import(cast: Cast) -> None:
    """Somebody who knows the id of our import writes rows under it."""
    ours = load_sales(cast.customer, sale(cast))
    with tenant(cast.other_customer), connection.cursor() as cursor:
        set_local("import_batch_id", ours.pk)
        cursor.execute(
            "INSERT INTO transactions (store_id, product_id, sold_at, business_date, receipt, line,"
            " quantity, unit_price, total_amount) VALUES (%s, %s, %s, %s, 'R', 1, 1, 1, 1)",
            [cast.other_store.pk, cast.other_product.pk, days_ago(3), days_ago(3).date()],
        )
    assert undo(cast.customer, ours, "x") == 1
    assert len(query(cast.other_customer, RECEIPTS)) == 1


def test_it_lets_nobody_else_undo(cast: Cast) -> None:
    batch = load_sales(cast.customer, sale(cast))
    with pytest.raises(ProgrammingError, match="permission denied"):  # noqa: SIM117
        with connections["operator"].cursor() as cursor:
            cursor.execute("SELECT undo_transactions(%s)", [batch.pk])


def test_it_unpacks_no_rows_of_another_customer(cast: Cast) -> None:
    """Both have lines and counts of one instant, in one chunk of the columnstore."""
    theirs = {"store": cast.other_store.code, "product": cast.other_product.sku}
    at = days_ago(30)
    load_sales(cast.other_customer, sale(cast, **theirs, sold_at=at))
    load_counts(cast.other_customer, stock_count(cast, "5", 30, **theirs))
    batches = [
        load_sales(cast.customer, sale(cast, sold_at=at)),
        load_counts(cast.customer, stock_count(cast, "5", 30)),
    ]
    for batch in batches:
        compress(batch.kind)
        assert packed(batch.kind, cast.customer) == 1
        assert undo(cast.customer, batch, "x") == 1
        assert packed(batch.kind, cast.customer) == 0
        assert packed(batch.kind, cast.other_customer) == 1
