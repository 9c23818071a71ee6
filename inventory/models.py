"""Stores, products, reorder points, and what is on the shelves."""

from datetime import timedelta
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo, available_timezones

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import MinValueValidator
from django.db import models
from django.utils import timezone

from shelfops.tenancy.models import TenantModel, User
from shelfops.tenancy.versions import Versioned


def validate_time_zone(name: str) -> None:
    if name not in available_timezones():
        raise ValidationError(f"{name} is not a time zone. Use a name such as America/New_York.")


class Quantity(models.DecimalField):
    """Units, or kilograms and the like of weighed goods: up to 11 digits and 3 decimals."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{**kwargs, "max_digits": 14, "decimal_places": 3})


class StoreQuerySet(models.QuerySet["Store"]):
    def visible_to(self, user: User) -> "StoreQuerySet":
        """All stores of the customer, or the assigned ones for the roles bound to stores."""
        return self.filter(assignments__user=user) if user.is_store_scoped else self


class Store(Versioned, TenantModel):
    store_id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    code = models.CharField(max_length=50, help_text="The store's number in your own systems.")
    name = models.CharField(max_length=255)
    time_zone = models.CharField(
        max_length=64,
        default="UTC",
        validators=[validate_time_zone],
        help_text="Its business days follow this zone, for example America/New_York.",
    )
    is_active = models.BooleanField("active", default=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    staff = models.ManyToManyField(
        settings.AUTH_USER_MODEL, through="StoreAssignment", related_name="stores"
    )

    objects = StoreQuerySet.as_manager()

    class Meta:
        db_table = "stores"
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(fields=["customer", "code"], name="stores_customer_id_code_key")
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.time_zone)


class StoreAssignment(TenantModel):
    """A store manager or staff member works in this store."""

    assignment_id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="assignments", db_constraint=False
    )
    store = models.ForeignKey(
        Store, models.CASCADE, related_name="assignments", db_constraint=False
    )

    class Meta:
        db_table = "store_assignments"
        verbose_name = "store assignment"
        constraints = [
            models.UniqueConstraint(
                fields=["customer", "user", "store"], name="store_assignments_key"
            )
        ]

    def __str__(self) -> str:
        return f"{self.user} in {self.store}"


class Product(Versioned, TenantModel):
    product_id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    sku = models.CharField("SKU", max_length=100, help_text="Unique within your company.")
    name = models.CharField(max_length=255)
    department = models.CharField(max_length=100, blank=True)
    category = models.CharField(max_length=100, blank=True)
    brand = models.CharField(max_length=100, blank=True)
    package_size = models.CharField(max_length=50, blank=True)
    unit_cost = models.DecimalField(
        max_digits=12,
        decimal_places=4,
        null=True,
        blank=True,
        validators=[MinValueValidator(0)],
        help_text="What one unit costs you. Margins are shown where it is known.",
    )
    unit_price = models.DecimalField(
        max_digits=12,
        decimal_places=4,
        null=True,
        blank=True,
        validators=[MinValueValidator(0)],
        help_text="The regular retail price of one unit.",
    )
    shelf_life_days = models.PositiveIntegerField(null=True, blank=True)
    is_active = models.BooleanField("active", default=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        db_table = "products"
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(fields=["customer", "sku"], name="products_customer_id_sku_key")
        ]

    def __str__(self) -> str:
        return self.name


# One that starts later would be in the way of every other; files keep to the same limit.
LONGEST_AHEAD = timedelta(days=366)
TOO_FAR_AHEAD = "More than a year ahead. Enter an earlier day."


class ReorderPoint(Versioned, TenantModel):
    """When to reorder a product in a store. The database closes the current one on INSERT."""

    reorder_point_id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    store = models.ForeignKey(
        Store, models.PROTECT, related_name="reorder_points", db_constraint=False
    )
    product = models.ForeignKey(
        Product, models.PROTECT, related_name="reorder_points", db_constraint=False
    )
    reorder_point = Quantity(
        validators=[MinValueValidator(0)], help_text="Reorder when available stock is at or below."
    )
    order_up_to = Quantity(
        null=True,
        blank=True,
        validators=[MinValueValidator(0)],
        help_text="Stock to reach with an order.",
    )
    order_multiple = Quantity(
        default=1, validators=[MinValueValidator(0.001)], help_text="Orders are rounded up to it."
    )
    lead_time_days = models.PositiveSmallIntegerField(null=True, blank=True)
    effective_from = models.DateTimeField(default=timezone.now)
    effective_to = models.DateTimeField(null=True, blank=True, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        db_table = "reorder_points"
        ordering = ["-effective_from"]

    def __str__(self) -> str:
        return f"{self.reorder_point.normalize():f} from {self.effective_from:%Y-%m-%d}"

    def clean(self) -> None:
        super().clean()
        low, high = self.reorder_point, self.order_up_to
        if low is not None and high is not None and high < low:
            raise ValidationError(
                {"order_up_to": "The stock to reach cannot be below the reorder point."}
            )
        if self.product_id and self.store_id and self.effective_from:
            self._refuse_start()

    def _refuse_start(self) -> None:
        """A new one closes the current one, and one to come the one before it: it starts later."""
        others = ReorderPoint.objects.filter(store_id=self.store_id, product_id=self.product_id)
        before = others.filter(effective_to__isnull=self._state.adding)
        latest = before.exclude(pk=self.pk).order_by("-effective_from").first()
        if latest and self.effective_from <= latest.effective_from:
            start = latest.effective_from.astimezone(self.store.zone)
            hint = " Change that one instead." if latest.is_to_come else ""
            raise ValidationError(
                {
                    "effective_from": f"The one before it takes effect at {start:%Y-%m-%d %H:%M}"
                    f" ({self.store.time_zone}); a new one starts after it.{hint}"
                }
            )
        if self.effective_from > timezone.now() + LONGEST_AHEAD:
            raise ValidationError({"effective_from": TOO_FAR_AHEAD})

    @property
    def is_to_come(self) -> bool:
        return self.effective_to is None and self.effective_from > timezone.now()


class Snapshot(models.Model):
    """On hand, allocated and available stock of a product in a store at a moment."""

    timestamp = models.DateTimeField("counted at")
    quantity_on_hand = Quantity("on hand")
    quantity_allocated = Quantity("allocated", default=0)
    quantity_available = models.GeneratedField(
        verbose_name="available",
        expression=models.F("quantity_on_hand") - models.F("quantity_allocated"),
        output_field=Quantity(),
        db_persist=True,
    )
    source = models.CharField(max_length=16, help_text="feed, count or simulated")

    class Meta:
        abstract = True


class CurrentStock(TenantModel, Snapshot):
    """The latest snapshot of each product in each store, kept by the ingestion statement."""

    current_stock_id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    store = models.ForeignKey(Store, models.PROTECT, related_name="stock", db_constraint=False)
    product = models.ForeignKey(Product, models.PROTECT, related_name="stock", db_constraint=False)

    class Meta:
        db_table = "current_stock"
        verbose_name = "current stock"
        verbose_name_plural = "current stock"
        constraints = [
            models.UniqueConstraint(
                fields=["customer", "store", "product"], name="current_stock_key"
            )
        ]

    def __str__(self) -> str:
        return f"{self.quantity_on_hand.normalize():f} on hand"


class InventoryLevel(TenantModel, Snapshot):
    """A row of the ledger of snapshots (a view over the hypertable; read only)."""

    inventory_level_id = models.UUIDField(primary_key=True)
    store = models.ForeignKey(Store, models.DO_NOTHING, related_name="+", db_constraint=False)
    product = models.ForeignKey(Product, models.DO_NOTHING, related_name="+", db_constraint=False)

    class Meta:
        managed = False
        db_table = "inventory_levels"
        ordering = ["-timestamp"]
        verbose_name = "inventory level"

    def __str__(self) -> str:
        return f"{self.quantity_on_hand.normalize():f} at {self.timestamp:%Y-%m-%d %H:%M}"
