"""The report of stock now."""

from dataclasses import replace
from math import ceil
from typing import Any

from django.http import HttpRequest
from django.urls import reverse

from inventory import queries
from inventory.filters import StockFilter
from inventory.queries import VELOCITY_DAYS
from sales.days import last_business_day
from shelfops.reports.period import Period
from shelfops.reports.sql import Row
from shelfops.reports.table import Column, Kind, Table, show
from shelfops.reports.views import Report

PAGE = 50


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
        cost, retail = totals["cost_value"], totals["retail_value"]
        cards = [
            ("Products in stores", show(Kind.COUNT, totals["rows"]), "", ""),
            ("At or below the reorder point", show(Kind.COUNT, totals["below"]), "", ""),
            ("Nothing available", show(Kind.COUNT, totals["empty"]), "", ""),
        ]
        if cost is not None:
            note = "" if retail is None else f"{show(Kind.MONEY, retail)} at retail"
            cards.append(("Value at cost", show(Kind.MONEY, cost), self.currency, note))
        elif retail is not None:
            cards.append(("Value at retail", show(Kind.MONEY, retail), self.currency, ""))
        names = ("label", "value", "unit", "note")
        return [dict(zip(names, card, strict=True)) for card in cards]

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
            Column("cover", "Days of cover", Kind.RATE, nothing="no sales"),
            Column("stockout_on", "Projected stockout", Kind.DATE, nothing=""),
            Column("reorder_point", "Reorder point", Kind.UNITS, nothing=""),
            Column("order_quantity", "Suggested order", Kind.UNITS, nothing=""),
            Column("status", "Status", Kind.FLAG, nothing=""),
            Column("velocity", "Units a day, 28 days", Kind.RATE),
            Column("velocity_7", "Units a day, 7 days", Kind.RATE),
            Column("in_stock_velocity", "Units a day in stock", Kind.RATE),
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


def product_url(row: Row) -> str:
    return reverse("reports:product", args=[row["product_id"]])


def page_number(request: HttpRequest) -> int:
    asked = request.GET.get("page", "")
    return max(int(asked), 1) if asked.isdecimal() and len(asked) < 7 else 1
