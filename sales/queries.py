"""Reads of sales: revenue, units and baskets of business days, in the customer's currency."""

from sales import figures
from sales.figures import SALES, SALES_SUMS, WITH_BASKETS
from sales.scope import IN_SCOPE, SalesScope, both
from shelfops.reports.sql import Row, rows

# From the aggregate by store and day.
STORE_SALES = f"sales AS ({both('store_id, revenue, quantity_sold', 'daily_store_sales')})"
# The same with baskets: the distinct receipts of a store and business day, returns among them.
# A receipt that crosses a quarter of an hour, or midnight in UTC, has several rows.
BASKET_SALES = f"""
receipt_rows AS ({both("store_id, receipt", "receipts", time="quarter")}),
sales AS (
    SELECT is_before, n, store_id, revenue, quantity_sold, lines, 0 AS baskets
    FROM ({both("store_id, revenue, quantity_sold, lines", "daily_store_sales")}) AS days
    UNION ALL
    SELECT is_before, n, store_id, 0, 0, 0, count(*)
    FROM (SELECT DISTINCT is_before, n, store_id, receipt FROM receipt_rows) AS receipts
    GROUP BY is_before, n, store_id
)
"""
# Of some products, at whose grain there are no baskets: a basket holds many.
NARROWED_SALES = f"""
sales AS (
    SELECT is_before, n, store_id, revenue, quantity_sold, lines, 0 AS baskets
    FROM ({both("store_id, revenue, quantity_sold, lines", "daily_sales", IN_SCOPE)}) AS days
)
"""

# The next four are put after BASKET_SALES or NARROWED_SALES.
DAYS = figures.by_day(WITH_BASKETS)
WEEKS = figures.by_span("week", WITH_BASKETS)
MONTHS = figures.by_span("month", WITH_BASKETS)
STORES = figures.by_store(WITH_BASKETS)

# What a store's clock showed, on the weekday of the business day. Every hour of the week is a
# row, with how many such weekdays the period has; there is no average without one.
BY_HOUR = f"""
WITH receipt_sales AS (
    {both("store_id, quarter, business_date, revenue, quantity_sold", "receipts", time="quarter")}
),
sales AS (
    SELECT is_before, extract(isodow FROM business_date)::integer AS weekday,
           extract(hour FROM quarter AT TIME ZONE time_zone)::integer AS hour,
           revenue, quantity_sold
    FROM receipt_sales JOIN stores USING (store_id)
),
weekdays AS (
    SELECT weekday,
           (SELECT count(*) FROM generate_series(0, %(days)s - 1) AS n
            WHERE extract(isodow FROM %(start)s::date + n) = weekday) AS days
    FROM generate_series(1, 7) AS weekday
)
SELECT weekday, hour, (ARRAY['Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun'])[weekday] AS day_name,
       to_char(make_time(hour, 0, 0), 'HH24:MI') AS clock, is_total,
       CASE WHEN is_total THEN %(days)s ELSE days END AS days,
       {SALES.shown},
       CASE WHEN NOT is_total AND days > 0 THEN round(revenue / days, 2) END AS average
FROM (
    SELECT weekday, hour, days, grouping(weekday) = 1 AS is_total, {SALES.sums}
    FROM weekdays CROSS JOIN generate_series(0, 23) AS hour
    LEFT JOIN sales USING (weekday, hour)
    GROUP BY GROUPING SETS ((weekday, hour, days), ())
) AS totals
ORDER BY is_total, weekday, hour
"""

# Only these questions are at the grain of products, and read `daily_sales`.
PRODUCT_SALES = f"""
product_sales AS ({both("product_id, revenue, quantity_sold", "daily_sales", IN_SCOPE)})
"""
# Joined row by row: added up by product first, it takes twice as long.
CATALOGUE_SALES = f"""
{PRODUCT_SALES},
sales AS (
    SELECT is_before, department, category, revenue, quantity_sold
    FROM product_sales JOIN products USING (product_id)
)
"""

# Of all stores the aggregate by group, which is a department and a category, holds the answer, but
# for the products that were moved to another group since: what they sold is taken from the first
# and given to the other. Where there are none, the planner leaves `daily_sales` out.
MOVED_PRODUCTS = "SELECT product_id FROM first_groups WHERE is_moved"
IS_MOVED = "cardinality(%(moved)s::uuid[]) > 0 AND product_id = ANY (%(moved)s::uuid[])"
ALL_GROUPS = both(
    "department, category, revenue, quantity_sold, lines",
    "daily_group_sales",
    where="true",
    has_stores=False,
)
GROUP_SALES = f"""
moved AS ({both("product_id, revenue, quantity_sold, lines", "daily_sales", IS_MOVED)}),
all_sales AS (
    {ALL_GROUPS}
    UNION ALL
    SELECT is_before, n, department, category, -revenue, -quantity_sold, -lines
    FROM moved JOIN first_groups USING (product_id)
    UNION ALL
    SELECT is_before, n, department, category, revenue, quantity_sold, lines
    FROM moved JOIN products USING (product_id)
),
sales AS (
    SELECT is_before, department, category,
           sum(revenue) AS revenue, sum(quantity_sold) AS quantity_sold
    FROM all_sales
    WHERE (%(department)s = '' OR department = %(department)s)
      AND (%(category)s = '' OR category = %(category)s)
    GROUP BY is_before, department, category
    HAVING sum(lines) > 0
)
"""

