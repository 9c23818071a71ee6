"""At least one row of a customer in every table and view that holds customers' data."""

import zlib
from datetime import datetime, timedelta

from django.db import connection, connections
from django.utils import timezone

from inventory.models import Product, Store
from shelfops.tenancy.context import set_local, tenant
from shelfops.tenancy.models import Customer, User
from shelfops.tenancy.roles import Role

STATEMENTS = (
    """
    INSERT INTO transactions (store_id, product_id, sold_at, business_date, receipt, line,
                              quantity, unit_price, total_amount)
    SELECT %(store)s, %(product)s, %(at)s, %(at)s::date, 'R' || n, 1, 2, 1.5, 3
    FROM generate_series(1, 3) n
    """,
    """
    INSERT INTO inventory_levels (store_id, product_id, timestamp, quantity_on_hand)
    VALUES (%(store)s, %(product)s, %(at)s, 5)
    """,
    # Changed back on the same day: the zone is kept of the days before.
    "UPDATE stores SET time_zone = 'Asia/Tokyo' WHERE store_id = %(store)s",
    "UPDATE stores SET time_zone = 'America/New_York' WHERE store_id = %(store)s",
    """
    INSERT INTO current_stock (store_id, product_id, timestamp, quantity_on_hand)
    VALUES (%(store)s, %(product)s, %(at)s, 5)
    """,
    """
    INSERT INTO forecasts (store_id, product_id, forecast_for, issued_at, model, quantity)
    VALUES (%(store)s, %(product)s, %(at)s::date, %(at)s, 'naive', 4)
    """,
    """
    INSERT INTO reorder_points (store_id, product_id, reorder_point, effective_from)
    VALUES (%(store)s, %(product)s, 3, %(at)s)
    """,
    """
    WITH alert AS (
        INSERT INTO alerts (store_id, product_id, alert_type, severity, message)
        VALUES (%(store)s, %(product)s, 'low_stock', 'warning', 'Few left') RETURNING alert_id
    )
    INSERT INTO alert_events (alert_id, version, kind, to_status, source)
    SELECT alert_id, 1, 'opened', 'open', 'job' FROM alert
    """,
    """
    INSERT INTO alert_rules (alert_type, store_id, threshold, severity)
    VALUES ('dead_stock', %(store)s, 90, 'info')
    """,
    """
    INSERT INTO pending_conditions (store_id, product_id, alert_type, last_seen_at)
    VALUES (%(store)s, %(product)s, 'overstock', %(at)s)
    """,
    """
    INSERT INTO alert_evaluations (source, as_of, started_at) VALUES ('job', %(at)s, %(at)s)
    """,
    """
    WITH endpoint AS (
        INSERT INTO webhook_endpoints (url) VALUES ('https://hooks.example/in')
        RETURNING endpoint_id
    ),
    delivery AS (
        INSERT INTO webhook_deliveries (endpoint_id, events, body)
        SELECT endpoint_id, 1, '{}' FROM endpoint RETURNING endpoint_id, delivery_id
    )
    INSERT INTO webhook_events (endpoint_id, event_id, delivery_id)
    SELECT endpoint_id, gen_random_uuid(), delivery_id FROM delivery
    """,
    """
    INSERT INTO notification_settings (user_id)
    SELECT user_id FROM users WHERE role = 'admin' ON CONFLICT DO NOTHING
    """,
    """
    INSERT INTO notification_progress (collected_until) VALUES (%(at)s) ON CONFLICT DO NOTHING
    """,
    """
    WITH mail AS (
        INSERT INTO notification_mails (user_id, kind)
        SELECT user_id, 'now' FROM users WHERE role = 'admin' RETURNING mail_id, user_id
    )
    INSERT INTO notifications (user_id, alert_id, event_id, store_id, kind, mail_id)
    SELECT user_id, alert_id, event_id, %(store)s, kind, mail_id
    FROM mail, (SELECT alert_id, event_id, kind FROM alert_events LIMIT 1) AS event
    ON CONFLICT DO NOTHING
    """,
    """
    INSERT INTO anomalies (store_id, product_id, kind, severity, metadata)
    VALUES (%(store)s, %(product)s, 'spike', 'info', '{"z": 4}')
    """,
    """
    INSERT INTO log_ins (customer_id, user_id, outcome, address, is_known)
    SELECT customer_id, user_id, 'failed', '192.0.2.1', false FROM users WHERE role = 'admin'
    """,
    """
    INSERT INTO customer_access (operator_email, action, reason)
    VALUES ('operator@example.com', 'start', 'support')
    """,
    """
    WITH batch AS (
        INSERT INTO import_batches (kind, source, source_hash, imported_by, rows_read, rows_refused)
        VALUES ('sales', 'file.csv', 'abc', 'someone', 1, 1) RETURNING batch_id
    )
    INSERT INTO refused_rows (batch_id, kind, source_hash, line_number, field, reason, content)
    SELECT batch_id, 'sales', gen_random_uuid()::text, 1, 'sku', 'unknown',
           jsonb_build_object('sku', 'secret', 'store', code)
    FROM batch, stores WHERE store_id = %(store)s
    """,
    """
    WITH draft AS (
        INSERT INTO import_drafts (user_id, kind, source, source_hash, file, reading,
                                   rows_read, rows_refused, compared_at)
        SELECT user_id, 'products', 'draft.csv', 'abc', %(draft)s, '{"columns": {"sku": "SKU"}}',
               1, 1, now()
        FROM users WHERE role = 'admin' RETURNING draft_id
    )
    INSERT INTO import_draft_rows (draft_id, line_number, outcome, key, title, field, reason,
                                   content)
    SELECT draft_id, 1, 'refused', 'secret', '', 'sku', 'unknown', '{}' FROM draft
    """,
    """
    INSERT INTO import_changes (batch_id, line_number, target_id, after)
    SELECT batch_id, 1, %(product)s, '{"name": "secret"}' FROM import_batches
    ON CONFLICT DO NOTHING
    """,
    """
    INSERT INTO store_assignments (user_id, store_id)
    SELECT user_id, %(store)s FROM users WHERE role = 'admin'
    """,
    """
    INSERT INTO saved_views (page, name, query) VALUES ('reports:stock', 'secret', 'q=secret')
    ON CONFLICT DO NOTHING
    """,
    """
    INSERT INTO django_admin_log (action_time, object_repr, action_flag, change_message, user_id)
    SELECT %(at)s, 'secret name', 1, '', user_id FROM users WHERE role = 'admin'
    """,
)


