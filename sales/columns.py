"""Columns and key figures of the sales report."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from django.urls import reverse

from shelfops.reports.sql import Row
from shelfops.reports.table import Column, Kind, show

Link = Callable[[Row], str]

SPAN = (
    Column("first_day", "From", Kind.DATE, nothing="Total"),
    Column("last_day", "To", Kind.DATE, nothing=""),
    Column("days", "Days", Kind.COUNT),
)


# Only where something is missing. A figure for which nothing came in is empty, and not 0.
WITHOUT = [Column("without", "Without data", nothing="")]


class Measure(NamedTuple):
    key: str
    label: str
    kind: Kind


MEASURES = (Measure("revenue", "Revenue", Kind.MONEY), Measure("units", "Units", Kind.UNITS))
BASKETS = (
    Measure("baskets", "Baskets", Kind.COUNT),
    Measure("basket", "Average basket", Kind.MONEY),
)
MARGINS = (Measure("margin", "Margin", Kind.MONEY), Measure("revenue", "Revenue", Kind.MONEY))


def names(breakdown: str, links: dict[str, Link]) -> list[Column]:
    """What the rows are of; `links` lead further down from some of them."""
    found: dict[str, Sequence[Column]] = {
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
        "store": [Column("name", "Store", link=links["store"], nothing="Total")],
        "department": [
            Column("label", "Department", link=links["department"], nothing="Total"),
        ],
        "category": [Column("label", "Category", link=links["category"], nothing="Total")],
        "product": [
            Column("name", "Product", link=links["product"], nothing="Total"),
            Column("sku", "SKU", link=_product_page, nothing=""),
        ],
    }
    return list(found[breakdown])


def _product_page(row: Row) -> str:
    return reverse("reports:product", args=[row["product_id"]]) if row["product_id"] else ""


def sales(currency: str, before: str) -> list[Column]:
    """Revenue and units against what they are compared with, called `before`."""
    return [
        Column("revenue", f"Revenue ({currency})", Kind.MONEY),
        Column("revenue_before", f"Revenue {before} ({currency})", Kind.MONEY),
        Column("revenue_change", "Revenue change (%)", Kind.CHANGE),
        Column("units", "Units", Kind.UNITS),
        Column("units_before", f"Units {before}", Kind.UNITS),
        Column("units_change", "Units change (%)", Kind.CHANGE),
    ]


def baskets(currency: str, before: str) -> list[Column]:
    return [
        Column("baskets", "Baskets", Kind.COUNT),
        Column("baskets_before", f"Baskets {before}", Kind.COUNT),
        Column("basket", f"Average basket ({currency})", Kind.MONEY),
        Column("basket_before", f"Average basket {before} ({currency})", Kind.MONEY),
        Column("lines", "Receipt lines", Kind.COUNT),
    ]


def hours(currency: str) -> list[Column]:
    return [Column("average", f"Revenue a day ({currency})", Kind.MONEY)]


def movers(currency: str, before: str) -> list[Column]:
    return [
        Column("direction", "Direction", nothing=""),
        Column("revenue_difference", f"Revenue difference ({currency})", Kind.MONEY),
        Column("units_difference", "Units difference", Kind.UNITS),
        *sales(currency, before),
    ]


def margins(currency: str, before: str) -> list[Column]:
    return [
        Column("revenue", f"Revenue ({currency})", Kind.MONEY),
        Column("known_share", "of it with known cost (%)", Kind.RATE),
        Column("cost", f"Cost ({currency})", Kind.MONEY),
        Column("margin", f"Margin ({currency})", Kind.MONEY),
        Column("percent", "Margin (%)", Kind.RATE),
        Column("margin_before", f"Margin {before} ({currency})", Kind.MONEY),
        Column("percent_before", f"Margin {before} (%)", Kind.RATE),
        Column("margin_change", "Margin change (%)", Kind.CHANGE),
    ]


def card(total: Row, measure: Measure, before: str) -> dict[str, Any]:
    """A key figure of the page, and how it changed."""
    change = total[f"{measure.key}_change"]
    return {
        "label": measure.label,
        "unit": "currency" if measure.kind is Kind.MONEY else "",
        "value": _shown(measure.kind, total[measure.key]),
        "before": f"{_shown(measure.kind, total[f'{measure.key}_before'])} {before}",
        "change": None if change is None else show(Kind.CHANGE, change),
        "rises": change is not None and change >= 0,
    }


def margin_cards(total: Row, before: str) -> list[dict[str, Any]]:
    """Margin as a rate, and how much of the revenue it is of."""
    return [
        {
            "label": "Margin rate",
            "unit": "%",
            "value": _shown(Kind.RATE, total["percent"]),
            "before": f"{_shown(Kind.RATE, total['percent_before'])} % {before}",
        },
        {
            "label": "Revenue with known cost",
            "unit": "%",
            "value": _shown(Kind.RATE, total["known_share"]),
            "before": "of all revenue",
        },
    ]


def _shown(kind: Kind, value: Any) -> str:
    return "–" if value is None else show(kind, value)
