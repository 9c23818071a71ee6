"""Stock over a period, against DuckDB: see held.py."""

from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.urls import reverse

from tests.cast import Cast
from tests.reports.held import Books, differences, exported, wrong_figures
from tests.reports.shop import YESTERDAY, Shop, text


def last_change(zone: str) -> date:
    """The last day, some days ago, on which the zone's clocks changed."""
    day = YESTERDAY - timedelta(days=3)
    while offset(zone, day) == offset(zone, day + timedelta(days=1)):
        day -= timedelta(days=1)
    return day


def offset(zone: str, day: date) -> timedelta:
    return datetime.combine(day, time(), ZoneInfo(zone)).utcoffset()


CHANGES = [last_change("America/New_York"), last_change("Pacific/Auckland")]
WHOLE = START, END = min(CHANGES) - timedelta(days=5), max(CHANGES) + timedelta(days=2)


@pytest.fixture
def year(cast: Cast, shop: Shop) -> Shop:
    """Counts and sales in three time zones, around the days on which clocks change."""
    auckland = shop.store("Auckland", time_zone="Pacific/Auckland")
    milk = cast.product
    costed = {"unit_cost": "1.25", "unit_price": "2.5"}
    tea = shop.product("TEA", department="Drinks", category="Tea", **costed)
    bread = shop.product("BREAD", category="Bakery", unit_price="3")  # without a cost
    fuel = shop.product("FUEL", department="Fuel", unit_cost="0.7333", unit_price="0.9999")
    ghost = shop.product("GHOST", department="Drinks", **costed)  # sold, but never counted
    late = shop.product("LATE", department="Drinks", category="Tea", **costed)
    seldom = shop.product("SELDOM", department="Food", **costed)
    day = timedelta(days=1)
    # Counted before the period, on the days of the changes, at both ends of a business day.
    for store in (cast.store, cast.unassigned_store, auckland):
        shop.snapshot(store, tea, START - 3 * day, 40, 4, "00:05")
        shop.snapshot(store, tea, CHANGES[0], 20, 0, "23:55")
        shop.snapshot(store, tea, CHANGES[1], 0, 0, "00:10")
        shop.snapshot(store, tea, END, 12, 12, "23:59")
        for change in CHANGES:
            shop.sell(store, tea, change, 7, "17.50", "00:01")
            shop.sell(store, tea, change, 3, "7.50", "23:58")
            shop.sell(store, tea, change + day, -1, "-2.50")
    shop.snapshot(cast.store, bread, START, 9)
    shop.snapshot(cast.store, bread, START, 8, clock="08:00")
    shop.snapshot(cast.store, bread, START + day, 3)  # fewer than the sales explain
    shop.sell(cast.store, bread, START + day, 2, "6.00")
    shop.snapshot(cast.store, fuel, START - day, "100.125")
    shop.snapshot(cast.store, fuel, START + 2 * day, "20.5")
    shop.sell(cast.store, fuel, START, "79.625", "79.62")
    shop.sell(cast.store, fuel, END, "60.25", "60.25")  # more than was there by the counts
    shop.sell(cast.unassigned_store, ghost, START, 5, "12.50")
    shop.snapshot(auckland, late, START + 4 * day, 6)  # the first count ever
    shop.sell(auckland, late, START + 4 * day, 1, "2.00")
    long_ago = (YESTERDAY - START).days + 60
    shop.count(cast.unassigned_store, milk, 5, days_ago=long_ago)  # and gone from the ledger
    shop.snapshot(cast.store, seldom, START - 80 * day, 15, 3)
    shop.snapshot(cast.store, seldom, END - day, 10)
    shop.snapshot(auckland, seldom, START - 60 * day, 2)
    shop.snapshot(auckland, seldom, END + day, 99)
    shop.sell(auckland, seldom, START - day, 50, "50.00", "23:59")  # a business day too early
    shop.sell(auckland, seldom, END + day, 50, "50.00", "00:00")  # a business day too late
    shop.refresh()
    return shop


@pytest.mark.parametrize("who", ["admin", "manager"])
def test_it_agrees_with_an_independent_calculation(cast, client_of, year, who):
    books = Books(cast.customer, START, END, [cast.store] if who == "manager" else None)
    assert wrong_figures(client_of(getattr(cast, who)), books) == []


def test_its_trend_agrees_with_an_independent_calculation(cast, client_of, year):
    books = Books(cast.customer, START, END)
    days = books.ask(
        """
        SELECT day, sum(on_hand) AS on_hand, sum(on_hand * unit_cost) AS cost,
               sum(on_hand * unit_price) AS retail,
               count(*) FILTER (WHERE available > 0) AS in_stock, count(*) AS known
        FROM grid JOIN products USING (product_id) WHERE day >= $start::date GROUP BY day
        """,
        start=str(START),
    )
    theirs = {str(row["day"]): row for row in days}
    ours = exported(client_of(cast.admin), "stock-as-of", WHOLE, by="day")
    columns = {
        "On hand": ("on_hand", 3),
        "Value at cost (USD)": ("cost", 2),
        "Value at retail (USD)": ("retail", 2),
        "Products in stores in stock": ("in_stock", 0),
        "Products in stores counted": ("known", 0),
    }
    assert len(ours) == len(theirs) == (END - START).days + 1
    assert differences(ours, theirs, columns, "Business day") == []


def test_it_shows_stock_as_of_every_single_day(cast, client_of, year):
    """One day is answered as the same day within a long period is."""
    days = {
        row["Business day"]: row["On hand"]
        for row in exported(client_of(cast.admin), "stock-as-of", WHOLE, by="day")
    }
    for day in (START, CHANGES[0], CHANGES[1], CHANGES[1] + timedelta(days=1), END):
        rows = exported(client_of(cast.admin), "stock-as-of", (day, day), by="store")
        assert rows[-1]["On hand"] == days[str(day)]


def test_it_explains_more_sold_than_there_was(cast, client_of, year):
    rows = {
        row["SKU"]: row
        for row in exported(client_of(cast.admin), "sell-through", WHOLE, by="product")
    }
    assert rows["FUEL"]["Sell-through (%)"] == "139.7"
    page = client_of(cast.admin).get(reverse("reports:sell-through"))
    assert "Over 100% means" in text(page)


def test_it_divides_once(cast, client_of, shop) -> None:
    """A margin of 0.05 on 8 / 28 of stock is 0.175; a quotient that is rounded before says less."""
    tea = shop.product("TEA", unit_cost="1")
    shop.snapshot(cast.store, tea, YESTERDAY, 8)
    shop.sell(cast.store, tea, YESTERDAY, 1, "1.05")
    shop.refresh()
    days = (YESTERDAY - timedelta(days=27), YESTERDAY)
    [row, _] = exported(client_of(cast.admin), "stock-turn", days, by="product")
    assert row["GMROI"] == "0.18"
