"""The lists of stock, products and bad data worked out again with DuckDB, on held.Books' tables."""

from dataclasses import dataclass, field
from math import log
from typing import Any

import pyarrow
from django.db import connection

from shelfops.tenancy.context import tenant
from shelfops.tenancy.models import Customer
from tests.reports.held import Books, same

MORE = {
    "current": """
        SELECT store_id::text, product_id::text, quantity_on_hand::float8 AS on_hand,
               quantity_allocated::float8 AS allocated, quantity_available::float8 AS available
        FROM current_stock
    """,
    "rules": """
        SELECT store_id::text, product_id::text, reorder_point::float8, order_up_to::float8,
               order_multiple::float8 FROM reorder_points
        WHERE effective_from <= now() AND (effective_to IS NULL OR effective_to > now())
    """,
}
# A row for each day that something was sold on, as the aggregate has them: in UTC days, too.
BOUGHT = """
SELECT store_id, product_id, day, count(*) AS n FROM sales
WHERE day <= '{end}' GROUP BY store_id, product_id, day, utc_day HAVING sum(quantity) > 0
"""
STOCK = """
SELECT sku, s.name AS store, c.*, unit_cost * on_hand AS cost, unit_price * on_hand AS retail,
       coalesce(units_28, 0) / 28 AS velocity, coalesce(units_7, 0) / 7 AS velocity_7,
       coalesce(units_28, 0) / nullif(days_in, 0) AS in_stock,
       available * 28 / CASE WHEN units_28 > 0 THEN units_28 END AS cover, reorder_point,
       CASE WHEN available <= reorder_point
            THEN greatest(ceil((coalesce(order_up_to, reorder_point) - available) / order_multiple),
                          1) * order_multiple END AS suggested
FROM current c JOIN products USING (product_id) JOIN stores s USING (store_id)
LEFT JOIN (SELECT store_id, product_id, sum(quantity) AS units_28,
                  sum(quantity) FILTER (day > DATE '{end}' - 7) AS units_7
           FROM sales WHERE day BETWEEN '{start}' AND '{end}' GROUP BY ALL)
     USING (store_id, product_id)
LEFT JOIN (SELECT store_id, product_id, days_in FROM pairs) USING (store_id, product_id)
LEFT JOIN rules USING (store_id, product_id)
"""
CLASSES = """
WITH sold AS (
    SELECT product_id, round(sum(amount), 2) AS revenue, sum(quantity) AS units FROM sales
    WHERE day BETWEEN '{start}' AND '{end}' GROUP BY ALL HAVING round(sum(amount), 2) > 0
),
ranked AS (
    SELECT *, sum(revenue) OVER () AS whole,
           sum(revenue) OVER (ORDER BY revenue DESC, product_id ROWS UNBOUNDED PRECEDING) AS upto
    FROM sold
)
SELECT sku, revenue, units, 100 * revenue / whole AS share, 100 * upto / whole AS cumulative,
       CASE WHEN upto - revenue < 0.8 * whole THEN 'A'
            WHEN upto - revenue < 0.95 * whole THEN 'B' ELSE 'C' END AS class
FROM ranked JOIN products USING (product_id)
"""
DEAD = f"""
WITH bought AS ({BOUGHT})
SELECT sku, s.name AS store, on_hand, unit_cost * on_hand AS cost, unit_price * on_hand AS retail,
       (SELECT max(day)::varchar FROM bought WHERE bought.store_id = c.store_id
        AND bought.product_id = c.product_id AND day > DATE '{{end}}' - 182) AS last_sale
FROM current c JOIN products USING (product_id) JOIN stores s USING (store_id)
WHERE on_hand > 0 AND (store_id, product_id) NOT IN
      (SELECT (store_id, product_id) FROM bought WHERE day >= '{{start}}')
"""
PHANTOM = f"""
WITH bought AS (
    SELECT store_id, product_id, sum(n) AS purchases, max(day) AS last_sale
    FROM ({BOUGHT}) WHERE day >= '{{start}}' GROUP BY ALL
),
runs AS (
    SELECT store_id, product_id, purchases, last_sale, count(*) AS days,
           count(*) FILTER (grid.day > last_sale) AS run
    FROM bought JOIN grid USING (store_id, product_id)
    WHERE available > 0 AND grid.day BETWEEN '{{start}}' AND '{{end}}' GROUP BY ALL
)
SELECT sku, s.name AS store, c.on_hand, run, purchases / days AS rate,
       purchases * run / days AS expected, last_sale::varchar AS last_sale
FROM runs JOIN current c USING (store_id, product_id) JOIN products USING (product_id)
JOIN stores s USING (store_id)
WHERE c.on_hand > 0 AND purchases * run > {-log(0.01)} * days
"""
PRODUCT = """
SELECT day::varchar AS day, coalesce(units, 0) AS units, coalesce(revenue, 0) AS revenue,
       revenue / CASE WHEN units > 0 THEN units END AS price, on_hand
FROM (SELECT unnest(generate_series(DATE '{start}', DATE '{end}', INTERVAL 1 DAY))::date AS day)
LEFT JOIN (SELECT day, sum(quantity) AS units, sum(amount) AS revenue
           FROM sales WHERE product_id = '{product}' GROUP BY ALL) USING (day)
LEFT JOIN (SELECT day, sum(on_hand) AS on_hand
           FROM grid WHERE product_id = '{product}' GROUP BY ALL) USING (day)
"""
BELOW_COST = """
SELECT sku, sum(units) AS units, sum(revenue) AS revenue, sum(units * unit_cost) AS cost,
       count(DISTINCT store_id) AS stores, count(DISTINCT day) AS days
FROM (SELECT store_id, product_id, day, sum(quantity) AS units, sum(amount) AS revenue
      FROM sales WHERE day BETWEEN '{start}' AND '{end}' GROUP BY ALL)
JOIN products USING (product_id)
WHERE units > 0 AND round(revenue, 2) < round(units * unit_cost, 7) GROUP BY sku
"""
INCOMPLETE = """
SELECT sku, sum(quantity) AS units, sum(amount) AS revenue
FROM sales JOIN products USING (product_id)
WHERE day BETWEEN '{start}' AND '{end}'
  AND (unit_cost IS NULL OR unit_price IS NULL OR category = '') GROUP BY sku
"""


