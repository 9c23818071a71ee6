"""Reads of stock. `stores` limits a query to stores; None is all of the customer's."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from shelfops.reports.period import Period
from shelfops.reports.sql import Row, row, rows, stream

Stores = list[UUID] | None

VELOCITY_DAYS = 28
# A count of stock holds until the next one; the feed is expected to send one at least this often.
LONGEST_BETWEEN_COUNTS = timedelta(days=35)


@dataclass(frozen=True)
class StockScope:
    """Which stock is asked for; what is empty does not narrow it."""

    stores: Stores
    department: str = ""
    category: str = ""
    search: str = ""
    below: bool = False
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
            "any_level": not self.below,
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
AND (%(any_level)s OR EXISTS (
    SELECT FROM {IN_FORCE} AND s.quantity_available <= r.reorder_point))
"""

# Lowest cover first, and of equal cover what sells most. Only the rows of the page are joined
# with names and reorder points, by their keys. The velocity reads 28 days of `daily_sales`
# (chunks excluded by `day`), counting days without sales as 0.
STOCK = f"""
WITH {WANTED},
velocity AS MATERIALIZED (
    SELECT store_id, product_id, sum(quantity_sold) / %(days)s AS velocity
    FROM daily_sales
    WHERE day >= %(since)s AND day < %(until)s AND business_date BETWEEN %(start)s AND %(end)s
      AND (%(stores)s::uuid[] IS NULL OR store_id = ANY (%(stores)s::uuid[]))
      AND (%(product)s::uuid IS NULL OR product_id = %(product)s::uuid)
    GROUP BY store_id, product_id
    HAVING sum(quantity_sold) > 0
),
stock AS (
    SELECT s.store_id, s.product_id, quantity_on_hand, quantity_allocated, quantity_available,
           timestamp, source, velocity, quantity_available / velocity AS cover
    FROM current_stock s LEFT JOIN velocity USING (store_id, product_id)
    WHERE {IN_SCOPE}
    ORDER BY cover NULLS LAST, velocity DESC NULLS LAST, s.product_id, s.store_id
    LIMIT %(limit)s OFFSET %(offset)s
)
SELECT s.store_id, s.product_id, st.name AS store, p.name AS product, p.sku,
       quantity_on_hand, quantity_allocated, quantity_available,
       round(velocity, 2) AS velocity, round(cover, 1) AS cover, f.reorder_point,
       CASE WHEN quantity_available <= f.reorder_point THEN 'Reorder'
            WHEN quantity_available <= 0 THEN 'Out of stock' END AS status,
       (timestamp AT TIME ZONE st.time_zone)::date AS counted_on, source
FROM stock s
JOIN stores st USING (store_id)
JOIN products p USING (product_id)
LEFT JOIN LATERAL (SELECT r.reorder_point FROM {IN_FORCE} LIMIT 1) AS f ON true
ORDER BY s.cover NULLS LAST, s.velocity DESC NULLS LAST, s.product_id, s.store_id
"""

# At most one reorder point is in force, so the join adds no rows.
STOCK_COUNTS = f"""
WITH {WANTED}
SELECT count(*) AS rows,
       count(*) FILTER (WHERE quantity_available <= 0) AS empty,
       count(*) FILTER (WHERE quantity_available <= f.reorder_point) AS below
FROM current_stock s
LEFT JOIN reorder_points f
       ON f.store_id = s.store_id AND f.product_id = s.product_id
      AND f.effective_from <= now() AND (f.effective_to IS NULL OR f.effective_to > now())
WHERE {IN_SCOPE}
"""

DEPARTMENTS = """
SELECT DISTINCT department, category FROM products ORDER BY department, category
"""

# Stock at the close of each day: what the stores' counts add up to. A count changes the sum by
# its difference from the store's count before it. The product's sales come by the aggregate's
# index and bloom filter on the product; `day` and `timestamp` exclude chunks.
HISTORY = """
WITH sold AS (
    SELECT business_date, sum(quantity_sold) AS units, sum(revenue) AS revenue
    FROM daily_sales
    WHERE product_id = %(product)s AND day >= %(since)s AND day < %(until)s
      AND business_date BETWEEN %(start)s AND %(end)s
      AND (%(stores)s::uuid[] IS NULL OR store_id = ANY (%(stores)s::uuid[]))
    GROUP BY business_date
),
changes AS MATERIALIZED (
    SELECT (timestamp AT TIME ZONE time_zone)::date AS day,
           quantity_on_hand
           - lag(quantity_on_hand, 1, 0) OVER (PARTITION BY store_id ORDER BY timestamp) AS change
    FROM inventory_levels JOIN stores USING (store_id)
    WHERE product_id = %(product)s AND timestamp >= %(counted_since)s AND timestamp < %(until)s
      AND (%(stores)s::uuid[] IS NULL OR store_id = ANY (%(stores)s::uuid[]))
),
rules AS MATERIALIZED (
    SELECT reorder_point, (effective_from AT TIME ZONE time_zone)::date AS first_day,
           (effective_to AT TIME ZONE time_zone)::date AS end_day
    FROM reorder_points JOIN stores USING (store_id)
    WHERE product_id = %(product)s
      AND (%(stores)s::uuid[] IS NULL OR store_id = ANY (%(stores)s::uuid[]))
)
SELECT d.day AS business_date, coalesce(units, 0) AS units, coalesce(revenue, 0) AS revenue,
       (SELECT sum(change) FROM changes WHERE changes.day <= d.day) AS on_hand,
       (SELECT sum(reorder_point) FROM rules
        WHERE first_day <= d.day AND (end_day IS NULL OR end_day > d.day)) AS reorder_point
FROM (SELECT %(start)s::date + n AS day FROM generate_series(0, %(days)s - 1) AS n) AS d
LEFT JOIN sold ON sold.business_date = d.day
ORDER BY d.day
"""


def stock(scope: StockScope, period: Period, *, limit: int, offset: int = 0) -> list[Row]:
    """Stock per store and product; velocity in units a day over the period, cover in days."""
    return rows(STOCK, _stock_params(scope, period, limit, offset))


def all_stock(scope: StockScope, period: Period) -> Iterator[Row]:
    """The same, every row of it, read as it is consumed."""
    return stream(STOCK, _stock_params(scope, period, None, 0))


def _stock_params(
    scope: StockScope, period: Period, limit: int | None, offset: int
) -> dict[str, Any]:
    return {**scope.params(), **period.params(), "limit": limit, "offset": offset}


def stock_counts(scope: StockScope) -> Row:
    """How many `rows` there are, and how many of them are `empty` or `below` reorder point."""
    return row(STOCK_COUNTS, scope.params())


def departments() -> list[tuple[str, str]]:
    """Each department with each of its categories."""
    return [(found["department"], found["category"]) for found in rows(DEPARTMENTS, {})]


def product_history(product: UUID, stores: Stores, period: Period) -> list[Row]:
    """Units sold, revenue, stock and reorder point of a product on each day of the period."""
    params = {
        **period.params(),
        "product": product,
        "stores": stores,
        "counted_since": period.since - LONGEST_BETWEEN_COUNTS,
    }
    return rows(HISTORY, params)
