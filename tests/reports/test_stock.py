from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from inventory.models import ReorderPoint, StoreAssignment
from inventory.queries import ORDERS
from shelfops.tenancy.context import tenant
from tests.cast import Cast
from tests.reports.shop import YESTERDAY, Shop, file_rows, sheet_rows, text

URL = reverse("reports:stock")
LONG_AGO = datetime.now(UTC) - timedelta(days=200)


def ago(days: int):
    return YESTERDAY - timedelta(days=days)


def get(client_of, user, **query):
    return client_of(user).get(URL, query)


def report(client_of, user, **query) -> list[dict[str, str]]:
    return file_rows(get(client_of, user, format="csv", **query))


def skus(rows: list[dict[str, str]]) -> list[str]:
    """Of all rows but the total, which is last."""
    assert (rows[-1]["Product"], rows[-1]["SKU"]) == ("", "")
    return [row["SKU"] for row in rows[:-1]]


@pytest.fixture
def shelves(cast: Cast, shop: Shop) -> Shop:
    """Milk runs out in 10 days, bread lasts 56, and nobody buys candles."""
    bread = shop.product("BREAD-1", "Rye bread", category="Bakery", department="Food")
    candle = shop.product("CANDLE-1", "Candle")
    shop.count(cast.store, cast.product, 12, 2)
    shop.count(cast.unassigned_store, bread, 56)
    shop.count(cast.store, candle, 5)
    shop.rule(cast.store, cast.product, 10, LONG_AGO)
    shop.rule(cast.unassigned_store, bread, 20, LONG_AGO)
    for back in (0, 10, 27):
        shop.sell(cast.store, cast.product, ago(back), 10, "10.00")
    shop.sell(cast.store, cast.product, ago(5), -2, "-2.00")
    shop.sell(cast.store, cast.product, ago(28), 500, "500.00")
    shop.sell(cast.unassigned_store, bread, ago(1), 28, "28.00")
    shop.refresh()
    return shop


def test_it_shows_stock_velocity_and_cover(cast, client_of, shelves):
    milk, bread, candle, total = report(client_of, cast.admin)
    today = datetime.now(cast.store.zone).date()
    assert milk == {
        "Product": "Milk 1 l",
        "SKU": "MILK-1",
        "Store": "Main Street",
        "On hand": "12",
        "Allocated": "2",
        "Available": "10",
        "Units a day, 28 days": "1",
        "Units a day, 7 days": "1.14",
        "Units a day in stock": "1",
        "Days of cover": "10",
        "Projected stockout": str(today + timedelta(days=10)),
        "Reorder point": "10",
        "Suggested order": "1",
        "Status": "Reorder",
        "Value at cost (USD)": "",
        "Value at retail (USD)": "",
        "Counted on": str(
            (datetime.now(UTC) - timedelta(days=90)).astimezone(cast.store.zone).date()
        ),
    }
    assert (bread["Units a day, 28 days"], bread["Days of cover"], bread["Status"]) == (
        "1",
        "56",
        "",
    )
    assert (candle["Units a day, 28 days"], candle["Days of cover"]) == ("0", "")
    assert (candle["Projected stockout"], candle["Suggested order"]) == ("", "")
    assert (total["On hand"], total["Allocated"], total["Available"]) == ("73", "2", "71")


def test_it_values_stock_at_cost_and_retail(cast, client_of, shop):
    tea = shop.product("TEA", unit_cost="1.25", unit_price="2.5")
    shop.count(cast.store, tea, "2.5", "0.5")
    shop.count(cast.store, cast.product, 4)
    rows = {row["SKU"]: row for row in report(client_of, cast.admin, sort="cost")}
    assert list(rows) == ["TEA", "MILK-1", ""]
    assert rows["TEA"]["Value at cost (USD)"] == "3.13"
    assert rows["TEA"]["Value at retail (USD)"] == "6.25"
    assert rows[""]["Value at cost (USD)"] == "3.13"
    response = get(client_of, cast.admin)
    assert response.context["without_cost"] == 1
    assert "1 of them have stock, but a product without a cost" in text(response)


