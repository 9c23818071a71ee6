"""The page that all reports on stock are."""

from collections.abc import Iterator
from dataclasses import replace
from math import ceil
from typing import Any

from inventory.reports.filters import AnalysisFilter
from inventory.views import PAGE, page_number
from sales.days import last_day_notes, last_days, period_end
from shelfops.reports.chart import Chart, Series
from shelfops.reports.filters import PeriodFilter
from shelfops.reports.period import Period
from shelfops.reports.sql import Row
from shelfops.reports.table import Column, Kind, Table, show
from shelfops.reports.views import Report

BARS = 15
# Notes that several reports have.
UNCOUNTED = "A product counts in a store from its first count on; until then nothing was there."
TODAYS = "Values are at today's cost and price, whatever they were then."


class Analysis(Report):
    """A page of rows in a chosen order, and their total.

    A report has the rows (`fetch`, and `fetch_all` for files; the last row is the total, and its
    `place` one more than there are rows), `columns`, the `orders` its rows can have, `cards`,
    `charts`, and in `notes` what its figures mean.
    """

    permission = "reports.stock_analysis"
    template_name = "reports/analysis.html"
    orders: dict[str, str]
    notes: tuple[str, ...] = ()
    nothing = "Nothing matches these filters."
    advice = "Choose a longer period, other stores or fewer filters."

    def fetch(self, filters: Any, limit: int, offset: int) -> list[Row]:
        raise NotImplementedError

    def fetch_all(self, filters: Any) -> Iterator[Row]:
        raise NotImplementedError

    def columns(self, filters: Any) -> list[Column]:
        raise NotImplementedError

    def caption(self, filters: Any) -> str:
        raise NotImplementedError

    def cards(self, filters: Any, total: Row) -> list[dict[str, str]]:
        return []

    def charts(self, filters: Any, rows: list[Row]) -> list[Chart]:
        return []

    def build(self, filters: Any) -> dict[str, Any]:
        self.period = self.period_of(filters)
        number = page_number(self.request)
        *rows, total = self.fetch(filters, PAGE, (number - 1) * PAGE)
        count = total["place"] - 1
        pages = max(ceil(count / PAGE), 1)
        if number > pages:
            number = pages
            *rows, total = self.fetch(filters, PAGE, (number - 1) * PAGE)
        self.total = total
        columns = self.sorted_columns(filters)
        has_total = any(column.key in total for column in columns)
        return {
            "period": self.period,
            "last_day_notes": last_day_notes(self.last_days),
            "table": Table(self.caption(filters), columns, rows, total if has_total else None),
            "cards": self.cards(filters, total) if count else [],
            "charts": [chart.data() for chart in self.charts(filters, rows)] if count else [],
            "notes": self.notes,
            "empty": not count,
            "nothing": self.nothing,
            "advice": self.advice,
            "presets": self.period_presets(filters),
            "groups": self.groups(filters),
            "own": [filters.form[name] for name in filters.OWN],
            "number": number,
            "pages": pages,
            "previous_url": self.url_with(page=number - 1) if number > 1 else "",
            "next_url": self.url_with(page=number + 1) if number < pages else "",
        }

    def table(self, filters: Any) -> Table:
        """All rows, while the page shows some."""
        self.period = self.period_of(filters)
        return Table(self.caption(filters), self.columns(filters), self.fetch_all(filters))

    def period_of(self, filters: Any) -> Period:
        self.last_days = last_days(filters.stores)
        last_day = period_end(self.last_days)
        if isinstance(filters, PeriodFilter):
            return filters.chosen_period(last_day)
        return Period.ending(last_day, filters.chosen_days)

    def period_presets(self, filters: Any) -> list[dict[str, Any]]:
        return self.presets(filters, self.period) if isinstance(filters, PeriodFilter) else []

    def sorted_columns(self, filters: AnalysisFilter) -> list[Column]:
        return [
            replace(
                column,
                sort_url=self.url_with(sort=column.key),
                sorted=self.direction(column.key) if column.key == filters.order else "",
            )
            if column.key in self.orders
            else column
            for column in self.columns(filters)
        ]

    def direction(self, order: str) -> str:
        return "descending" if "DESC" in self.orders[order].split(",")[0] else "ascending"

    def groups(self, filters: AnalysisFilter) -> list[dict[str, Any]]:
        return [
            {"label": by.title(), "url": self.url_with(by=by), "chosen": by == filters.group}
            for by in filters.BY
        ]

    def money(self, label: str) -> str:
        return f"{label} ({self.currency})"

    def card(
        self, label: str, kind: Kind, value: Any, unit: str = "", note: str = ""
    ) -> dict[str, str]:
        return {
            "label": label,
            "value": "–" if value is None else show(kind, value),
            "unit": unit if value is not None else "",
            "note": note,
        }

    def bars(self, title: str, unit: str, rows: list[Row], key: str) -> list[Chart]:
        shown = [row for row in rows if row[key] is not None][:BARS]
        if len(shown) < 2:
            return []
        values = Series(title, [row[key] for row in shown])
        labels = [row["label"] for row in shown]
        return [Chart(f"chart-{key}", title, "bars", unit, labels, [values])]
