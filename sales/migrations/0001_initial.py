"""Point-of-sale transactions, their daily totals, and forecasts."""

from django.db import migrations, models
from django.db.migrations import RunSQL

import inventory.models
from shelfops.tenancy.operations import tenant_view
from shelfops.timescale.operations import continuous_aggregate, hypertable

# A line is known by what the feed itself calls it, so loading it twice adds nothing, and a
# compressed line takes less than half the space that one with a random UUID does.
# The key also is the seed's index on store and time; read backwards it is DESC.
TRANSACTIONS = """
CREATE TABLE IF NOT EXISTS timeseries.transactions (
    customer_id   uuid NOT NULL DEFAULT current_customer_id(),
    store_id      uuid NOT NULL,
    product_id    uuid NOT NULL,
    sold_at       timestamptz NOT NULL,
    business_date date NOT NULL,
    receipt       varchar(64) NOT NULL,
    line          integer NOT NULL,
    quantity      numeric(14, 3) NOT NULL,
    unit_price    numeric(14, 4) NOT NULL,
    total_amount  numeric(14, 2) NOT NULL,
    CONSTRAINT idx_transactions_store_time
        PRIMARY KEY (customer_id, store_id, sold_at, receipt, line),
    FOREIGN KEY (customer_id, store_id) REFERENCES stores,
    FOREIGN KEY (customer_id, product_id) REFERENCES products
);
CREATE INDEX IF NOT EXISTS idx_transactions_product
    ON timeseries.transactions (customer_id, product_id, sold_at DESC);
"""
TRANSACTIONS_VIEW = """
SELECT md5(customer_id::text || store_id || receipt || '/' || line)::uuid AS transaction_id,
       customer_id, store_id, product_id, sold_at, business_date, receipt, line,
       quantity, unit_price, total_amount
FROM timeseries.transactions
"""

# By the UTC day and the business day: a store's trading day can touch two UTC days, so a
# report adds up at most two rows and is right in every time zone.
DAILY_SALES = """
SELECT time_bucket('1 day', sold_at) AS day,
       customer_id, store_id, product_id, business_date,
       sum(quantity) AS quantity_sold, sum(total_amount) AS revenue, count(*) AS lines
FROM timeseries.transactions
GROUP BY 1, customer_id, store_id, product_id, business_date
"""
DAILY_SALES_VIEW = """
SELECT md5(customer_id::text || store_id || product_id || business_date || day)::uuid
           AS daily_sales_id,
       day, customer_id, store_id, product_id, business_date, quantity_sold, revenue, lines
FROM timeseries.daily_sales
"""

# The grain of most questions: by store and day the feed shrinks to almost nothing.
DAILY_STORE_SALES = """
SELECT time_bucket('1 day', sold_at) AS day,
       customer_id, store_id, business_date,
       sum(quantity) AS quantity_sold, sum(total_amount) AS revenue, count(*) AS lines
FROM timeseries.transactions
GROUP BY 1, customer_id, store_id, business_date
"""
DAILY_STORE_SALES_VIEW = """
SELECT day, customer_id, store_id, business_date, quantity_sold, revenue, lines
FROM timeseries.daily_store_sales
"""

FORECASTS = """
CREATE TABLE IF NOT EXISTS timeseries.forecasts (
    customer_id  uuid NOT NULL DEFAULT current_customer_id(),
    store_id     uuid NOT NULL,
    product_id   uuid NOT NULL,
    forecast_for date NOT NULL,
    issued_at    timestamptz NOT NULL,
    model        varchar(64) NOT NULL,
    quantity     numeric(14, 3) NOT NULL CHECK (quantity >= 0),
    lower_bound  numeric(14, 3) CHECK (lower_bound <= quantity),
    upper_bound  numeric(14, 3) CHECK (upper_bound >= quantity),
    CONSTRAINT idx_forecasts_store_product
        PRIMARY KEY (customer_id, store_id, product_id, forecast_for, model, issued_at),
    FOREIGN KEY (customer_id, store_id) REFERENCES stores,
    FOREIGN KEY (customer_id, product_id) REFERENCES products
);
"""
FORECASTS_VIEW = """
SELECT md5(customer_id::text || store_id || product_id || forecast_for || model
           || extract(epoch FROM issued_at))::uuid AS forecast_id,
       customer_id, store_id, product_id, forecast_for, issued_at, model,
       quantity, lower_bound, upper_bound
FROM timeseries.forecasts
"""


