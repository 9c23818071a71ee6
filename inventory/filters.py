"""Filters of stock."""

import django_filters
from django import forms

from inventory.queries import ORDERS, StockScope
from shelfops.reports.filters import CatalogueFilter


class ProductsFilter(CatalogueFilter):
    """Stores, and products by department, category, and SKU or name."""

    q = django_filters.CharFilter(label="SKU or name", method="unchanged", max_length=100)

    @property
    def scope(self) -> StockScope:
        values = self.form.cleaned_data
        return StockScope(
            stores=self.stores,
            department=values["department"],
            category=values["category"],
            search=values["q"].strip(),
            status=values.get("status", ""),
        )


class StockFilter(ProductsFilter):
    status = django_filters.ChoiceFilter(
        label="Status",
        method="unchanged",
        choices=[
            ("reorder", "Reorder point reached"),
            ("empty", "Nothing available"),
            ("no_rule", "No reorder point"),
        ],
        empty_label="Any status",
    )
    sort = django_filters.ChoiceFilter(
        method="unchanged", choices=[(name, name) for name in ORDERS], widget=forms.HiddenInput
    )

    @property
    def order(self) -> str:
        return self.form.cleaned_data["sort"] or "cover"
