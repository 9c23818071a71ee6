"""Pages on stock over a period: as of a day, turn and GMROI, sell-through, availability."""

from collections.abc import Callable, Iterator
from datetime import date
from typing import Any

from django.urls import reverse

from inventory.reports import movement, trend
from inventory.reports.analysis import TODAYS, UNCOUNTED, Analysis
from inventory.reports.filters import (
    AsOfFilter,
    AvailabilityFilter,
    MovementFilter,
    SellThroughFilter,
    TurnFilter,
)
from shelfops.reports.chart import Chart, Series
from shelfops.reports.sql import Row
from shelfops.reports.table import Column, Kind, show


class MovementReport(Analysis):
    """Columns of the rows of `movement`, by department, category, store or product."""

    filter_class: type[MovementFilter] = MovementFilter
    orders = movement.ORDERS
    with_sales = True

    def fetch(self, filters: MovementFilter, limit: int, offset: int) -> list[Row]:
        return movement.by_group(
            filters.group,
            filters.scope,
            self.period,
            order=filters.order,
            limit=limit,
            offset=offset,
            with_sales=self.with_sales,
        )

    def fetch_all(self, filters: MovementFilter) -> Iterator[Row]:
        return movement.all_by_group(
            filters.group,
            filters.scope,
            self.period,
            filters.order,
            with_sales=self.with_sales,
        )

    def caption(self, filters: MovementFilter) -> str:
        return f"{self.title} by {filters.group}, {self.period}"

    def file_name(self, filters: MovementFilter) -> str:
        return f"{super().file_name(filters)}-by-{filters.group}"

    def before(self, filters: MovementFilter) -> Row:
        """The total of as many days before."""
        [total] = movement.by_group(
            filters.group, filters.scope, self.period.before, order="label", limit=0
        )
        return total

    def columns(self, filters: MovementFilter) -> list[Column]:
        return [*self.names(filters), *self.figures()]

    def figures(self) -> list[Column]:
        raise NotImplementedError

    def names(self, filters: MovementFilter) -> list[Column]:
        """A click leads from the store or department to its categories, to their products."""
        name = Column("label", filters.group.title(), link=self.inside(filters), nothing="Total")
        return [name, Column("number", "SKU", nothing="")] if filters.group == "product" else [name]

    def inside(self, filters: MovementFilter) -> Callable[[Row], str]:
        links: dict[str, Callable[[Row], str]] = {
            "department": lambda row: self.narrowed("department", row, "category"),
            "category": lambda row: self.narrowed("category", row, "product"),
            "store": lambda row: self.url_with(store=row["store_id"], by="department"),
            "product": lambda row: reverse("reports:product", args=[row["product_id"]]),
        }
        return links[filters.group]

    def narrowed(self, name: str, row: Row, by: str) -> str:
        return self.url_with(**{name: row[name]}, by=by) if row[name] else ""

    def note_of_costs(self, total: Row) -> str:
        missing = total["without_cost"]
        return f"{missing:,} products without a cost left out" if missing else ""


