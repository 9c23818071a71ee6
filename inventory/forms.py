"""Forms of the admin's stock pages."""

from typing import Any
from zoneinfo import available_timezones

from django import forms
from unfold.widgets import UnfoldAdminSelect2Widget

from inventory.models import Product, ReorderPoint, Store


class StoreForm(forms.ModelForm):
    time_zone = forms.ChoiceField(
        widget=UnfoldAdminSelect2Widget,
        help_text="The store's business days follow this zone, for example America/New_York.",
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


class ProductForm(forms.ModelForm):
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


class ReorderPointForm(forms.ModelForm):
    class Meta:
        model = ReorderPoint
        fields = ["store", "product", "reorder_point", "order_up_to", "order_multiple"]
        fields += ["lead_time_days", "effective_from"]
        help_texts = {
            "effective_from": "UTC. It closes the one in force in the same store.",
            "lead_time_days": "From an order to its delivery.",
        }
