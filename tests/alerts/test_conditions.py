"""What the conditions that depend on sales are, at their limits, and what hides them."""

from datetime import UTC, datetime, time, timedelta

import pytest
from django.db import connections
from django.utils import timezone

from alerts.models import Alert
from shelfops.ingestion.models import ImportBatch
from shelfops.ingestion.signals import import_finished
from shelfops.tenancy.context import tenant
from tests.alerts.shelves import Shelves
from tests.cast import Cast

DAY = timedelta(days=1)


@pytest.fixture
def shelves(cast: Cast) -> Shelves:
    noon = datetime.combine(timezone.now().date() - 2 * DAY, time(18), UTC)  # in New York, too
    return Shelves(cast.customer, cast.store, noon)


def summed_up(shelves: Shelves) -> None:
    """Aggregates leave out what comes in behind their watermark, until they are refreshed."""
    window = [shelves.now - 70 * DAY, shelves.now + DAY]
    with connections["owner"].cursor() as cursor:
        for name in ("daily_sales", "daily_store_sales"):
            cursor.execute(
                f"CALL refresh_continuous_aggregate('timeseries.{name}', %s, %s)", window
            )


def test_it_finds_stock_that_does_not_sell(cast: Cast, shelves: Shelves) -> None:
    """Each product stands right before or right behind a limit."""
    daily = list(range(1, 40))
    sold = {
        "DEAD 60": [60, 61],
        "SLOW 59": [59, 61],
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
