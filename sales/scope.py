"""Which sales a report asks for, and the rows of them.

`stores` limits a query to stores; None is all of the customer's. Bounds on `day`, the UTC day
the aggregates are cut by, exclude chunks; `business_date` then says exactly which rows count.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from shelfops.reports.period import Period

Stores = list[UUID] | None
# A store, and how many days into a period.
StoreDay = tuple[UUID, int]


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
    # Without sales in one of the two periods though some were expected: in the figures of the
    # other, but not compared.
    left_out: Sequence[StoreDay] = ()

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
            "leaves_out": bool(self.left_out),
            "left_out_stores": [store for store, _ in self.left_out],
            "left_out_days": [n for _, n in self.left_out],
        }


# Conditions that do not narrow are constants to the planner, which drops them.
IN_STORES = "(%(stores)s::uuid[] IS NULL OR store_id = ANY (%(stores)s::uuid[]))"

IN_SCOPE = f"""
{IN_STORES} AND (%(all_products)s OR product_id IN (
    SELECT product_id FROM products
    WHERE (%(department)s = '' OR department = %(department)s)
      AND (%(category)s = '' OR category = %(category)s)
      AND (%(product)s::uuid IS NULL OR product_id = %(product)s::uuid)))
"""


def left_out(start: str) -> str:
    """Whether a row is of a store and day that is not compared; false where there are none."""
    return f"""
    (%(leaves_out)s AND (store_id, business_date - %({start})s::date) IN (
         SELECT * FROM unnest(%(left_out_stores)s::uuid[], %(left_out_days)s::integer[])))
    """


def both(
    columns: str, source: str, where: str = IN_STORES, time: str = "day", has_stores: bool = True
) -> str:
    """Rows of the period and of what it is compared with, which may overlap.

    `is_before` is NULL for what the period has and is not compared; an aggregate without stores has
    no such rows. `n` is how many days into its own period a row lies; bounds on `time` exclude
    chunks.
    """
    alone = left_out("start") if has_stores else "false"
    alone_before = left_out("before_start") if has_stores else "false"
    return f"""
    SELECT CASE WHEN {alone} THEN NULL ELSE false END AS is_before,
           business_date - %(start)s::date AS n, {columns}
    FROM {source}
    WHERE {time} >= %(since)s AND {time} < %(until)s
      AND business_date BETWEEN %(start)s AND %(end)s AND {where}
    UNION ALL
    SELECT true, business_date - %(before_start)s::date, {columns}
    FROM {source}
    WHERE {time} >= %(before_since)s AND {time} < %(before_until)s
      AND business_date BETWEEN %(before_start)s AND %(before_end)s AND {where}
      AND NOT {alone_before}
    """
