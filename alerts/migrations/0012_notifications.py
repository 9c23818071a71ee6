"""Notifications: what people are told, how they want to be told, and an outbox of e-mails."""

import uuid

import django.contrib.postgres.fields
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models
from django.db.migrations import RunSQL

import shelfops.tenancy.context
from shelfops.tenancy.operations import tenant_table

SETTINGS = """
CREATE TABLE IF NOT EXISTS notification_settings (
    settings_id   uuid NOT NULL DEFAULT gen_random_uuid(),
    customer_id   uuid NOT NULL DEFAULT current_customer_id(),
    user_id       uuid NOT NULL,
    mails_at_once boolean NOT NULL DEFAULT true,
    mails_digest  boolean NOT NULL DEFAULT true,
    digest_hour   smallint NOT NULL DEFAULT 7 CHECK (digest_hour BETWEEN 0 AND 23),
    time_zone     varchar(64) NOT NULL DEFAULT '',
    muted_types   varchar(32)[] NOT NULL DEFAULT '{}',
    muted_stores  uuid[] NOT NULL DEFAULT '{}',
    PRIMARY KEY (customer_id, settings_id),
    CONSTRAINT notification_settings_key UNIQUE (customer_id, user_id),
    FOREIGN KEY (customer_id, user_id) REFERENCES users (customer_id, user_id)
);
"""

# A mail waits while it has a next attempt. A person has one digest a day, whatever happens.
MAILS = """
CREATE TABLE IF NOT EXISTS notification_mails (
    mail_id         uuid NOT NULL DEFAULT gen_random_uuid(),
    customer_id     uuid NOT NULL DEFAULT current_customer_id(),
    user_id         uuid NOT NULL,
    kind            varchar(8) NOT NULL CHECK (kind IN ('now', 'digest')),
    digest_day      date,
    attempts        smallint NOT NULL DEFAULT 0 CHECK (attempts >= 0),
    next_attempt_at timestamptz DEFAULT now(),
    sent_at         timestamptz,
    error           varchar(500) NOT NULL DEFAULT '',
    created_at      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (customer_id, mail_id),
    CONSTRAINT notification_mails_one_digest UNIQUE (customer_id, user_id, digest_day),
    CHECK ((kind = 'digest') = (digest_day IS NOT NULL)),
    FOREIGN KEY (customer_id, user_id) REFERENCES users (customer_id, user_id)
);
CREATE INDEX IF NOT EXISTS idx_notification_mails_created
    ON notification_mails (customer_id, created_at DESC);
CREATE INDEX IF NOT EXISTS idx_notification_mails_due
    ON notification_mails (customer_id, next_attempt_at) WHERE next_attempt_at IS NOT NULL;
"""

# A person is told of an event once: the key makes collecting idempotent.
NOTIFICATIONS = """
CREATE TABLE IF NOT EXISTS notifications (
    notification_id uuid NOT NULL DEFAULT gen_random_uuid(),
    customer_id     uuid NOT NULL DEFAULT current_customer_id(),
    user_id         uuid NOT NULL,
    alert_id        uuid NOT NULL,
    event_id        uuid NOT NULL,
    store_id        uuid NOT NULL,
    kind            varchar(16) NOT NULL,
    channel         varchar(8) NOT NULL DEFAULT '' CHECK (channel IN ('', 'now', 'digest')),
    mail_id         uuid,
    created_at      timestamptz NOT NULL DEFAULT now(),
    read_at         timestamptz,
    PRIMARY KEY (customer_id, notification_id),
    CONSTRAINT notifications_event_key UNIQUE (customer_id, user_id, event_id),
    FOREIGN KEY (customer_id, user_id) REFERENCES users (customer_id, user_id),
    FOREIGN KEY (customer_id, alert_id) REFERENCES alerts,
    FOREIGN KEY (customer_id, event_id) REFERENCES alert_events,
    FOREIGN KEY (customer_id, store_id) REFERENCES stores,
    FOREIGN KEY (customer_id, mail_id) REFERENCES notification_mails
);
CREATE INDEX IF NOT EXISTS idx_notifications_user
    ON notifications (customer_id, user_id, created_at DESC);
CREATE INDEX IF NOT EXISTS idx_notifications_unread
    ON notifications (customer_id, user_id, store_id) WHERE read_at IS NULL;
CREATE INDEX IF NOT EXISTS idx_notifications_unmailed
    ON notifications (customer_id, channel, user_id) WHERE channel <> '' AND mail_id IS NULL;
CREATE INDEX IF NOT EXISTS idx_notifications_mail
    ON notifications (customer_id, mail_id) WHERE mail_id IS NOT NULL;
CREATE INDEX IF NOT EXISTS idx_notifications_alert ON notifications (customer_id, alert_id);
CREATE INDEX IF NOT EXISTS idx_notifications_created ON notifications (customer_id, created_at);
"""

