"""Forms of the admin's stock pages."""

from typing import Any
from zoneinfo import available_timezones

from django import forms
from unfold.widgets import UnfoldAdminSelect2Widget, UnfoldBooleanSwitchWidget

from inventory.models import Product, Store
from inventory.time_zones import has_history, warning
from shelfops.versions import VersionedForm


class StoreForm(VersionedForm):
    time_zone = forms.ChoiceField(
        widget=UnfoldAdminSelect2Widget,
        help_text="The store's business days follow this zone, for example America/New_York.",
    )

    # Asked only of those who change the zone of a store that has sales or counts.
    from_tomorrow = forms.BooleanField(
        required=False,
        label="Change from tomorrow on",
        help_text="Days until today keep the old time zone.",
        widget=forms.HiddenInput,
    )

    class Meta:
        model = Store
        fields = ["code", "name", "time_zone", "is_active"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "time_zone" in self.fields:
            zones = [(zone, zone.replace("_", " ")) for zone in sorted(available_timezones())]
            self.fields["time_zone"].choices = zones  # type: ignore[attr-defined]
            self.fields["time_zone"].initial = "UTC"

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        old, new = str(self.initial.get("time_zone")), cleaned.get("time_zone")
        if not self.instance._state.adding and new and new != old and has_history(self.instance.pk):
            self.fields["from_tomorrow"].widget = UnfoldBooleanSwitchWidget()
            if not cleaned.get("from_tomorrow"):
                self.add_error("time_zone", warning(self.instance, old, new))
        return cleaned


class ProductForm(VersionedForm):
    class Meta:
        model = Product
        fields = ["name", "sku", "is_active", "department", "category", "brand", "package_size"]
        fields += ["unit_price", "unit_cost", "shelf_life_days"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Show the prices without the zeros that the column's four decimals would add."""
        super().__init__(*args, **kwargs)
        for name in ("unit_price", "unit_cost"):
            if (price := self.initial.get(name)) is not None:
                self.initial[name] = f"{price:.2f}" if price == round(price, 2) else price
