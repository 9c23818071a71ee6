"""Alerts and anomalies."""

import uuid

import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models
from django.db.migrations import RunSQL

import shelfops.tenancy.context
from shelfops.tenancy.operations import tenant_table

# At most one alert is active per condition; an alert on a whole store has no product, and
# NULLS NOT DISTINCT makes that a key like any other.
ALERTS = """
CREATE TABLE IF NOT EXISTS alerts (
    alert_id      uuid NOT NULL DEFAULT gen_random_uuid(),
    customer_id   uuid NOT NULL DEFAULT current_customer_id() REFERENCES customers,
    store_id      uuid NOT NULL,
    product_id    uuid,
    owner_id      uuid,
    alert_type    varchar(32) NOT NULL CHECK (alert_type IN (
        'stockout', 'low_stock', 'overstock', 'dead_stock', 'phantom_stock', 'feed_gap',
        'projected_stockout', 'sales_anomaly')),
    severity      varchar(16) NOT NULL CHECK (severity IN ('info', 'warning', 'critical')),
    status        varchar(16) NOT NULL DEFAULT 'open'
                  CHECK (status IN ('open', 'acknowledged', 'snoozed', 'resolved')),
    message       text NOT NULL,
    metadata      jsonb NOT NULL DEFAULT '{}',
    occurrences   integer NOT NULL DEFAULT 1 CHECK (occurrences > 0),
    snoozed_until timestamptz,
    created_at    timestamptz NOT NULL DEFAULT now(),
    last_seen_at  timestamptz NOT NULL DEFAULT now(),
    updated_at    timestamptz NOT NULL DEFAULT now(),
    resolved_at   timestamptz,
    PRIMARY KEY (customer_id, alert_id),
    CHECK ((status = 'snoozed') = (snoozed_until IS NOT NULL)),
    CHECK ((status = 'resolved') = (resolved_at IS NOT NULL)),
    FOREIGN KEY (customer_id, store_id) REFERENCES stores,
    FOREIGN KEY (customer_id, product_id) REFERENCES products,
    FOREIGN KEY (customer_id, owner_id) REFERENCES users (customer_id, user_id)
);
CREATE UNIQUE INDEX IF NOT EXISTS idx_alerts_dedup
    ON alerts (customer_id, store_id, product_id, alert_type) NULLS NOT DISTINCT
    WHERE status IN ('open', 'acknowledged', 'snoozed');
CREATE INDEX IF NOT EXISTS idx_alerts_open
    ON alerts (customer_id, store_id, created_at DESC) WHERE status = 'open';
CREATE INDEX IF NOT EXISTS idx_alerts_created ON alerts (customer_id, created_at DESC);
CREATE INDEX IF NOT EXISTS idx_alerts_store ON alerts (customer_id, store_id);
CREATE INDEX IF NOT EXISTS idx_alerts_product ON alerts (customer_id, product_id);
CREATE INDEX IF NOT EXISTS idx_alerts_owner ON alerts (customer_id, owner_id)
    WHERE owner_id IS NOT NULL;
"""

ANOMALIES = """
CREATE TABLE IF NOT EXISTS anomalies (
    anomaly_id  uuid NOT NULL DEFAULT gen_random_uuid(),
    customer_id uuid NOT NULL DEFAULT current_customer_id() REFERENCES customers,
    store_id    uuid NOT NULL,
    product_id  uuid,
    kind        varchar(64) NOT NULL CHECK (kind <> ''),
    severity    varchar(16) NOT NULL CHECK (severity IN ('info', 'warning', 'critical')),
    metadata    jsonb NOT NULL DEFAULT '{}',
    detected_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (customer_id, anomaly_id),
    FOREIGN KEY (customer_id, store_id) REFERENCES stores,
    FOREIGN KEY (customer_id, product_id) REFERENCES products
);
CREATE INDEX IF NOT EXISTS idx_metadata_gin ON anomalies USING gin (metadata);
CREATE INDEX IF NOT EXISTS idx_anomalies_detected ON anomalies (customer_id, detected_at DESC);
CREATE INDEX IF NOT EXISTS idx_anomalies_store ON anomalies (customer_id, store_id);
CREATE INDEX IF NOT EXISTS idx_anomalies_product ON anomalies (customer_id, product_id);
"""


