"""Filters of the reports on stock."""

import django_filters
from django import forms

from inventory.filters import ProductsFilter
from inventory.reports import classes, movement, unsold
from shelfops.reports.filters import PeriodFilter


def hidden(names: list[str]) -> django_filters.ChoiceFilter:
    """What links choose, not the form."""
    return django_filters.ChoiceFilter(
        method="unchanged", choices=[(name, name) for name in names], widget=forms.HiddenInput
    )


class AnalysisFilter(ProductsFilter):
    """A report names the order and the group that it shows when none is asked for."""

    SORT = ""
    BY: tuple[str, ...] = ()
    # Choices of its own that the form shows.
    OWN: tuple[str, ...] = ()

    @property
    def order(self) -> str:
        return self.form.cleaned_data["sort"] or self.SORT

    @property
    def group(self) -> str:
        return self.form.cleaned_data.get("by") or self.BY[0]


class MovementFilter(AnalysisFilter, PeriodFilter):
    BY: tuple[str, ...] = ("department", "category", "store", "product")

    by = hidden(list(BY))
    sort = hidden(list(movement.ORDERS))

    class Meta(PeriodFilter.Meta):
        pass


class AsOfFilter(MovementFilter):
    SORT = "closing_cost"
    BY = ("department", "category", "store", "product", "day")

    by = hidden(list(BY))


class TurnFilter(MovementFilter):
    SORT = "turn"


class SellThroughFilter(MovementFilter):
    SORT = "sell_through"


class AvailabilityFilter(MovementFilter):
    SORT = "availability"


class ClassFilter(AnalysisFilter, PeriodFilter):
    SORT = "revenue"
    OWN = ("within", "abc")

    within = django_filters.ChoiceFilter(
        label="Ranked within",
        method="unchanged",
        choices=[("department", "Each department")],
        empty_label="All products",
    )
    abc = django_filters.ChoiceFilter(
        label="Class",
        method="unchanged",
        choices=[(name, name) for name in classes.CLASSES],
        empty_label="A to C",
    )
    sort = hidden(list(classes.ORDERS))

    class Meta(PeriodFilter.Meta):
        pass


class DaysFilter(AnalysisFilter):
    """A number of days up to the last one with sales."""

    DAYS = 0

    @property
    def chosen_days(self) -> int:
        return int(self.form.cleaned_data["days"] or self.DAYS)


class DeadFilter(DaysFilter):
    SORT = "cost_value"
    DAYS = 60
    OWN = ("days",)

    days = django_filters.ChoiceFilter(
        label="Not sold for",
        method="unchanged",
        choices=[(str(days), f"{days} days") for days in (30, 90, 180)],
        empty_label="60 days",
    )
    sort = hidden(list(unsold.ORDERS))


class PhantomFilter(DaysFilter):
    SORT = "chance"
    DAYS = 90
    OWN = ("days", "chance")

    days = django_filters.ChoiceFilter(
        label="Rate over",
        method="unchanged",
        choices=[(str(days), f"{days} days") for days in (28, 180)],
        empty_label="90 days",
    )
    chance = django_filters.ChoiceFilter(
        label="Chance below",
        method="unchanged",
        choices=[("0.05", "5 in 100"), ("0.001", "1 in 1,000")],
        empty_label="1 in 100",
    )
    sort = hidden(list(unsold.PHANTOM_ORDERS))

    @property
    def chosen_chance(self) -> float:
        return float(self.form.cleaned_data["chance"] or 0.01)
