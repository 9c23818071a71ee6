"""What was in stock over a period, and what was sold of it, added up by any group.

Stock as of a day, stock turn, GMROI, sell-through and availability all are columns of these
rows. A product counts in a store from its first count on; sales of what was never counted there
are left out, as there is no stock to hold them against.
"""

from collections.abc import Iterator
from typing import Any

from inventory.queries import PAIRS, WANTED, StockScope
from inventory.reports.reading import rows, stream
from inventory.reports.trend import DAYS, DAYS_IN_TOTAL
from inventory.spans import span_params, spans
from shelfops.reports.period import Period
from shelfops.reports.sql import Row

# Of each product in each store. Stock times days, so that averages over any group add up. What
# was in stock at the start and at the end only needs the spans of these days.
ALL_DAYS = "true"
ENDS = "first_day = %(opening)s OR next_day = %(end)s::date + 1"
HELD = """
sums_of_spans AS (
    SELECT pair,
           sum(on_hand * days) AS stock_days,
           sum(days) AS known_days,
           coalesce(sum(days) FILTER (WHERE in_stock), 0) AS days_in_stock,
           coalesce(sum(on_hand) FILTER (WHERE first_day = %(opening)s), 0) AS opening,
           coalesce(sum(on_hand) FILTER (WHERE next_day = %(end)s::date + 1), 0) AS closing,
           max(counted_on) FILTER (WHERE counted_on >= %(start)s) AS last_counted
    FROM spans
    WHERE {which}
    GROUP BY pair
),
held AS MATERIALIZED (
    SELECT store_id, product_id, sums_of_spans.*
    FROM sums_of_spans JOIN numbered USING (pair)
)
"""

# `day` excludes chunks of the aggregate by product, store and day. A sale after the last count
# cannot be in it, so it says nothing about what was received.
SOLD = """
sold AS MATERIALIZED (
    SELECT store_id, product_id, sum(quantity_sold) AS units, sum(revenue) AS revenue,
           coalesce(sum(quantity_sold) FILTER (WHERE business_date <= last_counted), 0)
               AS counted_units
    FROM daily_sales JOIN held USING (store_id, product_id)
    WHERE day >= %(since)s AND day < %(until)s AND business_date BETWEEN %(start)s AND %(end)s
      AND (%(stores)s::uuid[] IS NULL OR store_id = ANY (%(stores)s::uuid[]))
    GROUP BY store_id, product_id
)
"""

# Of what needs no sales: stock as of a day.
NOTHING_SOLD = """
sold AS (
    SELECT NULL::uuid AS store_id, NULL::uuid AS product_id, 0.0 AS units, 0.0 AS revenue,
           0.0 AS counted_units
    WHERE false
)
"""

# There is no feed of receipts: what came in is what the counts have more than they should after
# the sales. Less than they should is shrinkage, not a negative receipt.
FIGURES = """
figures AS (
    SELECT held.*, coalesce(units, 0) AS units, coalesce(revenue, 0) AS revenue,
           CASE WHEN last_counted IS NULL THEN 0
                ELSE greatest(closing - opening + coalesce(counted_units, 0), 0) END AS received,
           greatest(coalesce(units, 0), 0) * (known_days - days_in_stock)
               / nullif(days_in_stock, 0) AS lost_units,
           CASE WHEN units > 0 THEN revenue * (known_days - days_in_stock)
                / nullif(days_in_stock, 0) END AS lost_revenue
    FROM held LEFT JOIN sold USING (store_id, product_id)
)
"""

# What rows are of: their keys, and how they are called.
GROUPS = {
    "department": ("department", "coalesce(nullif(department, ''), 'No department')", "NULL"),
    "category": ("category", "coalesce(nullif(category, ''), 'No category')", "NULL"),
    "store": ("store_id, store", "store", "NULL"),
    "product": ("product_id, product, sku", "product", "sku"),
}

