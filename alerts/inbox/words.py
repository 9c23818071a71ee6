"""Figures, rules and events of an alert as people read them."""

import json
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime

from alerts.models import AlertEvent, AlertType, Resolution, Status
from shelfops.reports.period import long_date
from shelfops.reports.sql import Row
from shelfops.reports.table import plain

# What is measured against the limit, by type.
MEASURES = {
    AlertType.STOCKOUT: "units available",
    AlertType.LOW_STOCK: "units available",
    AlertType.OVERSTOCK: "days of cover",
    AlertType.DEAD_STOCK: "days without a sale",
    AlertType.PHANTOM_STOCK: "usual intervals without a sale",
    AlertType.FEED_GAP: "hours of silence",
}
# Of the other types the measure is one of the figures.
NOT_AMONG_FIGURES = {AlertType.PHANTOM_STOCK, AlertType.FEED_GAP}
# What a rule's threshold says, by type.
THRESHOLDS = {
    AlertType.STOCKOUT: "at most {} units available",
    AlertType.LOW_STOCK: "available at or below {} % of the reorder point",
    AlertType.OVERSTOCK: "stock for more than {} days",
    AlertType.DEAD_STOCK: "in stock and no sale for {} days",
    AlertType.PHANTOM_STOCK: "in stock and no sale for {} times the usual interval",
    AlertType.FEED_GAP: "silent for {} hours more than usual",
}
FIGURES = {
    "on_hand": "On hand, units",
    "available": "Available, units",
    "reorder_point": "Reorder point, units",
    "velocity": "Units sold a day",
    "cover": "Days of cover",
    "days_without_sale": "Days without a sale",
    "days_between_sales": "Usual days between sales",
    "price": "Price of a unit",
    "cost": "Cost of a unit",
    "counted_at": "Counted",
    "last_sales": "Last day with sales",
    "expected_on": "Next sales expected on",
    "usual_days": "Usual days between days with sales",
    "takings_a_day": "Usual revenue a day",
}
SCOPES = {
    "default": "the default for all companies",
    "customer": "your rule for all products and stores",
    "store": "your rule for this store",
    "product": "your rule for this product",
    "category": "your rule for the category {}",
    "department": "your rule for the department {}",
    "store+product": "your rule for this product in this store",
    "store+category": "your rule for the category {} in this store",
    "store+department": "your rule for the department {} in this store",
}
# The colours of Unfold's labels.
SEVERITY = {"critical": "danger", "warning": "warning", "info": "info"}
STATUS = {"open": "danger", "acknowledged": "info", "snoozed": "warning", "resolved": "success"}


class Figure(NamedTuple):
    label: str
    then: str
    now: str


def decoded(value: Any) -> dict[str, Any]:
    """A JSON column as a statement returns it."""
    found = json.loads(value, parse_float=Decimal) if isinstance(value, str) else value
    return found if isinstance(found, dict) else {}


def figures(alert: Row) -> Iterator[Figure]:
    """What the alert was worked out from: when it opened, and now."""
    then, now = decoded(alert["opening_figures"]), decoded(alert["figures"])
    measure = MEASURES.get(alert["alert_type"])
    if measure and ("measure" in then or "measure" in now):
        if alert["alert_type"] in NOT_AMONG_FIGURES:
            yield Figure(measure.capitalize(), *_pair(then, now, "measure"))
        yield Figure(f"Limit, {measure}", *_pair(then, now, "limit"))
    for key in [*FIGURES, *sorted((then.keys() | now.keys()) - FIGURES.keys())]:
        if (key in then or key in now) and key not in ("measure", "limit"):
            yield Figure(
                FIGURES.get(key, key.replace("_", " ").capitalize()), *_pair(then, now, key)
            )


def _pair(then: Row, now: Row, key: str) -> tuple[str, str]:
    return shown(then.get(key)), shown(now.get(key))


def shown(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        return f"{plain(value):,}"
    if isinstance(value, str):
        # A date alone parses as a moment, too.
        if len(value) == 10 and (day := parse_date(value)):
            return long_date(day)
        if moment := _moment(value):
            return f"{timezone.localtime(moment):%-d %b, %H:%M}"
    return str(value)


def _moment(text: str) -> datetime | None:
    try:
        moment = parse_datetime(text)
    except ValueError:
        return None
    return moment if moment and moment.tzinfo else None


def rule(alert: Row) -> str:
    """Which rule applied, what it says, and who is told."""
    applied = decoded(alert["rule"])
    if not applied:
        return ""
    scope = SCOPES.get(applied.get("scope", ""), "a rule of your company")
    where = scope.format(applied.get("scope_name") or "")
    text = THRESHOLDS.get(alert["alert_type"], "a threshold of {}")
    limit = text.format(shown(_number(applied.get("threshold"))))
    times = applied.get("evaluations_to_open") or 1
    proof = f", {times} evaluations in a row" if times > 1 else ""
    return f"{limit}{proof} ({where})"


def _number(value: Any) -> Any:
    return Decimal(str(value)) if value is not None else None


def event(found: Row) -> str:
    """What happened, without who and when."""
    kind = AlertEvent.Kind(found["kind"]).label
    if found["kind"] == "resolved":
        return f"Resolved: {Resolution(found['reason']).label}" if found["reason"] else kind
    if found["kind"] == "snoozed" and found["reason"] == "until_worse":
        return "Snoozed until it gets worse"
    if found["kind"] == "woken" and found["reason"] == "worse":
        return "Got worse: the snooze ended"
    if found["kind"] == "hidden":
        return f"Hidden by: {AlertType(found['reason']).label}" if found["reason"] else kind
    if found["kind"] == "undone":
        return f"Undone: {Status(found['to_status']).label.lower()} again"
    return kind


def who(found: Row) -> str:
    return found["actor"] or AlertEvent.Source(found["source"]).label


def since(moment: datetime) -> str:
    """How long ago, in one unit: 5 min, 3 h, 12 days."""
    seconds = max((timezone.now() - moment).total_seconds(), 0)
    if seconds < 3600:
        return f"{int(seconds // 60)} min"
    if seconds < 2 * 86400:
        return f"{int(seconds // 3600)} h"
    return f"{int(seconds // 86400):,} days"


def capped(count: int, most: int) -> str:
    return f"{most:,}+" if count > most else f"{count:,}"
