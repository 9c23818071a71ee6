"""Stores, products, reorder points and counts of stock through their feeds."""

from datetime import UTC, datetime
from decimal import Decimal

from inventory.ingest import PRODUCTS, REORDER_POINTS, STORES
from inventory.models import CurrentStock, Product, ReorderPoint, Store
from shelfops.ingestion.feeds import load
from shelfops.ingestion.models import RefusedRow
from shelfops.tenancy.context import tenant
from tests.cast import Cast
from tests.ingestion.feeding import (
    FILE,
    days_ago,
    load_counts,
    outcome,
    query,
    records,
    stock_count,
)

LEVELS = "SELECT timestamp, quantity_on_hand, quantity_available FROM inventory_levels ORDER BY 1"


def refusals(cast: Cast) -> list[tuple[int, str, str]]:
    with tenant(cast.customer):
        return list(RefusedRow.objects.values_list("line_number", "field", "reason"))


def current(cast: Cast) -> tuple[datetime, Decimal, str]:
    with tenant(cast.customer):
        return CurrentStock.objects.values_list("timestamp", "quantity_on_hand", "source").get()


def test_it_keeps_the_latest_count_as_current_stock(cast: Cast) -> None:
    load_counts(cast.customer, stock_count(cast, "5", 3), stock_count(cast, "9", 5))
    assert current(cast) == (days_ago(3), Decimal("5.000"), "feed")
    load_counts(cast.customer, stock_count(cast, "7", 4), stock_count(cast, "6", 6))
    assert current(cast) == (days_ago(3), Decimal("5.000"), "feed")
    load_counts(cast.customer, stock_count(cast, "2", 1, quantity_allocated="1", source="count"))
    assert current(cast) == (days_ago(1), Decimal("2.000"), "count")
    assert [row[1:] for row in query(cast.customer, LEVELS)] == [
        (Decimal("6.000"), Decimal("6.000")),
        (Decimal("9.000"), Decimal("9.000")),
        (Decimal("7.000"), Decimal("7.000")),
        (Decimal("5.000"), Decimal("5.000")),
        (Decimal("2.000"), Decimal("1.000")),
    ]


def test_it_adds_no_count_twice(cast: Cast) -> None:
    rows = [stock_count(cast, "5", 3), stock_count(cast, "9", 5), stock_count(cast, "9", 5)]
    assert outcome(load_counts(cast.customer, *rows)) == (3, 2, 1, 0)
    assert outcome(load_counts(cast.customer, *rows)) == (3, 0, 3, 0)
    assert len(query(cast.customer, LEVELS)) == 2


def test_it_refuses_counts_that_cannot_be(cast: Cast) -> None:
    load_counts(
        cast.customer,
        stock_count(cast, "-1", 3),
        stock_count(cast, "1", 3, quantity_allocated="2"),
        stock_count(cast, "1", -1),
        stock_count(cast, "1", 735),
        stock_count(cast, "1", 3, source="guess"),
        stock_count(cast, "1", 3, timestamp=None),
        stock_count(cast, "1e11", 3),
        stock_count(cast, "1", 3, product="nothing"),
    )
    assert refusals(cast) == [
        (1, "quantity_on_hand", "negative"),
        (2, "quantity_allocated", "more than is on hand"),
        (3, "timestamp", "in the future"),
        (4, "timestamp", "older than the two years that are kept"),
        (5, "source", "unknown source"),
        (6, "timestamp", "no time"),
        (7, "quantity_on_hand", "beyond the limit of 10,000,000"),
        (8, "product", "unknown product"),
    ]
    with tenant(cast.customer):
        assert not CurrentStock.objects.exists()


def test_it_adds_stores_and_leaves_those_that_are_there(cast: Cast) -> None:
    rows = records(
        STORES,
        {"code": cast.store.code, "name": "Renamed", "time_zone": "UTC"},
        {"code": "N1", "name": "New", "time_zone": "America/Denver"},
        {"code": "N2", "name": "Nowhere", "time_zone": "Mars/Olympus"},
        {"code": "", "name": "No code", "time_zone": "UTC"},
    )
    assert outcome(load(cast.customer, STORES, FILE, [rows])) == (4, 1, 1, 2)
    assert refusals(cast) == [(3, "time_zone", "unknown time zone"), (4, "code", "no code")]
    with tenant(cast.customer):
        assert Store.objects.get(code=cast.store.code).name == cast.store.name
        assert Store.objects.get(code="N1").time_zone == "America/Denver"


def test_it_adds_products_and_leaves_those_that_are_there(cast: Cast) -> None:
    rows = records(
        PRODUCTS,
        {"sku": cast.product.sku, "name": "Renamed"},
        {"sku": "new", "name": "New", "category": "Tea", "unit_price": "2.49"},
        {"sku": "bad", "name": "Bad", "unit_price": "-1"},
    )
    assert outcome(load(cast.customer, PRODUCTS, FILE, [rows])) == (3, 1, 1, 1)
    assert refusals(cast) == [(3, "unit_price", "negative")]
    with tenant(cast.customer):
        assert Product.objects.get(sku=cast.product.sku).name == cast.product.name
        new = Product.objects.get(sku="new")
    assert (new.name, new.category, new.department) == ("New", "Tea", "")
    assert (new.unit_price, new.unit_cost) == (Decimal("2.4900"), None)


def test_it_adds_a_reorder_point_only_where_none_is_in_force(cast: Cast) -> None:
    day = days_ago(30).date()

    def rule(store: str, point: str) -> dict[str, object]:
        return {
            "store": store,
            "product": cast.product.sku,
            "reorder_point": point,
            "order_up_to": "20",
            "lead_time_days": 3,
            "effective_from": day,
        }

    rows = [rule(cast.store.code, "5"), rule(cast.store.code, "30"), rule("nowhere", "5")]
    batch = load(cast.customer, REORDER_POINTS, FILE, [records(REORDER_POINTS, *rows)])
    assert outcome(batch) == (3, 1, 0, 2)
    again = [rule(cast.store.code, "8")]
    batch = load(cast.customer, REORDER_POINTS, FILE, [records(REORDER_POINTS, *again)])
    assert outcome(batch) == (1, 0, 1, 0)
    with tenant(cast.customer):
        kept = ReorderPoint.objects.get()
    assert kept.reorder_point == 5
    assert kept.effective_from.astimezone(cast.store.zone).date() == day
    assert kept.effective_from.astimezone(UTC).hour in (4, 5)  # midnight in New York
