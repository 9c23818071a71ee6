"""Stock at the close of each day."""

from inventory.queries import WANTED, StockScope
from inventory.reports.movement import PAIRS
from inventory.spans import span_params, spans
from shelfops.reports.period import Period
from shelfops.reports.sql import Row, rows

# A span adds its stock on its first day and takes it away on the day after its last: added up
# from day to day, that is the stock of each. So the days cost no more than the counts.
TREND = f"""
WITH {WANTED}, {PAIRS}, {spans("pairs")},
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
)
SELECT %(opening)s::date + n AS business_date,
       sum(on_hand) OVER days AS on_hand,
       round(sum(cost) OVER days, 2) AS cost,
       round(sum(retail) OVER days, 2) AS retail,
       sum(in_stock) OVER days AS in_stock,
       sum(known) OVER days AS known
FROM generate_series(0, %(days)s) AS n
LEFT JOIN changes ON day = %(opening)s::date + n
WINDOW days AS (ORDER BY n)
ORDER BY n
"""


def by_day(scope: StockScope, period: Period) -> list[Row]:
    """Each day from the one before the period on: units on hand, at today's cost and price.

    `in_stock` of the `known` products in stores had something available. All None before the
    first count.
    """
    return rows(TREND, {**scope.params(), **span_params(period)})
