"""The stock report, and the page of a product."""

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
    """Current stock per store and product, the shortest cover first."""

    title = "Stock"
    permission = "reports.stock"
    template_name = "reports/stock.html"
    filter_class = StockFilter

    def build(self, filters: StockFilter) -> dict[str, Any]:
        counts = queries.stock_counts(filters.scope)
        pages = max(ceil(counts["rows"] / PAGE), 1)
        number = min(_page_number(self.request), pages)
        period = self.velocity_period(filters)
        found = queries.stock(filters.scope, period, limit=PAGE, offset=(number - 1) * PAGE)
        return {
            "period": period,
            "table": Table(self.caption, self.columns, found),
            "figures": {name: show(Kind.COUNT, number) for name, number in counts.items()},
            "empty": not counts["rows"],
            "filtered": any(filters.form.cleaned_data.values()),
            "number": number,
            "pages": pages,
            "previous_url": self.url_with(page=number - 1) if number > 1 else "",
            "next_url": self.url_with(page=number + 1) if number < pages else "",
        }

    caption = "Stock now, the shortest cover first"

    def table(self, filters: StockFilter) -> Table:
        """All rows, while the page shows some."""
        found = queries.all_stock(filters.scope, self.velocity_period(filters))
        return Table(self.caption, self.columns, found)

    def velocity_period(self, filters: StockFilter) -> Period:
        return Period.ending(last_business_day(filters.stores), VELOCITY_DAYS)

    @property
    def columns(self) -> list[Column]:
        return [
            Column("product", "Product", link=product_url),
            Column("sku", "SKU"),
            Column("store", "Store"),
            *LEVELS,
        ]


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


def _page_number(request: HttpRequest) -> int:
    asked = request.GET.get("page", "")
    return max(int(asked), 1) if asked.isdecimal() and len(asked) < 7 else 1