# Until when events have been collected.
PROGRESS = """
CREATE TABLE IF NOT EXISTS notification_progress (
    customer_id     uuid NOT NULL DEFAULT current_customer_id() REFERENCES customers,
    collected_until timestamptz NOT NULL,
    PRIMARY KEY (customer_id)
);
"""


def customer() -> models.ForeignKey:
    return models.ForeignKey(
        default=shelfops.tenancy.context.current_customer_id,
        editable=False,
        on_delete=django.db.models.deletion.PROTECT,
        related_name="+",
        to="tenancy.customer",
    )


def user() -> models.ForeignKey:
    return models.ForeignKey(
        db_constraint=False,
        on_delete=django.db.models.deletion.CASCADE,
        related_name="+",
        to=settings.AUTH_USER_MODEL,
    )


def key() -> models.UUIDField:
    return models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)


MAIL_FIELDS = [
    ("mail_id", key()),
    (
        "kind",
        models.CharField(choices=[("now", "At once"), ("digest", "Digest")], max_length=8),
    ),
    ("digest_day", models.DateField(null=True)),
    ("attempts", models.PositiveSmallIntegerField(default=0)),
    ("next_attempt_at", models.DateTimeField(null=True, verbose_name="next attempt")),
    ("sent_at", models.DateTimeField(null=True, verbose_name="sent")),
    ("error", models.CharField(max_length=500)),
    ("created_at", models.DateTimeField()),
    ("customer", customer()),
    ("user", user()),
]
SETTINGS_FIELDS = [
    ("settings_id", key()),
    (
        "mails_at_once",
        models.BooleanField(
            default=True,
            help_text="By e-mail, as soon as they open.",
            verbose_name="critical alerts at once",
        ),
    ),
    (
        "mails_digest",
        models.BooleanField(
            default=True,
            help_text="By e-mail, once a day, if there is news.",
            verbose_name="a digest of the others",
        ),
    ),
    (
        "digest_hour",
        models.PositiveSmallIntegerField(default=7, verbose_name="hour of the digest"),
    ),
    ("time_zone", models.CharField(blank=True, max_length=64)),
    (
        "muted_types",
        django.contrib.postgres.fields.ArrayField(
            base_field=models.CharField(max_length=32), blank=True, default=list, size=None
        ),
    ),
    (
        "muted_stores",
        django.contrib.postgres.fields.ArrayField(
            base_field=models.UUIDField(), blank=True, default=list, size=None
        ),
    ),
    ("customer", customer()),
    ("user", user()),
]


class Migration(migrations.Migration):
    dependencies = [("alerts", "0011_inbox_indexes")]

    operations = [
        RunSQL(SETTINGS, "DROP TABLE IF EXISTS notification_settings;"),
        tenant_table("notification_settings", "SELECT, INSERT, UPDATE"),
        RunSQL(MAILS, "DROP TABLE IF EXISTS notification_mails;"),
        tenant_table("notification_mails"),
        RunSQL(NOTIFICATIONS, "DROP TABLE IF EXISTS notifications;"),
        tenant_table("notifications"),
        RunSQL(PROGRESS, "DROP TABLE IF EXISTS notification_progress;"),
        tenant_table("notification_progress", "SELECT, INSERT, UPDATE"),
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.CreateModel(
                    name="Mail",
                    fields=MAIL_FIELDS,
                    options={
                        "db_table": "notification_mails",
                        "ordering": ["-created_at"],
                        "verbose_name": "notification e-mail",
                    },
                ),
                migrations.CreateModel(
                    name="NotificationSettings",
                    fields=SETTINGS_FIELDS,
                    options={
                        "db_table": "notification_settings",
                        "constraints": [
                            models.UniqueConstraint(
                                fields=("customer", "user"), name="notification_settings_key"
                            )
                        ],
                    },
                ),
            ]
        ),
    ]
