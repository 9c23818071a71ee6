"""A product's page, against DuckDB over the plain rows, and for each reader."""

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from inventory import product_queries
from inventory.models import CurrentStock, ReorderPoint, StoreAssignment
from shelfops.reports.period import Period
from shelfops.tenancy.context import tenant
from tests.alerts import raising
from tests.reports.independent import answer, rows_of
from tests.reports.shop import YESTERDAY, file_rows, sheet_rows, text
from tests.reports.test_plans import chunks_of, plan


def ago(days: int) -> date:
    return YESTERDAY - timedelta(days=days)


def url(product) -> str:
    return reverse("reports:product", args=[product.pk])


def get(client_of, user, product, **query):
    return client_of(user).get(url(product), {"period": "7", **query})


def lines(client_of, user, product, **query) -> list[dict[str, str]]:
    return file_rows(get(client_of, user, product, format="csv", **query))


def history(client_of, user, product, **query) -> dict[str, dict[str, str]]:
    *days, _ = lines(client_of, user, product, **query)
    return {row["Business day"]: row for row in days}


def raised(cast, store, product, **fields):
    with tenant(cast.customer):
        return raising.raised(store, product, **fields)


@pytest.fixture
def milk(cast, shop):
    """Counted in two stores on different days; the second rule replaced the first."""
    shop.sell(cast.store, cast.product, ago(0), 2, "4.00")
    shop.sell(cast.unassigned_store, cast.product, ago(1), 3, "6.00", clock="23:59")
    shop.snapshot(cast.store, cast.product, ago(20), 9)
    shop.snapshot(cast.store, cast.product, ago(4), 5)
    shop.snapshot(cast.store, cast.product, ago(2), 3, 1)
    shop.snapshot(cast.unassigned_store, cast.product, ago(3), 100)
    noon = datetime.now(UTC).replace(hour=12)
    shop.rule(cast.store, cast.product, 4, noon - timedelta(days=200))
    shop.rule(cast.store, cast.product, 6, datetime.combine(ago(2), noon.timetz()))
    shop.refresh()
    return shop


def clock_change(zone: str) -> date:
    """The last day on which the zone's clocks changed."""
    noons = (datetime.combine(ago(n), time(12), ZoneInfo(zone)) for n in range(330))
    later = next(noons)
    for noon in noons:
        if noon.utcoffset() != later.utcoffset():
            return later.date()
        later = noon
    raise AssertionError(zone)


@pytest.fixture
def nasty(cast, shop):
    """Three zones around a change of clocks, returns, returns alone, and days without anything."""
    change = clock_change("America/New_York")
    island = shop.store("Island", time_zone="Pacific/Kiritimati")
    west = shop.store("West", time_zone="America/Los_Angeles")
    stores = (cast.store, island, west)
    for n, (clock, units) in enumerate(
        [("00:01", 3), ("01:30", "2.5"), ("23:59", 7), ("12:00", -1), ("03:30", 0)]
    ):
        for step, store in enumerate(stores):
            day = change + timedelta(days=2 * n - 5 + step)
            shop.sell(store, cast.product, day, units, n * 2 + 1, clock=clock)
    shop.sell(west, cast.product, change + timedelta(days=4), -6, "-9.00")
    other = shop.product("OTHER-1")
    shop.sell(cast.store, other, change, 500, "500.00")
    for step, store in enumerate(stores):
        for back, on_hand in ((9, 40), (3, 0), (0, "7.25"), (-2, 3)):
            shop.snapshot(store, cast.product, change - timedelta(days=back + step), on_hand)
        midnight = datetime.combine(change, time(0), ZoneInfo(store.time_zone))
        with tenant(cast.customer):
            for back, point, up_to in ((60, 5, 9), (2, 8, None), (-1, 2, 20)):
                ReorderPoint.objects.create(
                    store=store,
                    product=cast.product,
                    reorder_point=point + step,
                    order_up_to=up_to and up_to + step,
                    effective_from=midnight - timedelta(days=back, hours=step),
                )
    shop.refresh()
    return Period(change - timedelta(days=6), change + timedelta(days=5))


