"""Stock reports worked out anew, by DuckDB, from plain rows: a grid of every product and day.

Shares nothing with the product but the rows of its tables: each day's stock is looked up by
itself, business days are worked out by Python, and all sums are over the grid.
"""

from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from zoneinfo import ZoneInfo

import duckdb
import pyarrow as pa
from django.db import connection
from django.test import Client
from django.urls import reverse

from shelfops.tenancy.context import tenant
from shelfops.tenancy.models import Customer
from tests.reports.shop import file_rows

READ = {
    "stores": "SELECT store_id::text, name, time_zone FROM stores",
    "products": """
        SELECT product_id::text, sku, name, department, category, is_active,
               unit_cost::float8, unit_price::float8 FROM products
    """,
    "sales": """
        SELECT store_id::text, product_id::text, business_date AS day,
               (sold_at AT TIME ZONE 'UTC')::date AS utc_day, quantity::float8,
               total_amount::float8 AS amount FROM transactions
    """,
    "counts": """
        SELECT store_id::text, product_id::text, timestamp, quantity_on_hand::float8 AS on_hand,
               quantity_available::float8 AS available FROM inventory_levels
        UNION
        SELECT store_id::text, product_id::text, timestamp, quantity_on_hand::float8,
               quantity_available::float8 FROM current_stock
    """,
}

# Days from the one before the period on: stock at the close, from the last count by then.
GRID = """
CREATE TABLE grid AS
SELECT pairs.store_id, pairs.product_id, days.day, counts.on_hand, counts.available,
       counts.day AS counted
FROM (SELECT DISTINCT store_id, product_id FROM counts) AS pairs
CROSS JOIN (SELECT unnest(generate_series($opening::date, $end::date, INTERVAL 1 DAY))::date AS day)
     AS days
JOIN counts ON counts.store_id = pairs.store_id AND counts.product_id = pairs.product_id
 AND counts.timestamp = (
    SELECT max(c.timestamp) FROM counts c
    WHERE c.store_id = pairs.store_id AND c.product_id = pairs.product_id AND c.day <= days.day)
"""
PAIRS = """
CREATE TABLE pairs AS
WITH held AS (
    SELECT store_id, product_id,
           sum(on_hand) FILTER (WHERE day > $opening::date) AS stock_days,
           count(*) FILTER (WHERE day > $opening::date) AS known_days,
           count(*) FILTER (WHERE day > $opening::date AND available > 0) AS days_in,
           coalesce(sum(on_hand) FILTER (WHERE day = $opening::date), 0) AS opening,
           coalesce(sum(on_hand) FILTER (WHERE day = $end::date), 0) AS closing,
           max(counted) FILTER (WHERE counted > $opening::date) AS last_counted
    FROM grid GROUP BY ALL
),
sold AS (
    SELECT store_id, product_id, day, sum(quantity) AS units, sum(amount) AS revenue
    FROM sales WHERE day > $opening::date AND day <= $end::date GROUP BY ALL
)
SELECT held.*, coalesce(u.units, 0) AS units, coalesce(u.revenue, 0) AS revenue,
       CASE WHEN last_counted IS NULL THEN 0
            ELSE greatest(0, closing - opening + coalesce(u.counted_units, 0)) END AS received
FROM held LEFT JOIN (
    SELECT sold.store_id, sold.product_id, sum(sold.units) AS units, sum(revenue) AS revenue,
           sum(CASE WHEN sold.day <= h.last_counted THEN sold.units END) AS counted_units
    FROM sold JOIN held h ON h.store_id = sold.store_id AND h.product_id = sold.product_id
    GROUP BY ALL
) AS u ON u.store_id = held.store_id AND u.product_id = held.product_id
"""
# By one of these; `all` is the total.
KEYS = {
    "all": "'Total'",
    "department": "coalesce(nullif(p.department, ''), 'No department')",
    "category": "coalesce(nullif(p.category, ''), 'No category')",
    "store": "s.name",
    "product": "p.sku",
}
GROUPS = ("department", "category", "store", "product")
FIGURES = """
SELECT {key} AS label,
       sum(opening) AS opening, sum(closing) AS closing,
       sum(closing * unit_cost) AS closing_cost, sum(closing * unit_price) AS closing_retail,
       count(*) AS pairs, count(*) FILTER (WHERE closing > 0) AS pairs_in_stock,
       sum(units) AS units, sum(received) AS received,
       100 * sum(units) / nullif(sum(opening) + sum(received), 0) AS sell_through,
       sum(stock_days * unit_cost) / $days AS average_stock_cost,
       sum(units * unit_cost) AS cost_of_sales,
       sum(CASE WHEN unit_cost IS NOT NULL THEN revenue - units * unit_cost END) AS margin,
       sum(units * unit_cost) / nullif(sum(stock_days * unit_cost) / $days, 0) AS turn,
       sum(CASE WHEN unit_cost IS NOT NULL THEN revenue - units * unit_cost END)
           / nullif(sum(stock_days * unit_cost) / $days, 0) AS gmroi,
       count(DISTINCT CASE WHEN unit_cost IS NULL THEN product_id END) AS without_cost,
       sum(days_in) AS days_in_stock, sum(known_days - days_in) AS days_out,
       100.0 * sum(days_in) / nullif(sum(known_days), 0) AS availability,
       sum(units) / nullif(sum(days_in), 0) AS in_stock_velocity,
       sum(CASE WHEN days_in > 0 THEN greatest(units, 0) / days_in * (known_days - days_in) END)
           AS lost_units,
       sum(CASE WHEN days_in > 0 AND units > 0
                THEN units / days_in * (known_days - days_in) * revenue / units END) AS lost_revenue
FROM pairs JOIN products p USING (product_id) JOIN stores s USING (store_id)
GROUP BY 1
"""


