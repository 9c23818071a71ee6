"""Adding counts of stock names the key that it looks for.

Without it TimescaleDB unpacks every batch of the row's moment: beside a million lines of one moment
200 lines took 98 seconds, and with it 3 (TimescaleDB 2.29.2).
"""

from importlib import import_module

from django.db import migrations
from django.db.migrations import RunSQL

from shelfops.tenancy.operations import ledger_writes

before = import_module("inventory.migrations.0002_ledger_writes")

KEY = "(customer_id, store_id, product_id, timestamp)"
COUNT = ("inventory_levels", before.COUNT, before.RETURNING)
DEFAULTS = {"quantity_allocated": "0", "source": "'feed'"}


class Migration(migrations.Migration):
    dependencies = [("inventory", "0005_start_to_come")]

    operations = [
        RunSQL(
            ledger_writes(*COUNT, DEFAULTS, KEY).sql,
            ledger_writes(*COUNT, DEFAULTS).sql,
        )
    ]