@pytest.mark.parametrize(
    ("available", "rule", "order"),
    [
        ("10", {"order_up_to": 25}, "15"),
        ("10", {"order_up_to": 25, "order_multiple": 6}, "18"),
        ("10", {"order_up_to": 22, "order_multiple": 6}, "12"),
        ("10.5", {"order_up_to": 25, "order_multiple": "0.25"}, ""),
        ("9.9", {"order_up_to": 25, "order_multiple": "0.25"}, "15.25"),
        ("10", {}, "1"),
        ("10", {"order_multiple": 12}, "12"),
        ("4", {"order_multiple": 4}, "8"),
        ("11", {"order_up_to": 25}, ""),
    ],
)
def test_it_suggests_whole_order_multiples(cast, client_of, shop, available, rule, order):
    shop.count(cast.store, cast.product, available)
    with tenant(cast.customer):
        ReorderPoint.objects.create(
            store=cast.store,
            product=cast.product,
            reorder_point=10,
            effective_from=LONG_AGO,
            **rule,
        )
    assert report(client_of, cast.admin)[0]["Suggested order"] == order


def test_it_knows_when_the_shelf_was_empty(cast, client_of, shop):
    """Counted 100 days ago, empty for 14 of the 28 days: 28 units are 2 a day in stock."""
    shop.snapshot(cast.store, cast.product, ago(100), 50)
    shop.snapshot(cast.store, cast.product, ago(20), 0)
    shop.snapshot(cast.store, cast.product, ago(6), 14)
    shop.sell(cast.store, cast.product, ago(22), 20, "20.00")
    shop.sell(cast.store, cast.product, ago(2), 8, "8.00")
    shop.refresh()
    milk = report(client_of, cast.admin)[0]
    assert milk["Units a day, 28 days"] == "1"
    assert milk["Units a day, 7 days"] == "1.14"
    assert milk["Units a day in stock"] == "2"
    assert milk["Counted on"] == str(ago(6))


def test_it_says_no_sales_instead_of_a_cover(cast, client_of, shelves):
    page = text(get(client_of, cast.admin, q="candle"))
    assert "no sales" in page


def test_it_lists_the_shortest_cover_first(cast, client_of, shelves):
    assert skus(report(client_of, cast.admin)) == ["MILK-1", "BREAD-1", "CANDLE-1"]


@pytest.mark.parametrize(
    ("order", "found"),
    [
        ("-cover", ["BREAD-1", "MILK-1", "CANDLE-1"]),
        ("on_hand", ["BREAD-1", "MILK-1", "CANDLE-1"]),
        ("available", ["BREAD-1", "MILK-1", "CANDLE-1"]),
        ("product", ["CANDLE-1", "MILK-1", "BREAD-1"]),
    ],
)
def test_it_sorts_by_a_column(cast, client_of, shelves, order, found):
    assert skus(report(client_of, cast.admin, sort=order)) == found
    page = get(client_of, cast.admin, sort=order)
    assert [row["sku"] for row in page.context["table"].rows] == found
    assert 'aria-sort="' in text(page)


def test_it_gives_the_same_rows_in_every_order(cast, client_of, shelves):
    def known(order: str) -> set[tuple]:
        return {tuple(row.items()) for row in report(client_of, cast.admin, sort=order)}

    assert all(known(order) == known("cover") for order in ORDERS)


def test_it_takes_the_reorder_point_in_force(cast, client_of, shelves):
    shelves.rule(cast.store, cast.product, 3, datetime.now(UTC) - timedelta(days=1))
    shelves.rule(cast.store, cast.product, 99, datetime.now(UTC) + timedelta(days=1))
    milk = report(client_of, cast.admin, q="milk")[0]
    assert (milk["Reorder point"], milk["Status"]) == ("3", "")


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"status": "reorder"}, ["MILK-1"]),
        ({"status": "no_rule"}, ["CANDLE-1"]),
        ({"status": "empty"}, []),
        ({"q": "rye"}, ["BREAD-1"]),
        ({"q": "candle-1"}, ["CANDLE-1"]),
        ({"q": "%"}, []),
        ({"q": "_ilk"}, []),
        ({"category": "Bakery"}, ["BREAD-1"]),
        ({"department": "Food"}, ["BREAD-1"]),
        ({"department": "Food", "category": "Dairy"}, []),
        ({"q": "milk", "status": "reorder"}, ["MILK-1"]),
        ({"q": "bread", "status": "reorder"}, []),
    ],
)
def test_it_filters(cast, client_of, shelves, query, found):
    rows = report(client_of, cast.admin, **query)
    assert skus(rows) == found
    totals = {"MILK-1": 12, "BREAD-1": 56, "CANDLE-1": 5}
    assert rows[-1]["On hand"] == str(sum(totals[sku] for sku in found))


