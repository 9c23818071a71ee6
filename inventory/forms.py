"""Forms of the admin's stock pages."""

from typing import Any
from zoneinfo import available_timezones

from django import forms
from unfold.widgets import UnfoldAdminSelect2Widget

from inventory.models import Store


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
