"""The figures of sales worked out again with DuckDB, without the reports' SQL.

The rows are read out of the database plainly, as the operator. Business days are worked out anew
from the moment of a sale and its store's time zone, so that what an import wrote is checked, too.
"""

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import duckdb
import pyarrow
from django.db import connections

from inventory.models import Store
from tests.cast import Customer
from tests.independent.feed_gaps import feed_gaps

TABLES = {
    "lines": (
        """
        SELECT store_id::text, product_id::text, sold_at, receipt, quantity, total_amount AS amount
        FROM timeseries.transactions WHERE customer_id = %s
        """,
        {
            "sold_at": pyarrow.timestamp("us", "UTC"),
            "quantity": pyarrow.decimal128(14, 3),
            "amount": pyarrow.decimal128(14, 2),
        },
    ),
    "stores": (
        """
        SELECT store_id::text, name AS store, time_zone, is_active
        FROM stores WHERE customer_id = %s
        """,
        {"is_active": pyarrow.bool_()},
    ),
    "products": (
        """
        SELECT product_id::text, sku, name AS product, department, category, unit_cost
        FROM products WHERE customer_id = %s
        """,
        {"unit_cost": pyarrow.decimal128(14, 4)},
    ),
}
SOLD = """
CREATE TABLE sold AS
SELECT *, timezone(time_zone, sold_at) AS clock, timezone(time_zone, sold_at)::date AS day
FROM lines JOIN stores USING (store_id) JOIN products USING (product_id)
"""
# `shown` is the day of the period that a row is shown on: its own, or as far into the period as
# it lies in the one that is compared with. `left_out` has the stores and days that one of the two
# lacks, by the day they are shown on: they are not compared.
FIGURES = """
SELECT {key} AS key,
       coalesce(sum(amount) FILTER (NOT before), 0) AS revenue,
       coalesce(sum(amount) FILTER (NOT before AND paired), 0) AS revenue_compared,
       coalesce(sum(amount) FILTER (before AND paired), 0) AS revenue_before,
       coalesce(sum(quantity) FILTER (NOT before), 0) AS units,
       coalesce(sum(quantity) FILTER (NOT before AND paired), 0) AS units_compared,
       coalesce(sum(quantity) FILTER (before AND paired), 0) AS units_before,
       count(DISTINCT (store_id, day, receipt)) FILTER (NOT before) AS baskets,
       count(DISTINCT (store_id, day, receipt)) FILTER (before AND paired) AS baskets_before,
       count(*) FILTER (NOT before) AS lines,
       sum(amount) FILTER (NOT before AND unit_cost IS NOT NULL) AS known,
       sum(amount) FILTER (NOT before AND paired AND unit_cost IS NOT NULL) AS known_compared,
       sum(amount) FILTER (before AND paired AND unit_cost IS NOT NULL) AS known_before,
       sum(quantity * unit_cost) FILTER (NOT before) AS exact_cost,
       sum(quantity * unit_cost) FILTER (NOT before AND paired) AS exact_cost_compared,
       sum(quantity * unit_cost) FILTER (before AND paired) AS exact_cost_before
FROM (SELECT *, NOT EXISTS (SELECT 1 FROM left_out WHERE left_out.store_id = rows.store_id
                            AND left_out.shown = rows.shown) AS paired
      FROM (SELECT false AS before, day AS shown, * FROM sold WHERE day BETWEEN $first AND $last
      UNION ALL
      SELECT true, (day + $shift::integer)::date, * FROM sold
      WHERE (day + $shift::integer)::date BETWEEN $first AND $last) AS rows)
WHERE ($stores IS NULL OR list_contains($stores, store_id))
  AND ($department IS NULL OR department = $department)
  AND ($category IS NULL OR category = $category)
  AND ($product IS NULL OR product_id = $product)
GROUP BY ALL
"""
# What the first columns of the report's file say.
KEYS = {
    "day": "strftime(shown, '%Y-%m-%d')",
    "week": "strftime(greatest(date_trunc('week', shown)::date, $first), '%Y-%m-%d')",
    "month": "strftime(greatest(date_trunc('month', shown)::date, $first), '%Y-%m-%d')",
    "hour": "strftime(day, '%a') || ' ' || strftime(clock, '%H:00')",
    "store": "store",
    "department": "coalesce(nullif(department, ''), 'No department')",
    "category": "coalesce(nullif(category, ''), 'No category')",
    "product": "sku",
    "total": "''",
}
Figures = dict[str, Any]


@dataclass(frozen=True)
class Asked:
    """What a report is asked: days, what they are compared with, and what narrows them."""

    by: str
    first: date
    last: date
    compare: str = "before"
    only: tuple[tuple[str, str], ...] = ()
    figures: str = "sales"

    def query(self) -> dict[str, str]:
        """As the report's page takes it."""
        days = {"start": str(self.first), "end": str(self.last)}
        asked = {"by": self.by, "compare": self.compare, "figures": self.figures}
        return {**asked, **days, **dict(self.only)}

    @property
    def shift(self) -> int:
        return 364 if self.compare == "year" else (self.last - self.first).days + 1

    @property
    def days_compared(self) -> tuple[date, date, int]:
        return self.first, self.last, self.shift

    def days(self) -> list[str]:
        count = (self.last - self.first).days + 1
        return [str(self.first + timedelta(days=n)) for n in range(count)]


