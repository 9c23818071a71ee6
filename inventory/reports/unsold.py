"""Stock that does not sell: dead for too long, or perhaps not there at all."""

from collections.abc import Iterator
from math import log
from typing import Any

from inventory.queries import PAIRS, WANTED, StockScope
from inventory.reports.movement import PAGE
from inventory.reports.reading import rows, stream
from inventory.spans import span_params, spans
from shelfops.reports.period import Period
from shelfops.reports.sql import Row

# How far back the last sale of what is dead is looked for.
LAST_SALE_DAYS = 182

ORDERS = {
    "cost_value": "cost_value DESC NULLS LAST, retail_value DESC NULLS LAST",
    "retail_value": "retail_value DESC NULLS LAST",
    "on_hand": "on_hand DESC",
    "label": "label, store",
}
PHANTOM_ORDERS = {"chance": "expected DESC", **ORDERS}

# Stock by store and product with names, values and when it was counted.
NAMED = """
SELECT grouping(store_id) = 1 AS is_total, store_id, product_id, label, number, store,
       sum(on_hand) AS on_hand, round(sum(on_hand * unit_cost), 2) AS cost_value,
       round(sum(on_hand * unit_price), 2) AS retail_value,
       count(*) FILTER (WHERE unit_cost IS NULL) AS without_cost,
       counted_on{more}
FROM (
    SELECT s.store_id, s.product_id, p.name AS label, p.sku AS number, st.name AS store,
           s.quantity_on_hand AS on_hand, p.unit_cost, p.unit_price,
           (s.timestamp AT TIME ZONE st.time_zone)::date AS counted_on{more}
    FROM {found} AS s
    JOIN products p USING (product_id)
    JOIN stores st USING (store_id)
) AS named
GROUP BY GROUPING SETS ((store_id, product_id, label, number, store, counted_on{more}), ())
"""

# Sold at least once, in the period or since: a sale of today counts, too, as it does for the alert
# on dead stock. Days on which returns made up for the sales do not count. Bounds on `day` exclude
# chunks, and the join keeps of the aggregate what is in stock. The last sale is looked for further
# back, for the rows of the page only.
DEAD = f"""
WITH {WANTED}, {PAIRS},
moving AS MATERIALIZED (
    SELECT DISTINCT store_id, product_id
    FROM daily_sales JOIN pairs USING (store_id, product_id)
    WHERE day >= %(since)s AND business_date >= %(start)s
      AND (%(stores)s::uuid[] IS NULL OR store_id = ANY (%(stores)s::uuid[]))
      AND quantity_sold > 0
),
dead AS (
    SELECT * FROM pairs
    WHERE quantity_on_hand > 0
      AND NOT EXISTS (SELECT FROM moving
                      WHERE moving.store_id = pairs.store_id
                        AND moving.product_id = pairs.product_id)
),
measured AS MATERIALIZED ({NAMED.format(found="dead", more="")}),
page AS MATERIALIZED ({{page}}),
last_sales AS MATERIALIZED (
    SELECT store_id, product_id, max(business_date) AS last_sale
    FROM daily_sales JOIN page USING (store_id, product_id)
    WHERE day >= %(sales_since)s AND day < %(until)s AND quantity_sold > 0
      AND business_date BETWEEN %(sales_start)s AND %(end)s
      AND (%(stores)s::uuid[] IS NULL OR store_id = ANY (%(stores)s::uuid[]))
    GROUP BY store_id, product_id
)
SELECT page.*, last_sale FROM page LEFT JOIN last_sales USING (store_id, product_id)
ORDER BY place
"""

