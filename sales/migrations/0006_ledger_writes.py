"""Who adds to the ledgers of sales and forecasts does not say for which customer."""

from django.db import migrations

from shelfops.tenancy.operations import ledger_writes

TRANSACTION_ID = "md5(customer_id::text || store_id || receipt || '/' || line)::uuid"
TRANSACTION = """store_id, product_id, sold_at, business_date, receipt, line, quantity, unit_price,
        total_amount"""
FORECAST_ID = """md5(customer_id::text || store_id || product_id || forecast_for || model
           || extract(epoch FROM issued_at))::uuid"""
FORECAST = """store_id, product_id, forecast_for, issued_at, model, quantity, lower_bound,
        upper_bound"""


class Migration(migrations.Migration):
    dependencies = [("sales", "0005_daily_group_sales")]

    operations = [
        ledger_writes("transactions", TRANSACTION, f"{TRANSACTION_ID}, customer_id, {TRANSACTION}"),
        ledger_writes("forecasts", FORECAST, f"{FORECAST_ID}, customer_id, {FORECAST}"),
    ]
