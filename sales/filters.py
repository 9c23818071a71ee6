"""Filters of the sales report."""

from typing import Any

import django_filters
from django import forms
from django.db.models import QuerySet
from django.http import HttpRequest

from inventory.models import Product
from sales.gaps import Gaps
from sales.scope import SalesScope
from shelfops.reports.filters import CatalogueFilter, PeriodFilter, PeriodForm
from shelfops.reports.period import Period

TOP = (20, 50, 100, 500)


def all_products(request: HttpRequest | None) -> QuerySet[Product]:
    return Product.objects.all()


class SalesForm(PeriodForm):
    def clean(self) -> dict[str, Any]:
        values = super().clean()
        narrows = any(values.get(name) for name in SalesFilter.NARROWING)
        by = values.get("by")
        if by == "hour" and narrows:
            self.add_error("by", "Hours are known of all products together only.")
        if by in SalesFilter.WITHOUT_MARGIN and values.get("figures") == "margin":
            self.add_error("by", "Choose another breakdown: this one has no margins.")
        return values


class SalesFilter(CatalogueFilter, PeriodFilter):
    NARROWING = ("department", "category", "product")
    COMPARE = (("before", "Period before"), ("year", "Same weekdays last year"))
    BY = (
        ("day", "Day"),
        ("week", "Week"),
        ("month", "Month"),
        ("hour", "Hour of the week"),
        ("store", "Store"),
        ("department", "Department"),
        ("category", "Category"),
        ("product", "Product"),
        ("movers", "Movers"),
    )
    FIGURES = (("sales", "Sales"), ("margin", "Margin"))
    WITHOUT_MARGIN = ("hour", "movers")
    OF = (("product", "Products"), ("category", "Categories"))
    MEASURE = (("revenue", "By revenue"), ("units", "By units"))

    compare = django_filters.ChoiceFilter(
        label="Compare with", choices=COMPARE, empty_label=None, method="unchanged"
    )
    by = django_filters.ChoiceFilter(label="Break down by", choices=BY, method="unchanged")
    top = django_filters.ChoiceFilter(
        label="Products", choices=[(str(n), f"Top {n}") for n in TOP], method="unchanged"
    )

    figures = django_filters.ChoiceFilter(label="Figures", choices=FIGURES, method="unchanged")
    of = django_filters.ChoiceFilter(label="Movers", choices=OF, method="unchanged")
    measure = django_filters.ChoiceFilter(label="Movers by", choices=MEASURE, method="unchanged")
    product = django_filters.ModelChoiceFilter(
        label="Product", method="unchanged", queryset=all_products, widget=forms.HiddenInput
    )

    class Meta(PeriodFilter.Meta):
        form = SalesForm

    def compared(self, period: Period) -> Period:
        return period.year_before if self.compares_years else period.before

    def scope(self, gaps: Gaps) -> SalesScope:
        values = self.form.cleaned_data
        product: Product | None = values["product"]
        return SalesScope(
            gaps.period,
            gaps.compared,
            self.stores,
            left_out=gaps.left_out,
            department=values["department"],
            category=values["category"],
            product=product.pk if product else None,
        )

    @property
    def breakdowns(self) -> list[tuple[str, str]]:
        """What the figures can be broken down by."""
        narrows = any(self.form.cleaned_data[name] for name in self.NARROWING)
        left_out = {"hour"} if narrows else set()
        if self.has_margin:
            left_out.update(self.WITHOUT_MARGIN)
        return [(by, label) for by, label in self.BY if by not in left_out]

    @property
    def has_margin(self) -> bool:
        """Whether margins are asked for, instead of revenue and units."""
        return bool(self.form.cleaned_data["figures"] == "margin")

    @property
    def movers_of(self) -> str:
        return self.form.cleaned_data["of"] or "product"

    @property
    def movers_by(self) -> str:
        return self.form.cleaned_data["measure"] or "revenue"

    @property
    def compares_years(self) -> bool:
        return bool(self.form.cleaned_data["compare"] == "year")

    @property
    def breakdown(self) -> str:
        return self.form.cleaned_data["by"] or "day"

    @property
    def top_products(self) -> int:
        return int(self.form.cleaned_data["top"] or TOP[1])
