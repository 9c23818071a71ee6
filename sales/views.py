"""The sales report."""

from datetime import date
from typing import Any

from django.urls import reverse

from sales import queries
from sales.filters import SalesFilter
from sales.queries import SalesScope
from shelfops.reports.chart import Chart, Series
from shelfops.reports.heat import Heatmap
from shelfops.reports.period import long_date
from shelfops.reports.sql import Row
from shelfops.reports.table import Column, Kind, Table, show
from shelfops.reports.views import Report

BARS = 12
SPAN = [
    Column("first_day", "From", Kind.DATE, nothing="Total"),
    Column("last_day", "To", Kind.DATE, nothing=""),
    Column("days", "Days", Kind.COUNT),
]
WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
Measure = tuple[str, str, Kind]
MEASURES: tuple[Measure, ...] = (
    ("revenue", "Revenue", Kind.MONEY),
    ("units", "Units", Kind.UNITS),
)
BASKETS: tuple[Measure, ...] = (
    ("baskets", "Baskets", Kind.COUNT),
    ("basket", "Average basket", Kind.MONEY),
)
# A basket holds many products: it is counted by store and time only.
WITH_BASKETS = ("day", "week", "month", "store")


class SalesReport(Report):
    """Revenue and units of a period against another, by time, store, category or product."""

    title = "Sales"
    permission = "reports.sales"
    template_name = "reports/sales.html"
    filter_class = SalesFilter

    def build(self, filters: SalesFilter) -> dict[str, Any]:
        last = queries.last_days(filters.stores)
        period = filters.chosen_period(last["last_day_with_sales"] or last["last_full_day"])
        scope = filters.scope(period)
        self.before = "last year" if filters.compares_years else "before"
        *rows, total = self.rows(filters, scope)
        return {
            "period": period,
            "compared": scope.compared,
            "last": last,
            "late": _is_late(last),
            "table": Table(self.caption(filters, scope), self.columns(filters, scope), rows, total),
            "charts": [chart.data() for chart in self.charts(filters.breakdown, rows)],
            "heat": self.heat(rows) if filters.breakdown == "hour" else None,
            "figures": [
                self.figure(total, *measure) for measure in self.cards(filters.breakdown, scope)
            ],
            "empty": not any(total[key] or total[f"{key}_before"] for key, *_ in MEASURES),
            "has_baskets": has_baskets(filters.breakdown, scope),
            "breakdowns": self.links("by", filters.breakdowns, filters.breakdown),
            "narrowed": self.narrowed(filters),
            "presets": self.presets(filters, period),
        }

    def rows(self, filters: SalesFilter, scope: SalesScope) -> list[Row]:
        if filters.breakdown == "product":
            return queries.by_product(scope, filters.top_products)
        by = {
            "day": queries.by_day,
            "week": queries.by_week,
            "month": queries.by_month,
            "hour": queries.by_hour,
            "store": queries.by_store,
            "department": queries.by_department,
            "category": queries.by_category,
        }
        return by[filters.breakdown](scope)

    def caption(self, filters: SalesFilter, scope: SalesScope) -> str:
        by = "hour of the week" if filters.breakdown == "hour" else filters.breakdown
        return f"Sales by {by}, {scope.period}, against {scope.compared}"

    def file_name(self, filters: SalesFilter) -> str:
        return f"sales-by-{filters.breakdown}"

    def columns(self, filters: SalesFilter, scope: SalesScope) -> list[Column]:
        """What the rows are of, then the figures."""
        return [*self.names()[filters.breakdown], *self.figures(filters.breakdown, scope)]

    def names(self) -> dict[str, list[Column]]:
        return {
            "day": [
                Column("business_date", "Business day", Kind.DATE, nothing="Total"),
                Column("day_before", "Compared with", Kind.DATE, nothing=""),
            ],
            "week": SPAN,
            "month": SPAN,
            "hour": [
                Column("day_name", "Weekday", nothing="Total"),
                Column("clock", "From", nothing=""),
                Column("days", "Days", Kind.COUNT),
            ],
            "store": [Column("name", "Store", link=self.store_url, nothing="Total")],
            "department": [
                Column("label", "Department", link=self.department_url, nothing="Total")
            ],
            "category": [Column("label", "Category", link=self.category_url, nothing="Total")],
            "product": [
                Column("name", "Product", link=self.product_url, nothing="Total"),
                Column("sku", "SKU", link=_product_page, nothing=""),
            ],
        }

    def figures(self, breakdown: str, scope: SalesScope) -> list[Column]:
        columns = [
            Column("revenue", f"Revenue ({self.currency})", Kind.MONEY),
            Column("revenue_before", f"Revenue {self.before} ({self.currency})", Kind.MONEY),
            Column("revenue_change", "Revenue change (%)", Kind.CHANGE),
            Column("units", "Units", Kind.UNITS),
            Column("units_before", f"Units {self.before}", Kind.UNITS),
            Column("units_change", "Units change (%)", Kind.CHANGE),
        ]
        if has_baskets(breakdown, scope):
            columns += [
                Column("baskets", "Baskets", Kind.COUNT),
                Column("baskets_before", f"Baskets {self.before}", Kind.COUNT),
                Column("basket", f"Average basket ({self.currency})", Kind.MONEY),
                Column(
                    "basket_before", f"Average basket {self.before} ({self.currency})", Kind.MONEY
                ),
                Column("lines", "Receipt lines", Kind.COUNT),
            ]
        if breakdown == "hour":
            columns.append(Column("average", f"Revenue a day ({self.currency})", Kind.MONEY))
        return columns

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

    def charts(self, breakdown: str, rows: list[Row]) -> list[Chart]:
        if breakdown == "hour":
            return []
        if breakdown == "day":
            return [self.days(rows, *measure) for measure in MEASURES]
        if breakdown in ("week", "month"):
            return [self.spans(breakdown, rows, *measure) for measure in MEASURES]
        return [self.bars(breakdown, rows)]

    def days(self, rows: list[Row], key: str, label: str, kind: Kind) -> Chart:
        unit = self.currency if kind is Kind.MONEY else label
        return Chart(
            id=f"chart-{key}",
            title=f"{label} by business day",
            kind="line",
            unit=unit,
            labels=[_short(row["business_date"]) for row in rows],
            series=[
                Series(label, [row[key] for row in rows]),
                Series(
                    self.series_before,
                    [row[f"{key}_before"] for row in rows],
                    role="before",
                    hints=[_short(row["day_before"]) for row in rows],
                ),
            ],
        )

    def spans(self, by: str, rows: list[Row], key: str, label: str, kind: Kind) -> Chart:
        return Chart(
            id=f"chart-{key}",
            title=f"{label} by {by}",
            kind="columns",
            unit=self.currency if kind is Kind.MONEY else label,
            labels=[_month(row) if by == "month" else _short(row["first_day"]) for row in rows],
            series=[
                Series(label, [row[key] for row in rows]),
                Series(self.series_before, [row[f"{key}_before"] for row in rows], role="before"),
            ],
        )

    def heat(self, rows: list[Row]) -> Heatmap:
        """The average of each hour; its rows are hours, so that it fits a phone."""
        hours = [rows[hour::24] for hour in range(24)]
        return Heatmap(
            title="Average revenue by hour of the week, each store's own time",
            unit=f"{self.currency} a day",
            columns=WEEKDAYS,
            labels=[row["clock"] for row in rows[:24]],
            values=[[row["average"] for row in days] for days in hours],
        )

    def bars(self, breakdown: str, rows: list[Row]) -> Chart:
        name = self.names()[breakdown][0].key
        best = [row for row in rows if breakdown != "product" or row["product_id"]][:BARS]
        return Chart(
            id="chart-revenue",
            title=f"Revenue by {breakdown}" + (f", the best {BARS}" if len(rows) > BARS else ""),
            kind="bars",
            unit=self.currency,
            labels=[row[name] for row in best],
            series=[
                Series("Revenue", [row["revenue"] for row in best]),
                Series(self.series_before, [row["revenue_before"] for row in best], role="before"),
            ],
        )

    def cards(self, breakdown: str, scope: SalesScope) -> tuple[Measure, ...]:
        return MEASURES + BASKETS if has_baskets(breakdown, scope) else MEASURES

    def figure(self, total: Row, key: str, label: str, kind: Kind) -> dict[str, Any]:
        change = total[f"{key}_change"]
        return {
            "label": label,
            "is_money": kind is Kind.MONEY,
            "value": _shown(kind, total[key]),
            "before": f"{_shown(kind, total[f'{key}_before'])} {self.before}",
            "change": None if change is None else show(Kind.CHANGE, change),
            "rises": change is not None and change >= 0,
        }

    @property
    def series_before(self) -> str:
        return "Period before" if self.before == "before" else "Last year"

    def links(self, name: str, choices: Any, chosen: str) -> list[dict[str, Any]]:
        return [
            {"label": label, "url": self.url_with(**{name: value}), "chosen": value == chosen}
            for value, label in choices
        ]


def _is_late(last: Row) -> str:
    """The day of the latest sales where later ones are to be expected."""
    day: date | None = last["last_day_with_sales"]
    return long_date(day) if day and day < last["last_full_day"] else ""


def has_baskets(breakdown: str, scope: SalesScope) -> bool:
    return breakdown in WITH_BASKETS and not scope.is_narrowed


def _product_page(row: Row) -> str:
    return reverse("reports:product", args=[row["product_id"]]) if row["product_id"] else ""


def _shown(kind: Kind, value: Any) -> str:
    return "–" if value is None else show(kind, value)


def _month(row: Row) -> str:
    return f"{row['first_day']:%b %Y}"


def _short(day: date) -> str:
    return f"{day.day} {day:%b}"
