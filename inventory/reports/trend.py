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
valued AS (
    SELECT first_day, next_day, on_hand, on_hand * unit_cost AS cost,
           on_hand * unit_price AS retail, (available > 0)::integer AS in_stock
    FROM spans
    JOIN (SELECT product_id, unit_cost, unit_price FROM products) AS prices USING (product_id)
),
changes AS (
    SELECT day, sum(on_hand) AS on_hand, sum(cost) AS cost, sum(retail) AS retail,
           sum(in_stock) AS in_stock, sum(known) AS known
    FROM (
        SELECT first_day AS day, on_hand, cost, retail, in_stock, 1 AS known FROM valued
        UNION ALL
        SELECT next_day, -on_hand, -cost, -retail, -in_stock, -1 FROM valued
    ) AS ends
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
