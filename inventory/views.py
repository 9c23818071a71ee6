"""The report of stock now, and the page of a product."""

from dataclasses import replace
from math import ceil
from typing import Any
from uuid import UUID

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404
from django.urls import reverse

from inventory import queries
from inventory.filters import StockFilter
from inventory.models import Product
from inventory.queries import VELOCITY_DAYS, StockScope
from sales.queries import last_business_day
from shelfops.reports.chart import Chart, Series
from shelfops.reports.filters import PeriodFilter
from shelfops.reports.period import PRESETS, Period
from shelfops.reports.sql import Row
from shelfops.reports.table import Column, Kind, Table, show
from shelfops.reports.views import Report

PAGE = 50
# Rows are few: a product has one a store, and a customer some hundred stores.
STORES_OF_PRODUCT = 1000

LEVELS = [
    Column("quantity_on_hand", "On hand", Kind.UNITS),
    Column("quantity_allocated", "Allocated", Kind.UNITS),
    Column("quantity_available", "Available", Kind.UNITS),
    Column("velocity", "Units a day", Kind.RATE, nothing="0"),
    Column("cover", "Days of cover", Kind.RATE, nothing="no sales"),
    Column("reorder_point", "Reorder point", Kind.UNITS, nothing="none"),
    Column("status", "Status", Kind.FLAG, nothing=""),
    Column("counted_on", "Counted on", Kind.DATE),
]


class StockReport(Report):
    """Current stock per store and product, the shortest cover first if nothing else is asked."""

    title = "Stock now"
    permission = "reports.stock"
    template_name = "reports/stock.html"
    filter_class = StockFilter

    def build(self, filters: StockFilter) -> dict[str, Any]:
        totals = queries.stock_totals(filters.scope)
        pages = max(ceil(totals["rows"] / PAGE), 1)
        number = min(page_number(self.request), pages)
        period = self.velocity_period(filters)
        found = queries.stock(
            filters.scope, period, limit=PAGE, offset=(number - 1) * PAGE, order=filters.order
        )
        values = filters.form.cleaned_data
        return {
            "period": period,
            "table": Table(
                self.caption(filters), self.columns(filters), found, {"product": None, **totals}
            ),
            "figures": self.figures(totals),
            "without_cost": totals["without_cost"],
            "empty": not totals["rows"],
            "filtered": any(values[name] for name in values if name != "sort"),
            "number": number,
            "pages": pages,
            "previous_url": self.url_with(page=number - 1) if number > 1 else "",
            "next_url": self.url_with(page=number + 1) if number < pages else "",
        }

    def table(self, filters: StockFilter) -> Table:
        """All rows, while the page shows some."""
        found = queries.all_stock(filters.scope, self.velocity_period(filters), filters.order)
        totals = queries.stock_totals(filters.scope)
        return Table(
            self.caption(filters), self.columns(filters), found, {"product": None, **totals}
        )

    def caption(self, filters: StockFilter) -> str:
        return f"Stock now, {SORTS[filters.order][1]}"

    def figures(self, totals: Row) -> list[dict[str, str]]:
        cards = [
            ("Products in stores", show(Kind.COUNT, totals["rows"]), ""),
            ("At or below the reorder point", show(Kind.COUNT, totals["below"]), ""),
            ("Nothing available", show(Kind.COUNT, totals["empty"]), ""),
        ]
        for key, label in (("cost_value", "Value at cost"), ("retail_value", "Value at retail")):
            if totals[key] is not None:
                cards.append((label, show(Kind.MONEY, totals[key]), self.currency))
        return [{"label": label, "value": value, "unit": unit} for label, value, unit in cards]

    def velocity_period(self, filters: StockFilter) -> Period:
        return Period.ending(last_business_day(filters.stores), VELOCITY_DAYS)

    def columns(self, filters: StockFilter) -> list[Column]:
        columns = [
            Column("product", "Product", link=product_url, nothing="Total"),
            Column("sku", "SKU"),
            Column("store", "Store"),
            Column("quantity_on_hand", "On hand", Kind.UNITS),
            Column("quantity_allocated", "Allocated", Kind.UNITS),
            Column("quantity_available", "Available", Kind.UNITS),
            Column("velocity", "Units a day, 28 days", Kind.RATE),
            Column("velocity_7", "Units a day, 7 days", Kind.RATE),
            Column("in_stock_velocity", "Units a day in stock", Kind.RATE),
            Column("cover", "Days of cover", Kind.RATE, nothing="no sales"),
            Column("stockout_on", "Projected stockout", Kind.DATE, nothing=""),
            Column("reorder_point", "Reorder point", Kind.UNITS, nothing=""),
            Column("order_quantity", "Suggested order", Kind.UNITS, nothing=""),
            Column("status", "Status", Kind.FLAG, nothing=""),
            Column("cost_value", f"Value at cost ({self.currency})", Kind.MONEY),
            Column("retail_value", f"Value at retail ({self.currency})", Kind.MONEY),
            Column("counted_on", "Counted on", Kind.DATE, nothing=""),
        ]
        return [self.sortable(column, filters.order) for column in columns]

    def sortable(self, column: Column, order: str) -> Column:
        """With the way to its order; the days of cover turn round."""
        orders = [name for name, (key, _) in SORTS.items() if key == column.key]
        if not orders:
            return column
        other = orders[-1] if order == orders[0] else orders[0]
        return replace(
            column,
            sort_url=self.url_with(sort=None if other == "cover" else other),
            sorted=("ascending" if order in RISING else "descending") if order in orders else "",
        )


