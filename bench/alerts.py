"""Measures the evaluation of alert rules, against reading once what it has to read.

    python bench/alerts.py [--stores 200] [--products 5000]

Makes a new customer, which stays, with a stock row and a reorder point for every product in
every store and 62 days of sales, on the database that the environment names. Prints the time
of two statements written by hand (stock joined with stores, products and the reorder points
in force; the same with the velocity of each row), and of evaluations: the first, which opens
the alerts, and those that find them still holding. Medians of three where nothing changes.
"""

import argparse
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import django

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shelfops.settings")
django.setup()

from django.db import connection  # noqa: E402

from alerts.evaluation import evaluate  # noqa: E402
from shelfops.tenancy.context import tenant  # noqa: E402
from shelfops.tenancy.models import Customer  # noqa: E402
from shelfops.timescale import refresh  # noqa: E402

# Of 1,000 rows 10 are empty, 30 more at or below their reorder point, and 5 never sell. The
# others sell every 30 days, so much that their stock lasts for 56.
FILL = (
    """
    INSERT INTO stores (code, name, time_zone)
    SELECT 'S' || n, 'Store ' || n, 'America/New_York' FROM generate_series(1, %(stores)s) AS n
    """,
    """
    INSERT INTO products (customer_id, sku, name, department, category, unit_price, unit_cost,
                          created_at)
    SELECT current_customer_id(), 'P' || n, 'Product ' || n, 'D' || n %% 10, 'C' || n %% 100, 2, 1,
           now() - INTERVAL '1 year'
    FROM generate_series(1, %(products)s) AS n
    """,
    """
    INSERT INTO current_stock (customer_id, store_id, product_id, timestamp, quantity_on_hand)
    SELECT (SELECT current_customer_id()), store_id, product_id, now() - INTERVAL '1 hour',
           CASE WHEN chance < 0.01 THEN 0 WHEN chance < 0.04 THEN 5 ELSE 40 END
    FROM (SELECT store_id, product_id, random() AS chance FROM stores, products) AS pairs
    """,
    """
    INSERT INTO reorder_points (customer_id, store_id, product_id, reorder_point, effective_from)
    SELECT (SELECT current_customer_id()), store_id, product_id, 10, now() - INTERVAL '1 year'
    FROM stores, products
    """,
    """
    INSERT INTO transactions (store_id, product_id, sold_at, business_date, receipt,
                              line, quantity, unit_price, total_amount)
    SELECT store_id, product_id, sold_at,
           (sold_at AT TIME ZONE 'America/New_York')::date, 'R' || sku || back, 1, 20, 2, 40
    FROM stores, products, unnest(ARRAY[0, 30]) AS back,
         LATERAL (SELECT date_trunc('day', now()) - INTERVAL '8 hours' - make_interval(
                             days => back + substr(sku, 2)::integer %% 30) AS sold_at) AS moments
    WHERE substr(sku, 2)::integer %% 200 > 0
    """,
)
JOIN = """
SELECT count(*), count(*) FILTER (WHERE quantity_available <= 0),
       count(*) FILTER (WHERE quantity_available <= reorder_point)
FROM current_stock
JOIN stores USING (store_id)
JOIN products USING (product_id)
LEFT JOIN reorder_points AS rule
       ON rule.store_id = current_stock.store_id AND rule.product_id = current_stock.product_id
      AND effective_from <= now() AND (effective_to IS NULL OR effective_to > now())
"""
JOIN_WITH_SALES = f"""
WITH sold AS MATERIALIZED (
    SELECT store_id, product_id, sum(quantity_sold) / 28 AS velocity, max(business_date) AS last
    FROM daily_sales WHERE day > now() - INTERVAL '62 days' GROUP BY store_id, product_id
)
{JOIN.replace("count(*),", "count(*), sum(quantity_available / velocity), max(last),", 1)}
LEFT JOIN sold
       ON sold.store_id = current_stock.store_id AND sold.product_id = current_stock.product_id
"""


def filled(stores: int, products: int) -> Customer:
    customer = Customer.objects.using("operator").create(name=f"Benchmark {stores} x {products}")
    with tenant(customer), connection.cursor() as cursor:
        for statement in FILL:
            cursor.execute(statement, {"stores": stores, "products": products})
        cursor.execute(
            "SELECT request_refresh(array_agg(DISTINCT date_trunc('day', sold_at, 'UTC')))"
            " FROM transactions"
        )
    refresh.refresh_requested()
    refresh.update_statistics()
    return customer


def measured(work: Callable[[], object]) -> float:
    """Seconds."""
    start = time.monotonic()
    work()
    return time.monotonic() - start


def read(customer: Customer, statement: str) -> None:
    with tenant(customer), connection.cursor() as cursor:
        cursor.execute("SET LOCAL work_mem = '64MB'")
        cursor.execute(statement)
        cursor.fetchall()


def show(title: str, seconds: float) -> None:
    print(f"{title:<50}{seconds:>8.2f} s")  # noqa: T201


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--stores", type=int, default=200)
    parser.add_argument("--products", type=int, default=5000)
    options = parser.parse_args()
    customer = filled(options.stores, options.products)
    rows = options.stores * options.products
    print(f"{rows:,} rows of stock")  # noqa: T201
    statements = {"join by hand": JOIN, "join by hand with sales": JOIN_WITH_SALES}
    for title, statement in statements.items():
        times = [measured(lambda text=statement: read(customer, text)) for _ in range(3)]
        show(title, median(times))
    first = evaluate(customer)
    show(f"first evaluation, {first.opened:,} alerts opened", seconds(first))
    again = [evaluate(customer) for _ in range(3)]
    show(f"evaluation, {again[-1].held:,} conditions still hold", median(map(seconds, again)))
    print(first.error, *(run.error for run in again))  # noqa: T201


def seconds(run) -> float:
    return (run.finished_at - run.started_at).total_seconds()


if __name__ == "__main__":
    main()
