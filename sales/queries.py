"""Reads of sales. Figures are of business days; amounts in the customer's currency.

`stores` limits a query to stores; None is all of the customer's. Bounds on `day`, the UTC day
the aggregates are cut by, exclude chunks; `business_date` then says exactly which rows count.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

from shelfops.reports.period import Period
from shelfops.reports.sql import Row, row, rows

Stores = list[UUID] | None


@dataclass(frozen=True)
class SalesScope:
    """Which sales are asked for, and the period as long that they are compared with.

    What is empty does not narrow.
    """

    period: Period
    compared: Period
    stores: Stores
    department: str = ""
    category: str = ""
    product: UUID | None = None

    @property
    def is_narrowed(self) -> bool:
        """Whether it is of some products only."""
        return bool(self.department or self.category or self.product)

    def params(self) -> dict[str, object]:
        return {
            **self.period.params_against(self.compared),
            "stores": self.stores,
            "all_products": not self.is_narrowed,
            "department": self.department,
            "category": self.category,
            "product": self.product,
        }


# Conditions that do not narrow are constants to the planner, which drops them.
IN_STORES = "(%(stores)s::uuid[] IS NULL OR store_id = ANY (%(stores)s::uuid[]))"

RECENT = timedelta(weeks=13)

# A day is full when it is over in every store. Reads the aggregate by store and day, and of it
# the chunks after `since` only.
LAST_DAY = f"""
WITH today AS (
    SELECT coalesce(min((now() AT TIME ZONE time_zone)::date), current_date) AS day FROM stores
    WHERE {IN_STORES}
)
SELECT (SELECT day FROM today) - 1 AS last_full_day, max(business_date) AS last_day_with_sales
FROM daily_store_sales
WHERE day >= %(since)s AND business_date < (SELECT day FROM today) AND {IN_STORES}
"""

IN_SCOPE = f"""
{IN_STORES} AND (%(all_products)s OR product_id IN (
    SELECT product_id FROM products
    WHERE (%(department)s = '' OR department = %(department)s)
      AND (%(category)s = '' OR category = %(category)s)
      AND (%(product)s::uuid IS NULL OR product_id = %(product)s::uuid)))
"""


def _both(columns: str, source: str, where: str = IN_STORES, time: str = "day") -> str:
    """Rows of the period and of what it is compared with, which may overlap.

    `n` is how many days into its own period a row lies; bounds on `time` exclude chunks.
    """
    return f"""
    SELECT false AS is_before, business_date - %(start)s::date AS n, {columns}
    FROM {source}
    WHERE {time} >= %(since)s AND {time} < %(until)s
      AND business_date BETWEEN %(start)s AND %(end)s AND {where}
    UNION ALL
    SELECT true, business_date - %(before_start)s::date, {columns}
    FROM {source}
    WHERE {time} >= %(before_since)s AND {time} < %(before_until)s
      AND business_date BETWEEN %(before_start)s AND %(before_end)s AND {where}
    """


# From the aggregate by store and day.
SALES = f"sales AS ({_both('store_id, revenue, quantity_sold', 'daily_store_sales')})"
# The same with baskets: the distinct receipts of a store and business day, returns among them.
# A receipt that crosses a quarter of an hour, or midnight in UTC, has several rows.
BASKET_SALES = f"""
receipt_rows AS ({_both("store_id, receipt", "receipts", time="quarter")}),
sales AS (
    SELECT is_before, n, store_id, revenue, quantity_sold, lines, 0 AS baskets
    FROM ({_both("store_id, revenue, quantity_sold, lines", "daily_store_sales")}) AS days
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
    FROM ({_both("store_id, revenue, quantity_sold, lines", "daily_sales", IN_SCOPE)}) AS days
)
"""
SUMS = """
coalesce(sum(revenue) FILTER (WHERE NOT is_before), 0) AS revenue,
coalesce(sum(revenue) FILTER (WHERE is_before), 0) AS revenue_before,
coalesce(sum(quantity_sold) FILTER (WHERE NOT is_before), 0) AS units,
coalesce(sum(quantity_sold) FILTER (WHERE is_before), 0) AS units_before
"""
BASKET_SUMS = """
coalesce(sum(lines) FILTER (WHERE NOT is_before), 0) AS lines,
coalesce(sum(baskets) FILTER (WHERE NOT is_before), 0) AS baskets,
coalesce(sum(baskets) FILTER (WHERE is_before), 0) AS baskets_before
"""
# In percent; there is none to a period that sold nothing.
CHANGES = """
round(100 * (revenue - revenue_before) / CASE WHEN revenue_before > 0 THEN revenue_before END, 1)
    AS revenue_change,
round(100 * (units - units_before) / CASE WHEN units_before > 0 THEN units_before END, 1)
    AS units_change
