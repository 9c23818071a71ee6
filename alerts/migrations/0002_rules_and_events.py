"""Rules, the course of an alert as events, pending conditions, and evaluations."""

import uuid

import django.core.validators
import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models
from django.db.migrations import RunSQL

import shelfops.tenancy.context
from shelfops.tenancy.operations import tenant_table

# `specificity` ranks the rules that fit a product in a store: product, category, department,
# everything; and of each, in one store before in all.
ALERT_RULES = """
CREATE TABLE IF NOT EXISTS alert_rules (
    rule_id     uuid NOT NULL DEFAULT gen_random_uuid(),
    customer_id uuid NOT NULL DEFAULT current_customer_id() REFERENCES customers,
    alert_type  varchar(32) NOT NULL CHECK (alert_type IN (
        'stockout', 'low_stock', 'overstock', 'dead_stock', 'phantom_stock', 'feed_gap')),
    store_id    uuid,
    product_id  uuid,
    department  varchar(100) NOT NULL DEFAULT '',
    category    varchar(100) NOT NULL DEFAULT '',
    is_enabled  boolean NOT NULL DEFAULT true,
    threshold   numeric(12, 3) NOT NULL CHECK (threshold >= 0),
    severity    varchar(16) NOT NULL CHECK (severity IN ('info', 'warning', 'critical')),
    evaluations_to_open    smallint NOT NULL DEFAULT 1 CHECK (evaluations_to_open BETWEEN 1 AND 100),
    evaluations_to_resolve smallint NOT NULL DEFAULT 1 CHECK (evaluations_to_resolve BETWEEN 1 AND 100),
    tells_admins   boolean NOT NULL DEFAULT false,
    tells_managers boolean NOT NULL DEFAULT true,
    tells_staff    boolean NOT NULL DEFAULT true,
    created_at  timestamptz NOT NULL DEFAULT now(),
    updated_at  timestamptz NOT NULL DEFAULT now(),
    specificity smallint NOT NULL GENERATED ALWAYS AS (
        CASE WHEN product_id IS NOT NULL THEN 6 WHEN category <> '' THEN 4
             WHEN department <> '' THEN 2 ELSE 0 END
        + CASE WHEN store_id IS NOT NULL THEN 1 ELSE 0 END) STORED,
    PRIMARY KEY (customer_id, rule_id),
    CONSTRAINT alert_rules_scope_key UNIQUE NULLS NOT DISTINCT
        (customer_id, alert_type, store_id, product_id, department, category),
    CONSTRAINT alert_rules_one_part CHECK (
        num_nonnulls(product_id, nullif(department, ''), nullif(category, ''))
        <= CASE WHEN alert_type = 'feed_gap' THEN 0 ELSE 1 END),
    FOREIGN KEY (customer_id, store_id) REFERENCES stores,
    FOREIGN KEY (customer_id, product_id) REFERENCES products
);
CREATE INDEX IF NOT EXISTS idx_alert_rules_store ON alert_rules (customer_id, store_id)
    WHERE store_id IS NOT NULL;
CREATE INDEX IF NOT EXISTS idx_alert_rules_product ON alert_rules (customer_id, product_id)
    WHERE product_id IS NOT NULL;
"""