# The columns of each report: which figure, rounded to how many decimals.
REPORTS = {
    "stock-as-of": {
        "On hand": ("closing", 3),
        "Value at cost (USD)": ("closing_cost", 2),
        "Value at retail (USD)": ("closing_retail", 2),
        "Products in stores in stock": ("pairs_in_stock", 0),
        "Products in stores counted": ("pairs", 0),
    },
    "stock-turn": {
        "Stock turn": ("turn", 2),
        "GMROI": ("gmroi", 2),
        "Average stock at cost (USD)": ("average_stock_cost", 2),
        "Cost of goods sold (USD)": ("cost_of_sales", 2),
        "Gross margin (USD)": ("margin", 2),
        "Products without cost": ("without_cost", 0),
    },
    "sell-through": {
        "Sell-through (%)": ("sell_through", 1),
        "Units sold": ("units", 3),
        "Stock at the start": ("opening", 3),
        "Received": ("received", 3),
        "Stock at the end": ("closing", 3),
    },
    "availability": {
        "Availability (%)": ("availability", 1),
        "Product-days in stock": ("days_in_stock", 0),
        "Product-days out of stock": ("days_out", 0),
        "Units a day in stock": ("in_stock_velocity", 2),
        "Estimated lost units": ("lost_units", 1),
        "Estimated lost revenue (USD)": ("lost_revenue", 2),
    },
}


class Books:
    """The rows of a customer's stores, and what follows from them for a period."""

    def __init__(self, customer: Customer, start: date, end: date, stores: list | None = None):
        self.period = (start, end)
        self.days = (end - start).days + 1
        self.bounds = {"opening": str(start - timedelta(days=1)), "end": str(end)}
        self.db = duckdb.connect()
        with tenant(customer), connection.cursor() as cursor:
            tables = {name: self.read(cursor, name) for name in READ}
        zones = {row["store_id"]: ZoneInfo(row["time_zone"]) for row in tables["stores"]}
        for row in tables["counts"]:
            row["day"] = row["timestamp"].astimezone(zones[row["store_id"]]).date()
        kept = {str(store.pk) for store in stores} if stores else set(zones)
        for name, rows in tables.items():
            rows = [row for row in rows if row.get("store_id", next(iter(kept))) in kept]
            self.db.register("arrow", pa.Table.from_pylist(rows))
            self.db.execute(f"CREATE TABLE {name} AS SELECT * FROM arrow")
            self.db.unregister("arrow")
        self.db.execute(GRID, self.bounds)
        self.db.execute(PAIRS, self.bounds)

    @staticmethod
    def read(cursor, name: str) -> list[dict]:
        cursor.execute(READ[name])
        names = [column.name for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def ask(self, statement: str, **params: object) -> list[dict]:
        found = self.db.execute(statement, params)
        names = [column[0] for column in found.description]
        return [dict(zip(names, row, strict=True)) for row in found.fetchall()]

    def figures(self, by: str) -> dict[str, dict]:
        found = self.ask(FIGURES.format(key=KEYS[by]), days=self.days)
        return {row["label"]: row for row in found}


def exported(client: Client, name: str, days: tuple[date, date], **query: object) -> list[dict]:
    start, end = days
    query = {"start": start, "end": end, "format": "csv", **query}
    return file_rows(client.get(reverse(f"reports:{name}"), query))


def wrong_figures(client: Client, books: Books, groups: tuple[str, ...] = GROUPS) -> list[tuple]:
    """What the four reports of this user say otherwise than the books."""
    wrong = []
    for by in groups:
        theirs = books.figures(by) | books.figures("all")
        for name, columns in REPORTS.items():
            ours = exported(client, name, books.period, by=by)
            assert len(ours) == len(theirs) > 1
            key = "SKU" if by == "product" else by.title()
            wrong += [(name, by, *one) for one in differences(ours, theirs, columns, key)]
    return wrong


def differences(ours: list[dict], theirs: dict, columns: dict, key: str) -> list[tuple]:
    """Where a figure is not the expected one, rounded to its decimals."""
    found = []
    for row in ours:
        expected = theirs[row[key] or "Total"]
        for label, (name, decimals) in columns.items():
            if not same(row[label], expected[name], decimals):
                found.append((row[key], label, row[label], expected[name]))
    return found


def same(ours: str, theirs: object, decimals: int) -> bool:
    if ours == "" or theirs is None:
        return ours == "" and theirs is None
    # Halves go away from zero; what binary fractions add beyond seven decimals is no figure.
    exact = Decimal(theirs).quantize(Decimal("1e-7"), ROUND_HALF_UP)
    return Decimal(ours) == exact.quantize(Decimal(1).scaleb(-decimals), ROUND_HALF_UP)
