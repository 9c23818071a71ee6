"""Stock, sales and rules for evaluations, written as feeds and people leave them."""

from datetime import datetime, timedelta

from django.db import connection

from alerts.evaluation import evaluate
from alerts.models import Alert, AlertEvent, AlertRule, Evaluation
from inventory.models import Product, ReorderPoint, Store
from shelfops.tenancy.context import tenant
from shelfops.tenancy.models import Customer
from shelfops.timescale.refresh import refresh_requested
from tests.refreshing import watermarks

COUNT = """
WITH counted AS (
    INSERT INTO inventory_levels (store_id, product_id, timestamp, quantity_on_hand)
    VALUES (%(store)s, %(product)s, %(at)s, %(on_hand)s)
)
INSERT INTO current_stock AS stock (store_id, product_id, timestamp, quantity_on_hand)
VALUES (%(store)s, %(product)s, %(at)s, %(on_hand)s)
ON CONFLICT (customer_id, store_id, product_id) DO UPDATE
SET timestamp = excluded.timestamp, quantity_on_hand = excluded.quantity_on_hand
"""
SELL = """
INSERT INTO transactions (store_id, product_id, sold_at, business_date, receipt, line,
                          quantity, unit_price, total_amount)
SELECT %(store)s, %(product)s, at, (at AT TIME ZONE stores.time_zone)::date,
       %(product)s::text || extract(epoch FROM at), 1, %(quantity)s, 2, 2 * %(quantity)s
FROM unnest(%(moments)s::timestamptz[]) AS at, stores WHERE store_id = %(store)s
"""


class Shelves:
    """A customer's stores as a test sees them; `now` is the moment of the next evaluation."""

    def __init__(self, customer: Customer, store: Store, now: datetime) -> None:
        self.customer, self.store, self.now = customer, store, now

    def execute(self, statement: str, **params) -> None:
        with tenant(self.customer), connection.cursor() as cursor:
            cursor.execute(statement, {"store": self.store.pk, **params})

    def product(self, sku: str, **fields) -> Product:
        with tenant(self.customer):
            given = {"name": sku, "unit_price": 2, "unit_cost": 1, **fields}
            return Product.objects.create(sku=sku, **given)

    def count(self, product: Product, on_hand: float, ago: timedelta = timedelta(), **other):
        params = {"product": product.pk, "at": self.now - ago, "on_hand": on_hand}
        self.execute(COUNT, **params, **other)

    def sell(self, product: Product, days_ago: list[int], quantity: float = 1) -> None:
        moments = [self.now - timedelta(days=days) for days in days_ago]
        self.execute(SELL, product=product.pk, moments=moments, quantity=quantity)
        self.execute("SELECT request_refresh(%(moments)s)", moments=moments)
        # Below its watermark, which other tests may have moved, an aggregate has to be refreshed.
        if any(moments and watermark > min(moments) for watermark in watermarks().values()):
            refresh_requested()

    def reorder_at(self, product: Product, quantity: float) -> None:
        with tenant(self.customer):
            ReorderPoint.objects.create(
                store=self.store,
                product=product,
                reorder_point=quantity,
                effective_from=self.now - timedelta(days=400),
            )

    def rule(self, alert_type: str, **fields) -> AlertRule:
        with tenant(self.customer):
            defaults = {"threshold": 0, "severity": "warning"}
            return AlertRule.objects.create(alert_type=alert_type, **{**defaults, **fields})

    def wait(self, **duration) -> None:
        self.now += timedelta(**duration)

    def evaluate(self, **options) -> Evaluation:
        run = evaluate(self.customer, as_of=self.now, **options)
        assert run.error == ""
        return run

    def alerts(self, **filters) -> list[Alert]:
        with tenant(self.customer):
            return list(Alert.objects.filter(**filters).order_by("created_at", "alert_type"))

    def alert(self, **filters) -> Alert:
        [only] = self.alerts(**filters)
        return only

    def events(self, alert: Alert) -> list[tuple]:
        with tenant(self.customer):
            found = AlertEvent.objects.filter(alert=alert)
            return list(found.values_list("kind", "reason", "from_status", "to_status"))
