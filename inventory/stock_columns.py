"""Stock, sales and cover of a page's products: one query, whatever the number of stores."""

from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from inventory.queries import VELOCITY_DAYS
from sales.days import last_business_day
from shelfops.reports.period import Period
from shelfops.reports.sql import rows

# Stock by idx_current_stock_product. Sales from the daily aggregate: the bound on `day`, a
# timestamptz that reaches a day further than the business days, excludes all other chunks.
FIGURES = """
WITH stock AS (
    SELECT product_id, sum(quantity_available) AS available
    FROM current_stock
    WHERE product_id = ANY(%(products)s)
      AND (%(stores)s::uuid[] IS NULL OR store_id = ANY(%(stores)s))
    GROUP BY product_id
), sales AS (
    SELECT product_id, sum(quantity_sold) AS units
    FROM daily_sales
    WHERE product_id = ANY(%(products)s)
      AND (%(stores)s::uuid[] IS NULL OR store_id = ANY(%(stores)s))
      AND day >= %(since)s AND day < %(until)s AND business_date BETWEEN %(start)s AND %(end)s
    GROUP BY product_id
)
SELECT product_id, stock.available, coalesce(sales.units, 0) AS units
FROM stock FULL JOIN sales USING (product_id)
"""

DEPARTMENTS = "SELECT DISTINCT department FROM products ORDER BY department"

# Skips along idx_products_category where no department is chosen.
CATEGORIES = """
SELECT DISTINCT category FROM products
WHERE %(department)s = '' OR department = %(department)s
ORDER BY category
"""


@dataclass(frozen=True)
class Figures:
    """`available` is None where the product was never counted; `units` are of 28 days."""

    available: Decimal | None = None
    units: Decimal = Decimal(0)

    @property
    def days_of_cover(self) -> Decimal | None:
        """Available stock divided by units a day; None without stock figures or sales."""
        if self.available is None or self.units <= 0:
            return None
        return self.available * VELOCITY_DAYS / self.units


def figures(products: list[UUID], stores: list[UUID] | None) -> dict[UUID, Figures]:
    """By product, over `stores` (None: all), as the stock report works them out."""
    period = Period.ending(last_business_day(stores), VELOCITY_DAYS)
    params = {"products": products, "stores": stores, **period.params()}
    return {
        found["product_id"]: Figures(found["available"], found["units"])
        for found in rows(FIGURES, params)
    }


def departments() -> list[str]:
    return [found["department"] for found in rows(DEPARTMENTS, {})]


def categories(department: str = "") -> list[str]:
    """The department's; of the whole catalogue without one."""
    return [found["category"] for found in rows(CATEGORIES, {"department": department})]


def quantity(value: Decimal | None, unit: str = "") -> str:
    """`value` for people: no trailing zeros, thousands apart; empty for None."""
    if value is None:
        return ""
    text = f"{value:,.3f}".rstrip("0").rstrip(".")
    return f"{text} {unit}" if unit else text


def cover(figures: Figures) -> str:
    """Days of cover for people; without sales there is no number to show."""
    if figures.available is None:
        return ""
    days = figures.days_of_cover
    return "no sales" if days is None else f"{days:,.1f} days"
