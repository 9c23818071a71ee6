"""Webhooks: where a customer's events are sent, and each delivery."""

import uuid

import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models
from django.db.migrations import RunSQL

import shelfops.tenancy.context
from shelfops.tenancy.operations import tenant_table

ENDPOINTS = """
CREATE TABLE IF NOT EXISTS webhook_endpoints (
    endpoint_id     uuid NOT NULL DEFAULT gen_random_uuid(),
    customer_id     uuid NOT NULL DEFAULT current_customer_id() REFERENCES customers,
    url             varchar(2000) NOT NULL CHECK (url ~ '^https?://'),
    is_active       boolean NOT NULL DEFAULT true,
    salt            uuid NOT NULL DEFAULT gen_random_uuid(),
    previous_salt   uuid,
    previous_until  timestamptz,
    secret_shown_at timestamptz,
    collected_until timestamptz NOT NULL DEFAULT now(),
    created_at      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (customer_id, endpoint_id),
    CHECK ((previous_salt IS NULL) = (previous_until IS NULL))
);
"""

# A delivery waits while it has a next attempt.
DELIVERIES = """
CREATE TABLE IF NOT EXISTS webhook_deliveries (
    delivery_id      uuid NOT NULL DEFAULT gen_random_uuid(),
    customer_id      uuid NOT NULL DEFAULT current_customer_id(),
    endpoint_id      uuid NOT NULL,
    events           integer NOT NULL CHECK (events >= 0),
    body             text NOT NULL,
    attempts         smallint NOT NULL DEFAULT 0 CHECK (attempts >= 0),
    attempted_at     timestamptz,
    next_attempt_at  timestamptz DEFAULT now(),
    delivered_at     timestamptz,
    response_status  smallint,
    response_excerpt varchar(300) NOT NULL DEFAULT '',
    error            varchar(500) NOT NULL DEFAULT '',
    created_at       timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (customer_id, delivery_id),
    FOREIGN KEY (customer_id, endpoint_id) REFERENCES webhook_endpoints
);
CREATE INDEX IF NOT EXISTS idx_webhook_deliveries_created
    ON webhook_deliveries (customer_id, created_at DESC);
CREATE INDEX IF NOT EXISTS idx_webhook_deliveries_due
    ON webhook_deliveries (customer_id, next_attempt_at) WHERE next_attempt_at IS NOT NULL;
"""

# What makes collecting idempotent: an event goes to an endpoint in one delivery.
DELIVERED_EVENTS = """
CREATE TABLE IF NOT EXISTS webhook_events (
    customer_id uuid NOT NULL DEFAULT current_customer_id(),
    endpoint_id uuid NOT NULL,
    event_id    uuid NOT NULL,
    delivery_id uuid NOT NULL,
    PRIMARY KEY (customer_id, endpoint_id, event_id),
    FOREIGN KEY (customer_id, delivery_id) REFERENCES webhook_deliveries ON DELETE CASCADE
);
CREATE INDEX IF NOT EXISTS idx_webhook_events_delivery
    ON webhook_events (customer_id, delivery_id);
"""


def customer() -> models.ForeignKey:
    return models.ForeignKey(
        default=shelfops.tenancy.context.current_customer_id,
        editable=False,
        on_delete=django.db.models.deletion.PROTECT,
        related_name="+",
        to="tenancy.customer",
    )


def key() -> models.UUIDField:
    return models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)


ENDPOINT_FIELDS = [
    ("endpoint_id", key()),
    (
        "url",
        models.CharField(
            help_text="Starts with https:// and is on the public internet.",
            max_length=2000,
            verbose_name="address",
        ),
    ),
    (
        "is_active",
        models.BooleanField(
            default=True,
            help_text="Switch off instead of deleting: the history stays.",
            verbose_name="active",
        ),
    ),
    ("salt", models.UUIDField(default=uuid.uuid4, editable=False)),
    ("previous_salt", models.UUIDField(editable=False, null=True)),
    ("previous_until", models.DateTimeField(editable=False, null=True)),
    ("secret_shown_at", models.DateTimeField(editable=False, null=True)),
    (
        "collected_until",
        models.DateTimeField(default=django.utils.timezone.now, editable=False),
    ),
    ("created_at", models.DateTimeField(default=django.utils.timezone.now, editable=False)),
    ("customer", customer()),
]
DELIVERY_FIELDS = [
    ("delivery_id", key()),
    ("events", models.IntegerField()),
    ("body", models.TextField()),
    ("attempts", models.PositiveSmallIntegerField(default=0)),
    ("attempted_at", models.DateTimeField(null=True, verbose_name="last attempt")),
    ("next_attempt_at", models.DateTimeField(null=True, verbose_name="next attempt")),
    ("delivered_at", models.DateTimeField(null=True)),
    ("response_status", models.PositiveSmallIntegerField(null=True, verbose_name="response")),
    ("response_excerpt", models.CharField(max_length=300)),
    ("error", models.CharField(max_length=500)),
    ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
    ("customer", customer()),
    (
        "endpoint",
        models.ForeignKey(
            db_constraint=False,
            on_delete=django.db.models.deletion.PROTECT,
            related_name="deliveries",
            to="alerts.webhookendpoint",
        ),
    ),
]


class Migration(migrations.Migration):
    dependencies = [("alerts", "0003_evaluation")]

    operations = [
        RunSQL(ENDPOINTS, "DROP TABLE IF EXISTS webhook_endpoints;"),
        tenant_table("webhook_endpoints", "SELECT, INSERT, UPDATE"),
        RunSQL(DELIVERIES, "DROP TABLE IF EXISTS webhook_deliveries;"),
        tenant_table("webhook_deliveries"),
        RunSQL(DELIVERED_EVENTS, "DROP TABLE IF EXISTS webhook_events;"),
        tenant_table("webhook_events"),
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.CreateModel(
                    name="WebhookEndpoint",
                    fields=ENDPOINT_FIELDS,
                    options={
                        "db_table": "webhook_endpoints",
                        "ordering": ["url"],
                        "verbose_name": "webhook",
                    },
                ),
                migrations.CreateModel(
                    name="WebhookDelivery",
                    fields=DELIVERY_FIELDS,
                    options={
                        "db_table": "webhook_deliveries",
                        "ordering": ["-created_at"],
                        "verbose_name_plural": "webhook deliveries",
                    },
                ),
            ]
        ),
    ]
