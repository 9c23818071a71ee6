"""The page of a product: sales, stock, price and what happened, on one axis of days."""

from collections import defaultdict
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404
from django.urls import reverse

from alerts.models import AlertEvent, AlertType
from inventory import product_queries as queries
from inventory.models import Product
from inventory.queries import VELOCITY_DAYS
from inventory.timeline import Line, Mark, Panel, Timeline
from sales.days import last_business_day, last_day_notes, last_days, period_end
from sales.gaps import Gaps, gaps
from shelfops.reports.chart import Gap
from shelfops.reports.filters import PeriodFilter
from shelfops.reports.period import Period, long_date
from shelfops.reports.sql import Row
from shelfops.reports.table import Column, Kind, Table, show
from shelfops.reports.views import Report

# Columns and panels of amounts are for those who may read the sales report.
AMOUNTS = {"revenue", "price"}
LANES = ("Alert", "Handled", "Resolved", "Anomaly", "Reorder point")
# By what happened; a person's other ways with an alert are handling it.
LANE_OF = {
    **dict.fromkeys(("opened", "regressed", "reopened", "worse", "woken"), "Alert"),
    "resolved": "Resolved",
    "anomaly": "Anomaly",
    "rule": "Reorder point",
}


class ProductReport(Report):
    """A product's sales, stock and price by day, and its stock in each store."""

    permission = "reports.stock"
    template_name = "reports/product.html"
    filter_class = PeriodFilter

    def get(self, request: HttpRequest, **kwargs: UUID) -> HttpResponseBase:
        self.product = get_object_or_404(Product, pk=kwargs["product_id"])
        self.title = self.product.name
        self.sees_amounts = request.user.has_perm("reports.sales")
        return super().get(request, **kwargs)

    def build(self, filters: PeriodFilter) -> dict[str, Any]:
        last = last_days(filters.stores)
        last_day = period_end(last)
        period = filters.chosen_period(last_day)
        events = self.events(filters, period)
        days = with_events(self.history(filters, period), events)
        *stock, total = queries.stock_by_store(self.product.pk, filters.stores, last_day)
        return {
            "product": self.product,
            "period": period,
            "last_day_notes": last_day_notes(last),
            "velocity_period": Period.ending(last_day, VELOCITY_DAYS),
            "table": self.days_table(days, period),
            "stock": Table("Stock now, by store", self.stock_columns(), stock, total),
            "events": Table(f"What happened, {period}", self.event_columns(), events),
            "most_events": queries.MOST_EVENTS if len(events) == queries.MOST_EVENTS else None,
            "timeline": self.timeline(days, events).data(),
            "figures": self.figures(days, stock, total),
            "links": self.links(filters),
            "empty": not stock and not events and not any(row["units"] for row in days),
            "presets": self.presets(filters, period),
        }

    def table(self, filters: PeriodFilter) -> Table:
        period = filters.chosen_period(last_business_day(filters.stores))
        days = with_events(self.history(filters, period), self.events(filters, period))
        return self.days_table(days, period)

    def file_name(self, filters: PeriodFilter) -> str:
        return "product-history"

    def history(self, filters: PeriodFilter, period: Period) -> list[Row]:
        """Nothing is compared here, so that the period is asked for gaps against itself."""
        days = queries.history(self.product.pk, filters.stores, period)
        return with_gaps(days, gaps(filters.stores, period, period))

    def events(self, filters: PeriodFilter, period: Period) -> list[Row]:
        may = self.request.user.has_perm
        found = queries.events(
            self.product.pk,
            filters.stores,
            period,
            alerts=may("alerts.view_alert"),
            anomalies=may("alerts.view_anomaly"),
        )
        return [{**event, "what": what_happened(event)} for event in found]

    def days_table(self, days: list[Row], period: Period) -> Table:
        columns = [
            Column("business_date", "Business day", Kind.DATE, nothing="Total"),
            Column("units", "Units sold", Kind.UNITS),
            Column("velocity", "Velocity, 7 days", Kind.RATE, nothing=""),
            Column("revenue", f"Revenue ({self.currency})", Kind.MONEY),
            Column("price", f"Average price ({self.currency})", Kind.MONEY),
            Column("on_hand", "On hand at close", Kind.UNITS, nothing=""),
            Column("reorder_point", "Reorder point", Kind.UNITS, nothing=""),
            Column("order_up_to", "Order up to", Kind.UNITS, nothing=""),
            Column("events", "What happened", nothing=""),
        ]
        if any(row["without"] for row in days):
            columns.append(Column("without", "Without data", nothing=""))
        if not self.sees_amounts:
            columns = [column for column in columns if column.key not in AMOUNTS]
        units, revenue = days[0]["all_units"], days[0]["all_revenue"]
        price = revenue / units if units > 0 else None
        total = {"units": units, "revenue": revenue, "price": price}
        return Table(f"By business day, {period}", columns, days, total)

    def stock_columns(self) -> list[Column]:
        return [
            Column("store", "Store", link=self.store_url, nothing="Total"),
            Column("quantity_on_hand", "On hand", Kind.UNITS, nothing="not counted"),
            Column("quantity_allocated", "Allocated", Kind.UNITS),
            Column("quantity_available", "Available", Kind.UNITS),
            Column("velocity_7", "Velocity, 7 days", Kind.RATE),
            Column("velocity_28", "Velocity, 28 days", Kind.RATE),
            Column("in_stock_velocity", "In-stock velocity", Kind.RATE),
            Column("cover", "Days of cover", Kind.RATE, nothing="no sales"),
            Column("stockout_on", "Projected stockout", Kind.DATE, nothing=""),
            Column("reorder_point", "Reorder point", Kind.UNITS, nothing="none"),
            Column("order_up_to", "Order up to", Kind.UNITS, nothing="none"),
            Column("status", "Status", Kind.FLAG, nothing=""),
            Column("counted_on", "Counted on", Kind.DATE, nothing=""),
        ]

    def event_columns(self) -> list[Column]:
        return [
            Column("business_date", "Business day", Kind.DATE),
            Column("what", "What happened", link=alert_url),
            Column("store", "Store"),
            Column("detail", "Details"),
        ]

    def store_url(self, row: Row) -> str:
        return self.url_with(store=row["store_id"])

    def timeline(self, days: list[Row], events: list[Row]) -> Timeline:
        panels = [*self.stock_panel(days), self.sales_panel(days), *self.price_panel(days)]
        marks = [
            Mark(event["business_date"], lane(event), sign(event), mark_text(event))
            for event in events
        ]
        seen = {mark.lane for mark in marks}
        lanes = [name for name in LANES if name in seen]
        return Timeline([row["business_date"] for row in days], panels, lanes, marks)

    def stock_panel(self, days: list[Row]) -> list[Panel]:
        def values(key: str) -> list[Any]:
            return [row[key] for row in days]

        lines = []
        if any(row["reorder_point"] is not None for row in days):
            lines += [
                Line("Reorder point", values("reorder_point"), "steps", "limit"),
                Line("Order up to", values("order_up_to"), "area", "limit"),
            ]
        if any(row["on_hand"] is not None for row in days):
            lines += [Line("On hand", values("on_hand"), "steps")]
        return [Panel("panel-stock", "Stock at the close of the day", "units", lines)][: len(lines)]

    def sales_panel(self, days: list[Row]) -> Panel:
        def values(key: str) -> list[Any]:
            return [None if row["is_gap"] else row[key] for row in days]

        lines = [
            Line("Velocity, 7 days", values("velocity"), role="limit"),
            Line("Units sold", values("units"), "columns"),
        ]
        missing = [
            Gap(n, f"no data from {row['without']}") for n, row in enumerate(days) if row["is_gap"]
        ]
        return Panel("panel-sales", "Units sold", "units", lines, missing)

    def price_panel(self, days: list[Row]) -> list[Panel]:
        prices = [row["price"] for row in days]
        if not self.sees_amounts or not any(price is not None for price in prices):
            return []
        lines = [Line("Average selling price", prices)]
        if self.product.unit_price is not None:
            regular = [self.product.unit_price] * len(days)
            lines.append(Line("Regular price now", regular, role="limit"))
        return [Panel("panel-price", "Price of a unit", self.currency, lines)]

    def figures(self, days: list[Row], stock: list[Row], total: Row) -> list[dict[str, str]]:
        below = sum(row["status"] == "Reorder" for row in stock)
        return [
            {
                "label": "On hand",
                "value": shown(total["quantity_on_hand"], "Not counted"),
                "note": f"{shown(total['quantity_available'], 'none')} available",
            },
            {
                "label": "Velocity, 28 days",
                "value": shown(total["velocity_28"], "0"),
                "note": f"units a day; {shown(total['velocity_7'], '0')} in the last 7 days, "
                f"{shown(total['in_stock_velocity'], 'unknown')} while in stock",
            },
            {
                "label": "Days of cover",
                "value": shown(total["cover"], "No sales"),
                "note": f"{below} of {len(stock)} store{'' if len(stock) == 1 else 's'} to reorder",
            },
            stockout_figure(stock),
            *self.sales_figures(days[0]),
        ]

    def sales_figures(self, sums: Row) -> list[dict[str, str]]:
        units, revenue = sums["all_units"], sums["all_revenue"]
        sold = {"label": "Sold in the period", "value": shown(units, "0"), "note": "units"}
        if not self.sees_amounts:
            return [sold]
        sold["note"] = f"{self.currency} {show(Kind.MONEY, revenue)}"
        cost = self.product.unit_cost
        margin = {
            "label": "Margin in the period",
            "value": "Unknown",
            "note": "it has no unit cost",
        }
        if cost is not None and revenue > 0:
            profit = revenue - units * cost
            margin["value"] = f"{profit / revenue:.1%}"
            margin["note"] = f"{self.currency} {show(Kind.MONEY, profit)}, at today's unit cost"
        elif cost is not None:
            margin["note"] = "nothing was sold"
        return [sold, margin]

    def links(self, filters: PeriodFilter) -> list[dict[str, str]]:
        """Ways on, for who may go there; the sales report keeps stores and period."""
        kept = self.request.GET.copy()
        kept.update({"product": str(self.product.pk), "by": "day"})
        sku = urlencode({"q": self.product.sku})
        record = "Edit product" if self.may("inventory.change_product") else "Product record"
        product = reverse("admin:inventory_product_change", args=[self.product.pk])
        points = reverse("admin:inventory_reorderpoint_changelist") + f"?in_force=all&{sku}"
        alerts = reverse("alerts:inbox") + f"?{sku}"
        ways = [
            ("inventory.view_product", record, product),
            ("inventory.view_reorderpoint", "Its reorder points", points),
            ("alerts.view_alert", "Its alerts", alerts),
            (
                "reports.sales",
                "In the sales report",
                f"{reverse('reports:sales')}?{kept.urlencode()}",
            ),
        ]
        return [{"label": label, "url": url} for perm, label, url in ways if self.may(perm)]

    def may(self, permission: str) -> bool:
        return bool(self.request.user.has_perm(permission))


