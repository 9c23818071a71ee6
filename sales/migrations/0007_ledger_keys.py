"""Adding sales and forecasts names the key that it looks for.

Without it TimescaleDB unpacks every batch of the row's moment: beside a million lines of one moment
200 lines took 98 seconds, and with it 3 (TimescaleDB 2.29.2).
"""

from importlib import import_module

from django.db import migrations
from django.db.migrations import RunSQL

from shelfops.tenancy.operations import ledger_writes

before = import_module("sales.migrations.0006_ledger_writes")

TRANSACTION_KEY = "(customer_id, store_id, sold_at, receipt, line)"
FORECAST_KEY = "(customer_id, store_id, product_id, forecast_for, model, issued_at)"


def with_key(view: str, columns: str, row_id: str, key: str) -> RunSQL:
    returning = f"{row_id}, customer_id, {columns}"
    return RunSQL(
        ledger_writes(view, columns, returning, key=key).sql,
        ledger_writes(view, columns, returning).sql,
    )


class Migration(migrations.Migration):
    dependencies = [("sales", "0006_ledger_writes")]

    operations = [
        with_key("transactions", before.TRANSACTION, before.TRANSACTION_ID, TRANSACTION_KEY),
        with_key("forecasts", before.FORECAST, before.FORECAST_ID, FORECAST_KEY),
    ]