class Migration(migrations.Migration):
    initial = True

    dependencies = [("tenancy", "0001_initial"), ("inventory", "0001_initial")]

    operations = [
        RunSQL(ALERTS, "DROP TABLE IF EXISTS alerts;"),
        tenant_table("alerts", "SELECT, INSERT, UPDATE"),
        RunSQL(ANOMALIES, "DROP TABLE IF EXISTS anomalies;"),
        tenant_table("anomalies", "SELECT, INSERT"),
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.CreateModel(
                    name="Alert",
                    fields=[
                        ("metadata", models.JSONField(blank=True, default=dict)),
                        (
                            "alert_id",
                            models.UUIDField(
                                default=uuid.uuid4,
                                editable=False,
                                primary_key=True,
                                serialize=False,
                            ),
                        ),
                        (
                            "alert_type",
                            models.CharField(
                                choices=[
                                    ("stockout", "Stockout"),
                                    ("low_stock", "Low stock"),
                                    ("overstock", "Overstock"),
                                    ("dead_stock", "Dead stock"),
                                    ("phantom_stock", "Phantom stock"),
                                    ("feed_gap", "Feed gap"),
                                    ("projected_stockout", "Projected stockout"),
                                    ("sales_anomaly", "Sales anomaly"),
                                ],
                                max_length=32,
                                verbose_name="type",
                            ),
                        ),
                        (
                            "severity",
                            models.CharField(
                                choices=[
                                    ("info", "Info"),
                                    ("warning", "Warning"),
                                    ("critical", "Critical"),
                                ],
                                max_length=16,
                            ),
                        ),
                        (
                            "status",
                            models.CharField(
                                choices=[
                                    ("open", "Open"),
                                    ("acknowledged", "Acknowledged"),
                                    ("snoozed", "Snoozed"),
                                    ("resolved", "Resolved"),
                                ],
                                default="open",
                                max_length=16,
                            ),
                        ),
                        ("message", models.TextField()),
                        ("occurrences", models.PositiveIntegerField(default=1)),
                        ("snoozed_until", models.DateTimeField(blank=True, null=True)),
                        (
                            "created_at",
                            models.DateTimeField(default=django.utils.timezone.now, editable=False),
                        ),
                        ("last_seen_at", models.DateTimeField(default=django.utils.timezone.now)),
                        ("updated_at", models.DateTimeField(auto_now=True)),
                        ("resolved_at", models.DateTimeField(blank=True, null=True)),
                        (
                            "customer",
                            models.ForeignKey(
                                default=shelfops.tenancy.context.current_customer_id,
                                editable=False,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="+",
                                to="tenancy.customer",
                            ),
                        ),
                        (
                            "owner",
                            models.ForeignKey(
                                blank=True,
                                db_constraint=False,
                                null=True,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="+",
                                to=settings.AUTH_USER_MODEL,
                            ),
                        ),
                        (
                            "product",
                            models.ForeignKey(
                                blank=True,
                                db_constraint=False,
                                null=True,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="+",
                                to="inventory.product",
                            ),
                        ),
                        (
                            "store",
                            models.ForeignKey(
                                db_constraint=False,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="+",
                                to="inventory.store",
                            ),
                        ),
                    ],
                    options={
                        "db_table": "alerts",
                        "ordering": ["-created_at"],
                    },
                ),
                migrations.CreateModel(
                    name="Anomaly",
                    fields=[
                        ("metadata", models.JSONField(blank=True, default=dict)),
                        (
                            "anomaly_id",
                            models.UUIDField(
                                default=uuid.uuid4,
                                editable=False,
                                primary_key=True,
                                serialize=False,
                            ),
                        ),
                        ("kind", models.CharField(max_length=64)),
                        (
                            "severity",
                            models.CharField(
                                choices=[
                                    ("info", "Info"),
                                    ("warning", "Warning"),
                                    ("critical", "Critical"),
                                ],
                                max_length=16,
                            ),
                        ),
                        ("detected_at", models.DateTimeField(default=django.utils.timezone.now)),
                        (
                            "customer",
                            models.ForeignKey(
                                default=shelfops.tenancy.context.current_customer_id,
                                editable=False,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="+",
                                to="tenancy.customer",
                            ),
                        ),
                        (
                            "product",
                            models.ForeignKey(
                                blank=True,
                                db_constraint=False,
                                null=True,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="+",
                                to="inventory.product",
                            ),
                        ),
                        (
                            "store",
                            models.ForeignKey(
                                db_constraint=False,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="+",
                                to="inventory.store",
                            ),
                        ),
                    ],
                    options={
                        "verbose_name_plural": "anomalies",
                        "db_table": "anomalies",
                        "ordering": ["-detected_at"],
                    },
                ),
            ]
        ),
    ]