"""
BASKETS = """
lines, baskets, baskets_before,
round(100 * (baskets - baskets_before) / nullif(baskets_before, 0), 1) AS baskets_change,
round(revenue / nullif(baskets, 0), 2) AS basket,
round(revenue_before / nullif(baskets_before, 0), 2) AS basket_before,
round(100 * (revenue / nullif(baskets, 0) - revenue_before / nullif(baskets_before, 0))
      / CASE WHEN revenue_before > 0 THEN revenue_before / nullif(baskets_before, 0) END, 1)
    AS basket_change
"""

# The next four are put after BASKET_SALES or NARROWED_SALES. Each day of the period beside the day
# as far into what it is compared with. Days without sales are rows, too.
DAYS = f"""
SELECT %(start)s::date + n AS business_date, %(before_start)s::date + n AS day_before,
       is_total, revenue, revenue_before, units, units_before, {CHANGES}, {BASKETS}
FROM (
    SELECT n, grouping(n) = 1 AS is_total, {SUMS}, {BASKET_SUMS}
    FROM generate_series(0, %(days)s - 1) AS n LEFT JOIN sales USING (n)
    GROUP BY GROUPING SETS ((n), ())
) AS totals
ORDER BY is_total, n
"""


def _by_span(unit: str) -> str:
    """Each week or month, clipped to the period, beside the same number of days compared with."""
    return f"""
    SELECT CASE WHEN NOT is_total THEN first_day END AS first_day,
           CASE WHEN NOT is_total THEN last_day END AS last_day, days, is_total,
           revenue, revenue_before, units, units_before, {CHANGES}, {BASKETS}
    FROM (
        SELECT span, grouping(span) = 1 AS is_total, min(day) AS first_day, max(day) AS last_day,
               count(DISTINCT day) AS days, {SUMS}, {BASKET_SUMS}
        FROM (
            SELECT n, %(start)s::date + n AS day,
                   date_trunc('{unit}', (%(start)s::date + n)::timestamp) AS span
            FROM generate_series(0, %(days)s - 1) AS n
        ) AS days
        LEFT JOIN sales USING (n)
        GROUP BY GROUPING SETS ((span), ())
    ) AS totals
    ORDER BY is_total, span
    """


WEEKS = _by_span("week")
MONTHS = _by_span("month")

# What a store's clock showed, on the weekday of the business day. Every hour of the week is a
# row, with how many such weekdays the period has; there is no average without one.
BY_HOUR = f"""
WITH receipt_sales AS (
    {_both("store_id, quarter, business_date, revenue, quantity_sold", "receipts", time="quarter")}
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
       revenue, revenue_before, units, units_before, {CHANGES},
       CASE WHEN NOT is_total AND days > 0 THEN round(revenue / days, 2) END AS average
FROM (
    SELECT weekday, hour, days, grouping(weekday) = 1 AS is_total, {SUMS}
    FROM weekdays CROSS JOIN generate_series(0, 23) AS hour
    LEFT JOIN sales USING (weekday, hour)
    GROUP BY GROUPING SETS ((weekday, hour, days), ())
) AS totals
ORDER BY is_total, weekday, hour
"""

# A store that is open but sold nothing is a row, too.
STORES = f"""
SELECT store_id, name, is_total, revenue, revenue_before, units, units_before,
       {CHANGES}, {BASKETS}
FROM (
    SELECT store_id, name, grouping(store_id) = 1 AS is_total, {SUMS}, {BASKET_SUMS}
    FROM stores LEFT JOIN sales USING (store_id)
    WHERE {IN_STORES}
    GROUP BY GROUPING SETS ((store_id, name), ())
    HAVING bool_or(is_active) OR count(n) > 0 OR grouping(store_id) = 1
) AS totals
ORDER BY is_total, revenue DESC, name
"""


def last_days(stores: Stores) -> Row:
    """`last_full_day`, and `last_day_with_sales` of the 13 weeks before it, else of all time.

    The second is None where nothing was sold yet.
    """
    params = {"stores": stores, "since": datetime.now(UTC) - RECENT}
    found = row(LAST_DAY, params)
    if found["last_day_with_sales"] is None:
        found = row(LAST_DAY, {**params, "since": datetime.min.replace(year=2000, tzinfo=UTC)})
    return found


def last_business_day(stores: Stores) -> date:
    """The day that ranges such as "28 days" end with: the last full one that has sales."""
    found = last_days(stores)
    day: date = found["last_day_with_sales"] or found["last_full_day"]
    return day


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


# Only these questions are at the grain of products, and read `daily_sales`.
PRODUCT_SALES = f"""
product_sales AS ({_both("product_id, revenue, quantity_sold", "daily_sales", IN_SCOPE)})
"""

# Of all stores the aggregate by category holds the answer, but for the products that were moved
# to another category since: what they sold is taken from the first and given to the other.
MOVED_PRODUCTS = "SELECT product_id FROM first_categories WHERE is_moved"
ALL_CATEGORY_SALES = f"""
{PRODUCT_SALES},
moved AS (
    SELECT is_before, f.category AS first_category, p.category, revenue, quantity_sold
    FROM product_sales s
    JOIN first_categories f USING (product_id)
    JOIN products p USING (product_id)
    WHERE s.product_id = ANY (%(moved)s::uuid[])
),
all_sales AS ({_both("category, revenue, quantity_sold", "daily_category_sales", "true")}),
category_sales AS (
    SELECT is_before, category, revenue, quantity_sold FROM all_sales
    UNION ALL
    SELECT is_before, first_category, -revenue, -quantity_sold FROM moved
    UNION ALL
    SELECT is_before, category, revenue, quantity_sold FROM moved
)
"""


def _by_group(group: str) -> str:
    """Each department or category of {group}_sales, `name` as the catalogue has it."""
    return f"""
    SELECT CASE WHEN NOT is_total THEN coalesce(nullif({group}, ''), 'No {group}') END AS label,
           {group} AS name, is_total, revenue, revenue_before, units, units_before, {CHANGES}
    FROM (
        SELECT {group}, grouping({group}) = 1 AS is_total, {SUMS}
        FROM {group}_sales
        GROUP BY GROUPING SETS (({group}), ())
    ) AS totals
    ORDER BY is_total, revenue DESC, {group}
    """


def _group_sales(group: str) -> str:
    """Added up by product before they are joined with the catalogue, which is large."""
    return f"""
    {PRODUCT_SALES},
    sums AS (
        SELECT is_before, product_id, sum(revenue) AS revenue, sum(quantity_sold) AS quantity_sold
        FROM product_sales
        GROUP BY is_before, product_id
    ),
    {group}_sales AS (
        SELECT is_before, {group}, revenue, quantity_sold FROM sums JOIN products USING (product_id)
    )
    """


ALL_BY_CATEGORY = f"WITH {ALL_CATEGORY_SALES} {_by_group('category')}"
SOME_BY_CATEGORY = f"WITH {_group_sales('category')} {_by_group('category')}"
BY_DEPARTMENT = f"WITH {_group_sales('department')} {_by_group('department')}"

BEST_PRODUCTS = f"""
SELECT product_id
FROM daily_sales
WHERE day >= %(since)s AND day < %(until)s AND business_date BETWEEN %(start)s AND %(end)s
  AND {IN_SCOPE}
GROUP BY product_id
ORDER BY sum(revenue) DESC, product_id
LIMIT %(top)s
"""

# What is compared with is read for the best products only, by the aggregate's index on the product
# and the columnstore's bloom filter. All others are the total less the best. Put after SALES or
# NARROWED_SALES.
PRODUCTS = f"""
{PRODUCT_SALES},
best AS (
    SELECT product_id, {SUMS}
    FROM product_sales WHERE product_id = ANY (%(best)s::uuid[])
    GROUP BY product_id
),
total AS (SELECT {SUMS} FROM sales),
figures AS (
    SELECT 1 AS part, product_id, revenue, revenue_before, units, units_before FROM best
    UNION ALL
    SELECT 2, NULL, revenue - (SELECT coalesce(sum(revenue), 0) FROM best),
           revenue_before - (SELECT coalesce(sum(revenue_before), 0) FROM best),
           units - (SELECT coalesce(sum(units), 0) FROM best),
           units_before - (SELECT coalesce(sum(units_before), 0) FROM best)
    FROM total
    UNION ALL
    SELECT 3, NULL, revenue, revenue_before, units, units_before FROM total
)
SELECT product_id, sku, CASE part WHEN 1 THEN name WHEN 2 THEN 'All other products' END AS name,
       part = 3 AS is_total, revenue, revenue_before, units, units_before, {CHANGES}
FROM figures LEFT JOIN products USING (product_id)
WHERE part <> 2 OR (revenue, revenue_before, units, units_before) <> (0, 0, 0, 0)
ORDER BY part, revenue DESC, name
"""


def by_department(scope: SalesScope) -> list[Row]:
    """Each department, the best first, and last their total."""
    return rows(BY_DEPARTMENT, scope.params())


def by_category(scope: SalesScope) -> list[Row]:
    """Each category, the best first, and last their total."""
    if scope.stores is not None or scope.is_narrowed:
        return rows(SOME_BY_CATEGORY, scope.params())
    moved = [found["product_id"] for found in rows(MOVED_PRODUCTS, {})]
    return rows(ALL_BY_CATEGORY, {**scope.params(), "moved": moved})


def by_product(scope: SalesScope, top: int) -> list[Row]:
    """The `top` products by revenue, all others as one row, and last the total."""
    params = scope.params()
    best = [found["product_id"] for found in rows(BEST_PRODUCTS, {**params, "top": top})]
    sales = NARROWED_SALES if scope.is_narrowed else SALES
    return rows(f"WITH {sales}, {PRODUCTS}", {**params, "best": best})