class Migration(migrations.Migration):
    initial = True

    dependencies = [("tenancy", "0001_initial"), ("inventory", "0001_initial")]

    operations = [
        RunSQL(TRANSACTIONS, "DROP TABLE IF EXISTS timeseries.transactions;"),
        hypertable(
            "transactions",
            "sold_at",
            order_by="store_id, product_id, sold_at",
            compress_after="14 days",
        ),
        tenant_view("transactions", TRANSACTIONS_VIEW, "SELECT, INSERT"),
        continuous_aggregate(
            "daily_sales",
            DAILY_SALES,
            order_by="day, store_id, product_id, business_date",
            index="customer_id, product_id, day DESC",
        ),
        tenant_view("daily_sales", DAILY_SALES_VIEW),
        continuous_aggregate(
            "daily_store_sales",
            DAILY_STORE_SALES,
            order_by="day, store_id, business_date",
            index="customer_id, day DESC",
        ),
        tenant_view("daily_store_sales", DAILY_STORE_SALES_VIEW),
        RunSQL(FORECASTS, "DROP TABLE IF EXISTS timeseries.forecasts;"),
        hypertable(
            "forecasts",
            "forecast_for",
            order_by="store_id, product_id, forecast_for",
            compress_after="60 days",
        ),
        tenant_view("forecasts", FORECASTS_VIEW, "SELECT, INSERT"),
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.CreateModel(
                    name="DailySales",
                    fields=[
                        ("daily_sales_id", models.UUIDField(primary_key=True, serialize=False)),
                        ("business_date", models.DateField()),
                        (
                            "quantity_sold",
                            inventory.models.Quantity(decimal_places=3, max_digits=14),
                        ),
                        ("revenue", models.DecimalField(decimal_places=2, max_digits=16)),
                        ("lines", models.BigIntegerField()),
                    ],
                    options={
                        "verbose_name_plural": "daily sales",
                        "db_table": "daily_sales",
                        "abstract": False,
                        "managed": False,
                    },
                ),
                migrations.CreateModel(
                    name="Forecast",
                    fields=[
                        ("forecast_id", models.UUIDField(primary_key=True, serialize=False)),
                        ("forecast_for", models.DateField()),
                        ("issued_at", models.DateTimeField()),
                        ("model", models.CharField(max_length=64)),
                        ("quantity", inventory.models.Quantity(decimal_places=3, max_digits=14)),
                        (
                            "lower_bound",
                            inventory.models.Quantity(decimal_places=3, max_digits=14, null=True),
                        ),
                        (
                            "upper_bound",
                            inventory.models.Quantity(decimal_places=3, max_digits=14, null=True),
                        ),
                    ],
                    options={
                        "db_table": "forecasts",
                        "ordering": ["-forecast_for"],
                        "abstract": False,
                        "managed": False,
                    },
                ),
                migrations.CreateModel(
                    name="Transaction",
                    fields=[
                        ("transaction_id", models.UUIDField(primary_key=True, serialize=False)),
                        ("sold_at", models.DateTimeField()),
                        ("business_date", models.DateField(help_text="The store's trading day.")),
                        ("receipt", models.CharField(max_length=64)),
                        ("line", models.IntegerField()),
                        ("quantity", inventory.models.Quantity(decimal_places=3, max_digits=14)),
                        ("unit_price", models.DecimalField(decimal_places=4, max_digits=14)),
                        ("total_amount", models.DecimalField(decimal_places=2, max_digits=14)),
                    ],
                    options={
                        "db_table": "transactions",
                        "ordering": ["-sold_at"],
                        "abstract": False,
                        "managed": False,
                    },
                ),
            ]
        ),
    ]
