"""What the conditions that depend on sales are, at their limits, and what hides them."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.db import connections
from django.urls import reverse
from django.utils import timezone

from alerts.evaluation import evaluate
from alerts.models import Alert
from shelfops.ingestion.models import ImportBatch
from shelfops.ingestion.signals import import_finished
from shelfops.tenancy.context import tenant
from tests.alerts.shelves import Shelves
from tests.cast import Cast
from tests.reports.shop import YESTERDAY, file_rows, shop_of

DAY = timedelta(days=1)


@pytest.fixture
def shelves(cast: Cast) -> Shelves:
    noon = datetime.combine(timezone.now().date() - 2 * DAY, time(18), UTC)  # in New York, too
    return Shelves(cast.customer, cast.store, noon)


def summed_up(shelves: Shelves, days: int = 70) -> None:
    """Aggregates leave out what comes in behind their watermark, until they are refreshed."""
    window = [shelves.now - days * DAY, shelves.now + DAY]
    with connections["owner"].cursor() as cursor:
        for name in ("daily_sales", "daily_store_sales"):
            cursor.execute(
                f"CALL refresh_continuous_aggregate('timeseries.{name}', %s, %s)", window
            )


def test_it_finds_stock_that_does_not_sell(cast: Cast, shelves: Shelves) -> None:
    """Each product stands right before or right behind a limit."""
    daily = list(range(1, 40))
    sold = {
        "DEAD 60": [61, 62],
        "SLOW 59": [60, 62],
        "PHANTOM 7": list(range(7, 30)),
        "QUIET 6": list(range(6, 30)),
        "EMPTY SHELF": list(range(7, 30)),
        "WEEKLY": [20, 27, 34, 41, 48],
        "OVER": [1],
        "ENOUGH": [1],
        "NEW": [],
        "OLD": [],
    }
    on_hand = {"OVER": 91, "ENOUGH": 90}
    products = {sku: shelves.product(sku) for sku in sold}
    for sku, days in sold.items():
        quantity = 28 if sku in on_hand else 1
        shelves.sell(products[sku], days, quantity)
        shelves.count(products[sku], on_hand.get(sku, 4))
    shelves.count(products["EMPTY SHELF"], 0, 3 * DAY)
    shelves.count(products["EMPTY SHELF"], 4, -timedelta(minutes=1))
    shelves.count(products["OLD"], 4, 70 * DAY)
    shelves.sell(cast.product, daily)  # keeps the store's feed alive
    summed_up(shelves)
    shelves.wait(minutes=2)
    shelves.evaluate()
    with tenant(cast.customer):
        found = Alert.objects.values_list("product__sku", "alert_type", "money_at_stake")
        assert set(found) == {
            ("DEAD 60", "dead_stock", 4),
            ("OLD", "dead_stock", 4),
            ("PHANTOM 7", "phantom_stock", 4),
            ("OVER", "overstock", 1),
        }
        over = Alert.objects.get(alert_type="overstock")
    assert over.message == "Stock for 91 days; 90 is the limit"
    assert (over.figures["velocity"], over.figures["cover"]) == (1, 91)


def test_it_hides_a_silent_stores_alerts_but_no_stores_day_off(
    cast: Cast, shelves: Shelves
) -> None:
    """A store that sells on Mondays alone is silent for six days, and nothing is wrong."""
    weekly = Shelves(cast.customer, cast.unassigned_store, shelves.now)
    shelves.sell(cast.product, list(range(2, 40)))
    weekly.sell(cast.product, list(range(6, 60, 7)))
    shelves.count(cast.product, 0, 3 * DAY)
    weekly.count(cast.product, 0, 3 * DAY)
    summed_up(shelves)
    shelves.now -= DAY
    assert shelves.evaluate().opened == 2
    shelves.now += DAY
    run = shelves.evaluate()
    assert (run.opened, run.resolved) == (1, 0)
    alerts = {(a.store_id, a.alert_type): a.hidden_by for a in shelves.alerts()}
    assert alerts == {
        (cast.store.pk, "feed_gap"): "",
        (cast.store.pk, "stockout"): "feed_gap",
        (cast.unassigned_store.pk, "stockout"): "",
    }
    # While its figures are stale, what is counted neither opens nor resolves anything there.
    shelves.count(cast.product, 9)
    assert shelves.evaluate().resolved == 0
    shelves.sell(cast.product, [0, 1])
    summed_up(shelves)
    shelves.wait(hours=30)
    run = shelves.evaluate()
    assert run.resolved == 2
    kinds = [
        kind for kind, *_ in shelves.events(shelves.alert(store=cast.store, alert_type="stockout"))
    ]
    assert kinds == ["opened", "hidden", "shown", "resolved"]


def test_it_evaluates_the_stores_of_an_import_at_its_end(cast: Cast, shelves: Shelves) -> None:
    shelves.count(cast.product, 0)
    shelves.count(cast.product, 0, DAY, store=cast.unassigned_store.pk)
    with tenant(cast.customer):
        batch = ImportBatch(
            kind="inventory_levels",
            customer=cast.customer,
            rows_inserted=1,
            touched_from=shelves.now,
            touched_until=shelves.now,
        )
    import_finished.send(ImportBatch, batch=batch)
    alert = shelves.alert()
    assert (alert.store_id, alert.alert_type) == (cast.store.pk, "stockout")
    with tenant(cast.customer):
        assert alert.events.get().source == "import"


@pytest.fixture
def silent(cast: Cast, shelves: Shelves) -> Shelves:
    """A store that sold daily until 300 days ago; its feed gap is open."""
    shelves.now -= 300 * DAY
    shelves.sell(cast.product, list(range(2, 60)))
    summed_up(shelves)
    assert shelves.evaluate().opened == 1
    return shelves


def test_it_keeps_a_feed_gap_until_sales_come_in(cast: Cast, silent: Shelves) -> None:
    for days in (30, 27, 40, 100):
        silent.wait(days=days)
        run = silent.evaluate()
        assert (run.held, run.resolved) == (1, 0)
        gap = silent.alert(alert_type="feed_gap")
        assert gap.status == "open"
    first = (silent.now - 199 * DAY).date()
    assert gap.message == (
        f"No sales since {first:%-d %b}; the next were expected on {first + DAY:%-d %b}"
    )
    assert (gap.figures["takings_a_day"], gap.figures["limit"]) == (2, 36)
    assert gap.figures["measure"] > 24 * 196
    silent.sell(cast.product, [1])
    summed_up(silent)
    silent.wait(minutes=15)
    assert silent.evaluate(stores=[cast.store.pk]).resolved == 1


def test_it_waits_for_no_sales_of_a_store_that_was_switched_off(
    cast: Cast, silent: Shelves
) -> None:
    silent.wait(days=60)
    with tenant(cast.customer):
        cast.store.is_active = False
        cast.store.save()
    assert silent.evaluate().resolved == 1


def test_it_asks_no_more_of_a_silence_than_its_rule(cast: Cast, silent: Shelves) -> None:
    silent.rule("feed_gap", threshold=24 * 200, severity="critical")
    silent.wait(days=150)
    assert silent.evaluate().resolved == 1


def test_it_finds_phantom_stock_where_it_equals_its_limit(cast: Cast, shelves: Shelves) -> None:
    """Seven times 29/7 days without a sale, which no decimal fraction can hold."""
    sold = {29: [29, 58], 28: [28, 57]}
    products = {days: shelves.product(f"SILENT {days}") for days in sold}
    for days, (last, first) in sold.items():
        shelves.sell(products[days], [last, *range(last + 3, last + 9), first])
        shelves.count(products[days], 4)
    shelves.sell(cast.product, list(range(1, 60)))
    summed_up(shelves)
    shelves.evaluate()
    found = shelves.alert(alert_type="phantom_stock")
    assert (found.product_id, found.figures["measure"]) == (products[29].pk, 7)


def test_it_calls_dead_what_the_report_calls_dead(cast: Cast, client_of) -> None:
    """The whole days up to the last one with sales count; a sale of today, too, ends them."""
    shop = shop_of(cast)
    today = timezone.now().astimezone(ZoneInfo(cast.store.time_zone)).date()
    last = today - 3 * DAY  # what came after it has not come in yet, but for one sale
    for back in range(30):
        shop.sell(cast.store, cast.product, last - back * DAY, 1, 2)
    for days in (58, 59, 60, 61):
        product = shop.product(f"SOLD {days}", unit_cost=1)
        shop.sell(cast.store, product, last - days * DAY, 1, 2)
        shop.snapshot(cast.store, product, last - DAY, 4)
    again = shop.product("SOLD AGAIN", unit_cost=1)
    shop.sell(cast.store, again, last - 70 * DAY, 1, 2)
    shop.sell(cast.store, again, today, 1, 2, clock="00:00")
    shop.snapshot(cast.store, again, last - DAY, 4)
    shop.refresh()
    assert evaluate(cast.customer).error == ""
    with tenant(cast.customer):
        alerts = Alert.objects.filter(alert_type="dead_stock")
        assert set(alerts.values_list("product__sku", flat=True)) == {"SOLD 60", "SOLD 61"}
        assert {a.figures["measure"] for a in alerts} == {60, 61}
    listed = client_of(cast.admin).get(reverse("reports:dead-stock"), {"format": "csv"})
    assert {row["SKU"] for row in file_rows(listed) if row["SKU"]} == {"SOLD 60", "SOLD 61"}


def test_the_report_looks_for_the_last_sale_in_as_many_days_as_it_says(
    cast: Cast, client_of
) -> None:
    shop = shop_of(cast)
    shop.sell(cast.store, cast.product, YESTERDAY, 1, 2)
    for days in (181, 182):
        product = shop.product(f"SOLD {days}", unit_cost=1)
        shop.sell(cast.store, product, YESTERDAY - days * DAY, 1, 2)
        shop.count(cast.store, product, 4)
    shop.refresh()
    listed = client_of(cast.admin).get(reverse("reports:dead-stock"), {"format": "csv"})
    found = {row["SKU"]: row["Last sale"] for row in file_rows(listed)}
    assert (found["SOLD 181"], found["SOLD 182"]) == (str(YESTERDAY - 181 * DAY), "")
