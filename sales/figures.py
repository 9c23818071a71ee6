"""What is worked out of sales, and the tables it is put into.

A table reads `sales`, the rows of the period and of what it is compared with (`is_before`), each
with the store and `n`, how many days into its own period it lies. Its last row is the total.
"""

from dataclasses import dataclass

from sales.scope import IN_STORES

# `_compared` is what the period has of the stores and days that are compared (`is_before` is
# NULL of the others): changes are worked out from it, as what they are compared with leaves out
# the same.
_SUMS = """
coalesce(sum(revenue) FILTER (WHERE is_before IS NOT TRUE), 0) AS revenue,
coalesce(sum(revenue) FILTER (WHERE NOT is_before), 0) AS revenue_compared,
coalesce(sum(revenue) FILTER (WHERE is_before), 0) AS revenue_before,
coalesce(sum(quantity_sold) FILTER (WHERE is_before IS NOT TRUE), 0) AS units,
coalesce(sum(quantity_sold) FILTER (WHERE NOT is_before), 0) AS units_compared,
coalesce(sum(quantity_sold) FILTER (WHERE is_before), 0) AS units_before
"""
_BASKET_SUMS = """
coalesce(sum(lines) FILTER (WHERE is_before IS NOT TRUE), 0) AS lines,
coalesce(sum(baskets) FILTER (WHERE is_before IS NOT TRUE), 0) AS baskets,
coalesce(sum(baskets) FILTER (WHERE NOT is_before), 0) AS baskets_compared,
coalesce(sum(baskets) FILTER (WHERE is_before), 0) AS baskets_before
"""
# In percent; there is none to a period that sold nothing.
_CHANGES = """
revenue, revenue_before, units, units_before,
round(100 * (revenue_compared - revenue_before)
      / CASE WHEN revenue_before > 0 THEN revenue_before END, 1) AS revenue_change,
round(100 * (units_compared - units_before) / CASE WHEN units_before > 0 THEN units_before END, 1)
    AS units_change
"""
_BASKETS = """
lines, baskets, baskets_before,
round(100 * (baskets_compared - baskets_before) / nullif(baskets_before, 0), 1) AS baskets_change,
round(revenue / nullif(baskets, 0), 2) AS basket,
round(revenue_before / nullif(baskets_before, 0), 2) AS basket_before,
round(100 * (revenue_compared / nullif(baskets_compared, 0)
             - revenue_before / nullif(baskets_before, 0))
      / CASE WHEN revenue_before > 0 THEN revenue_before / nullif(baskets_before, 0) END, 1)
    AS basket_change
"""
# At the cost that a product has today, of those that have one. What has no cost is no margin.
_MARGIN_SUMS = """
sum(known) FILTER (WHERE is_before IS NOT TRUE) AS known,
sum(known) FILTER (WHERE NOT is_before) AS known_compared,
sum(known) FILTER (WHERE is_before) AS known_before,
sum(cost) FILTER (WHERE is_before IS NOT TRUE) AS exact_cost,
sum(cost) FILTER (WHERE NOT is_before) AS exact_cost_compared,
sum(cost) FILTER (WHERE is_before) AS exact_cost_before
"""
_MARGINS = """
round(exact_cost, 2) AS cost, round(known - exact_cost, 2) AS margin,
round(known_before - exact_cost_before, 2) AS margin_before,
round(100 * (known_compared - exact_cost_compared - known_before + exact_cost_before)
      / CASE WHEN known_before > exact_cost_before THEN known_before - exact_cost_before END, 1)
    AS margin_change,
round(100 * (known - exact_cost) / CASE WHEN known > 0 THEN known END, 1) AS percent,
round(100 * (known_before - exact_cost_before) / CASE WHEN known_before > 0 THEN known_before END,
      1) AS percent_before,
round(100 * coalesce(known, 0) / CASE WHEN revenue > 0 THEN revenue END, 1) AS known_share
"""


@dataclass(frozen=True)
class Figures:
    """Sums of the rows, and what is shown of the sums."""

    sums: str
    shown: str


SALES_SUMS = (
    "revenue", "revenue_compared", "revenue_before", "units", "units_compared", "units_before",
)  # fmt: skip
SALES = Figures(_SUMS, _CHANGES)
WITH_BASKETS = Figures(f"{_SUMS}, {_BASKET_SUMS}", f"{_CHANGES}, {_BASKETS}")
MARGINS = Figures(f"{_SUMS}, {_MARGIN_SUMS}", f"{_CHANGES}, {_MARGINS}")


def by_day(figures: Figures) -> str:
    """Each day beside the day as far into what it is compared with; those without sales, too."""
    return f"""
    SELECT %(start)s::date + n AS business_date, %(before_start)s::date + n AS day_before,
           is_total, {figures.shown}
    FROM (
        SELECT n, grouping(n) = 1 AS is_total, {figures.sums}
        FROM generate_series(0, %(days)s - 1) AS n LEFT JOIN sales USING (n)
        GROUP BY GROUPING SETS ((n), ())
    ) AS totals
    ORDER BY is_total, n
    """


def by_span(unit: str, figures: Figures) -> str:
    """Each week or month, clipped to the period, beside the same number of days compared with."""
    return f"""
    SELECT CASE WHEN NOT is_total THEN first_day END AS first_day,
           CASE WHEN NOT is_total THEN last_day END AS last_day, days, is_total, {figures.shown}
    FROM (
        SELECT span, grouping(span) = 1 AS is_total, min(day) AS first_day, max(day) AS last_day,
               count(DISTINCT day) AS days, {figures.sums}
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


def by_store(figures: Figures) -> str:
    """Each store, the best first; one that is open but sold nothing is a row, too."""
    return f"""
    SELECT store_id, name, is_total, {figures.shown}
    FROM (
        SELECT store_id, name, grouping(store_id) = 1 AS is_total, {figures.sums}
        FROM stores LEFT JOIN sales USING (store_id)
        WHERE {IN_STORES}
        GROUP BY GROUPING SETS ((store_id, name), ())
        HAVING bool_or(is_active) OR count(n) > 0 OR grouping(store_id) = 1
    ) AS totals
    ORDER BY is_total, revenue DESC, name
    """


def by_group(group: str, figures: Figures) -> str:
    """Each department or category, the best first; `name` is as the catalogue has it."""
    return f"""
    SELECT CASE WHEN NOT is_total THEN coalesce(nullif({group}, ''), 'No {group}') END AS label,
           {group} AS name, is_total, {figures.shown}
    FROM (
        SELECT {group}, grouping({group}) = 1 AS is_total, {figures.sums}
        FROM sales
        GROUP BY GROUPING SETS (({group}), ())
    ) AS totals
    ORDER BY is_total, revenue DESC, {group}
    """
