"""Conditions that need a person, and the anomalies that explain some of them."""

from uuid import uuid4

from django.conf import settings
from django.db import models
from django.utils import timezone

from inventory.models import Product, Store
from shelfops.tenancy.models import TenantModel


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
    """One condition on one store and product, or one store; at most one is active per key."""

    alert_id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    alert_type = models.CharField("type", max_length=32, choices=AlertType)
    severity = models.CharField(max_length=16, choices=Severity)
    status = models.CharField(max_length=16, choices=Status, default=Status.OPEN)
    message = models.TextField()
    occurrences = models.PositiveIntegerField(default=1)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        db_constraint=False,
    )
    snoozed_until = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    last_seen_at = models.DateTimeField(default=timezone.now)
    updated_at = models.DateTimeField(auto_now=True)
    resolved_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "alerts"
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return f"{self.get_alert_type_display()}: {self.message}"


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