class StockAsOf(MovementReport):
    """What was in stock at the close of a day, and on the way there."""

    title = "Stock as of"
    filter_class = AsOfFilter
    with_sales = False
    notes = (
        "Stock at the close of the store's business day is what was last counted by then.",
        UNCOUNTED,
        TODAYS,
    )
    nothing = "No stock was counted by this day."

    def fetch(self, filters: MovementFilter, limit: int, offset: int) -> list[Row]:
        if filters.group == "day":
            self.days = trend.by_day(filters.scope, self.period)
            return self.by_day(limit, offset)
        rows = super().fetch(filters, limit, offset)
        self.days = trend.days_of(rows[-1])
        return rows

    def by_day(self, limit: int, offset: int) -> list[Row]:
        """A page of the days; they have no total."""
        days = self.known_days
        return [*days[offset : offset + limit], {"place": len(days) + 1}]

    @property
    def known_days(self) -> list[Row]:
        """From the first count on; what the period began with is not one of its days."""
        return [day for day in self.days[1:] if day["known"] is not None]

    def fetch_all(self, filters: MovementFilter) -> Iterator[Row]:
        if filters.group == "day":
            self.days = trend.by_day(filters.scope, self.period)
            return iter(self.known_days)
        return super().fetch_all(filters)

    def caption(self, filters: MovementFilter) -> str:
        if filters.group == "day":
            return f"Stock at the close of each day, {self.period}"
        return f"Stock by {filters.group} at the close of {self.period.end:%a %-d %b %Y}"

    def columns(self, filters: MovementFilter) -> list[Column]:
        if filters.group != "day":
            return super().columns(filters)
        return [
            Column("business_date", "Business day", Kind.DATE, nothing=""),
            Column("on_hand", "On hand", Kind.UNITS),
            Column("cost", self.money("Value at cost"), Kind.MONEY),
            Column("retail", self.money("Value at retail"), Kind.MONEY),
            Column("in_stock", "Products in stores in stock", Kind.COUNT),
            Column("known", "Products in stores counted", Kind.COUNT),
        ]

    def figures(self) -> list[Column]:
        return [
            Column("closing", "On hand", Kind.UNITS),
            Column("change", f"Change since {self.opening:%-d %b %Y}", Kind.UNITS),
            Column("closing_cost", self.money("Value at cost"), Kind.MONEY),
            Column("closing_retail", self.money("Value at retail"), Kind.MONEY),
            Column("pairs_in_stock", "Products in stores in stock", Kind.COUNT),
            Column("pairs", "Products in stores counted", Kind.COUNT),
        ]

    @property
    def opening(self) -> date:
        return self.period.before.end

    def cards(self, filters: MovementFilter, total: Row) -> list[dict[str, str]]:
        first, last = self.days[0], self.days[-1]
        was = f"on {self.opening:%-d %b %Y}"
        return [
            self.card(label, kind, last[key], unit, self.then(kind, first[key], was))
            for key, label, kind, unit in (
                ("on_hand", "Units on hand", Kind.UNITS, ""),
                ("cost", "Value at cost", Kind.MONEY, self.currency),
                ("retail", "Value at retail", Kind.MONEY, self.currency),
                ("in_stock", "Products in stores in stock", Kind.COUNT, ""),
            )
        ]

    def then(self, kind: Kind, value: Any, was: str) -> str:
        return "" if value is None else f"{show(kind, value)} {was}"

    def charts(self, filters: MovementFilter, rows: list[Row]) -> list[Chart]:
        value = "cost" if self.days[-1]["cost"] is not None else "retail"
        labels = [f"{row['business_date']:%-d %b}" for row in self.days]
        return [
            Chart(f"chart-{key}", title, "steps", unit, labels, [Series(title, values)])
            for key, title, unit in (
                (value, f"Value at {value} at the close of the day", self.currency),
                ("on_hand", "Units on hand at the close of the day", "Units"),
            )
            if any(values := [row[key] for row in self.days])
        ]


class StockTurn(MovementReport):
    """How often stock was sold, and what it earned."""

    title = "Stock turn and GMROI"
    filter_class = TurnFilter
    notes = (
        "Stock turn is the cost of what was sold, divided by the average stock at cost of the"
        " period's days. A year has 365 days.",
        "GMROI is the gross margin (revenue less cost), divided by the same average: what each"
        " unit of money in stock earned.",
        "Products without a cost are left out of both; there is no figure where nothing was in"
        " stock. Costs are today's.",
        UNCOUNTED,
    )

    def figures(self) -> list[Column]:
        return [
            Column("turn", "Stock turn", Kind.RATE),
            Column("yearly_turn", "Turns a year", Kind.RATE),
            Column("gmroi", "GMROI", Kind.RATE),
            Column("average_stock_cost", self.money("Average stock at cost"), Kind.MONEY),
            Column("cost_of_sales", self.money("Cost of goods sold"), Kind.MONEY),
            Column("margin", self.money("Gross margin"), Kind.MONEY),
            Column("average_stock", "Average units in stock", Kind.RATE),
            Column("units", "Units sold", Kind.UNITS),
            Column("without_cost", "Products without cost", Kind.COUNT),
        ]

    def cards(self, filters: MovementFilter, total: Row) -> list[dict[str, str]]:
        before = self.before(filters)
        return [
            self.card("Stock turn", Kind.RATE, total["turn"], "", _was(before["turn"])),
            self.card("Turns a year", Kind.RATE, total["yearly_turn"]),
            self.card("GMROI", Kind.RATE, total["gmroi"], "", _was(before["gmroi"])),
            self.card(
                "Average stock at cost",
                Kind.MONEY,
                total["average_stock_cost"],
                self.currency,
                self.note_of_costs(total),
            ),
        ]

    def charts(self, filters: MovementFilter, rows: list[Row]) -> list[Chart]:
        return self.bars("Stock turn", "Times in the period", rows, "turn")


