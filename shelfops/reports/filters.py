"""The filters that reports share: a range of business days, stores, and a part of the catalogue.

The filtered queryset is the stores that a report covers; a report adds the filters of its own.
"""

from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from functools import cached_property
from typing import Any
from uuid import UUID

import django_filters
from django import forms
from django.db.models import QuerySet
from django.forms.utils import flatatt
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe

from inventory.models import Store
from inventory.queries import departments
from shelfops.reports.period import DEFAULT_DAYS, MAX_DAYS, PRESETS, Period, long_date

EARLIEST = date(2000, 1, 1)


def visible_stores(request: HttpRequest | None) -> QuerySet[Store]:
    if request is None:
        return Store.objects.none()
    return Store.objects.visible_to(request.user)  # type: ignore[arg-type]


def names(found: Iterable[str]) -> list[tuple[str, str]]:
    """Choices of a field, in order, without what has no name."""
    return [(name, name) for name in sorted(set(found) - {""})]


class Select(forms.Select):
    """A select box of hundreds of options, of which Django would render each by a template."""

    def render(self, name: str, value: Any, attrs: Any = None, renderer: Any = None) -> SafeString:
        chosen = self.format_value(value)
        attrs = {"name": name, **self.build_attrs(self.attrs, attrs)}
        options = format_html_join(
            "",
            '<option value="{}"{}>{}</option>',
            (
                (key, mark_safe(" selected") if str(key) in chosen else "", label)  # noqa: S308
                for key, label in self.choices
            ),
        )
        return format_html("<select{}>{}</select>", flatatt(attrs), options)


class PeriodForm(forms.Form):
    """Says at the field what is wrong with a range of days."""

    def clean(self) -> dict[str, Any]:
        values = super().clean() or self.cleaned_data
        start, end = values.get("start"), values.get("end")
        if start and start < EARLIEST:
            self.add_error("start", f"Choose a day from {long_date(EARLIEST)} on.")
        # Somewhere it is tomorrow already.
        if end and end > timezone.now().date() + timedelta(days=1):
            self.add_error("end", "The last day cannot lie in the future.")
        if not self.errors:
            self._check_range(start, end)
        return values

    def _check_range(self, start: date | None, end: date | None) -> None:
        if start and not end:
            self.add_error("end", "Choose the last day, too.")
        elif end and not start:
            self.add_error("start", "Choose the first day, too.")
        elif start and end and start > end:
            self.add_error("end", "The last day is before the first.")
        elif start and end and (end - start).days >= MAX_DAYS:
            self.add_error("end", f"Choose at most {MAX_DAYS} days.")


class StoreFilter(django_filters.FilterSet):  # type: ignore[misc]
    """Stores of the customer that the user may see; none chosen means all of these."""

    store = django_filters.ModelMultipleChoiceFilter(
        label="Stores", queryset=visible_stores, method="chosen"
    )

    class Meta:
        model = Store
        fields: Sequence[str] = []

    def __init__(self, data: Any = None, *, request: HttpRequest, **kwargs: Any) -> None:
        super().__init__(data, queryset=visible_stores(request), request=request, **kwargs)

    def chosen(self, stores: QuerySet[Store], name: str, value: list[Store]) -> QuerySet[Store]:
        return stores.filter(pk__in=[store.pk for store in value]) if value else stores

    def unchanged(self, stores: QuerySet[Store], name: str, value: Any) -> QuerySet[Store]:
        """For a filter that narrows what is read of the stores, and not the stores."""
        return stores

    @property
    def stores(self) -> list[UUID] | None:
        """The stores a query is limited to; None is every store of the customer.

        Never None for a user who works in some stores only: without any, the list is empty.
        """
        chosen: list[Store] = self.form.cleaned_data["store"]
        if chosen or self.request.user.is_store_scoped:
            return [store.pk for store in self.qs]
        return None

    @cached_property
    def options(self) -> list[dict[str, Any]]:
        """Each store that can be chosen, and whether it is."""
        chosen = {str(value) for value in self.form["store"].value() or ()}
        return [
            {"value": str(pk), "label": name, "chosen": str(pk) in chosen}
            for pk, name in self.form.fields["store"].queryset.values_list("pk", "name")
        ]


class CatalogueFilter(StoreFilter):
    """A department and a category, as the catalogue holds them; both read once."""

    department = django_filters.ChoiceFilter(
        label="Department",
        method="unchanged",
        choices=[],
        empty_label="All departments",
        widget=Select,
    )
    category = django_filters.ChoiceFilter(
        label="Category",
        method="unchanged",
        choices=[],
        empty_label="All categories",
        widget=Select,
    )

    @cached_property
    def form(self) -> Any:
        form = super().form
        pairs = departments()
        form.fields["department"].choices = names(department for department, _ in pairs)
        form.fields["category"].choices = names(category for _, category in pairs)
        return form


class PeriodFilter(StoreFilter):
    """A preset number of days up to the last full business day with sales, or from and to."""

    period = django_filters.ChoiceFilter(
        label="Period",
        choices=[(str(days), f"{days} days") for days in PRESETS],
        method="unchanged",
    )
    start = django_filters.DateFilter(
        label="From",
        method="unchanged",
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
    )
    end = django_filters.DateFilter(
        label="To",
        method="unchanged",
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
    )

    class Meta(StoreFilter.Meta):
        form = PeriodForm

    def chosen_period(self, last_day: date) -> Period:
        """Days from and to where they are given, else the preset number up to `last_day`."""
        values = self.form.cleaned_data
        if values["start"]:
            return Period(values["start"], values["end"])
        return Period.ending(last_day, int(values["period"] or DEFAULT_DAYS))
