"""Compares a sales report's file, row by row, with what the books say."""

from decimal import Decimal

from django.test import Client
from django.urls import reverse

from inventory.models import Store
from tests.independent.books import Asked, Books, Figures
from tests.reports.shop import file_rows

COLUMNS = {
    "revenue": "Revenue (USD)",
    "revenue_before": "Revenue {} (USD)",
    "revenue_change": "Revenue change (%)",
    "units": "Units",
    "units_before": "Units {}",
    "units_change": "Units change (%)",
}
BASKETS = {
    "baskets": "Baskets",
    "baskets_before": "Baskets {}",
    "basket": "Average basket (USD)",
    "basket_before": "Average basket {} (USD)",
    "lines": "Receipt lines",
}
FIRST_COLUMN = {
    "day": "Business day",
    "week": "From",
    "month": "From",
    "store": "Store",
    "department": "Department",
    "category": "Category",
    "product": "SKU",
}
# Of what sold nothing there is none, while its sums are 0.
RATIOS = {"revenue_change", "units_change", "basket", "basket_before"}
NARROWING = {"department", "category", "product"}
OTHERS = "All other products"


def differences(
    client: Client, books: Books, asked: Asked, stores: list[Store] | None = None
) -> list[str]:
    """What the file of this user says otherwise than the books of these stores; None is all."""
    *rows, total = file_rows(
        client.get(reverse("reports:sales"), {**asked.query(), "format": "csv"})
    )
    expected = books.figures(asked, stores)
    found = {key_of(asked.by, row): row for row in rows if row.get("Product") != OTHERS}
    assert len(found) >= len(rows) - 1, "a row comes twice"
    wrong = []
    for key, row in found.items():
        wrong += unlike(asked, key, row, expected.get(key, {}))
    if asked.by == "product":
        wrong += unlike_others(asked, rows, found, expected)
    else:
        missing = expected.keys() - found.keys()
        wrong += [f"{key} is missing" for key in missing if any_figure(expected[key])]
    return wrong + unlike(asked, "Total", total, books.total(asked, stores))


def key_of(by: str, row: dict[str, str]) -> str:
    return f"{row['Weekday']} {row['From']}" if by == "hour" else row[FIRST_COLUMN[by]]


def columns_of(asked: Asked) -> dict[str, str]:
    label = "last year" if asked.compare == "year" else "before"
    narrowed = NARROWING & dict(asked.only).keys()
    has_baskets = asked.by in ("day", "week", "month", "store") and not narrowed
    columns = {**COLUMNS, **BASKETS} if has_baskets else COLUMNS
    return {name: title.format(label) for name, title in columns.items()}


def unlike(asked: Asked, key: str, row: dict[str, str], expected: Figures) -> list[str]:
    return [
        f"{key}: {title} is {row[title]!r}, not {expected.get(name)}"
        for name, title in columns_of(asked).items()
        if not same(row[title], expected.get(name, None if name in RATIOS else 0))
    ]


def same(shown: str, expected: object) -> bool:
    """Nothing is shown where there is no figure, and only there."""
    if shown == "" or expected is None:
        return shown == "" and expected is None
    return Decimal(shown) == Decimal(str(expected))


def any_figure(figures: Figures) -> bool:
    return any(figures[name] for name in ("revenue", "revenue_before", "units", "units_before"))


def unlike_others(
    asked: Asked,
    rows: list[dict[str, str]],
    best: dict[str, dict[str, str]],
    expected: dict[str, Figures],
) -> list[str]:
    """The best products are the best, and the others are all the rest."""
    others = [row for row in rows if row["Product"] == OTHERS]
    left = [figures for sku, figures in expected.items() if sku not in best]
    least = min((Decimal(row["Revenue (USD)"]) for row in best.values()), default=Decimal(0))
    wrong = [f"{f} is better than the best" for f in left if best and f["revenue"] > least]
    sums = {
        name: sum((figures[name] for figures in left), Decimal(0))
        for name in ("revenue", "revenue_before", "units", "units_before")
    }
    if not others:
        return wrong + ([f"others are missing: {sums}"] if any(sums.values()) else [])
    titles = columns_of(asked)
    return wrong + [
        f"others: {titles[name]} is {others[0][titles[name]]}, not {value}"
        for name, value in sums.items()
        if Decimal(others[0][titles[name]]) != value
    ]
