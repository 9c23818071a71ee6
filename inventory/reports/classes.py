"""ABC: which products bring the revenue.

Products are ranked by revenue, of all chosen products or of each department by itself. A are
those that bring the first 80%, B those up to 95%, C the rest; the product with which a limit is
crossed belongs to the class that it completes. U is without sales, or returned as much as sold.
"""

from collections.abc import Iterator
from typing import Any

from inventory.queries import StockScope
from shelfops.reports.period import Period
from shelfops.reports.sql import Row, rows, stream

CLASSES = ("A", "B", "C", "U")
# What is ranked together, of which products.
WITHIN = {
    "all": """'' AS part FROM sold
    WHERE (%(any_product)s OR product_id IN (SELECT product_id FROM catalogue))""",
    "department": "department AS part FROM sold JOIN catalogue USING (product_id) WHERE true",
}
ORDERS = {
    "revenue": "revenue DESC",
    "units": "units DESC",
    "label": "label",
    "class": "class, revenue DESC",
}

# Bounds on `day` exclude chunks. Only products with sales are ranked; those without are counted,
# and listed when they are asked for, as a catalogue may have many. Names are looked up for the
# rows of the page only, and for those that tie with its last row, as names break ties.
STATEMENT = """
WITH sold AS MATERIALIZED (
    SELECT product_id, sum(revenue) AS revenue, sum(quantity_sold) AS units
    FROM daily_sales
    WHERE day >= %(since)s AND day < %(until)s AND business_date BETWEEN %(start)s AND %(end)s
      AND (%(stores)s::uuid[] IS NULL OR store_id = ANY (%(stores)s::uuid[]))
    GROUP BY product_id
),
catalogue AS NOT MATERIALIZED (
    SELECT product_id, name AS label, department, is_active FROM products
    WHERE (%(department)s = '' OR department = %(department)s)
      AND (%(category)s = '' OR category = %(category)s)
      AND (name ILIKE %(search)s OR sku ILIKE %(search)s)
),
ranked AS MATERIALIZED (
    SELECT product_id, revenue, units, {within} AND revenue > 0
),
wholes AS (SELECT part, sum(revenue) AS whole FROM ranked GROUP BY part),
classed AS MATERIALIZED (
    SELECT product_id, revenue, units, whole, cumulative,
           CASE WHEN cumulative - revenue < 0.80 * whole THEN 'A'
                WHEN cumulative - revenue < 0.95 * whole THEN 'B'
                ELSE 'C' END AS class
    FROM (
        SELECT *, sum(revenue) OVER (PARTITION BY part ORDER BY revenue DESC, product_id
                                     ROWS UNBOUNDED PRECEDING) AS cumulative
        FROM ranked
    ) AS running
    JOIN wholes USING (part)
),
unsold AS NOT MATERIALIZED (
    SELECT product_id, sold.revenue, sold.units
    FROM catalogue LEFT JOIN sold USING (product_id)
    WHERE is_active AND sold.revenue IS NULL OR sold.revenue <= 0
),
listed AS NOT MATERIALIZED (
    SELECT * FROM classed WHERE %(class)s IN ('', class)
    UNION ALL
    SELECT product_id, coalesce(revenue, 0), coalesce(units, 0), 1, NULL, 'U'
    FROM unsold WHERE %(class)s = 'U'
),
page AS (
    SELECT * FROM ({candidates}) AS candidates
    JOIN (SELECT product_id, name AS label, sku AS number, department, category FROM products)
         AS named USING (product_id)
    ORDER BY {order}, label, product_id
    LIMIT %(limit)s::integer OFFSET %(offset)s
),
total AS (
    SELECT count(*) AS listed, sum(revenue) AS revenue, sum(units) AS units FROM listed
)
SELECT false AS is_total, %(offset)s + row_number() OVER (ORDER BY {order}, label, product_id)
           AS place,
       product_id, label, number, department, category, class, revenue, units,
       round(100 * revenue / whole, 2) AS share, round(100 * cumulative / whole, 2) AS cumulative,
       {nothing}
FROM page
UNION ALL
SELECT true, (SELECT listed FROM total) + 1, NULL, NULL, NULL, NULL, NULL, NULL,
       (SELECT revenue FROM total), (SELECT units FROM total), NULL, NULL,
       {counts}
FROM classed
ORDER BY place
"""
ALL = "SELECT * FROM listed"
FIRST = """
SELECT * FROM listed ORDER BY {order}
FETCH FIRST (%(offset)s + coalesce(%(limit)s::integer, 1000000000)) ROWS WITH TIES
"""
COUNTS = ", ".join(
    [f"count(*) FILTER (WHERE class = '{name}') AS {name.lower()}_products" for name in "ABC"]
    + [f"sum(revenue) FILTER (WHERE class = '{name}') AS {name.lower()}_revenue" for name in "ABC"]
    + ["(SELECT count(*) FROM unsold) AS u_products"]
)
NOTHING = "NULL::bigint, NULL::bigint, NULL::bigint, NULL::numeric, NULL::numeric, NULL::numeric,"
NOTHING += " NULL::bigint"


def statement(within: str, order: str) -> str:
    names = [f"{name}_products" for name in "abc"] + [f"{name}_revenue" for name in "abc"]
    names.append("u_products")
    nothing = [f"{null} AS {name}" for null, name in zip(NOTHING.split(", "), names, strict=True)]
    return STATEMENT.format(
        within=WITHIN[within],
        nothing=", ".join(nothing),
        counts=COUNTS,
        order=ORDERS[order],
        candidates=ALL if order == "label" else FIRST.format(order=ORDERS[order]),
    )


def params(
    scope: StockScope, period: Period, chosen: str, limit: int | None, offset: int
) -> dict[str, Any]:
    return {**scope.params(), **period.params(), "class": chosen, "limit": limit, "offset": offset}


def classes(
    scope: StockScope,
    period: Period,
    *,
    within: str = "all",
    chosen: str = "",
    order: str = "revenue",
    limit: int,
    offset: int = 0,
) -> list[Row]:
    """A page of the products with their class, and last their total.

    `chosen` is one of CLASSES, or empty for A to C. Shares in percent of what is ranked together.
    The total has the number of products and the revenue of each class, whichever is chosen.
    """
    return rows(statement(within, order), params(scope, period, chosen, limit, offset))


def all_classes(
    scope: StockScope, period: Period, *, within: str, chosen: str, order: str
) -> Iterator[Row]:
    """The same, every row of it, read as it is consumed."""
    return stream(statement(within, order), params(scope, period, chosen, None, 0))