# idx_alerts_inbox is the order of an inbox: by severity, then by money. An evaluation touches
# every alert that still holds; the room left in each page keeps these updates off the indexes.
ALERTS = """
ALTER TABLE alerts
    ADD COLUMN IF NOT EXISTS version integer NOT NULL DEFAULT 1 CHECK (version > 0),
    ADD COLUMN IF NOT EXISTS priority smallint NOT NULL GENERATED ALWAYS AS (
        CASE severity WHEN 'critical' THEN 3 WHEN 'warning' THEN 2 ELSE 1 END) STORED,
    ADD COLUMN IF NOT EXISTS money_at_stake numeric(14, 2) NOT NULL DEFAULT 0
        CHECK (money_at_stake >= 0),
    ADD COLUMN IF NOT EXISTS figures jsonb NOT NULL DEFAULT '{}',
    ADD COLUMN IF NOT EXISTS opening_figures jsonb NOT NULL DEFAULT '{}',
    ADD COLUMN IF NOT EXISTS rule jsonb NOT NULL DEFAULT '{}',
    ADD COLUMN IF NOT EXISTS grade smallint NOT NULL DEFAULT 0,
    ADD COLUMN IF NOT EXISTS worst_grade smallint NOT NULL DEFAULT 0,
    ADD COLUMN IF NOT EXISTS clear_count smallint NOT NULL DEFAULT 0,
    ADD COLUMN IF NOT EXISTS hidden_by varchar(32) NOT NULL DEFAULT '',
    ADD COLUMN IF NOT EXISTS is_regressed boolean NOT NULL DEFAULT false,
    ADD COLUMN IF NOT EXISTS previous_id uuid,
    ADD COLUMN IF NOT EXISTS snoozed_grade smallint,
    ADD COLUMN IF NOT EXISTS opened_at timestamptz NOT NULL DEFAULT now(),
    ADD COLUMN IF NOT EXISTS acknowledged_at timestamptz,
    ADD COLUMN IF NOT EXISTS resolution varchar(16) NOT NULL DEFAULT '' CHECK (resolution IN (
        '', 'clear', 'reordered', 'restocked', 'corrected', 'false_alarm', 'accepted')),
    DROP CONSTRAINT IF EXISTS alerts_previous_fkey,
    ADD CONSTRAINT alerts_previous_fkey
        FOREIGN KEY (customer_id, previous_id) REFERENCES alerts,
    SET (fillfactor = 70);
CREATE INDEX IF NOT EXISTS idx_alerts_inbox
    ON alerts (customer_id, status, priority DESC, money_at_stake DESC, alert_id);
CREATE INDEX IF NOT EXISTS idx_alerts_resolved
    ON alerts (customer_id, store_id, product_id, alert_type, resolved_at DESC)
    WHERE status = 'resolved';
"""
DROP_FROM_ALERTS = """
DROP INDEX IF EXISTS idx_alerts_resolved;
DROP INDEX IF EXISTS idx_alerts_inbox;
ALTER TABLE alerts
    RESET (fillfactor),
    DROP COLUMN IF EXISTS version, DROP COLUMN IF EXISTS priority,
    DROP COLUMN IF EXISTS money_at_stake, DROP COLUMN IF EXISTS figures,
    DROP COLUMN IF EXISTS opening_figures, DROP COLUMN IF EXISTS rule,
    DROP COLUMN IF EXISTS grade, DROP COLUMN IF EXISTS worst_grade,
    DROP COLUMN IF EXISTS clear_count, DROP COLUMN IF EXISTS hidden_by,
    DROP COLUMN IF EXISTS is_regressed, DROP COLUMN IF EXISTS previous_id,
    DROP COLUMN IF EXISTS snoozed_grade, DROP COLUMN IF EXISTS opened_at,
    DROP COLUMN IF EXISTS acknowledged_at, DROP COLUMN IF EXISTS resolution;
"""

# Each version of an alert has one event, so that a transition can neither go unrecorded twice
# nor be recorded twice. An actor is no reference: a platform operator may act, too.
ALERT_EVENTS = """
CREATE TABLE IF NOT EXISTS alert_events (
    event_id    uuid NOT NULL DEFAULT gen_random_uuid(),
    customer_id uuid NOT NULL DEFAULT current_customer_id(),
    alert_id    uuid NOT NULL,
    version     integer NOT NULL,
    kind        varchar(16) NOT NULL CHECK (kind IN (
        'opened', 'regressed', 'worse', 'woken', 'resolved', 'hidden', 'shown',
        'acknowledged', 'assigned', 'snoozed', 'reopened', 'undone', 'comment')),
    from_status varchar(16) NOT NULL DEFAULT '',
    to_status   varchar(16) NOT NULL,
    source      varchar(16) NOT NULL CHECK (source IN ('job', 'import', 'command', 'person')),
    actor_id    uuid,
    actor       varchar(255) NOT NULL DEFAULT '',
    reason      varchar(32) NOT NULL DEFAULT '',
    note        text NOT NULL DEFAULT '',
    figures     jsonb NOT NULL DEFAULT '{}',
    before      jsonb NOT NULL DEFAULT '{}',
    at          timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (customer_id, event_id),
    FOREIGN KEY (customer_id, alert_id) REFERENCES alerts,
    CHECK ((source = 'person') = (actor_id IS NOT NULL))
);
CREATE UNIQUE INDEX IF NOT EXISTS idx_alert_events_version
    ON alert_events (customer_id, alert_id, version) WHERE kind <> 'comment';
CREATE INDEX IF NOT EXISTS idx_alert_events_alert ON alert_events (customer_id, alert_id, at);
CREATE INDEX IF NOT EXISTS idx_alert_events_at ON alert_events (customer_id, at DESC);
"""

