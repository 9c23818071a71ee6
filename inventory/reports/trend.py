"""Stock at the close of each day."""

from inventory.queries import PAIRS, WANTED, StockScope
from inventory.reports.reading import rows
from inventory.spans import span_params, spans
from shelfops.reports.period import Period
from shelfops.reports.sql import Row

# A span adds its stock on its first day and takes it away on the day after its last: added up
# from day to day, that is the stock of each. So the days cost no more than the counts.
DAYS = """
prices AS MATERIALIZED (
    SELECT pair, unit_cost, unit_price FROM numbered JOIN products USING (product_id)
),
ends AS (
    SELECT coalesce(first_day, next_day) AS day,
           CASE WHEN first_day IS NULL THEN -1 ELSE 1 END AS sign,
           sum(on_hand) AS on_hand, sum(on_hand * unit_cost) AS cost,
           sum(on_hand * unit_price) AS retail, count(*) FILTER (WHERE in_stock) AS in_stock,
           count(*) AS known
    FROM spans JOIN prices USING (pair)
    GROUP BY GROUPING SETS (first_day, next_day)
),
changes AS (
    SELECT day, sum(sign * on_hand) AS on_hand, sum(sign * cost) AS cost,
           sum(sign * retail) AS retail, sum(sign * in_stock) AS in_stock,
           sum(sign * known) AS known
    FROM ends
    GROUP BY day
),
days AS (
    SELECT %(opening)s::date + n AS business_date,
           sum(on_hand) OVER days AS on_hand,
           round(sum(cost) OVER days, 2) AS cost,
           round(sum(retail) OVER days, 2) AS retail,
           sum(in_stock) OVER days AS in_stock,
           sum(known) OVER days AS known
    FROM generate_series(0, %(days)s) AS n
    LEFT JOIN changes ON day = %(opening)s::date + n
    WINDOW days AS (ORDER BY n)
)
"""
NAMES = ("business_date", "on_hand", "cost", "retail", "in_stock", "known")
TREND = f"""
WITH {WANTED}, {PAIRS}, {spans("pairs")}, {DAYS}
SELECT {", ".join(NAMES)} FROM days ORDER BY business_date
"""
# Lists of the days' figures, as columns of the total.
DAYS_IN_TOTAL = ", ".join(
    f"""CASE WHEN is_total THEN (SELECT array_agg({name} ORDER BY business_date) FROM days) END
        AS {name}_by_day"""
    for name in NAMES
)


def by_day(scope: StockScope, period: Period) -> list[Row]:
    """Each day from the one before the period on: units on hand, at today's cost and price.

    `in_stock` of the `known` products in stores had something available. All None before the
    first count.
    """
    return rows(TREND, {**scope.params(), **span_params(period)})


def days_of(total: Row) -> list[Row]:
    """The same rows as `by_day`, from a total that has DAYS_IN_TOTAL."""
    lists = [total[f"{name}_by_day"] for name in NAMES]
    return [dict(zip(NAMES, values, strict=True)) for values in zip(*lists, strict=True)]