HISTORY = """
WITH days AS (SELECT unnest(generate_series($start, $end, INTERVAL 1 DAY))::date AS day),
mine AS (SELECT * FROM stores WHERE $store IS NULL OR store = $store),
sold AS (SELECT * FROM sales JOIN mine USING (store) WHERE product = $product)
SELECT day,
  coalesce((SELECT sum(units) FROM sold WHERE sold.day = days.day), 0) AS units,
  coalesce((SELECT sum(amount) FROM sold WHERE sold.day = days.day), 0) AS revenue,
  coalesce((SELECT sum(units) FROM sold
            WHERE sold.day BETWEEN days.day - 6 AND days.day), 0) / 7 AS velocity,
  (SELECT sum(on_hand) FROM (
     SELECT arg_max(on_hand, counted_at) AS on_hand FROM counts JOIN mine USING (store)
     WHERE product = $product AND (counted_at AT TIME ZONE zone)::date <= days.day
     GROUP BY store)) AS on_hand,
  (SELECT sum(reorder_point) FROM rules JOIN mine USING (store)
   WHERE product = $product
     AND effective_from < ((days.day + 1)::timestamp AT TIME ZONE zone)
     AND coalesce(effective_to >= ((days.day + 1)::timestamp AT TIME ZONE zone), true)) AS point,
  (SELECT sum(order_up_to) FROM rules JOIN mine USING (store)
   WHERE product = $product
     AND effective_from < ((days.day + 1)::timestamp AT TIME ZONE zone)
     AND coalesce(effective_to >= ((days.day + 1)::timestamp AT TIME ZONE zone), true)) AS up_to
FROM days ORDER BY day
"""


def number(text: str) -> float | None:
    return float(text) if text else None


@pytest.mark.parametrize("role", ["admin", "manager"])
def test_it_agrees_with_duckdb_around_a_change_of_clocks(cast, client_of, nasty, role):
    """In three time zones, with returns and rules that took effect on other days."""
    expected = answer(
        rows_of(cast.customer),
        HISTORY,
        start=nasty.start,
        end=nasty.end,
        product=str(cast.product.pk),
        store=str(cast.store.pk) if role == "manager" else None,
    )
    user = getattr(cast, role)
    *days, total = lines(client_of, user, cast.product, start=nasty.start, end=nasty.end)
    assert len(days) == nasty.days
    assert any(row["units"] < 0 for row in expected)
    for day, sums in zip(days, expected, strict=True):
        assert day["Business day"] == str(sums["day"])
        assert number(day["Units sold"]) == sums["units"]
        assert number(day["Revenue (USD)"]) == sums["revenue"]
        assert number(day["Velocity, 7 days"]) == pytest.approx(sums["velocity"], abs=0.0051)
        assert number(day["On hand at close"]) == sums["on_hand"]
        assert number(day["Reorder point"]) == sums["point"]
        assert number(day["Order up to"]) == sums["up_to"]
        price = sums["revenue"] / sums["units"] if sums["units"] > 0 else None
        assert number(day["Average price (USD)"]) == pytest.approx(price, abs=0.0051)
    assert number(total["Units sold"]) == sum(row["units"] for row in expected)
    assert number(total["Revenue (USD)"]) == sum(row["revenue"] for row in expected)


STORES = """
WITH days AS (SELECT unnest(generate_series($end - 27, $end, INTERVAL 1 DAY))::date AS day),
sold AS (SELECT store, day, sum(units) AS units FROM sales
         WHERE product = $product GROUP BY ALL),
closes AS (
  SELECT store, days.day, arg_max(on_hand, counted_at) AS on_hand
  FROM days, counts JOIN stores USING (store)
  WHERE product = $product AND (counted_at AT TIME ZONE zone)::date <= days.day GROUP BY ALL)
SELECT name,
  coalesce((SELECT sum(units) FROM sold WHERE sold.store = stores.store
            AND day BETWEEN $end - 6 AND $end), 0) / 7 AS v7,
  coalesce((SELECT sum(units) FROM sold WHERE sold.store = stores.store
            AND day BETWEEN $end - 27 AND $end), 0) / 28 AS v28,
  coalesce((SELECT sum(units) FROM sold WHERE sold.store = stores.store
            AND day BETWEEN $end - 27 AND $end), 0) / (SELECT count(*) FROM closes
              WHERE closes.store = stores.store AND on_hand > 0 HAVING count(*) > 0) AS in_stock
FROM stores
"""


