"""Reads of what rose and fell most against the period compared with."""

from sales.figures import SALES, SALES_SUMS
from sales.queries import CATALOGUE_SALES, GROUP_SALES, PRODUCT_SALES, of_groups
from sales.scope import SalesScope
from shelfops.reports.sql import Row, rows


def _movers(key: str, source: str, measure: str) -> str:
    """Of products or categories (`key`) by revenue or units (`measure`), the largest rise first.

    Added to the statement's CTEs, of which `source` has the rows. What did not change is no mover.
    """
    change = f"{measure}_compared - {measure}_before"
    totals = ", ".join(f"coalesce(sum({name}), 0)" for name in SALES_SUMS)
    name = "name, sku"
    if key == "category":
        label = "coalesce(nullif(category, ''), 'No category')"
        name = f"CASE WHEN NOT is_total THEN {label} END AS label, category AS name"
    catalogue = "LEFT JOIN products USING (product_id)" if key == "product_id" else ""
    return f"""
    , sums AS (SELECT {key}, {SALES.sums} FROM {source} GROUP BY {key}),
    ranked AS (
        SELECT sums.*, {change} AS change,
               row_number() OVER (ORDER BY {change} DESC, {key}) AS rise,
               row_number() OVER (ORDER BY {change}, {key}) AS fall
        FROM sums
    ),
    figures AS (
        SELECT {key}, change, false AS is_total, {", ".join(SALES_SUMS)}
        FROM ranked
        WHERE (change > 0 AND rise <= %(top)s) OR (change < 0 AND fall <= %(top)s)
        UNION ALL
        SELECT NULL, coalesce(sum(change), 0), true, {totals}
        FROM ranked
    )
    SELECT {key}, {name}, is_total,
           CASE WHEN is_total THEN NULL WHEN change > 0 THEN 'Up' ELSE 'Down' END AS direction,
           revenue_compared - revenue_before AS revenue_difference,
           units_compared - units_before AS units_difference, {SALES.shown}
    FROM figures {catalogue}
    ORDER BY is_total, change DESC, {key}
    """


MEASURES = ("revenue", "units")
PRODUCTS = {
    measure: f"WITH {PRODUCT_SALES} {_movers('product_id', 'product_sales', measure)}"
    for measure in MEASURES
}
ALL_CATEGORIES = {
    measure: f"WITH {GROUP_SALES} {_movers('category', 'sales', measure)}" for measure in MEASURES
}
SOME_CATEGORIES = {
    measure: f"WITH {CATALOGUE_SALES} {_movers('category', 'sales', measure)}"
    for measure in MEASURES
}


def product_movers(scope: SalesScope, measure: str, top: int) -> list[Row]:
    """The `top` risers and the `top` fallers by revenue or units, and last the total of all."""
    return rows(PRODUCTS[measure], {**scope.params(), "top": top})


def category_movers(scope: SalesScope, measure: str, top: int) -> list[Row]:
    """The same of categories."""
    params = {**scope.params(), "top": top}
    return of_groups(ALL_CATEGORIES[measure], SOME_CATEGORIES[measure], params)
