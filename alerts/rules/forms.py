"""The form of a rule, which shows what the rule would have done before it saves it."""

from typing import Any

from django import forms
from django.db.models import F
from unfold.widgets import UnfoldAdminSelect2Widget

from alerts.models import AlertRule, AlertType
from alerts.rules.queries import Trial, tried
from alerts.rules.words import THRESHOLDS
from inventory.stock_columns import categories, departments
from shelfops.versions import VersionedForm

# What decides when alerts open. Who is told, and how grave it is, needs no trial.
DECISIVE = (
    "alert_type",
    "store",
    "product",
    "department",
    "category",
    "threshold",
    "is_enabled",
)


class AlertRuleForm(VersionedForm):
    """A change of what is decisive is refused once, with its `trial`, and saved when sent again."""

    tried = forms.CharField(widget=forms.HiddenInput, required=False)
    department = forms.ChoiceField(required=False, widget=UnfoldAdminSelect2Widget)
    category = forms.ChoiceField(required=False, widget=UnfoldAdminSelect2Widget)

    class Meta:
        model = AlertRule
        fields = [
            *DECISIVE,
            "severity",
            "evaluations_to_open",
            "evaluations_to_resolve",
            "tells_admins",
            "tells_managers",
            "tells_staff",
        ]

    trial: Trial | None = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "threshold" not in self.fields:  # shown to somebody who may only read it
            return
        for name, found in (("department", departments()), ("category", categories())):
            own = getattr(self.instance, name)
            names = sorted({*found, own} - {""})
            self.fields[name].choices = [("", "All"), *((each, each) for each in names)]  # type: ignore[attr-defined]
        self.fields["store"].required = bool(getattr(self, "needs_store", False))
        self.explain_threshold()

    def explain_threshold(self) -> None:
        field = self.fields["threshold"]
        kind = self.instance.alert_type or self["alert_type"].value()
        if kind in THRESHOLDS:
            field.label, field.help_text = THRESHOLDS[kind][:2]
        else:
            field.help_text = " ".join(
                f"{AlertType(each).label}: {label.lower()}."
                for each, (label, *_) in THRESHOLDS.items()
            )

    def clean(self) -> dict[str, Any]:
        values = super().clean() or self.cleaned_data
        values.setdefault("alert_type", self.instance.alert_type)  # shown, but not sent again
        self.check_part(values)
        if values.get("alert_type") == AlertType.DEAD_STOCK and values.get("threshold", 0) > 365:
            self.add_error("threshold", "At most 365 days.")
        if not self.errors:
            self.check_unique(values)
        if not self.errors:
            self.check_tried(values)
        return values

    def check_part(self, values: dict[str, Any]) -> None:
        given = [name for name in ("product", "category", "department") if values.get(name)]
        if values.get("alert_type") == AlertType.FEED_GAP and given:
            self.add_error(given[0], "A feed is a whole store's.")
        elif len(given) > 1:
            self.add_error(given[1], f"Choose this or a {given[0]}, not both.")

    def check_unique(self, values: dict[str, Any]) -> None:
        scope = {name: values[name] for name in DECISIVE[:5]}
        if AlertRule.objects.filter(**scope).exclude(pk=self.instance.pk).exists():
            self.add_error("alert_type", "There is a rule for this part already. Change that one.")

    def check_tried(self, values: dict[str, Any]) -> None:
        is_new = self.instance._state.adding
        if not is_new and not set(self.changed_data) & set(DECISIVE):
            return
        decisive = {name: values[name] for name in DECISIVE}
        seen = "|".join(str(getattr(value, "pk", value)) for value in decisive.values())
        if values["tried"] == seen:
            return
        self.trial = tried(AlertRule(pk=self.instance.pk, **decisive))
        self.data = {**self.data.dict(), self.add_prefix("tried"): seen}  # type: ignore[attr-defined]
        self.add_error("tried", "Not saved yet: look at what it would have done.")


class WhichForm(forms.Form):
    """Asks for a product in a store."""

    store: Any = forms.ModelChoiceField(queryset=None)
    sku = forms.CharField(label="SKU", max_length=100)

    def __init__(self, data: Any, stores: Any) -> None:
        super().__init__(data)
        self.fields["store"].queryset = stores.order_by(F("name"))  # type: ignore[attr-defined]
