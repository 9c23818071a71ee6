"""Conditions that need a person, the rules that find them, and what became of them."""

from uuid import uuid4

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils import timezone

from inventory.models import Product, Store
from shelfops.tenancy.models import TenantModel
from shelfops.tenancy.versions import Versioned


class AlertType(models.TextChoices):
    STOCKOUT = "stockout", "Stockout"
    LOW_STOCK = "low_stock", "Low stock"
    OVERSTOCK = "overstock", "Overstock"
    DEAD_STOCK = "dead_stock", "Dead stock"
    PHANTOM_STOCK = "phantom_stock", "Phantom stock"
    FEED_GAP = "feed_gap", "Feed gap"
    PROJECTED_STOCKOUT = "projected_stockout", "Projected stockout"
    SALES_ANOMALY = "sales_anomaly", "Sales anomaly"


class Severity(models.TextChoices):
    INFO = "info", "Info"
    WARNING = "warning", "Warning"
    CRITICAL = "critical", "Critical"


class Status(models.TextChoices):
    OPEN = "open", "Open"
    ACKNOWLEDGED = "acknowledged", "Acknowledged"
    SNOOZED = "snoozed", "Snoozed"
    RESOLVED = "resolved", "Resolved"


ACTIVE = (Status.OPEN, Status.ACKNOWLEDGED, Status.SNOOZED)


class Resolution(models.TextChoices):
    """Why an alert was resolved: the first by the system, the others by a person."""

    CLEAR = "clear", "No longer holds"
    REORDERED = "reordered", "Reordered"
    RESTOCKED = "restocked", "Restocked"
    CORRECTED = "corrected", "Count corrected"
    FALSE_ALARM = "false_alarm", "False alarm"
    ACCEPTED = "accepted", "Accepted"


class StoreFact(TenantModel):
    """Something about a store, and mostly about one product in it."""

    store = models.ForeignKey(Store, models.PROTECT, related_name="+", db_constraint=False)
    product = models.ForeignKey(
        Product, models.PROTECT, null=True, blank=True, related_name="+", db_constraint=False
    )
    metadata = models.JSONField(default=dict, blank=True)

    class Meta:
        abstract = True


class Alert(StoreFact):
    """One condition on one store and product, or one store; at most one is active per key.

    `version` counts its transitions: each has one event, and a person's action names the
    version that the person saw. `grade` says how far beyond its limit the condition is: one
    more is twice as far. An alert that another condition makes pointless is `hidden_by` it.
    """

    alert_id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    alert_type = models.CharField("type", max_length=32, choices=AlertType)
    severity = models.CharField(max_length=16, choices=Severity)
    priority = models.GeneratedField(
        expression=models.Case(
            models.When(severity=Severity.CRITICAL, then=3),
            models.When(severity=Severity.WARNING, then=2),
            default=1,
        ),
        output_field=models.SmallIntegerField(),
        db_persist=True,
    )
    status = models.CharField(max_length=16, choices=Status, default=Status.OPEN)
    version = models.PositiveIntegerField(default=1, editable=False)
    message = models.TextField()
    money_at_stake = models.DecimalField(max_digits=14, decimal_places=2, default=0)
    figures = models.JSONField("figures now", default=dict, blank=True)
    opening_figures = models.JSONField("figures when it opened", default=dict, blank=True)
    rule = models.JSONField(
        default=dict, blank=True, help_text="The rule that applied, and where it came from."
    )
    grade = models.SmallIntegerField(default=0)
    worst_grade = models.SmallIntegerField(default=0)
    occurrences = models.PositiveIntegerField(default=1)
    clear_count = models.PositiveSmallIntegerField(
        default=0, help_text="Evaluations in a row that found it clear."
    )
    hidden_by = models.CharField(max_length=32, blank=True, choices=AlertType)
    is_regressed = models.BooleanField("regressed", default=False)
    previous = models.ForeignKey(
        "self", models.PROTECT, null=True, blank=True, related_name="+", db_constraint=False
    )
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        db_constraint=False,
    )
    snoozed_until = models.DateTimeField(null=True, blank=True)
    snoozed_grade = models.SmallIntegerField(
        null=True, blank=True, help_text="A snooze ends early when the grade rises above this."
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    opened_at = models.DateTimeField(default=timezone.now, help_text="When it opened last.")
    acknowledged_at = models.DateTimeField(null=True, blank=True)
    last_seen_at = models.DateTimeField(default=timezone.now)
    judged_at = models.DateTimeField(null=True, blank=True, editable=False)
    updated_at = models.DateTimeField(auto_now=True)
    resolved_at = models.DateTimeField(null=True, blank=True)
    resolution = models.CharField(max_length=16, blank=True, choices=Resolution)

    class Meta:
        db_table = "alerts"
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return f"{self.get_alert_type_display()}: {self.message}"


class AlertEvent(TenantModel):
    """One transition of an alert, or a comment; rows are never changed."""

    class Kind(models.TextChoices):
        OPENED = "opened", "Opened"
        REGRESSED = "regressed", "Came back"
        WORSE = "worse", "Got worse"
        WOKEN = "woken", "Snooze ended"
        RESOLVED = "resolved", "Resolved"
        HIDDEN = "hidden", "Hidden"
        SHOWN = "shown", "Shown again"
        ACKNOWLEDGED = "acknowledged", "Taken"
        ASSIGNED = "assigned", "Assigned"
        SNOOZED = "snoozed", "Snoozed"
        REOPENED = "reopened", "Reopened"
        UNDONE = "undone", "Undone"
        COMMENT = "comment", "Comment"

    class Source(models.TextChoices):
        JOB = "job", "Scheduled evaluation"
        IMPORT = "import", "Evaluation after an import"
        COMMAND = "command", "Evaluation by command"
        PERSON = "person", "Person"

    event_id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    alert = models.ForeignKey(Alert, models.PROTECT, related_name="events", db_constraint=False)
    version = models.PositiveIntegerField(help_text="The alert's version from here on.")
    kind = models.CharField(max_length=16, choices=Kind)
    from_status = models.CharField(max_length=16, blank=True, choices=Status)
    to_status = models.CharField(max_length=16, choices=Status)
    source = models.CharField(max_length=16, choices=Source)
    actor_id = models.UUIDField(null=True, blank=True)
    actor = models.CharField(max_length=255, blank=True, help_text="A person's name.")
    reason = models.CharField(max_length=32, blank=True)
    note = models.TextField(blank=True)
    figures = models.JSONField(default=dict, blank=True)
    before = models.JSONField(default=dict, blank=True, help_text="What undoing restores.")
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        db_table = "alert_events"
        ordering = ["version", "at"]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} at {self.at:%Y-%m-%d %H:%M}"