# Divided once, and last: two divisions can turn a last digit over (0.05 / (8 / 28) is not 0.175).
# Averages are over all days of the period: before its first count a product was not there.
# Ratios at cost are of the products whose cost is known, both above and below the line.
SUMS = """
count(*) AS pairs,
count(*) FILTER (WHERE closing > 0) AS pairs_in_stock,
count(DISTINCT product_id) FILTER (WHERE unit_cost IS NULL) AS without_cost,
sum(opening) AS opening, sum(closing) AS closing, sum(closing) - sum(opening) AS change,
round(sum(closing * unit_cost), 2) AS closing_cost,
round(sum(closing * unit_price), 2) AS closing_retail,
round(sum(opening * unit_cost), 2) AS opening_cost,
sum(units) AS units, sum(revenue) AS revenue, sum(received) AS received,
sum(units * unit_cost) AS exact_cost_of_sales,
sum(revenue) FILTER (WHERE unit_cost IS NOT NULL) - sum(units * unit_cost) AS exact_margin,
sum(stock_days) AS stock_days, sum(stock_days * unit_cost) AS cost_days,
sum(known_days) AS known_days, sum(days_in_stock) AS days_in_stock,
round(sum(lost_units), 1) AS lost_units, round(sum(lost_revenue), 2) AS lost_revenue
"""
RATIOS = """
round(stock_days / %(days)s, 1) AS average_stock,
round(cost_days / %(days)s, 2) AS average_stock_cost,
round(exact_cost_of_sales, 2) AS cost_of_sales,
round(exact_margin, 2) AS margin,
round(exact_cost_of_sales * %(days)s / nullif(cost_days, 0), 2) AS turn,
round(exact_cost_of_sales * 365 / nullif(cost_days, 0), 1) AS yearly_turn,
round(exact_margin * %(days)s / nullif(cost_days, 0), 2) AS gmroi,
round(100 * units / nullif(opening + received, 0), 1) AS sell_through,
known_days - days_in_stock AS days_out,
round(100.0 * days_in_stock / nullif(known_days, 0), 1) AS availability,
round(units / nullif(days_in_stock, 0), 2) AS in_stock_velocity
"""

# Columns that rows can be ordered by, those first that ask for attention.
ORDERS = {
    "label": "label",
    "closing": "closing DESC",
    "change": "change",
    "closing_cost": "closing_cost DESC NULLS LAST",
    "closing_retail": "closing_retail DESC NULLS LAST",
    "average_stock_cost": "cost_days DESC NULLS LAST",
    "turn": "turn NULLS LAST, cost_days DESC NULLS LAST",
    "gmroi": "gmroi NULLS LAST, cost_days DESC NULLS LAST",
    "sell_through": "sell_through NULLS LAST, units DESC",
    "units": "units DESC",
    "received": "received DESC",
    "availability": "availability NULLS LAST, lost_revenue DESC NULLS LAST",
    "lost_revenue": "lost_revenue DESC NULLS LAST",
    "lost_units": "lost_units DESC NULLS LAST",
}

# Puts rows in their order and keeps a page of them, and last the total.
PAGE = """
SELECT * FROM (
    SELECT *, row_number() OVER (ORDER BY is_total, {order}, {tie}) AS place
    FROM {measured} AS measured
) AS placed
WHERE is_total OR place > %(offset)s
  AND (%(limit)s::integer IS NULL OR place <= %(offset)s + %(limit)s::integer)
ORDER BY place
"""


def statement(group: str, order: str, *, with_sales: bool = True) -> str:
    """Without sales it is right in what was in stock at the start and the end only.

    The total then has the days on the way there, which are of the same spans.
    """
    sold = SOLD if with_sales else NOTHING_SOLD
    held = HELD.format(which=ALL_DAYS if with_sales else ENDS)
    keys, label, sku = GROUPS[group]
    key = keys.split(",")[0]
    measured = f"""(
        SELECT *, CASE WHEN NOT is_total THEN {label} END AS label, {sku} AS number, {RATIOS}
        FROM sums
    )"""
    page, days = PAGE.format(order=ORDERS[order], tie=f"label, {keys}", measured=measured), ""
    if not with_sales:
        days = f" {DAYS},"
        page = f"SELECT page.*, {DAYS_IN_TOTAL} FROM ({page}) AS page ORDER BY place"
    return f"""
    WITH {WANTED}, {PAIRS}, {spans("pairs")}, {held}, {sold}, {FIGURES},{days}
    sums AS (
        SELECT {keys}, grouping({key}) = 1 AS is_total, {SUMS}
        FROM figures
        JOIN (SELECT product_id, name AS product, sku, department, category, unit_cost, unit_price
              FROM products) AS catalogue USING (product_id)
        JOIN (SELECT store_id, name AS store FROM stores) AS places USING (store_id)
        GROUP BY GROUPING SETS (({keys}), ())
    )
    {page}
    """


def params(scope: StockScope, period: Period, limit: int | None, offset: int) -> dict[str, Any]:
    return {**scope.params(), **span_params(period), "limit": limit, "offset": offset}


def by_group(
    group: str,
    scope: StockScope,
    period: Period,
    *,
    order: str,
    limit: int,
    offset: int = 0,
    with_sales: bool = True,
) -> list[Row]:
    """A page of GROUPS in one of ORDERS, and last their total, whose `place` is one more than all.

    Stock in units, `*_cost` at today's cost and `*_retail` at today's price, in the customer's
    currency; shares in percent; velocity in units a day.
    """
    found = statement(group, order, with_sales=with_sales)
    return rows(found, params(scope, period, limit, offset))


def all_by_group(
    group: str, scope: StockScope, period: Period, order: str, *, with_sales: bool = True
) -> Iterator[Row]:
    """The same, every row of it, read as it is consumed."""
    found = statement(group, order, with_sales=with_sales)
    return stream(found, params(scope, period, None, 0))