GROUPS = ("department", "category")
ALL_BY_GROUP = {group: f"WITH {GROUP_SALES} {figures.by_group(group, SALES)}" for group in GROUPS}
SOME_BY_GROUP = {
    group: f"WITH {CATALOGUE_SALES} {figures.by_group(group, SALES)}" for group in GROUPS
}

BEST_PRODUCTS = f"""
SELECT product_id
FROM daily_sales
WHERE day >= %(since)s AND day < %(until)s AND business_date BETWEEN %(start)s AND %(end)s
  AND {IN_SCOPE}
GROUP BY product_id
ORDER BY sum(revenue) DESC, product_id
LIMIT %(top)s
"""

SUM_COLUMNS = ", ".join(SALES_SUMS)
LESS_BEST = ", ".join(
    f"{name} - (SELECT coalesce(sum({name}), 0) FROM best)" for name in SALES_SUMS
)
# What is compared with is read for the best products only, by the aggregate's index on the product
# and the columnstore's bloom filter. All others are the total less the best. Put after
# STORE_SALES or NARROWED_SALES.
PRODUCTS = f"""
{PRODUCT_SALES},
best AS (
    SELECT product_id, {SALES.sums}
    FROM product_sales WHERE product_id = ANY (%(best)s::uuid[])
    GROUP BY product_id
),
total AS (SELECT {SALES.sums} FROM sales),
figures AS (
    SELECT 1 AS part, product_id, {SUM_COLUMNS} FROM best
    UNION ALL
    SELECT 2, NULL, {LESS_BEST} FROM total
    UNION ALL
    SELECT 3, NULL, {SUM_COLUMNS} FROM total
)
SELECT product_id, sku, CASE part WHEN 1 THEN name WHEN 2 THEN 'All other products' END AS name,
       part = 3 AS is_total, {SALES.shown}
FROM figures LEFT JOIN products USING (product_id)
WHERE part <> 2 OR (revenue, revenue_before, units, units_before) <> (0, 0, 0, 0)
ORDER BY part, revenue DESC, name
"""


def by_day(scope: SalesScope) -> list[Row]:
    """Each day of the period, and last their total."""
    return _of_stores(DAYS, scope)


def by_week(scope: SalesScope) -> list[Row]:
    """Each week from Monday on, clipped to the period, and last their total."""
    return _of_stores(WEEKS, scope)


def by_month(scope: SalesScope) -> list[Row]:
    """Each month, clipped to the period, and last their total."""
    return _of_stores(MONTHS, scope)


def by_hour(scope: SalesScope) -> list[Row]:
    """Each hour of the week (weekday 1 is Monday), the store's time, and last their total.

    Of all products: raises ValueError where the scope is narrowed.
    """
    if scope.is_narrowed:
        raise ValueError("Hours are known of all products together only.")
    return rows(BY_HOUR, scope.params())


def by_store(scope: SalesScope) -> list[Row]:
    """Each store, the best first, and last their total."""
    return _of_stores(STORES, scope)


def _of_stores(statement: str, scope: SalesScope) -> list[Row]:
    sales = NARROWED_SALES if scope.is_narrowed else BASKET_SALES
    return rows(f"WITH {sales} {statement}", scope.params())


def by_department(scope: SalesScope) -> list[Row]:
    """Each department, the best first, and last their total."""
    return of_groups(ALL_BY_GROUP["department"], SOME_BY_GROUP["department"], scope.params())


def by_category(scope: SalesScope) -> list[Row]:
    """Each category, the best first, and last their total."""
    return of_groups(ALL_BY_GROUP["category"], SOME_BY_GROUP["category"], scope.params())


def of_groups(of_all: str, of_some: str, params: dict[str, object]) -> list[Row]:
    """Rows of the aggregate by group, or of products where it is about stores or a product.

    The aggregate knows no stores, and so none that a comparison leaves out.
    """
    if params["stores"] is not None or params["product"] or params["leaves_out"]:
        return rows(of_some, params)
    moved = [found["product_id"] for found in rows(MOVED_PRODUCTS, {})]
    return rows(of_all, {**params, "moved": moved})


def by_product(scope: SalesScope, top: int) -> list[Row]:
    """The `top` products by revenue, all others as one row, and last the total."""
    params = scope.params()
    best = [found["product_id"] for found in rows(BEST_PRODUCTS, {**params, "top": top})]
    sales = NARROWED_SALES if scope.is_narrowed else STORE_SALES
    return rows(f"WITH {sales}, {PRODUCTS}", {**params, "best": best})