def test_it_filters_by_store(cast, client_of, shelves):
    found = report(client_of, cast.admin, store=cast.unassigned_store.pk)
    assert skus(found) == ["BREAD-1"]


def test_it_counts_what_needs_attention(cast, client_of, shelves):
    figures = get(client_of, cast.admin).context["figures"]
    assert [(figure["label"], figure["value"]) for figure in figures] == [
        ("Products in stores", "3"),
        ("At or below the reorder point", "1"),
        ("Nothing available", "0"),
    ]


def test_it_shows_staff_the_assigned_stores_only(cast, client_of, shelves):
    for user in (cast.staff, cast.manager):
        found = report(client_of, user)
        assert {row["Store"] for row in found} == {cast.store.name, ""}
        assert found[-1]["On hand"] == "17"
        page = text(get(client_of, user))
        assert cast.unassigned_store.name not in page


def test_it_shows_nothing_without_a_store(cast, client_of, shelves):
    with tenant(cast.customer):
        StoreAssignment.objects.filter(user=cast.staff).delete()
    assert skus(report(client_of, cast.staff)) == []
    assert "No store is assigned to you" in text(get(client_of, cast.staff))


@pytest.mark.parametrize(
    ("field", "query"),
    [
        ("store", {"store": "x"}),
        ("category", {"category": "No such"}),
        ("department", {"department": "No such"}),
        ("q", {"q": "x" * 101}),
        ("q", {"q": "\x00"}),
        ("sort", {"sort": "name; DROP TABLE"}),
        ("status", {"status": "x"}),
    ],
)
def test_it_shows_a_wrong_filter_at_its_field(cast, client_of, shelves, field, query):
    response = get(client_of, cast.admin, **query)
    assert response.status_code == 200
    assert list(response.context["form"].errors) == [field]
    assert "<tbody>" not in text(response)


@pytest.mark.parametrize("which", ["unassigned_store", "other_store"])
def test_it_refuses_a_store_that_the_user_may_not_see(cast, client_of, shelves, which):
    response = get(client_of, cast.staff, store=getattr(cast, which).pk)
    assert list(response.context["form"].errors) == ["store"]


@pytest.mark.parametrize("page", ["0", "-1", "x", "99999999999999999999", "²", "2"])
def test_it_keeps_to_the_pages_there_are(cast, client_of, shelves, page):
    response = get(client_of, cast.admin, page=page)
    assert response.status_code == 200
    assert response.context["number"] == 1


def test_it_pages_and_exports_all(cast, client_of, shop):
    for n in range(60):
        shop.count(cast.store, shop.product(f"P{n:02}"), n)
    first, second = (
        [row["sku"] for row in get(client_of, cast.admin, page=page).context["table"].rows]
        for page in ("1", "2")
    )
    assert (len(first), len(second)) == (50, 10)
    written = skus(report(client_of, cast.admin))
    assert written == first + second
    assert len(set(written)) == 60
    sheet = sheet_rows(get(client_of, cast.admin, format="xlsx"))
    assert [row["SKU"] for row in sheet[:-1]] == written
    assert [row["On hand"] for row in sheet[:-1]] == [int(sku[1:]) for sku in written]


def test_it_says_what_to_do_when_nothing_was_counted(cast, client_of):
    assert "No stock has been counted yet" in text(get(client_of, cast.admin))


def test_it_says_what_to_do_when_nothing_matches(cast, client_of, shelves):
    assert "No stock matches these filters" in text(get(client_of, cast.admin, q="zebra"))


def test_its_number_of_queries_is_constant(cast, client_of, shelves):
    def queries() -> int:
        client = client_of(cast.admin)
        with CaptureQueriesContext(connection) as captured:
            client.get(URL)
        return len(captured)

    few = queries()
    for n in range(15):
        shelves.count(shelves.store(f"N{n}"), shelves.product(f"N{n}"), n)
    assert queries() == few


def test_it_is_for_those_who_may_read_it(cast, client_of, client):
    assert client.get(URL).status_code == 302
    assert get(client_of, cast.operator).status_code == 403
    for user in (cast.staff, cast.manager, cast.analyst, cast.admin):
        assert get(client_of, user).status_code == 200
