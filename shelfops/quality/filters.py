"""Filters of the data quality report."""

from datetime import UTC, datetime, timedelta
from typing import Any

import django_filters
from django import forms

from shelfops.reports.filters import PeriodFilter
from shelfops.reports.period import Period

CHECKS = (
    ("feeds", "Feeds"),
    ("refused", "Refused rows"),
    ("unknown", "Unknown products"),
    ("margins", "Sold below cost"),
    ("catalogue", "Incomplete products"),
    ("stale", "Stale stock"),
)
# Days after which a count of stock is stale, unless the user says otherwise.
STALE_DAYS = 7


class DaysFilter(django_filters.NumberFilter):  # type: ignore[misc]
    field_class = forms.IntegerField


class QualityFilter(PeriodFilter):
    show = django_filters.ChoiceFilter(method="unchanged", choices=CHECKS, widget=forms.HiddenInput)
    feed = django_filters.ChoiceFilter(
        label="Feed",
        method="unchanged",
        choices=[("sales", "Sales"), ("counts", "Counts of stock")],
        empty_label=None,
    )
    older = DaysFilter(
        label="Older than (days)",
        method="unchanged",
        min_value=1,
        max_value=730,
        widget=forms.NumberInput(attrs={"placeholder": STALE_DAYS, "min": 1, "max": 730}),
    )

    @property
    def check(self) -> str:
        return self.form.cleaned_data["show"] or "feeds"

    @property
    def feed_name(self) -> str:
        return self.form.cleaned_data["feed"] or "sales"

    @property
    def stale_days(self) -> int:
        return int(self.form.cleaned_data["older"] or STALE_DAYS)

    def imported(self, period: Period) -> tuple[datetime, datetime]:
        """When an import has to have started to count: with a preset, until now."""
        custom: Any = self.form.cleaned_data["start"]
        return period.since, period.until if custom else datetime.now(UTC) + timedelta(days=1)
