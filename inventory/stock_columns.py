"""Stock, sales and cover of a page's products: one query, whatever the number of stores."""

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from uuid import UUID

from django.db import connection

from inventory.models import Product
from shelfops.ledgers import midnight

WINDOW = 28  # days of sales that the velocity is worked out from

# Stock by idx_current_stock_product. Sales from the daily aggregate: the bound on `day`, a
# timestamptz that reaches a day further than the business days, excludes all older chunks.
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
      AND day >= %(since)s AND business_date >= %(first)s AND business_date < %(today)s
    GROUP BY product_id
)
SELECT product_id, stock.available, coalesce(sales.units, 0)
FROM stock FULL JOIN sales USING (product_id)
"""

# One pass over the catalogue for both filters.
GROUPS = "SELECT DISTINCT department, category FROM products ORDER BY department, category"


@dataclass(frozen=True)
class Figures:
    """`available` is None where the product was never counted; `units` are of WINDOW days."""

    available: Decimal | None = None
    units: Decimal = Decimal(0)

    @property
    def days_of_cover(self) -> Decimal | None:
        """Available stock divided by units a day; None without stock figures or sales."""
        if self.available is None or self.units <= 0:
            return None
        return self.available * WINDOW / self.units


def figures(products: list[UUID], stores: list[UUID] | None, today: date) -> dict[UUID, Figures]:
    """By product, over `stores` (None: all), of the WINDOW business days before `today`."""
    first = today - timedelta(days=WINDOW)
    params = {
        "products": products,
        "stores": stores,
        "today": today,
        "first": first,
        "since": midnight(first - timedelta(days=1)),
    }
    with connection.cursor() as cursor:
        cursor.execute(FIGURES, params)
        return {product: Figures(available, units) for product, available, units in cursor}


def groups() -> list[tuple[str, str]]:
    """The catalogue's departments with their categories."""
    with connection.cursor() as cursor:
        cursor.execute(GROUPS)
        return list(cursor)


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


def of_product(product: Product, stores: list[UUID] | None, today: date) -> Figures:
    return figures([product.pk], stores, today).get(product.pk, Figures())
