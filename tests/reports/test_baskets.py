"""Baskets are distinct receipts, counted from the rows and not by the report's own query."""

from datetime import date, timedelta
from decimal import Decimal

import pytest

from tests.cast import Cast
from tests.reports.shop import Shop, text
from tests.reports.test_sales import ago, get, money, report


@pytest.fixture
def till(cast: Cast, shop: Shop) -> Shop:
    """Receipts of several lines; numbers that come again each day and in each store."""
    bread = shop.product("BREAD-1", category="Bakery")
    for back in range(60):
        for number in range(1 + back % 4):
            for product in (cast.product, bread):
                shop.sell(cast.store, product, ago(back), 1, "2.50", "10:15", f"{number}")
            shop.sell(cast.unassigned_store, bread, ago(back), 2, "7.25", "17:00", f"{number}")
    # Midnight in UTC falls between two of these lines, in summer and in winter.
    for clock in ("18:50", "19:05", "20:05"):
        shop.sell(cast.store, bread, ago(2), 1, "1.00", clock, "long")
    shop.sell(cast.store, bread, ago(1), -1, "-1.00", "12:00", "return")
    shop.refresh()
    return shop


def average(shop: Shop, start: date, end: date, **only: object) -> str:
    baskets = shop.baskets(start, end, **only)
    return money(shop.total("amount", start, end, **only) / baskets) if baskets else ""


def close(found: str, expected: str) -> bool:
    """The same but for how halves of a cent are rounded."""
    return abs(Decimal(found) - Decimal(expected)) <= Decimal("0.01")


def test_it_counts_receipts_of_each_day(cast, client_of, till):
    *days, total = report(client_of, cast.admin, period="28")
    for row in days:
        day = date.fromisoformat(row["Business day"])
        assert int(row["Baskets"]) == till.baskets(day, day)
        before = day - timedelta(days=28)
        assert int(row["Baskets before"]) == till.baskets(before, before)
        assert close(row["Average basket (USD)"], average(till, day, day))
    assert int(total["Baskets"]) == till.baskets(ago(27), ago(0))
    assert close(total["Average basket (USD)"], average(till, ago(27), ago(0)))
    expected = average(till, ago(55), ago(28))
    assert close(total["Average basket before (USD)"], expected)


def test_it_counts_receipts_of_each_store(cast, client_of, till):
    *stores, total = report(client_of, cast.admin, period="28", by="store")
    by_name = {row["Store"]: row for row in stores}
    for store in (cast.store, cast.unassigned_store):
        row = by_name[store.name]
        assert int(row["Baskets"]) == till.baskets(ago(27), ago(0), store=store)
        expected = average(till, ago(27), ago(0), store=store)
        assert close(row["Average basket (USD)"], expected)
    assert int(total["Baskets"]) == sum(int(row["Baskets"]) for row in stores)


@pytest.mark.parametrize("by", ["week", "month"])
def test_it_counts_receipts_of_each_span(cast, client_of, till, by):
    *spans, total = report(client_of, cast.admin, period="28", by=by)
    for row in spans:
        first, last = date.fromisoformat(row["From"]), date.fromisoformat(row["To"])
        assert int(row["Baskets"]) == till.baskets(first, last)
    assert int(total["Baskets"]) == till.baskets(ago(27), ago(0))


def test_it_counts_the_receipts_of_the_assigned_stores_only(cast, client_of, till):
    total = report(client_of, cast.manager, period="28")[-1]
    assert int(total["Baskets"]) == till.baskets(ago(27), ago(0), store=cast.store)


def test_it_has_no_average_without_a_basket(cast, client_of, shop):
    shop.sell(cast.store, cast.product, ago(0), 1, "1.00")
    shop.refresh()
    first, *_, total = report(client_of, cast.admin, period="7")
    assert (first["Baskets"], first["Average basket (USD)"]) == ("0", "")
    assert (total["Baskets"], total["Average basket (USD)"]) == ("1", "1.00")
    assert total["Average basket before (USD)"] == ""


def test_its_cards_show_baskets_where_they_are_counted(cast, client_of, till):
    def labels(by: str) -> list[str]:
        response = get(client_of, cast.admin, by=by)
        assert ("A basket is a receipt" in text(response)) == (by == "store")
        return [card["label"] for card in response.context["cards"]]

    assert labels("store") == ["Revenue", "Units", "Baskets", "Average basket"]
    assert labels("product") == ["Revenue", "Units"]
