"""The rules that the database keeps by itself, the seed's own examples among them."""

from datetime import timedelta

import pytest
from django.db import IntegrityError, connection
from django.utils import timezone
from psycopg import errors

from alerts.models import Alert
from inventory.models import CurrentStock, InventoryLevel, ReorderPoint
from sales.models import Transaction
from shelfops.tenancy.context import tenant
from tests.cast import Cast

LEVEL = """
INSERT INTO inventory_levels (store_id, product_id, timestamp, quantity_on_hand, quantity_allocated)
VALUES (%(store)s, %(product)s, now(), %(on_hand)s, %(allocated)s)
"""


@pytest.mark.parametrize(
    ("on_hand", "allocated", "constraint"),
    [
        (-5, 0, "inventory_levels_"),  # two rules at once: either may answer
        (5, -1, "inventory_levels_quantity_allocated_check"),
        (5, 6, "inventory_levels_check"),
    ],
)
def test_it_refuses_impossible_inventory(cast: Cast, on_hand, allocated, constraint) -> None:
    params = {"store": cast.store.pk, "product": cast.product.pk}
    with pytest.raises(IntegrityError) as error, tenant(cast.customer):  # noqa: SIM117
        with connection.cursor() as cursor:
            cursor.execute(LEVEL, {**params, "on_hand": on_hand, "allocated": allocated})
    assert isinstance(error.value.__cause__, errors.CheckViolation)
    assert f'check constraint "{constraint}' in str(error.value)


def test_it_works_out_what_is_available(cast: Cast) -> None:
    with tenant(cast.customer):
        with connection.cursor() as cursor:
            cursor.execute(
                LEVEL,
                {"store": cast.store.pk, "product": cast.product.pk, "on_hand": 7, "allocated": 3},
            )
        assert InventoryLevel.objects.get().quantity_available == 4
        now = CurrentStock.objects.create(
            store=cast.store,
            product=cast.product,
            timestamp=timezone.now(),
            quantity_on_hand=7,
            quantity_allocated=2,
            source="count",
        )
        now.refresh_from_db()
        assert now.quantity_available == 5


def test_it_takes_a_receipt_line_once(cast: Cast) -> None:
    statement = """
        INSERT INTO transactions (store_id, product_id, sold_at, business_date, receipt, line,
                                  quantity, unit_price, total_amount)
        VALUES (%s, %s, '2026-10-01 12:00+00', '2026-10-01', 'R1', 1, 1, 2, 2)
        """
    with tenant(cast.customer), connection.cursor() as cursor:
        for inserted in (1, 0):
            cursor.execute(statement, [cast.store.pk, cast.product.pk])
            assert cursor.rowcount == inserted
        assert Transaction.objects.count() == 1


def reorder_point(cast: Cast, quantity: int, start) -> ReorderPoint:
    return ReorderPoint.objects.create(
        store=cast.store, product=cast.product, reorder_point=quantity, effective_from=start
    )


def test_it_closes_the_reorder_point_in_force(cast: Cast) -> None:
    monday = timezone.now() - timedelta(days=6)
    with tenant(cast.customer):
        first = reorder_point(cast, 5, monday)
        second = reorder_point(cast, 8, monday + timedelta(days=2))
        first.refresh_from_db()
        assert first.effective_to == second.effective_from
        assert ReorderPoint.objects.filter(effective_to=None).get() == second


def test_it_keeps_one_current_reorder_point(cast: Cast) -> None:
    now = timezone.now()
    for start in (now, now - timedelta(days=1)):
        with pytest.raises(IntegrityError, match="idx_reorder_points_current"):  # noqa: SIM117
            with tenant(cast.customer):
                reorder_point(cast, 5, now)
                reorder_point(cast, 8, start)


def alert(cast: Cast, **fields) -> Alert:
    defaults = {"alert_type": "low_stock", "severity": "warning", "message": "Few left"}
    return Alert.objects.create(store=cast.store, **{**defaults, **fields})


@pytest.mark.parametrize("with_product", [True, False])
def test_it_keeps_one_active_alert_on_a_condition(cast: Cast, with_product: bool) -> None:
    product = cast.product if with_product else None
    with tenant(cast.customer):
        first = alert(cast, product=product)
        alert(cast, product=product, alert_type="stockout")
    for status in ({"status": "open"}, {"status": "acknowledged"}):
        with pytest.raises(IntegrityError, match="idx_alerts_dedup"), tenant(cast.customer):
            alert(cast, product=product, **status)
    with tenant(cast.customer):
        Alert.objects.filter(pk=first.pk).update(status="resolved", resolved_at=timezone.now())
        alert(cast, product=product)


def test_it_updates_an_active_alert_instead_of_adding_one(cast: Cast) -> None:
    """The seed's deduplication pattern, with the customer and all active states in the key."""
    with tenant(cast.customer), connection.cursor() as cursor:
        for message in ("Three left", "Two left"):
            cursor.execute(
                """
                INSERT INTO alerts (store_id, product_id, alert_type, severity, message)
                VALUES (%s, %s, 'low_stock', 'warning', %s)
                ON CONFLICT (customer_id, store_id, product_id, alert_type)
                    WHERE status IN ('open', 'acknowledged', 'snoozed')
                DO UPDATE SET message = EXCLUDED.message, occurrences = alerts.occurrences + 1
                """,
                [cast.store.pk, cast.product.pk, message],
            )
        only = Alert.objects.get()
        assert (only.message, only.occurrences) == ("Two left", 2)


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO users (customer_id, email, name, role, password)"
        " VALUES (current_customer_id(), 'UPPER@example.com', 'x', 'staff', 'x')",
        "INSERT INTO users (customer_id, email, name, role, password)"
        " VALUES (current_customer_id(), 'x@example.com', 'x', 'king', 'x')",
        "INSERT INTO stores (code, name) VALUES ('', 'x')",
        "INSERT INTO products (sku, name, unit_price) VALUES ('x', 'x', -1)",
    ],
)
def test_it_refuses_values_that_make_no_sense(cast: Cast, statement: str) -> None:
    with pytest.raises(IntegrityError) as error, tenant(cast.customer):  # noqa: SIM117
        with connection.cursor() as cursor:
            cursor.execute(statement)
    assert isinstance(error.value.__cause__, errors.CheckViolation)


def test_it_has_the_seeds_indexes(cast: Cast) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT indexname, indexdef FROM pg_indexes"
            " WHERE schemaname IN ('public', 'timeseries')"
        )
        indexes = dict(cursor.fetchall())
    assert "UNIQUE" in indexes["products_customer_id_sku_key"]
    assert "(customer_id, store_id, sold_at" in indexes["idx_transactions_store_time"]
    assert "(customer_id, product_id, sold_at DESC)" in indexes["idx_transactions_product"]
    assert "store_id, product_id, " in indexes["idx_inventory_store_product_time"]
    assert "USING gin (metadata)" in indexes["idx_metadata_gin"]
    assert "WHERE ((status)::text = 'open'::text)" in indexes["idx_alerts_open"]
    assert "NULLS NOT DISTINCT" in indexes["idx_alerts_dedup"]
    assert "WHERE (effective_to IS NULL)" in indexes["idx_reorder_points_current"]
    low_cardinality = [
        name
        for name, sql in indexes.items()
        if sql.split("(")[1].split(")")[0] in {"status", "is_active", "severity", "role"}
    ]
    assert low_cardinality == []
