"""Filters of the sales report."""

import django_filters

from shelfops.reports.filters import PeriodFilter

TOP = (20, 50, 100, 500)


class SalesFilter(PeriodFilter):
    BY = (("day", "Day"), ("store", "Store"), ("category", "Category"), ("product", "Product"))

    by = django_filters.ChoiceFilter(label="Break down by", choices=BY, method="unchanged")
    top = django_filters.ChoiceFilter(
        label="Products", choices=[(str(n), f"Top {n}") for n in TOP], method="unchanged"
    )

    @property
    def breakdown(self) -> str:
        return self.form.cleaned_data["by"] or "day"

    @property
    def top_products(self) -> int:
        return int(self.form.cleaned_data["top"] or TOP[1])
