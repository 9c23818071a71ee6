"""Reads of margin: revenue less cost, of products whose cost is known.

Cost is the catalogue's of today, for all days, as it is in the reports of stock: what a product
cost when it was sold is not kept. A sale of a product without a cost is in `revenue` and in no
other figure; `known_share` says how much of the revenue the margin is of, in percent.

Read from `daily_sales` and the catalogue, and asked for by itself, since an aggregate of its own
does not pay: costs change at any time, so only sales by product, store and day can be multiplied
with them, and of those there are nearly as many as receipt lines. Measured on the real year, 90
days against the 90 before: 286 ms of a server's processor (PostgreSQL 18), 508 embedded.
"""

from sales.figures import MARGINS, SALES_SUMS, by_day, by_group, by_span, by_store
from sales.scope import IN_SCOPE, SalesScope, both
from shelfops.reports.sql import Row, rows


def _costed(key: str, shown: str = "") -> str:
    """Sales with their cost, added up by `key` before they are compared."""
    sold = both("store_id, product_id, revenue, quantity_sold", "daily_sales", IN_SCOPE)
    return f"""
    sales AS (
        SELECT is_before, {shown or key}, sum(revenue) AS revenue,
               sum(quantity_sold) AS quantity_sold,
               sum(revenue) FILTER (WHERE unit_cost IS NOT NULL) AS known,
               sum(quantity_sold * unit_cost) AS cost
        FROM ({sold}) AS sold JOIN products USING (product_id)
        GROUP BY is_before, {key}
    )
    """


# Many groups: each is joined with the catalogue once, after it is added up.
COSTED_PRODUCTS = f"""
sold AS (
    SELECT is_before, product_id, sum(revenue) AS revenue, sum(quantity_sold) AS quantity_sold
    FROM ({both("product_id, revenue, quantity_sold", "daily_sales", IN_SCOPE)}) AS rows
    GROUP BY is_before, product_id
),
sales AS (
    SELECT is_before, product_id, revenue, quantity_sold,
           CASE WHEN unit_cost IS NOT NULL THEN revenue END AS known,
           quantity_sold * unit_cost AS cost
    FROM sold JOIN products USING (product_id)
)
"""
# The best by margin; all others are one row.
PRODUCTS = f"""
, ranked AS (
    SELECT product_id, {MARGINS.sums},
           row_number() OVER (
               ORDER BY sum(known - cost) FILTER (WHERE is_before IS NOT TRUE) DESC NULLS LAST,
                        sum(revenue) FILTER (WHERE is_before IS NOT TRUE) DESC NULLS LAST,
                        product_id
           ) > %(top)s AS is_other
    FROM sales GROUP BY product_id
),
figures AS (
    SELECT CASE WHEN NOT is_other THEN product_id END AS product_id, is_other,
           grouping(is_other) = 1 AS is_total,
           {", ".join(f"coalesce(sum({name}), 0) AS {name}" for name in SALES_SUMS)},
           sum(known) AS known, sum(known_compared) AS known_compared,
           sum(known_before) AS known_before, sum(exact_cost) AS exact_cost,
           sum(exact_cost_compared) AS exact_cost_compared,
           sum(exact_cost_before) AS exact_cost_before
    FROM ranked
    GROUP BY GROUPING SETS ((is_other, CASE WHEN NOT is_other THEN product_id END), ())
)
SELECT product_id, sku, CASE WHEN is_other THEN 'All other products' ELSE name END AS name,
       is_total, {MARGINS.shown}
FROM figures LEFT JOIN products USING (product_id)
ORDER BY is_total, is_other, known - exact_cost DESC NULLS LAST, revenue DESC, name
"""

STATEMENTS = {
    "day": f"WITH {_costed('n')} {by_day(MARGINS)}",
    "week": f"WITH {_costed('n')} {by_span('week', MARGINS)}",
    "month": f"WITH {_costed('n')} {by_span('month', MARGINS)}",
    "store": f"WITH {_costed('store_id', 'store_id, max(n) AS n')} {by_store(MARGINS)}",
    "department": f"WITH {_costed('department')} {by_group('department', MARGINS)}",
    "category": f"WITH {_costed('category')} {by_group('category', MARGINS)}",
    "product": f"WITH {COSTED_PRODUCTS} {PRODUCTS}",
}


def margins(scope: SalesScope, by: str, top: int) -> list[Row]:
    """A row for each day, week, month, store, department, category or product, and the total.

    Products are the `top` ones by margin, and all others together. `margin` is None where
    nothing that was sold has a cost.
    """
    return rows(STATEMENTS[by], {**scope.params(), "top": top})