def with_gaps(days: list[Row], found: Gaps) -> list[Row]:
    """Each day with what it is `without`; a gap on which nothing was sold has no figures."""

    def marked(day: Row) -> Row:
        is_gap = found.is_gap(day["business_date"])
        is_empty = is_gap and not day["units"] and not day["revenue"]
        nothing = {"units": None, "revenue": None, "velocity": None} if is_empty else {}
        without = found.without(day["business_date"]) or None
        return {**day, **nothing, "is_gap": is_gap, "without": without}

    return [marked(day) for day in days]


def with_events(days: list[Row], events: list[Row]) -> list[Row]:
    """Each day with the words for what happened on it."""
    texts = defaultdict(list)
    for event in reversed(events):
        texts[event["business_date"]].append(mark_text(event))
    return [{**day, "events": "; ".join(texts[day["business_date"]]) or None} for day in days]


def what_happened(event: Row) -> str:
    if event["kind"] == "rule":
        return "Reorder point changed"
    if event["kind"] == "anomaly":
        return f"Anomaly: {event['name']}"
    kind = AlertEvent.Kind(event["kind"]).label.lower()
    actor = f" by {event['actor']}" if event["actor"] else ""
    return f"{AlertType(event['name']).label} alert: {kind}{actor}"


def lane(event: Row) -> str:
    return LANE_OF.get(event["kind"], "Handled")