def test_it_agrees_with_duckdb_on_the_stock_of_each_store(cast, client_of, milk):
    """Out of stock for some days; sold before the first count; never counted."""
    third = milk.store("Third", time_zone="Pacific/Auckland")
    milk.snapshot(cast.store, cast.product, ago(15), 0)
    milk.sell(cast.store, cast.product, ago(14), 1, "1.00")
    milk.sell(cast.store, cast.product, ago(25), 4, "4.00", clock="00:05")
    milk.sell(cast.unassigned_store, cast.product, ago(9), -2, "-2.00")
    milk.sell(third, cast.product, ago(27), 5, "5.00", clock="23:58")
    milk.refresh()
    found = get(client_of, cast.admin, cast.product).context["stock"]
    rows = {row["store"]: row for row in found.rows}
    expected = answer(rows_of(cast.customer), STORES, product=str(cast.product.pk), end=YESTERDAY)
    assert set(rows) == {row["name"] for row in expected} == {"Main Street", "Harbour", "Third"}
    for sums in expected:
        row = rows[sums["name"]]
        assert float(row["velocity_7"]) == pytest.approx(sums["v7"], abs=0.0051)
        assert float(row["velocity_28"]) == pytest.approx(sums["v28"], abs=0.0051)
        if sums["in_stock"] is None:
            assert row["in_stock_velocity"] is None
        else:
            assert float(row["in_stock_velocity"]) == pytest.approx(sums["in_stock"], abs=0.0051)
    main = rows["Main Street"]
    assert (main["quantity_on_hand"], main["quantity_available"]) == (3, 2)
    assert (main["cover"], main["status"]) == (Decimal("8.0"), "Reorder")
    today = datetime.now(ZoneInfo(cast.store.time_zone)).date()
    assert main["stockout_on"] == today + timedelta(days=8)
    assert rows["Third"]["quantity_on_hand"] is None
    assert found.total["quantity_available"] == 102
    assert float(found.total["velocity_28"]) == pytest.approx(13 / 28, abs=0.0051)


def test_it_shows_sales_and_stock_of_each_day(cast, client_of, milk):
    days = history(client_of, cast.admin, cast.product)
    assert list(days) == [str(ago(6 - n)) for n in range(7)]
    assert [days[str(ago(n))]["Units sold"] for n in (0, 1, 2)] == ["2", "3", "0"]
    assert [days[str(ago(n))]["Revenue (USD)"] for n in (0, 1, 2)] == ["4.00", "6.00", "0.00"]
    stock = [days[str(ago(n))]["On hand at close"] for n in (6, 5, 4, 3, 2, 1, 0)]
    assert stock == ["9", "9", "5", "105", "103", "103", "103"]
    rule = [days[str(ago(n))]["Reorder point"] for n in (6, 3, 2, 0)]
    assert rule == ["4", "4", "6", "6"]
    sheet = sheet_rows(get(client_of, cast.admin, cast.product, format="xlsx"))
    assert [row["Units sold"] for row in sheet] == [0, 0, 0, 0, 0, 3, 2, 5]


def test_it_remembers_a_count_that_is_older_than_what_it_reads(cast, client_of, milk):
    """Of a store that has counted nothing for long the latest count still holds."""
    with tenant(cast.customer):
        CurrentStock.objects.create(
            store=milk.store("Rare"),
            product=cast.product,
            timestamp=datetime.now(UTC) - timedelta(days=300),
            quantity_on_hand=1000,
            source="feed",
        )
    days = history(client_of, cast.admin, cast.product)
    assert days[str(ago(6))]["On hand at close"] == "1009"
    assert days[str(ago(0))]["On hand at close"] == "1103"


def test_it_shows_a_manager_the_assigned_stores_only(cast, client_of, milk):
    raised(cast, cast.unassigned_store, cast.product, message="Secret of the harbour")
    days = history(client_of, cast.manager, cast.product, period="28")
    assert [days[str(ago(n))]["Units sold"] for n in (0, 1)] == ["2", "0"]
    assert days[str(ago(0))]["On hand at close"] == "3"
    page = text(get(client_of, cast.manager, cast.product))
    assert cast.unassigned_store.name not in page
    assert "Secret" not in page
    response = get(client_of, cast.manager, cast.product, store=cast.unassigned_store.pk)
    assert list(response.context["form"].errors) == ["store"]


def test_it_shows_nothing_without_a_store(cast, client_of, milk):
    with tenant(cast.customer):
        StoreAssignment.objects.filter(user=cast.manager).delete()
    page = text(get(client_of, cast.manager, cast.product))
    assert "No store is assigned to you" in page


def test_it_keeps_amounts_from_those_who_may_not_read_sales(cast, client_of, milk):
    with tenant(cast.customer):
        cast.product.unit_cost, cast.product.unit_price = 1, 3
        cast.product.save()
    [*_, row] = lines(client_of, cast.staff, cast.product)
    assert not {"Revenue (USD)", "Average price (USD)"} & set(row)
    response = get(client_of, cast.staff, cast.product)
    assert "Margin" not in text(response)
    assert "Revenue" not in text(response)
    assert "panel-price" not in text(response)
    assert "sales report" not in text(response)


def test_it_shows_the_margin_at_todays_cost(cast, client_of, milk):
    def margin() -> tuple[str, str]:
        figures = get(client_of, cast.admin, cast.product).context["figures"]
        [found] = [figure for figure in figures if figure["label"].startswith("Margin")]
        return found["value"], found["note"]

    assert margin() == ("Unknown", "it has no unit cost")
    with tenant(cast.customer):
        cast.product.unit_cost = Decimal("1.50")
        cast.product.save()
    assert margin() == ("25.0%", "USD 2.50, at today's unit cost")