def evaluations_field(default: int, help_text: str) -> models.PositiveSmallIntegerField:
    limits = [MinValueValidator(1), MaxValueValidator(100)]
    return models.PositiveSmallIntegerField(default=default, validators=limits, help_text=help_text)


class AlertRule(Versioned, TenantModel):
    """When a type of alert opens, for all of a customer or for a part; the narrowest part wins.

    A part is a product, a category, a department or everything, in all stores or in one. In
    order of precedence: product, category, department, everything; and of each, in one store
    before in all. Where a customer has no rule, `default_alert_rules()` of the database applies.
    """

    TYPES = (
        AlertType.STOCKOUT,
        AlertType.LOW_STOCK,
        AlertType.OVERSTOCK,
        AlertType.DEAD_STOCK,
        AlertType.PHANTOM_STOCK,
        AlertType.FEED_GAP,
    )

    rule_id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    alert_type = models.CharField(
        "type", max_length=32, choices=[(kind.value, kind.label) for kind in TYPES]
    )
    store = models.ForeignKey(
        Store, models.PROTECT, null=True, blank=True, related_name="+", db_constraint=False
    )
    product = models.ForeignKey(
        Product, models.PROTECT, null=True, blank=True, related_name="+", db_constraint=False
    )
    department = models.CharField(max_length=100, blank=True)
    category = models.CharField(max_length=100, blank=True)
    is_enabled = models.BooleanField(
        "switched on", default=True, help_text="Switched off, this part has no such alerts."
    )
    threshold = models.DecimalField(
        max_digits=12, decimal_places=3, validators=[MinValueValidator(0)]
    )
    severity = models.CharField(max_length=16, choices=Severity, default=Severity.WARNING)
    evaluations_to_open = evaluations_field(1, "Evaluations in a row that find it.")
    evaluations_to_resolve = evaluations_field(1, "Evaluations in a row that find it clear.")
    tells_admins = models.BooleanField("administrators", default=False)
    tells_managers = models.BooleanField("store managers", default=True)
    tells_staff = models.BooleanField("staff", default=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        db_table = "alert_rules"
        ordering = ["alert_type", "-created_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["customer", "alert_type", "store", "product", "department", "category"],
                name="alert_rules_scope_key",
                nulls_distinct=False,
            )
        ]

    def __str__(self) -> str:
        return f"{self.get_alert_type_display()}: {self.scope}"

    @property
    def scope(self) -> str:
        """Which part it is for, in words."""
        part = str(self.product or self.category or self.department or "all products")
        return f"{part} in {self.store}" if self.store else part


class Evaluation(TenantModel):
    """One evaluation of a customer's rules: when, by what, what it changed, and if it failed."""

    evaluation_id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    source = models.CharField(max_length=16, choices=AlertEvent.Source)
    as_of = models.DateTimeField(help_text="The moment that it judged.")
    stores = models.IntegerField(null=True, help_text="How many stores; empty means all.")
    started_at = models.DateTimeField()
    finished_at = models.DateTimeField()
    held = models.IntegerField(default=0, help_text="Conditions that hold.")
    opened = models.IntegerField(default=0)
    regressed = models.IntegerField(default=0)
    worse = models.IntegerField(default=0)
    woken = models.IntegerField(default=0)
    resolved = models.IntegerField(default=0)
    error = models.TextField(blank=True)

    class Meta:
        db_table = "alert_evaluations"
        ordering = ["-started_at"]

    def __str__(self) -> str:
        return f"{self.as_of:%Y-%m-%d %H:%M} by {self.get_source_display()}"


class Anomaly(StoreFact):
    """A figure that does not fit its history, with what was found as JSON."""

    anomaly_id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    kind = models.CharField(max_length=64)
    severity = models.CharField(max_length=16, choices=Severity)
    detected_at = models.DateTimeField(default=timezone.now)

    class Meta:
        db_table = "anomalies"
        ordering = ["-detected_at"]
        verbose_name_plural = "anomalies"

    def __str__(self) -> str:
        return f"{self.kind} at {self.detected_at:%Y-%m-%d}"


# Django finds an app's models here.
from alerts.notifications.models import Mail, NotificationSettings  # noqa: E402, F401
from alerts.webhooks.models import WebhookDelivery, WebhookEndpoint  # noqa: E402, F401