def mark_text(event: Row) -> str:
    if event["kind"] == "rule":
        return f"{event['detail']} ({event['store']})"
    return f"{event['what']} ({event['store']})"


def sign(event: Row) -> str:
    """The look of a mark: the severity of what opened or was found, else its lane."""
    name = lane(event)
    return str(event["severity"]) if name in ("Alert", "Anomaly") else name


def alert_url(event: Row) -> str:
    alert = event["alert_id"]
    return reverse("alerts:alert", args=[alert]) if alert else ""


def stockout_figure(stock: list[Row]) -> dict[str, str]:
    """The first store to run out; the rows have the shortest cover first."""
    out = sum(
        row["quantity_available"] is not None and row["quantity_available"] <= 0 for row in stock
    )
    first = next((row for row in stock if row["stockout_on"]), None)
    figure = {"label": "Projected stockout", "value": "None", "note": "at the last 28 days' sales"}
    if out:
        return {**figure, "value": "Out of stock", "note": f"now, in {out} of {len(stock)} stores"}
    if first:
        figure["value"] = long_date(first["stockout_on"])
        figure["note"] = f"first in {first['store']}" if len(stock) > 1 else figure["note"]
    return figure


def shown(value: Any, nothing: str) -> str:
    return nothing if value is None else show(Kind.UNITS, value)