# Purchases come at random, so that a run of days without any has the chance exp(-expected), where
# so many were expected in it (Poisson). Receipt lines count, not units: a case of 24 is one
# purchase. Only days with something available count, both for the rate and for the run.
PHANTOM = f"""
WITH {WANTED}, {PAIRS}, {spans("pairs")},
purchases AS MATERIALIZED (
    SELECT store_id, product_id, sum(lines) AS purchases, max(business_date) AS last_sale
    FROM daily_sales JOIN pairs USING (store_id, product_id)
    WHERE day >= %(since)s AND day < %(until)s AND business_date BETWEEN %(start)s AND %(end)s
      AND (%(stores)s::uuid[] IS NULL OR store_id = ANY (%(stores)s::uuid[]))
      AND quantity_sold > 0
    GROUP BY store_id, product_id
),
runs AS (
    SELECT store_id, product_id, purchases, last_sale, sum(days) AS days_in_stock,
           sum(greatest(next_day - greatest(first_day, last_sale + 1), 0)) AS run
    FROM purchases JOIN numbered USING (store_id, product_id) JOIN spans USING (pair)
    WHERE in_stock
    GROUP BY store_id, product_id, purchases, last_sale
),
suspects AS (
    SELECT pairs.*, purchases, last_sale, run, days_in_stock, purchases / days_in_stock AS rate,
           purchases / days_in_stock * run AS expected
    FROM runs JOIN pairs USING (store_id, product_id)
    WHERE quantity_on_hand > 0 AND days_in_stock > 0
      AND purchases / days_in_stock * run > %(least_expected)s
),
measured AS MATERIALIZED (
    {NAMED.format(found="suspects", more=", last_sale, run, rate, expected")}
)
SELECT placed.*, round(rate, 2) AS purchases_a_day, round(expected, 1) AS expected_purchases,
       CASE WHEN expected > ln(1000000) THEN 'under 1 in 1,000,000'
            ELSE '1 in ' || to_char(exp(expected), 'FM9,999,999') END AS chance
FROM ({{page}}) AS placed
ORDER BY place
"""


def dead_statement(order: str) -> str:
    return DEAD.format(page=_page(ORDERS[order]))


def phantom_statement(order: str) -> str:
    return PHANTOM.format(page=_page(PHANTOM_ORDERS[order]))


def _page(order: str) -> str:
    return PAGE.format(order=order, tie="label, product_id, store_id", measured="measured")


def dead_params(
    scope: StockScope, period: Period, limit: int | None, offset: int
) -> dict[str, Any]:
    sales = Period.ending(period.end, max(LAST_SALE_DAYS, period.days))
    return {
        **scope.params(),
        **period.params(),
        "sales_start": sales.start,
        "sales_since": sales.since,
        "limit": limit,
        "offset": offset,
    }


def phantom_params(
    scope: StockScope, period: Period, chance: float, limit: int | None, offset: int
) -> dict[str, Any]:
    return {
        **scope.params(),
        **span_params(period),
        "least_expected": -log(chance),
        "limit": limit,
        "offset": offset,
    }


def dead(
    scope: StockScope, period: Period, *, order: str = "cost_value", limit: int, offset: int = 0
) -> list[Row]:
    """A page of what is on hand and was not sold in the period, and last the total.

    Values at today's cost and price. `last_sale` is None where there is none in 182 days.
    """
    return rows(dead_statement(order), dead_params(scope, period, limit, offset))


def all_dead(scope: StockScope, period: Period, order: str) -> Iterator[Row]:
    return stream(dead_statement(order), dead_params(scope, period, None, 0))


def phantom(
    scope: StockScope,
    period: Period,
    chance: float,
    *,
    order: str = "chance",
    limit: int,
    offset: int = 0,
) -> list[Row]:
    """A page of what is on hand by the counts, but has not sold for too long to be true.

    That is where the run of days without sales at the end of the period has less than `chance`
    (0 to 1), at the rate of the period. Last their total.
    """
    return rows(phantom_statement(order), phantom_params(scope, period, chance, limit, offset))


def all_phantom(scope: StockScope, period: Period, chance: float, order: str) -> Iterator[Row]:
    return stream(phantom_statement(order), phantom_params(scope, period, chance, None, 0))
