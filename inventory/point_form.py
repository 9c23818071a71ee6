"""The form of a reorder point: made from the one in force, in the clock of its store."""

from datetime import UTC, datetime, time
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django import forms
from django.core.exceptions import ValidationError
from django.utils import timezone
from unfold.widgets import UnfoldAdminSplitDateTimeWidget

from inventory.models import Product, ReorderPoint, Store
from inventory.stock_columns import quantity
from shelfops.versions import VersionedForm, key

# A new reorder point takes these over from the one that it closes, unless others are entered.
TERMS = ("order_up_to", "order_multiple", "lead_time_days")


def in_force(store_id: UUID, product_id: UUID | None) -> ReorderPoint | None:
    """The one that a new reorder point would close: in force, or to come."""
    if product_id is None:
        return None
    return ReorderPoint.objects.filter(
        store_id=store_id, product_id=product_id, effective_to=None
    ).first()


def token(point: ReorderPoint | None) -> str:
    return f"{point.pk}.{point.version}" if point else "none"


def local_now(store: Store) -> datetime:
    return timezone.now().astimezone(store.zone).replace(second=0, microsecond=0, tzinfo=None)


def start_of(store: Store, point: ReorderPoint | None) -> dict[str, Any]:
    """What a form for the store begins with, as its fields have it."""
    start = {name: key(getattr(point, name)) for name in ("reorder_point", *TERMS)} if point else {}
    return {**start, "based_on": token(point), "effective_from": local_now(store)}


class StoreTime(forms.SplitDateTimeField):
    """A moment by the clock of a store, `zone`; a date alone is its midnight."""

    widget = UnfoldAdminSplitDateTimeWidget
    zone: ZoneInfo | None = None

    def compress(self, parts: Any) -> datetime | None:
        day, clock = parts or (None, None)
        if not day:
            if clock:
                raise ValidationError("Enter a date, too.")
            return None
        local = datetime.combine(day, clock or time.min)
        moment = local.replace(tzinfo=self.zone or UTC)  # of a repeated time, the first
        if moment.astimezone(UTC).astimezone(self.zone or UTC).replace(tzinfo=None) != local:
            raise ValidationError("The store's clocks skip this time. Enter another one.")
        return moment


class ReorderPointForm(VersionedForm):
    """Says what it was made from (`based_on`), so that nobody closes one they have not seen."""

    effective_from = StoreTime(required=False)
    based_on = forms.CharField(widget=forms.HiddenInput, required=False)

    class Meta:
        model = ReorderPoint
        fields = ["store", "product", "reorder_point", "order_up_to", "order_multiple"]
        fields += ["lead_time_days", "effective_from"]
        help_texts = {"lead_time_days": "From an order to its delivery."}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "effective_from" not in self.fields:  # shown to somebody who may only read it
            return
        if not self.is_new:
            local = self.instance.effective_from.astimezone(self.instance.store.zone)
            self.initial["effective_from"] = local.replace(tzinfo=None)
        self.say_zone(self.store)

    def say_zone(self, store: Store | None) -> None:
        field = self.fields["effective_from"]
        where = f"In the time of {store} ({store.time_zone})" if store else "In the store's time"
        field.help_text = f"{where}; empty is now. Of a time that the clocks repeat, the first."
        field.zone = store.zone if store else None  # type: ignore[attr-defined]

    @property
    def store(self) -> Store | None:
        """The store that was chosen, or that the form is about."""
        if "store" not in self.fields:
            own: Store = self.instance.store
            return own
        try:
            chosen = self.fields["store"].clean(self["store"].value())
        except ValidationError:
            return None
        return chosen if isinstance(chosen, Store) else None

    def clean(self) -> dict[str, Any]:
        values = super().clean() or self.cleaned_data
        if not values.get("effective_from") and "effective_from" not in self.errors:
            values["effective_from"] = timezone.now()
        if self.is_new and not self.errors:
            self.look_at_current(values)
        return values

    def look_at_current(self, values: dict[str, Any]) -> None:
        """Ask once whoever would close a reorder point other than the one the form began with.

        The product is locked, so that of two people the second sees what the first has saved.
        """
        store, product = values["store"], values.get("product") or self.instance.product
        Product.objects.select_for_update(no_key=True).filter(pk=product.pk).first()
        current = in_force(store.pk, product.pk)
        if current is None or values.get("based_on") == token(current):
            return
        self.fill_in(current)
        self.add_error("store", told(current, store))

    def fill_in(self, current: ReorderPoint) -> None:
        """What was left as an empty form has it becomes what is in force."""
        data = self.data.copy()  # type: ignore[attr-defined]
        data[self.add_prefix("based_on")] = token(current)
        for name in TERMS:
            if self.cleaned_data.get(name) in (None, getattr(ReorderPoint(), name)):
                data[self.add_prefix(name)] = key(getattr(current, name))
        self.data = data


def told(current: ReorderPoint, store: Store) -> str:
    start = current.effective_from.astimezone(store.zone)
    lead = "" if current.lead_time_days is None else f", lead time {current.lead_time_days} days"
    up_to = f", order up to {quantity(current.order_up_to)}" if current.order_up_to else ""
    return (
        f"Not saved yet. There is one from {start:%-d %b %Y %H:%M}: reorder at"
        f" {quantity(current.reorder_point)}{up_to}, multiple {quantity(current.order_multiple)}"
        f"{lead}. What you left empty is filled in from it. Save again if the new one shall"
        " follow it."
    )


def starting_values(store: Store, product_id: UUID | None) -> dict[str, str]:
    """What the fields of a form become when this store is chosen in it, and its zone."""
    start = start_of(store, in_force(store.pk, product_id))
    local: datetime = start.pop("effective_from")
    return {
        **start,
        "effective_from_0": f"{local:%Y-%m-%d}",
        "effective_from_1": f"{local:%H:%M}",
        "zone": f"In the time of {store} ({store.time_zone})",
    }


class Chosen(forms.Form):
    """Which store, and of which product, if that is known yet."""

    store: Any = forms.ModelChoiceField(queryset=None)
    product: Any = forms.ModelChoiceField(queryset=None, required=False)

    def __init__(self, data: Any, stores: Any) -> None:
        super().__init__(data)
        self.fields["store"].queryset = stores  # type: ignore[attr-defined]
        self.fields["product"].queryset = Product.objects.all()  # type: ignore[attr-defined]
