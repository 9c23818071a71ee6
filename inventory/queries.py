"""Reads of stock. `stores` limits a query to stores; None is all of the customer's."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from inventory.spans import span_params, spans
from shelfops.reports.period import Period
from shelfops.reports.sql import Row, row, rows, stream

Stores = list[UUID] | None

VELOCITY_DAYS = 28


@dataclass(frozen=True)
class StockScope:
    """Which stock is asked for; what is empty does not narrow it."""

    stores: Stores
    department: str = ""
    category: str = ""
    search: str = ""
    # reorder, empty or no_rule
    status: str = ""
    product: UUID | None = None

    def params(self) -> dict[str, Any]:
        escaped = self.search.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
        return {
            "stores": self.stores,
            "product": self.product,
            "department": self.department,
            "category": self.category,
            "search": f"%{escaped}%",
            "any_product": not (self.department or self.category or self.search),
            "status": self.status,
        }


# Conditions that do not narrow are constants to the planner, which drops them.
IN_FORCE = """
reorder_points r
WHERE r.store_id = s.store_id AND r.product_id = s.product_id
  AND r.effective_from <= now() AND (r.effective_to IS NULL OR r.effective_to > now())
"""
# The products asked for, of those in stock: looked up by their keys, so that the search does not
# read the names of a whole catalogue, and read once.
WANTED = """
wanted AS MATERIALIZED (
    SELECT in_stock.product_id
    FROM (SELECT DISTINCT product_id FROM current_stock
          WHERE NOT %(any_product)s
            AND (%(stores)s::uuid[] IS NULL OR store_id = ANY (%(stores)s::uuid[]))) AS in_stock
    CROSS JOIN LATERAL (
        SELECT sku, name, department, category FROM products
        WHERE product_id = in_stock.product_id OFFSET 0
    ) AS product
    WHERE (%(department)s = '' OR department = %(department)s)
      AND (%(category)s = '' OR category = %(category)s)
      AND (name ILIKE %(search)s OR sku ILIKE %(search)s)
)
"""
IN_SCOPE = f"""
(%(stores)s::uuid[] IS NULL OR s.store_id = ANY (%(stores)s::uuid[]))
AND (%(product)s::uuid IS NULL OR s.product_id = %(product)s::uuid)
AND (%(any_product)s OR s.product_id IN (SELECT product_id FROM wanted))
AND (%(status)s <> 'empty' OR s.quantity_available <= 0)
AND (%(status)s <> 'reorder' OR EXISTS (
    SELECT FROM {IN_FORCE} AND s.quantity_available <= r.reorder_point))
AND (%(status)s <> 'no_rule' OR NOT EXISTS (SELECT FROM {IN_FORCE}))
"""

# The stock that a report is of.
PAIRS = f"""
pairs AS MATERIALIZED (
    SELECT s.store_id, s.product_id, s.timestamp, s.quantity_on_hand, s.quantity_available
    FROM current_stock s
    WHERE {IN_SCOPE}
)
"""

# How stock can be ordered: the SQL, and what it reads besides the stock itself.
ORDERS = {
    "cover": ("cover NULLS LAST, units_28 DESC NULLS LAST", "sales"),
    "-cover": ("cover DESC NULLS LAST", "sales"),
    "velocity": ("units_28 DESC NULLS LAST", "sales"),
    "on_hand": ("quantity_on_hand DESC", ""),
    "available": ("quantity_available DESC", ""),
    "cost": ("quantity_on_hand * unit_cost DESC NULLS LAST", "products"),
    "retail": ("quantity_on_hand * unit_price DESC NULLS LAST", "products"),
    "product": ("name, sku", "products"),
    "counted": ("timestamp", ""),
}


def _sales(of: str) -> str:
    """Units of 7 and of 28 days, of what `of` has: days without sales add nothing."""
    return f"""
    sales AS MATERIALIZED (
        SELECT store_id, product_id, sum(quantity_sold) AS units_28,
               coalesce(sum(quantity_sold) FILTER (WHERE business_date > %(end)s::date - 7), 0)
                   AS units_7
        FROM daily_sales JOIN {of} USING (store_id, product_id)
        WHERE day >= %(since)s AND day < %(until)s AND business_date BETWEEN %(start)s AND %(end)s
          AND (%(stores)s::uuid[] IS NULL OR store_id = ANY (%(stores)s::uuid[]))
          AND (%(product)s::uuid IS NULL OR product_id = %(product)s::uuid)
        GROUP BY store_id, product_id
    )
    """


def _page(columns: str, joins: str, order: str) -> str:
    return f"""
    page AS MATERIALIZED (
        SELECT row_number() OVER () AS place, ranked.*
        FROM (
            SELECT s.store_id, s.product_id, quantity_on_hand, quantity_allocated,
                   quantity_available, timestamp, source{columns}
            FROM current_stock s {joins}
            WHERE {IN_SCOPE}
            ORDER BY {order}, s.product_id, s.store_id
            LIMIT %(limit)s OFFSET %(offset)s
        ) AS ranked
    )
    """


def stock_statement(order: str) -> str:
    """A page of the stock in one of ORDERS.

    Only an order by sales has to read the sales of everything: 28 days of `daily_sales` (chunks
    excluded by `day`), of which the join keeps what is in stock before it is added up. All else
    is worked out, and joined with names and reorder points by their keys, for the page's rows.
    """
    by, reads = ORDERS[order]
    if reads == "sales":
        cover = "quantity_available * 28 / CASE WHEN units_28 > 0 THEN units_28 END AS cover"
        joins = "LEFT JOIN sales USING (store_id, product_id)"
        page = f"{_sales('current_stock')}, {_page(f', units_28, {cover}', joins, by)}"
    else:
        joins = "JOIN products USING (product_id)" if reads else ""
        page = f"{_page('', joins, by)}, {_sales('page')}"
    return f"WITH {WANTED}, {page}, {spans('page')}, {FIGURES}"


# Below the minimum: what is missing up to the maximum, in whole order multiples; without a
# maximum the reorder point is taken for it, and one multiple is ordered at least.
ORDER_QUANTITY = """
CASE WHEN s.quantity_available <= r.reorder_point
     THEN greatest(ceil((coalesce(r.order_up_to, r.reorder_point) - s.quantity_available)
                        / r.order_multiple), 1) * r.order_multiple END
