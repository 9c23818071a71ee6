"""Filters of the sales report."""

import django_filters

from shelfops.reports.filters import PeriodFilter
from shelfops.reports.period import Period

TOP = (20, 50, 100, 500)


class SalesFilter(PeriodFilter):
    COMPARE = (("before", "Period before"), ("year", "Same weekdays last year"))
    BY = (
        ("day", "Day"),
        ("week", "Week"),
        ("month", "Month"),
        ("hour", "Hour of the week"),
        ("store", "Store"),
        ("category", "Category"),
        ("product", "Product"),
    )

    compare = django_filters.ChoiceFilter(
        label="Compare with", choices=COMPARE, empty_label=None, method="unchanged"
    )
    by = django_filters.ChoiceFilter(label="Break down by", choices=BY, method="unchanged")
    top = django_filters.ChoiceFilter(
        label="Products", choices=[(str(n), f"Top {n}") for n in TOP], method="unchanged"
    )

    @property
    def compares_years(self) -> bool:
        return bool(self.form.cleaned_data["compare"] == "year")

    def compared(self, period: Period) -> Period:
        """What the period is compared with."""
        return period.year_before if self.compares_years else period.before

    @property
    def breakdown(self) -> str:
        return self.form.cleaned_data["by"] or "day"

    @property
    def top_products(self) -> int:
        return int(self.form.cleaned_data["top"] or TOP[1])
