"""Compares a sales report's file, row by row, with what the books say."""

from collections.abc import Collection
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
MARGINS = {
    "revenue": "Revenue (USD)",
    "known_share": "of it with known cost (%)",
    "cost": "Cost (USD)",
    "margin": "Margin (USD)",
    "percent": "Margin (%)",
    "margin_before": "Margin {} (USD)",
    "percent_before": "Margin {} (%)",
    "margin_change": "Margin change (%)",
}
# The breakdowns that tell a gap of the feed from no sales.
MARKED = ("day", "week", "month", "store")
DIFFERENCES = {"revenue": "Revenue difference (USD)", "units": "Units difference"}
FIRST_COLUMN = {
    "day": "Business day",
    "week": "From",
    "month": "From",
    "store": "Store",
    "department": "Department",
    "category": "Category",
    "product": "SKU",
}
# Of what sold nothing there is none of the others, while these are 0.
SUMS = {"revenue", "revenue_before", "units", "units_before", "baskets", "baskets_before", "lines"}
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
        others = [row for row in rows if row["Product"] == OTHERS]
        rest = books.others(asked, stores, list(found))
        wrong += unlike(asked, "others", others[0], rest) if others else []
        wrong += [] if others or not any_figure(rest) else ["others are missing"]
        wrong += [] if are_best(asked, found.keys(), expected) else ["others are better"]
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
    columns = MARGINS if asked.figures == "margin" else columns
    return {name: title.format(label) for name, title in columns.items()}


def unlike(asked: Asked, key: str, row: dict[str, str], expected: Figures) -> list[str]:
    return [
        f"{key}: {title} is {row[title]!r}, not {expected.get(name)}"
        for name, title in columns_of(asked).items()
        if not same(row[title], expected.get(name, 0 if name in SUMS else None))
        and not (asked.by in MARKED and name in SUMS and is_gap(row[title], expected.get(name, 0)))
    ]


def is_gap(shown: str, expected: object) -> bool:
    """A day or store without data has no figure, where the books, which add up, have nothing."""
    return shown == "" and expected == 0


def same(shown: str, expected: object) -> bool:
    """Nothing is shown where there is no figure, and only there."""
    if shown == "" or expected is None:
        return shown == "" and expected is None
    return Decimal(shown) == Decimal(str(expected))


def any_figure(figures: Figures) -> bool:
    return any(figures.get(name) for name in SUMS)


def are_best(asked: Asked, best: Collection[str], expected: dict[str, Figures]) -> bool:
    """Whether none of the others had more revenue, or margin where that is asked for."""
    measure = "exact_margin" if asked.figures == "margin" else "revenue"
    values = {sku: figures[measure] for sku, figures in expected.items()}
    ranked = {sku: Decimal("-Infinity") if v is None else Decimal(v) for sku, v in values.items()}
    left = [value for sku, value in ranked.items() if sku not in best]
    return not left or max(left) <= min((ranked[sku] for sku in best), default=max(left))


def mover_differences(
    client: Client,
    books: Books,
    asked: Asked,
    measure: str,
    most: int,
    stores: list[Store] | None = None,
) -> list[str]:
    """The same of the `most` risers and fallers among the products or categories (`by`)."""
    query = {**asked.query(), "by": "movers", "of": asked.by, "measure": measure, "format": "csv"}
    *rows, total = file_rows(client.get(reverse("reports:sales"), query))
    expected = books.figures(asked, stores)
    wrong = unlike_mover(asked, "Total", total, books.total(asked, stores))
    for row in rows:
        key = key_of(asked.by, row)
        wrong += unlike_mover(asked, key, row, expected.get(key, {}))
    changes = sorted(
        (f[f"{measure}_compared"] - f[f"{measure}_before"] for f in expected.values()), reverse=True
    )
    movers = [c for c in changes if c > 0][:most] + [c for c in changes if c < 0][-most:]
    found = [Decimal(row[DIFFERENCES[measure]]) for row in rows]
    directions = [row["Direction"] for row in rows] == ["Up" if c > 0 else "Down" for c in movers]
    return wrong + ([] if found == movers and directions else [f"{found} moved, not {movers}"])


def unlike_mover(asked: Asked, key: str, row: dict[str, str], expected: Figures) -> list[str]:
    wrong = unlike(asked, key, row, expected)
    for name, title in DIFFERENCES.items():
        difference = expected.get(f"{name}_compared", 0) - expected.get(f"{name}_before", 0)
        if not same(row[title], difference):
            wrong.append(f"{key}: {title} is {row[title]!r}, not {difference}")
    return wrong
