"""Receipts by quarter of an hour, for baskets and for the hours of the week.

An aggregate cannot count distinct receipts, but it can hold each as a row of its own, and then
counting them is exact. A quarter of an hour is the finest step by which time zones differ, so
that these rows say what a store's clock showed, in any zone and on days of clock changes.
"""

from django.db import migrations
from django.db.migrations import RunSQL

from shelfops.tenancy.operations import tenant_view
from shelfops.timescale.operations import continuous_aggregate

RECEIPTS = """
SELECT time_bucket('15 minutes', sold_at) AS quarter,
       customer_id, store_id, business_date, receipt,
       sum(quantity) AS quantity_sold, sum(total_amount) AS revenue, count(*) AS lines
FROM timeseries.transactions
GROUP BY 1, customer_id, store_id, business_date, receipt
"""
RECEIPTS_VIEW = """
SELECT quarter, customer_id, store_id, business_date, receipt, quantity_sold, revenue, lines
FROM timeseries.receipts
"""

# What was sold before this aggregate was made; the hourly refresh reaches a month back only.
REQUEST_REFRESH = """
INSERT INTO timeseries.refresh_requests (days)
SELECT tstzrange(date_trunc('day', min(sold_at), 'UTC'),
                 date_trunc('day', max(sold_at), 'UTC') + INTERVAL '24 hours')
FROM timeseries.transactions
HAVING min(sold_at) IS NOT NULL;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("sales", "0002_daily_category_sales"),
        ("ingestion", "0001_initial"),
    ]

    operations = [
        continuous_aggregate(
            "receipts",
            RECEIPTS,
            order_by="quarter, store_id, business_date, receipt",
            index="customer_id, quarter DESC",
        ),
        tenant_view("receipts", RECEIPTS_VIEW),
        RunSQL(REQUEST_REFRESH, RunSQL.noop),
    ]