# The column of each order, and how the caption says it; the others rise.
SORTS = {
    "cover": ("cover", "the shortest cover first"),
    "-cover": ("cover", "the longest cover first"),
    "velocity": ("velocity", "what sells most first"),
    "on_hand": ("quantity_on_hand", "the most on hand first"),
    "available": ("quantity_available", "the most available first"),
    "cost": ("cost_value", "the highest value at cost first"),
    "retail": ("retail_value", "the highest value at retail first"),
    "product": ("product", "by product"),
    "counted": ("counted_on", "the oldest count first"),
}
RISING = ("cover", "product", "counted")


class ProductReport(Report):
    """A product's stock and sales by day, and its stock in each store."""

    permission = "reports.stock"
    template_name = "reports/product.html"
    filter_class = PeriodFilter

    def get(self, request: HttpRequest, **kwargs: UUID) -> HttpResponseBase:
        self.product = get_object_or_404(Product, pk=kwargs["product_id"])
        self.title = self.product.name
        return super().get(request, **kwargs)

    def build(self, filters: PeriodFilter) -> dict[str, Any]:
        last_day = last_business_day(filters.stores)
        period = filters.chosen_period(last_day)
        history = queries.product_history(self.product.pk, filters.stores, period)
        scope = StockScope(stores=filters.stores, product=self.product.pk)
        velocity_period = Period.ending(last_day, VELOCITY_DAYS)
        stock = queries.stock(scope, velocity_period, limit=STORES_OF_PRODUCT)
        return {
            "product": self.product,
            "period": period,
            "velocity_period": velocity_period,
            "table": Table(f"By business day, {period}", self.columns(), history),
            "stock": Table("Stock now, by store", self.stock_columns(), stock),
            "charts": [chart.data() for chart in self.charts(history)],
            "empty": not stock and not any(row["units"] for row in history),
            "presets": [
                {
                    "label": f"{days} days",
                    "url": self.url_with(period=days, start=None, end=None),
                    "chosen": not filters.form.cleaned_data["start"] and period.days == days,
                }
                for days in PRESETS
            ],
        }

    def file_name(self, filters: PeriodFilter) -> str:
        return "product-history"

    def columns(self) -> list[Column]:
        columns = [
            Column("business_date", "Business day", Kind.DATE),
            Column("units", "Units sold", Kind.UNITS),
            Column("revenue", f"Revenue ({self.currency})", Kind.MONEY),
            Column("on_hand", "On hand at close", Kind.UNITS),
            Column("reorder_point", "Reorder point", Kind.UNITS),
        ]
        if self.request.user.has_perm("reports.sales"):
            return columns
        return [column for column in columns if column.key != "revenue"]

    def stock_columns(self) -> list[Column]:
        return [Column("store", "Store", link=self.store_url), *LEVELS]

    def store_url(self, row: Row) -> str:
        return self.url_with(store=row["store_id"])

    def charts(self, history: list[Row]) -> list[Chart]:
        labels = [f"{row['business_date'].day} {row['business_date']:%b}" for row in history]
        limit = Series("Reorder point", [row["reorder_point"] for row in history], role="limit")
        has_limit = any(row["reorder_point"] is not None for row in history)
        on_hand = Series("On hand", [row["on_hand"] for row in history])
        stock = Chart(
            id="chart-stock",
            title="Stock at the close of the day",
            kind="steps",
            unit="Units",
            labels=labels,
            series=[on_hand, *([limit] if has_limit else [])],
        )
        sales = Chart(
            id="chart-sales",
            title="Units sold",
            kind="columns",
            unit="Units",
            labels=labels,
            series=[Series("Units sold", [row["units"] for row in history])],
        )
        was_counted = any(row["on_hand"] is not None for row in history)
        return [stock, sales] if was_counted else [sales]


def product_url(row: Row) -> str:
    return reverse("reports:product", args=[row["product_id"]])


def page_number(request: HttpRequest) -> int:
    asked = request.GET.get("page", "")
    return max(int(asked), 1) if asked.isdecimal() and len(asked) < 7 else 1