def test_it_draws_what_the_table_says(cast, client_of, milk):
    response = get(client_of, cast.admin, cast.product)
    stock, sales, price = response.context["timeline"]["panels"]
    assert stock["lines"][0]["values"] == stock["lines"][1]["values"] == [4, 4, 4, 4, 6, 6, 6]
    assert stock["lines"][2]["values"] == [9, 9, 5, 105, 103, 103, 103]
    assert sales["lines"][0]["values"] == [0, 0, 0, 0, 0, 0.43, 0.71]
    assert sales["lines"][1]["values"] == [0, 0, 0, 0, 0, 3, 2]
    assert price["lines"][0]["values"] == [None, None, None, None, None, 2, 2]


class TestEvents:
    def test_it_tells_what_happened_on_the_stores_day(self, cast, client_of, milk):
        late = datetime.combine(ago(2), time(23, 30), ZoneInfo(cast.store.time_zone))
        alert = raised(
            cast, cast.store, cast.product, at=late, alert_type="low_stock", message="2 left"
        )
        page = get(client_of, cast.staff, cast.product)
        events = [(row["business_date"], row["what"]) for row in page.context["events"].rows]
        assert (ago(2), "Low stock alert: opened") in events
        assert (ago(2), "Reorder point changed") in events
        marks = page.context["timeline"]["marks"]
        assert {(mark["day"], mark["lane"]) for mark in marks} == {
            (str(ago(2)), "Alert"),
            (str(ago(2)), "Reorder point"),
        }
        assert reverse("alerts:alert", args=[alert.pk]) in text(page)
        day = history(client_of, cast.admin, cast.product)[str(ago(2))]
        assert day["What happened"] == (
            "Reorder at 6 (Main Street); Low stock alert: opened (Main Street)"
        )

    def test_it_keeps_alerts_from_those_who_may_not_see_them(self, cast, client_of, milk):
        raised(cast, cast.store, cast.product, message="Confidential")
        page = text(get(client_of, cast.analyst, cast.product))
        assert "Confidential" not in page
        assert "Its alerts" not in page

    def test_it_shows_nothing_of_another_product(self, cast, client_of, milk):
        raised(cast, cast.store, milk.product("BREAD-1"), message="Bread is low")
        assert "Bread is low" not in text(get(client_of, cast.admin, cast.product))


def test_it_does_not_know_products_of_others(cast, client_of):
    client = client_of(cast.admin)
    assert client.get(url(cast.other_product)).status_code == 404
    assert client.get(reverse("reports:product", args=[uuid4()])).status_code == 404


def test_it_is_for_those_who_may_read_it(cast, client_of, client):
    assert client.get(url(cast.product)).status_code == 302
    assert client_of(cast.operator).get(url(cast.product)).status_code in (403, 404)


def test_it_says_when_there_is_nothing_to_show(cast, client_of):
    page = text(get(client_of, cast.admin, cast.product))
    assert "Nothing was sold or counted" in page


def test_it_shows_stock_that_outlasts_every_calendar(cast, client_of, milk):
    store = milk.store("Full")
    milk.count(store, cast.product, "99999999999.999")
    milk.sell(store, cast.product, ago(0), "0.001", "0.01")
    milk.refresh()
    response = get(client_of, cast.admin, cast.product)
    assert response.status_code == 200
    [full] = [row for row in response.context["stock"].rows if row["store"] == "Full"]
    assert (full["stockout_on"], full["cover"] > 1e14) == (None, True)


def test_its_number_of_queries_is_constant(cast, client_of, milk):
    def queries() -> int:
        client = client_of(cast.admin)
        with CaptureQueriesContext(connection) as captured:
            client.get(url(cast.product))
        return len(captured)

    few = queries()
    for n in range(10):
        store = milk.store(f"N{n}")
        milk.count(store, cast.product, n)
        milk.snapshot(store, cast.product, ago(n), n)
        raised(cast, store, cast.product)
    assert queries() == few


@pytest.mark.parametrize("name", ["HISTORY", "STORES"])
def test_it_reads_few_chunks_and_aggregates(cast, milk, name):
    for back in range(30, 360, 30):
        milk.sell(cast.store, cast.product, ago(back), 1, "1.00")
        milk.snapshot(cast.store, cast.product, ago(back), 1)
    milk.refresh()

    def explain(period: Period) -> str:
        params = product_queries._params(cast.product.pk, None, period)
        more = {"rolling_since": period.since, "horizon": 9}
        return plan(cast, getattr(product_queries, name), {**params, **more})

    few = explain(Period.ending(ago(30), 7))
    many = explain(Period.ending(ago(30), 320))
    assert 0 < len(chunks_of(few)) < len(chunks_of(many))
    assert " on transactions" not in few