class SellThrough(MovementReport):
    """What share of the stock there was has been sold."""

    title = "Sell-through"
    filter_class = SellThroughFilter
    notes = (
        "Sell-through is what was sold, divided by the stock at the start and what was received.",
        "There is no feed of receipts: what was received is worked out from the counts, as what"
        " they have more than they should after the sales between them. Stock that went missing"
        " is not taken off.",
        "Over 100% means that more was sold than was there by the counts: it arrived after the"
        " last count, or a count was wrong.",
        UNCOUNTED,
    )

    def figures(self) -> list[Column]:
        return [
            Column("sell_through", "Sell-through (%)", Kind.RATE),
            Column("units", "Units sold", Kind.UNITS),
            Column("opening", "Stock at the start", Kind.UNITS),
            Column("received", "Received", Kind.UNITS),
            Column("closing", "Stock at the end", Kind.UNITS),
        ]

    def cards(self, filters: MovementFilter, total: Row) -> list[dict[str, str]]:
        before = self.before(filters)
        share = before["sell_through"]
        return [
            self.card("Sell-through", Kind.RATE, total["sell_through"], "%", _was(share, "%")),
            self.card("Units sold", Kind.UNITS, total["units"], "", _was(before["units"])),
            self.card("Received", Kind.UNITS, total["received"], "", _was(before["received"])),
        ]

    def charts(self, filters: MovementFilter, rows: list[Row]) -> list[Chart]:
        return self.bars("Sell-through", "%", rows, "sell_through")


class Availability(MovementReport):
    """How much of the time products were there, and what was lost while they were not."""

    title = "Availability"
    filter_class = AvailabilityFilter
    notes = (
        "Availability is the share of days on which something was available at the close, of all"
        " days of each product in each store since its first count.",
        "Estimated lost sales are the units sold for each day in stock, times the days out of"
        " stock, of each product in each store; in revenue, at the price it sold for.",
    )

    def figures(self) -> list[Column]:
        return [
            Column("availability", "Availability (%)", Kind.RATE),
            Column("days_in_stock", "Product-days in stock", Kind.COUNT),
            Column("days_out", "Product-days out of stock", Kind.COUNT),
            Column("in_stock_velocity", "Units a day in stock", Kind.RATE),
            Column("lost_units", "Estimated lost units", Kind.RATE),
            Column("lost_revenue", self.money("Estimated lost revenue"), Kind.MONEY),
            Column("units", "Units sold", Kind.UNITS),
        ]

    def cards(self, filters: MovementFilter, total: Row) -> list[dict[str, str]]:
        before = self.before(filters)
        lost = total["lost_revenue"]
        was = before["lost_revenue"]
        return [
            self.card(
                "Availability",
                Kind.RATE,
                total["availability"],
                "%",
                _was(before["availability"], "%"),
            ),
            self.card("Product-days out of stock", Kind.COUNT, total["days_out"]),
            self.card("Estimated lost units", Kind.RATE, total["lost_units"]),
            self.card("Estimated lost revenue", Kind.MONEY, lost, self.currency, _was(was)),
        ]

    def charts(self, filters: MovementFilter, rows: list[Row]) -> list[Chart]:
        return self.bars("Estimated lost revenue", self.currency, rows, "lost_revenue")


def _was(value: Any, unit: str = "") -> str:
    return "" if value is None else f"{show(Kind.RATE, value)}{unit} in the period before"