def days_ago(days: float) -> datetime:
    return timezone.now() - timedelta(days=days)


def fill(customer: Customer, store: Store, product: Product, at: datetime | None = None) -> None:
    """The rows; `customer` has an admin already."""
    params = {
        "store": store.pk,
        "product": product.pk,
        "at": at or days_ago(3),
        "draft": zlib.compress(b"SKU,Name\nA,B\n"),
    }
    with tenant(customer), connection.cursor() as cursor:
        set_local("current_user_id", User.objects.get(role=Role.ADMIN).pk)
        for statement in STATEMENTS:
            cursor.execute(statement, params)


def refresh_aggregates(at: datetime | None = None) -> None:
    """Bring the rows of `at` into every aggregate: what lies behind its watermark waits for it."""
    at = at or days_ago(3)
    window = [at - timedelta(days=2), at + timedelta(days=2)]
    with connections["owner"].cursor() as cursor:
        cursor.execute(
            "SELECT format('%I.%I', view_schema, view_name)"
            " FROM timescaledb_information.continuous_aggregates"
            " ORDER BY substring(materialization_hypertable_name, '[0-9]+$')::integer"
        )
        for (aggregate,) in cursor.fetchall():
            cursor.execute(f"CALL refresh_continuous_aggregate('{aggregate}', %s, %s)", window)