"""
FIGURES = f"""
in_stock AS (
    SELECT store_id, product_id, sum(days) AS days
    FROM spans JOIN numbered USING (pair)
    WHERE in_stock AND days > 0
    GROUP BY store_id, product_id
)
SELECT s.store_id, s.product_id, st.name AS store, p.name AS product, p.sku,
       s.quantity_on_hand, s.quantity_allocated, s.quantity_available,
       round(s.quantity_on_hand * p.unit_cost, 2) AS cost_value,
       round(s.quantity_on_hand * p.unit_price, 2) AS retail_value,
       round(coalesce(f.units_7, 0) / 7, 2) AS velocity_7,
       round(coalesce(f.units_28, 0) / 28, 2) AS velocity,
       round(coalesce(f.units_28, 0) / i.days, 2) AS in_stock_velocity,
       round(c.cover, 1) AS cover,
       CASE WHEN c.cover < 3650
            THEN (now() AT TIME ZONE st.time_zone)::date + greatest(floor(c.cover), 0)::integer
            END AS stockout_on,
       o.reorder_point, o.order_quantity,
       CASE WHEN s.quantity_available <= o.reorder_point THEN 'Reorder'
            WHEN s.quantity_available <= 0 THEN 'Out of stock' END AS status,
       (s.timestamp AT TIME ZONE st.time_zone)::date AS counted_on, s.source
FROM page s
JOIN stores st USING (store_id)
JOIN products p USING (product_id)
LEFT JOIN sales f USING (store_id, product_id)
LEFT JOIN in_stock i USING (store_id, product_id)
CROSS JOIN LATERAL (
    SELECT s.quantity_available * 28 / CASE WHEN f.units_28 > 0 THEN f.units_28 END AS cover
) AS c
LEFT JOIN LATERAL (
    SELECT r.reorder_point, {ORDER_QUANTITY} AS order_quantity FROM {IN_FORCE} LIMIT 1
) AS o ON true
ORDER BY s.place
"""

# At most one reorder point is in force, so the join adds no rows.
STOCK_TOTALS = f"""
WITH {WANTED}
SELECT count(*) AS rows,
       count(*) FILTER (WHERE quantity_available <= 0) AS empty,
       count(*) FILTER (WHERE quantity_available <= f.reorder_point) AS below,
       coalesce(sum(quantity_on_hand), 0) AS quantity_on_hand,
       coalesce(sum(quantity_allocated), 0) AS quantity_allocated,
       coalesce(sum(quantity_available), 0) AS quantity_available,
       round(sum(quantity_on_hand * unit_cost), 2) AS cost_value,
       round(sum(quantity_on_hand * p.unit_price), 2) AS retail_value,
       count(*) FILTER (WHERE quantity_on_hand > 0 AND unit_cost IS NULL) AS without_cost
FROM current_stock s
JOIN products p USING (product_id)
LEFT JOIN reorder_points f
       ON f.store_id = s.store_id AND f.product_id = s.product_id
      AND f.effective_from <= now() AND (f.effective_to IS NULL OR f.effective_to > now())
WHERE {IN_SCOPE}
"""

DEPARTMENTS = """
SELECT DISTINCT department, category FROM products ORDER BY department, category
"""


def stock(
    scope: StockScope, period: Period, *, limit: int, offset: int = 0, order: str = "cover"
) -> list[Row]:
    """Stock per store and product in one of ORDERS; `period` is the 28 days velocity is of.

    Velocity in units a day, cover in days, values in the customer's currency at today's cost and
    price.
    """
    return rows(stock_statement(order), _stock_params(scope, period, limit, offset))


def all_stock(scope: StockScope, period: Period, order: str = "cover") -> Iterator[Row]:
    """The same, every row of it, read as it is consumed."""
    return stream(stock_statement(order), _stock_params(scope, period, None, 0))


def _stock_params(
    scope: StockScope, period: Period, limit: int | None, offset: int
) -> dict[str, Any]:
    return {**scope.params(), **span_params(period), "limit": limit, "offset": offset}


def stock_totals(scope: StockScope) -> Row:
    """How many `rows` there are, how many of them `empty` or `below` reorder point, and the sums.

    `without_cost` of them have stock, but a product whose cost is not known.
    """
    return row(STOCK_TOTALS, scope.params())


def departments() -> list[tuple[str, str]]:
    """Each department with each of its categories."""
    return [(found["department"], found["category"]) for found in rows(DEPARTMENTS, {})]