@dataclass(frozen=True)
class Listed:
    """A page, what it is asked, the statement, and which figure a column holds to what decimal.

    A column of text has no decimals. `key` are the columns that name a row, and their figures.
    """

    page: str
    statement: str
    columns: dict[str, tuple[str, int | None]]
    key: dict[str, str] = field(default_factory=lambda: {"SKU": "sku", "Store": "store"})
    query: dict[str, str] = field(default_factory=dict)


VALUES: dict[str, tuple[str, int | None]] = {
    "On hand": ("on_hand", 3),
    "Value at cost (USD)": ("cost", 2),
    "Value at retail (USD)": ("retail", 2),
}
SKU = {"SKU": "sku"}
LISTS = (
    Listed(
        "stock",
        STOCK,
        VALUES
        | {
            "Allocated": ("allocated", 3),
            "Available": ("available", 3),
            "Days of cover": ("cover", 1),
            "Units a day, 28 days": ("velocity", 2),
            "Units a day, 7 days": ("velocity_7", 2),
            "Units a day in stock": ("in_stock", 2),
            "Reorder point": ("reorder_point", 3),
            "Suggested order": ("suggested", 3),
        },
    ),
    Listed(
        "abc",
        CLASSES,
        {
            "Class": ("class", None),
            "Revenue (USD)": ("revenue", 2),
            "Share (%)": ("share", 2),
            "Cumulative (%)": ("cumulative", 2),
            "Units sold": ("units", 3),
        },
        SKU,
    ),
    Listed("dead-stock", DEAD, VALUES | {"Last sale": ("last_sale", None)}),
    Listed(
        "phantom-stock",
        PHANTOM,
        {
            "On hand": ("on_hand", 3),
            "Days in stock without a sale": ("run", 0),
            "Purchases a day": ("rate", 2),
            "Purchases expected": ("expected", 1),
            "Last sale": ("last_sale", None),
        },
    ),
    Listed(
        "product",
        PRODUCT,
        {
            "Units sold": ("units", 3),
            "Revenue (USD)": ("revenue", 2),
            "Average price (USD)": ("price", 2),
            "On hand at close": ("on_hand", 3),
        },
        {"Business day": "day"},
    ),
    Listed(
        "quality",
        BELOW_COST,
        {
            "Units": ("units", 3),
            "Revenue (USD)": ("revenue", 2),
            "Cost (USD)": ("cost", 2),
            "Stores": ("stores", 0),
            "Days": ("days", 0),
        },
        SKU,
        {"show": "margins"},
    ),
    Listed(
        "quality",
        INCOMPLETE,
        {"Units sold": ("units", 3), "Revenue (USD)": ("revenue", 2)},
        SKU,
        {"show": "catalogue"},
    ),
)


def read_more(books: Books, customer: Customer) -> None:
    """Add the tables of MORE to the books."""
    with tenant(customer), connection.cursor() as cursor:
        for name, statement in MORE.items():
            cursor.execute(statement)
            head = [column.name for column in cursor.description]
            rows = [dict(zip(head, row, strict=True)) for row in cursor.fetchall()]
            books.db.register("arrow", pyarrow.Table.from_pylist(rows))
            books.db.execute(f"CREATE TABLE {name} AS SELECT * FROM arrow")
            books.db.unregister("arrow")


def differences(listed: Listed, rows: list[dict], expected: list[dict]) -> tuple[int, list[Any]]:
    """How many figures were compared, and what is wrong, missing or too much; no total."""
    ours = {tuple(row[label] for label in listed.key): row for row in rows}
    ours = {key: row for key, row in ours.items() if key[0]}
    theirs = {tuple(row[name] for name in listed.key.values()): row for row in expected}
    wrong: list[Any] = [(listed.page, "missing", key) for key in theirs.keys() - ours.keys()]
    wrong += [(listed.page, "too much", key) for key in ours.keys() - theirs.keys()]
    for key in ours.keys() & theirs.keys():
        for label, (name, decimals) in listed.columns.items():
            if not agrees(ours[key][label], theirs[key][name], decimals):
                wrong.append((listed.page, key, label, ours[key][label], theirs[key][name]))
    return len(theirs) * len(listed.columns), wrong


def agrees(ours: str, theirs: Any, decimals: int | None) -> bool:
    return ours == (theirs or "") if decimals is None else same(ours, theirs, decimals)
