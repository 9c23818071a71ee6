"""A customer's plain rows in DuckDB, to work figures out again by another program.

Business days are worked out anew from the time of the sale and the store's zone, and nothing is
read from an aggregate.
"""

import duckdb
import pyarrow
from django.db import connections

from shelfops.tenancy.models import Customer

TABLES = {
    "stores": "SELECT store_id::text AS store, name, time_zone AS zone FROM stores",
    "products": """
        SELECT product_id::text AS product, sku, name, category, unit_cost::float8 AS cost
        FROM products""",
    "lines": """
        SELECT store_id::text AS store, product_id::text AS product, sold_at, receipt,
               quantity::float8 AS units, total_amount::float8 AS amount
        FROM timeseries.transactions""",
    "counts": """
        SELECT store_id::text AS store, product_id::text AS product, timestamp AS counted_at,
               quantity_on_hand::float8 AS on_hand
        FROM timeseries.inventory_levels""",
    "rules": """
        SELECT store_id::text AS store, product_id::text AS product, effective_from, effective_to,
               reorder_point::float8 AS reorder_point,
               coalesce(order_up_to, reorder_point)::float8 AS order_up_to
        FROM reorder_points""",
}
SALES = """
CREATE VIEW sales AS
SELECT lines.*, (sold_at AT TIME ZONE zone)::date AS day FROM lines JOIN stores USING (store)
"""


def rows_of(customer: Customer) -> duckdb.DuckDBPyConnection:
    """A DuckDB connection with the tables named above, and `sales`: the lines with their `day`."""
    duck = duckdb.connect()
    duck.execute("SET TimeZone = 'UTC'")
    for name, select in TABLES.items():
        with connections["operator"].cursor() as cursor:
            cursor.execute(f"{select} WHERE customer_id = %s", [customer.pk])
            head = [column.name for column in cursor.description]
            found = cursor.fetchall()
        columns = list(zip(*found, strict=True)) or [()] * len(head)
        table = pyarrow.table(dict(zip(head, map(list, columns), strict=True)))
        duck.register("rows", table)
        duck.execute(f"CREATE TABLE {name} AS SELECT * FROM rows")
        duck.unregister("rows")
    duck.execute(SALES)
    return duck


def answer(duck: duckdb.DuckDBPyConnection, query: str, **params: object) -> list[dict]:
    """The rows of a query with $named parameters."""
    found = duck.execute(query, params)
    head = [column[0] for column in found.description]
    return [dict(zip(head, row, strict=True)) for row in found.fetchall()]
