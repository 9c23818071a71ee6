"""What led to an alert, drawn: stock with its threshold, and sales, of the weeks around it."""

from typing import Any
from zoneinfo import ZoneInfo

from django.utils import timezone

from alerts.inbox import queries
from alerts.inbox.words import decoded
from alerts.models import AlertType
from inventory.product_queries import history as product_history
from shelfops.reports.chart import Chart, Series
from shelfops.reports.period import Period
from shelfops.reports.sql import Row

DAYS = 42


def of(alert: Row, currency: str) -> list[Chart]:
    """The last weeks of an active alert, or the weeks up to its end."""
    end = alert["resolved_at"] or timezone.now()
    last = end.astimezone(ZoneInfo(alert["time_zone"])).date()
    period = Period.ending(last, DAYS)
    if alert["product_id"] is None:
        return [_takings(alert, period, currency)]
    history = product_history(alert["product_id"], [alert["store_id"]], period)
    charts = [_sales(history)]
    if any(day["on_hand"] is not None for day in history):
        charts.insert(0, _stock(alert, history))
    return charts


def _stock(alert: Row, history: list[Row]) -> Chart:
    name, limits = _threshold(alert, history)
    limit = [Series(name, limits, role="limit")] if any(v is not None for v in limits) else []
    return Chart(
        id="chart-stock",
        title="Stock at the close of the day",
        kind="steps",
        unit="Units",
        labels=_labels(history),
        series=[Series("On hand", [day["on_hand"] for day in history]), *limit],
    )


def _threshold(alert: Row, history: list[Row]) -> tuple[str, list[Any]]:
    """In units of stock: the limit of the rule, or where the stock should be reordered."""
    figures = decoded(alert["figures"])
    if alert["alert_type"] in (AlertType.STOCKOUT, AlertType.LOW_STOCK) and "limit" in figures:
        return "Limit of the rule", [figures["limit"]] * len(history)
    if alert["alert_type"] == AlertType.OVERSTOCK and {"limit", "velocity"} <= figures.keys():
        enough = figures["limit"] * figures["velocity"]
        return "Limit of the rule, in units", [enough] * len(history)
    return "Reorder point", [day["reorder_point"] for day in history]


def _sales(history: list[Row]) -> Chart:
    return Chart(
        id="chart-sales",
        title="Units sold",
        kind="columns",
        unit="Units",
        labels=_labels(history),
        series=[Series("Units sold", [day["units"] for day in history])],
    )


def _takings(alert: Row, period: Period, currency: str) -> Chart:
    history = queries.takings(alert["store_id"], period)
    return Chart(
        id="chart-sales",
        title=f"Revenue of {alert['store']}",
        kind="columns",
        unit=currency,
        labels=_labels(history),
        series=[Series("Revenue", [day["revenue"] for day in history])],
    )


def _labels(history: list[Row]) -> list[str]:
    return [f"{day['business_date'].day} {day['business_date']:%b}" for day in history]