# What is there already began once. The owner is under row security, too, and sees none of it
# unless it is lifted; nobody else sees that, as the migration is one transaction.
FIRST_EVENTS = """
ALTER TABLE alerts NO FORCE ROW LEVEL SECURITY;
ALTER TABLE alert_events NO FORCE ROW LEVEL SECURITY;
INSERT INTO alert_events (customer_id, alert_id, version, kind, to_status, source, at)
SELECT customer_id, alert_id, version, 'opened', status, 'command', created_at FROM alerts
WHERE NOT EXISTS (SELECT FROM alert_events AS event
                  WHERE event.customer_id = alerts.customer_id
                    AND event.alert_id = alerts.alert_id);
ALTER TABLE alert_events FORCE ROW LEVEL SECURITY;
ALTER TABLE alerts FORCE ROW LEVEL SECURITY;
"""

# Conditions that hold, but not yet for as many evaluations as their rule asks for.
PENDING_CONDITIONS = """
CREATE TABLE IF NOT EXISTS pending_conditions (
    customer_id  uuid NOT NULL DEFAULT current_customer_id(),
    store_id     uuid NOT NULL,
    product_id   uuid,
    alert_type   varchar(32) NOT NULL,
    streak       smallint NOT NULL DEFAULT 1 CHECK (streak > 0),
    last_seen_at timestamptz NOT NULL,
    CONSTRAINT pending_conditions_key UNIQUE NULLS NOT DISTINCT
        (customer_id, store_id, product_id, alert_type),
    FOREIGN KEY (customer_id, store_id) REFERENCES stores,
    FOREIGN KEY (customer_id, product_id) REFERENCES products
);
"""

ALERT_EVALUATIONS = """
CREATE TABLE IF NOT EXISTS alert_evaluations (
    evaluation_id uuid NOT NULL DEFAULT gen_random_uuid(),
    customer_id   uuid NOT NULL DEFAULT current_customer_id() REFERENCES customers,
    source        varchar(16) NOT NULL CHECK (source IN ('job', 'import', 'command')),
    as_of         timestamptz NOT NULL,
    stores        integer,
    started_at    timestamptz NOT NULL,
    finished_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    held          integer NOT NULL DEFAULT 0,
    opened        integer NOT NULL DEFAULT 0,
    regressed     integer NOT NULL DEFAULT 0,
    worse         integer NOT NULL DEFAULT 0,
    woken         integer NOT NULL DEFAULT 0,
    resolved      integer NOT NULL DEFAULT 0,
    error         text NOT NULL DEFAULT '',
    PRIMARY KEY (customer_id, evaluation_id)
);
CREATE INDEX IF NOT EXISTS idx_alert_evaluations_as_of
    ON alert_evaluations (customer_id, as_of DESC);
"""


