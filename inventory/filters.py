"""Filters of the stock report."""

from functools import cached_property
from typing import Any

import django_filters
from django import forms
from django.db.models import QuerySet

from inventory.models import Store
from inventory.queries import ORDERS, StockScope, departments
from shelfops.reports.filters import StoreFilter, names


class StockFilter(StoreFilter):
    department = django_filters.ChoiceFilter(
        label="Department", method="unchanged", choices=[], empty_label="All departments"
    )
    category = django_filters.ChoiceFilter(
        label="Category", method="unchanged", choices=[], empty_label="All categories"
    )
    q = django_filters.CharFilter(label="SKU or name", method="unchanged", max_length=100)
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

    def unchanged(self, stores: QuerySet[Store], name: str, value: Any) -> QuerySet[Store]:
        return stores

    @cached_property
    def form(self) -> Any:
        """The choices are what the catalogue holds, read once for both."""
        form = super().form
        pairs = departments()
        form.fields["department"].choices = names(department for department, _ in pairs)
        form.fields["category"].choices = names(category for _, category in pairs)
        return form

    @property
    def scope(self) -> StockScope:
        values = self.form.cleaned_data
        return StockScope(
            stores=self.stores,
            department=values["department"],
            category=values["category"],
            search=values["q"].strip(),
            status=values["status"],
        )

    @property
    def order(self) -> str:
        return self.form.cleaned_data["sort"] or "cover"