class Books:
    """A customer's sales, in memory."""

    def __init__(self, customer: Customer) -> None:
        self.db = duckdb.connect()
        self.db.execute("SET TimeZone = 'UTC'")
        for name, (statement, types) in TABLES.items():
            self.db.register(name, read(statement, types, customer))
        self.db.execute(SOLD)
        self.gaps: dict[tuple[date, date, int], set[tuple[str, date]]] = {}

    def figures(self, asked: Asked, stores: list[Store] | None) -> dict[str, Figures]:
        """The figures of each row by its key, of these stores or of all."""
        return self._figures(KEYS[asked.by], asked, stores)

    def total(self, asked: Asked, stores: list[Store] | None) -> Figures:
        [total] = self._figures("''", asked, stores).values() or [{}]
        return total

    def others(self, asked: Asked, stores: list[Store] | None, best: list[str]) -> Figures:
        """Of all products but the best, by SKU."""
        listed = ", ".join(f"'{sku}'" for sku in best) or "NULL"
        rest = self._figures(f"CASE WHEN sku IN ({listed}) THEN 1 ELSE 0 END", asked, stores)
        return rest.get(0, {})

    def _figures(self, key: str, asked: Asked, stores: list[Store] | None) -> dict[str, Figures]:
        only = dict(asked.only)
        chosen = [only["store"]] if "store" in only else None
        params = {
            "first": asked.first,
            "last": asked.last,
            "shift": asked.shift,
            "stores": chosen or (None if stores is None else [str(store.pk) for store in stores]),
            **{name: only.get(name) for name in ("department", "category", "product")},
        }
        self.leave_out(asked)
        found = self.db.execute(FIGURES.format(key=key), params)
        names = [column[0] for column in found.description]
        rows = [dict(zip(names, values, strict=True)) for values in found.fetchall()]
        return {row.pop("key"): with_margins(with_ratios(row)) for row in rows}

    def leave_out(self, asked: Asked) -> None:
        shift = timedelta(days=asked.shift)
        if asked.days_compared not in self.gaps:
            before = feed_gaps(self.db, asked.first - shift, asked.last - shift)
            gaps = {(store, day + shift) for store, day in before}
            self.gaps[asked.days_compared] = gaps | feed_gaps(self.db, asked.first, asked.last)
        self.db.execute("CREATE OR REPLACE TABLE left_out (store_id varchar, shown date)")
        if gaps := self.gaps[asked.days_compared]:
            self.db.executemany("INSERT INTO left_out VALUES (?, ?)", sorted(gaps))


def read(statement: str, types: dict[str, pyarrow.DataType], customer: Customer) -> pyarrow.Table:
    with connections["operator"].cursor() as cursor:
        cursor.execute(statement, [customer.pk])
        names = [column.name for column in cursor.description]
        columns = list(zip(*cursor.fetchall(), strict=True)) or [[] for _ in names]
    return pyarrow.table(
        {
            name: pyarrow.array(values, types.get(name, pyarrow.string()))
            for name, values in zip(names, columns, strict=True)
        }
    )


def with_ratios(row: Figures) -> Figures:
    """Changes in percent, to a tenth, and average baskets, to a cent; None where there is none."""
    for name in ("revenue", "units"):
        before = row[f"{name}_before"]
        change = 100 * (row[f"{name}_compared"] - before) / before if before > 0 else None
        row[f"{name}_change"] = rounded(change, "0.1")
    for suffix in ("", "_before"):
        baskets = row[f"baskets{suffix}"]
        average = Decimal(row[f"revenue{suffix}"]) / baskets if baskets else None
        row[f"basket{suffix}"] = rounded(average, "0.01")
    return row


def with_margins(row: Figures) -> Figures:
    """Margins to a cent and rates in percent, of what has a cost; None where there is none."""
    for suffix in ("", "_compared", "_before"):
        known, cost = row[f"known{suffix}"], row[f"exact_cost{suffix}"]
        row[f"exact_margin{suffix}"] = None if known is None else known - cost
        row[f"margin{suffix}"] = rounded(row[f"exact_margin{suffix}"], "0.01")
        row[f"percent{suffix}"] = share(row[f"exact_margin{suffix}"], known)
    row["cost"] = rounded(row["exact_cost"], "0.01")
    row["known_share"] = share(row["known"] or Decimal(0), row["revenue"])
    margin, before = row["exact_margin_compared"], row["exact_margin_before"]
    both = margin is not None and before is not None
    row["margin_change"] = share(margin - before, before) if both else None
    return row


def share(part: Decimal | None, whole: Decimal | None) -> Decimal | None:
    """In percent, to a tenth, of what is more than nothing."""
    if part is None or whole is None or whole <= 0:
        return None
    return rounded(100 * Decimal(part) / Decimal(whole), "0.1")


def rounded(value: Decimal | None, step: str) -> Decimal | None:
    return None if value is None else Decimal(value).quantize(Decimal(step), ROUND_HALF_UP)