class Migration(migrations.Migration):
    dependencies = [
        ("alerts", "0001_initial"),
        ("inventory", "0001_initial"),
        ("tenancy", "0002_django_tables"),
    ]

    operations = [
        RunSQL(ALERT_RULES, "DROP TABLE IF EXISTS alert_rules;"),
        tenant_table("alert_rules"),
        RunSQL(ALERTS, DROP_FROM_ALERTS),
        RunSQL(ALERT_EVENTS, "DROP TABLE IF EXISTS alert_events;"),
        tenant_table("alert_events", "SELECT, INSERT"),
        RunSQL(FIRST_EVENTS, RunSQL.noop),
        RunSQL(PENDING_CONDITIONS, "DROP TABLE IF EXISTS pending_conditions;"),
        tenant_table("pending_conditions"),
        RunSQL(ALERT_EVALUATIONS, "DROP TABLE IF EXISTS alert_evaluations;"),
        tenant_table("alert_evaluations", "SELECT, INSERT"),
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.AddField(
                    model_name="alert",
                    name="acknowledged_at",
                    field=models.DateTimeField(blank=True, null=True),
                ),
                migrations.AddField(
                    model_name="alert",
                    name="clear_count",
                    field=models.PositiveSmallIntegerField(
                        default=0, help_text="Evaluations in a row that found it clear."
                    ),
                ),
                migrations.AddField(
                    model_name="alert",
                    name="figures",
                    field=models.JSONField(blank=True, default=dict, verbose_name="figures now"),
                ),
                migrations.AddField(
                    model_name="alert",
                    name="grade",
                    field=models.SmallIntegerField(default=0),
                ),
                migrations.AddField(
                    model_name="alert",
                    name="hidden_by",
                    field=models.CharField(
                        blank=True,
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
                    ),
                ),
                migrations.AddField(
                    model_name="alert",
                    name="is_regressed",
                    field=models.BooleanField(default=False, verbose_name="regressed"),
                ),
                migrations.AddField(
                    model_name="alert",
                    name="money_at_stake",
                    field=models.DecimalField(decimal_places=2, default=0, max_digits=14),
                ),
                migrations.AddField(
                    model_name="alert",
                    name="opened_at",
                    field=models.DateTimeField(
                        default=django.utils.timezone.now, help_text="When it opened last."
                    ),
                ),
                migrations.AddField(
                    model_name="alert",
                    name="opening_figures",
                    field=models.JSONField(
                        blank=True, default=dict, verbose_name="figures when it opened"
                    ),
                ),
                migrations.AddField(
                    model_name="alert",
                    name="previous",
                    field=models.ForeignKey(
                        blank=True,
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="alerts.alert",
                    ),
                ),
                migrations.AddField(
                    model_name="alert",
                    name="resolution",
                    field=models.CharField(
                        blank=True,
                        choices=[
                            ("clear", "No longer holds"),
                            ("reordered", "Reordered"),
                            ("restocked", "Restocked"),
                            ("corrected", "Count corrected"),
                            ("false_alarm", "False alarm"),
                            ("accepted", "Accepted"),
                        ],
                        max_length=16,
                    ),
                ),
                migrations.AddField(
                    model_name="alert",
                    name="rule",
                    field=models.JSONField(
                        blank=True,
                        default=dict,
                        help_text="The rule that applied, and where it came from.",
                    ),
                ),
                migrations.AddField(
                    model_name="alert",
                    name="snoozed_grade",
                    field=models.SmallIntegerField(
                        blank=True,
                        help_text="A snooze ends early when the grade rises above this.",
                        null=True,
                    ),
                ),
                migrations.AddField(
                    model_name="alert",
                    name="version",
                    field=models.PositiveIntegerField(default=1, editable=False),
                ),
                migrations.AddField(
                    model_name="alert",
                    name="worst_grade",
                    field=models.SmallIntegerField(default=0),
                ),
                migrations.CreateModel(
                    name="AlertEvent",
                    fields=[
                        (
                            "event_id",
                            models.UUIDField(
                                default=uuid.uuid4,
                                editable=False,
                                primary_key=True,
                                serialize=False,
                            ),
                        ),
                        (
                            "version",
                            models.PositiveIntegerField(
                                help_text="The alert's version from here on."
                            ),
                        ),
                        (
                            "kind",
                            models.CharField(
                                choices=[
                                    ("opened", "Opened"),
                                    ("regressed", "Came back"),
                                    ("worse", "Got worse"),
                                    ("woken", "Snooze ended"),
                                    ("resolved", "Resolved"),
                                    ("hidden", "Hidden"),
                                    ("shown", "Shown again"),
                                    ("acknowledged", "Taken"),
                                    ("assigned", "Assigned"),
                                    ("snoozed", "Snoozed"),
                                    ("reopened", "Reopened"),
                                    ("undone", "Undone"),
                                    ("comment", "Comment"),
                                ],
                                max_length=16,
                            ),
                        ),
                        (
                            "from_status",
                            models.CharField(
                                blank=True,
                                choices=[
                                    ("open", "Open"),
                                    ("acknowledged", "Acknowledged"),
                                    ("snoozed", "Snoozed"),
                                    ("resolved", "Resolved"),
                                ],
                                max_length=16,
                            ),
                        ),
                        (
                            "to_status",
                            models.CharField(
                                choices=[
                                    ("open", "Open"),
                                    ("acknowledged", "Acknowledged"),
                                    ("snoozed", "Snoozed"),
                                    ("resolved", "Resolved"),
                                ],
                                max_length=16,
                            ),
                        ),
                        (
                            "source",
                            models.CharField(
                                choices=[
                                    ("job", "Scheduled evaluation"),
                                    ("import", "Evaluation after an import"),
                                    ("command", "Evaluation by command"),
                                    ("person", "Person"),
                                ],
                                max_length=16,
                            ),
                        ),
                        ("actor_id", models.UUIDField(blank=True, null=True)),
                        (
                            "actor",
                            models.CharField(
                                blank=True, help_text="A person's name.", max_length=255
                            ),
                        ),
                        ("reason", models.CharField(blank=True, max_length=32)),
                        ("note", models.TextField(blank=True)),
                        ("figures", models.JSONField(blank=True, default=dict)),
                        (
                            "before",
                            models.JSONField(
                                blank=True, default=dict, help_text="What undoing restores."
                            ),
                        ),
                        ("at", models.DateTimeField(default=django.utils.timezone.now)),
                        (
                            "alert",
                            models.ForeignKey(
                                db_constraint=False,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="events",
                                to="alerts.alert",
                            ),
                        ),
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
                    ],
                    options={
                        "db_table": "alert_events",
                        "ordering": ["version", "at"],
                    },
                ),
                migrations.CreateModel(
                    name="Evaluation",
                    fields=[
                        (
                            "evaluation_id",
                            models.UUIDField(
                                default=uuid.uuid4,
                                editable=False,
                                primary_key=True,
                                serialize=False,
                            ),
                        ),
                        (
                            "source",
                            models.CharField(
                                choices=[
                                    ("job", "Scheduled evaluation"),
                                    ("import", "Evaluation after an import"),
                                    ("command", "Evaluation by command"),
                                    ("person", "Person"),
                                ],
                                max_length=16,
                            ),
                        ),
                        ("as_of", models.DateTimeField(help_text="The moment that it judged.")),
                        (
                            "stores",
                            models.IntegerField(
                                help_text="How many stores; empty means all.", null=True
                            ),
                        ),
                        ("started_at", models.DateTimeField()),
                        ("finished_at", models.DateTimeField()),
                        ("held", models.IntegerField(default=0, help_text="Conditions that hold.")),
                        ("opened", models.IntegerField(default=0)),
                        ("regressed", models.IntegerField(default=0)),
                        ("worse", models.IntegerField(default=0)),
                        ("woken", models.IntegerField(default=0)),
                        ("resolved", models.IntegerField(default=0)),
                        ("error", models.TextField(blank=True)),
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
                    ],
                    options={
                        "db_table": "alert_evaluations",
                        "ordering": ["-started_at"],
                    },
                ),
                migrations.AddField(
                    model_name="alert",
                    name="priority",
                    field=models.GeneratedField(
                        db_persist=True,
                        expression=models.Case(
                            models.When(severity="critical", then=3),
                            models.When(severity="warning", then=2),
                            default=1,
                        ),
                        output_field=models.SmallIntegerField(),
                    ),
                ),
                migrations.CreateModel(
                    name="AlertRule",
                    fields=[
                        (
                            "rule_id",
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
                                ],
                                max_length=32,
                                verbose_name="type",
                            ),
                        ),
                        ("department", models.CharField(blank=True, max_length=100)),
                        ("category", models.CharField(blank=True, max_length=100)),
                        (
                            "is_enabled",
                            models.BooleanField(
                                default=True,
                                help_text="Switched off, this part has no such alerts.",
                                verbose_name="switched on",
                            ),
                        ),
                        (
                            "threshold",
                            models.DecimalField(
                                decimal_places=3,
                                max_digits=12,
                                validators=[django.core.validators.MinValueValidator(0)],
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
                                default="warning",
                                max_length=16,
                            ),
                        ),
                        (
                            "evaluations_to_open",
                            models.PositiveSmallIntegerField(
                                default=1,
                                help_text="Evaluations in a row that find it.",
                                validators=[
                                    django.core.validators.MinValueValidator(1),
                                    django.core.validators.MaxValueValidator(100),
                                ],
                            ),
                        ),
                        (
                            "evaluations_to_resolve",
                            models.PositiveSmallIntegerField(
                                default=1,
                                help_text="Evaluations in a row that find it clear.",
                                validators=[
                                    django.core.validators.MinValueValidator(1),
                                    django.core.validators.MaxValueValidator(100),
                                ],
                            ),
                        ),
                        (
                            "tells_admins",
                            models.BooleanField(default=False, verbose_name="administrators"),
                        ),
                        (
                            "tells_managers",
                            models.BooleanField(default=True, verbose_name="store managers"),
                        ),
                        ("tells_staff", models.BooleanField(default=True, verbose_name="staff")),
                        (
                            "created_at",
                            models.DateTimeField(default=django.utils.timezone.now, editable=False),
                        ),
                        ("updated_at", models.DateTimeField(auto_now=True)),
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
                                blank=True,
                                db_constraint=False,
                                null=True,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="+",
                                to="inventory.store",
                            ),
                        ),
                    ],
                    options={
                        "db_table": "alert_rules",
                        "ordering": ["alert_type", "-created_at"],
                        "constraints": [
                            models.UniqueConstraint(
                                fields=(
                                    "customer",
                                    "alert_type",
                                    "store",
                                    "product",
                                    "department",
                                    "category",
                                ),
                                name="alert_rules_scope_key",
                                nulls_distinct=False,
                            )
                        ],
                    },
                ),
            ]
        ),
    ]
