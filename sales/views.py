"""The sales report."""

from collections.abc import Callable
from functools import partial
from typing import Any

from sales import charts, columns, queries
from sales.days import last_day_notes, last_days, period_end
from sales.filters import SalesFilter
from sales.gaps import Gaps, gaps, marked
from sales.margin import margins
from sales.movers import category_movers, product_movers
from sales.scope import SalesScope
from shelfops.reports.chart import Chart
from shelfops.reports.sql import Row
from shelfops.reports.table import Column, Table
from shelfops.reports.views import Report

# A basket holds many products: it is counted by store and time only.
WITH_BASKETS = ("day", "week", "month", "store")
# Of each direction.
MOVERS = 15


class SalesReport(Report):
    """Sales or margins of a period against another, by time, store, category or product."""

    title = "Sales"
    permission = "reports.sales"
    template_name = "reports/sales.html"
    filter_class = SalesFilter

    def build(self, filters: SalesFilter) -> dict[str, Any]:
        last = last_days(filters.stores)
        period = filters.chosen_period(period_end(last))
        found = gaps(filters.stores, period, filters.compared(period))
        scope = filters.scope(found)
        self.before = "last year" if filters.compares_years else "before"
        *rows, total = self.rows(filters, scope)
        rows = marked(rows, filters.breakdown, found)
        return {
            "period": period,
            "compared": scope.compared,
            "last": last,
            "last_day_notes": last_day_notes(last),
            "left_out_notes": found.notes,
            "table": Table(
                self.caption(filters, scope), self.columns(filters, scope, rows), rows, total
            ),
            "charts": [chart.data() for chart in self.charts(filters, rows, found)],
            "heat": charts.heat(rows, self.currency) if filters.breakdown == "hour" else None,
            "cards": self.cards(filters, scope, total),
            "empty": not any(total[key] or total[f"{key}_before"] for key, *_ in columns.MEASURES),
            "has_baskets": has_baskets(filters, scope),
            "has_margin": filters.has_margin,
            "no_cost": filters.has_margin and not total["known_share"],
            "breakdowns": self.links("by", filters.breakdowns, filters.breakdown),
            "figures": self.figures(filters),
            "movers": self.movers(filters),
            "narrowed": self.narrowed(filters),
            "presets": self.presets(filters, period),
        }

    def rows(self, filters: SalesFilter, scope: SalesScope) -> list[Row]:
        by = filters.breakdown
        if filters.has_margin:
            return margins(scope, by, filters.top_products)
        if by == "movers":
            read = product_movers if filters.movers_of == "product" else category_movers
            return read(scope, filters.movers_by, MOVERS)
        reads: dict[str, Callable[[SalesScope], list[Row]]] = {
            "day": queries.by_day,
            "week": queries.by_week,
            "month": queries.by_month,
            "hour": queries.by_hour,
            "store": queries.by_store,
            "department": queries.by_department,
            "category": queries.by_category,
            "product": partial(queries.by_product, top=filters.top_products),
        }
        return reads[by](scope)

    def caption(self, filters: SalesFilter, scope: SalesScope) -> str:
        by = {
            "hour": "Sales by hour of the week",
            "movers": f"What rose and fell most by {filters.movers_by}",
        }.get(filters.breakdown, f"Sales by {filters.breakdown}")
        by = by.replace("Sales", "Margin") if filters.has_margin else by
        return f"{by}, {scope.period}, against {scope.compared}"

    def file_name(self, filters: SalesFilter) -> str:
        if filters.breakdown == "movers":
            return f"movers-by-{filters.movers_by}"
        return f"{'margin' if filters.has_margin else 'sales'}-by-{filters.breakdown}"

    def columns(self, filters: SalesFilter, scope: SalesScope, rows: list[Row]) -> list[Column]:
        """What the rows are of, the figures, and what they lack."""
        found = self.figure_columns(filters, scope)
        return found + columns.WITHOUT if any(row.get("without") for row in rows) else found

    def figure_columns(self, filters: SalesFilter, scope: SalesScope) -> list[Column]:
        by = filters.breakdown
        words = (self.currency, self.before)
        links: dict[str, columns.Link] = {
            "store": self.store_url,
            "department": self.department_url,
            "category": self.category_url,
            "product": self.product_url,
        }
        if by == "movers":
            return [*columns.names(filters.movers_of, links), *columns.movers(*words)]
        found = columns.names(by, links)
        if filters.has_margin:
            return found + columns.margins(*words)
        found += columns.sales(*words)
        if has_baskets(filters, scope):
            found += columns.baskets(*words)
        return found + (columns.hours(self.currency) if by == "hour" else [])

    # A click leads from the store to its categories, to their products, to their days.
    def store_url(self, row: Row) -> str:
        return self.url_with(store=row["store_id"], by="category")

    def department_url(self, row: Row) -> str:
        return self.url_with(department=row["name"], by="category") if row["name"] else ""

    def category_url(self, row: Row) -> str:
        return self.url_with(category=row["name"], by="product") if row["name"] else ""

    def product_url(self, row: Row) -> str:
        return self.url_with(product=row["product_id"], by="day") if row["product_id"] else ""

    def narrowed(self, filters: SalesFilter) -> list[dict[str, str]]:
        """What the figures are narrowed to, each with the way out of it."""
        values = filters.form.cleaned_data
        return [
            {
                "label": f"{filters.form.fields[name].label}: {values[name]}",
                "url": self.url_with(**{name: None}),
            }
            for name in filters.NARROWING
            if values[name]
        ]

    def charts(self, filters: SalesFilter, rows: list[Row], found: Gaps) -> list[Chart]:
        before = "Period before" if self.before == "before" else "Last year"
        words = charts.Words(self.currency, before)
        if filters.breakdown == "movers":
            return [charts.movers(rows, filters.movers_by, filters.movers_of, words)]
        return charts.charts(filters.breakdown, rows, words, filters.has_margin, found)

    def cards(self, filters: SalesFilter, scope: SalesScope, total: Row) -> list[dict[str, Any]]:
        measures: tuple[columns.Measure, ...] = (
            columns.MARGINS if filters.has_margin else columns.MEASURES
        )
        if has_baskets(filters, scope):
            measures += columns.BASKETS
        cards = [columns.card(total, measure, self.before) for measure in measures]
        return cards + (columns.margin_cards(total, self.before) if filters.has_margin else [])

    def links(self, name: str, choices: Any, chosen: str) -> list[dict[str, Any]]:
        return [
            {"label": label, "url": self.url_with(**{name: value}), "chosen": value == chosen}
            for value, label in choices
        ]

    def figures(self, filters: SalesFilter) -> list[dict[str, Any]]:
        """Sales or margins; a breakdown that has no margins is left for the days."""
        leave = {"by": None} if filters.breakdown in filters.WITHOUT_MARGIN else {}
        return [
            {
                "label": "Sales",
                "url": self.url_with(figures=None),
                "chosen": not filters.has_margin,
            },
            {
                "label": "Margin",
                "url": self.url_with(figures="margin", **leave),
                "chosen": filters.has_margin,
            },
        ]

    def movers(self, filters: SalesFilter) -> list[list[dict[str, Any]]]:
        """What movers can be of, and by."""
        if filters.breakdown != "movers":
            return []
        return [
            self.links("of", filters.OF, filters.movers_of),
            self.links("measure", filters.MEASURE, filters.movers_by),
        ]


def has_baskets(filters: SalesFilter, scope: SalesScope) -> bool:
    return filters.breakdown in WITH_BASKETS and not scope.is_narrowed and not filters.has_margin
