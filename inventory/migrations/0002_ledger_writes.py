"""Who adds counts of stock does not say for which customer."""

from django.db import migrations

from shelfops.tenancy.operations import ledger_writes

COUNT = "store_id, product_id, timestamp, quantity_on_hand, quantity_allocated, source"
RETURNING = """
md5(customer_id::text || store_id || product_id || extract(epoch FROM timestamp))::uuid,
customer_id, store_id, product_id, timestamp, quantity_on_hand, quantity_allocated,
quantity_on_hand - quantity_allocated, source
"""


class Migration(migrations.Migration):
    dependencies = [("inventory", "0001_initial")]

    operations = [
        ledger_writes(
            "inventory_levels",
            COUNT,
            RETURNING,
            defaults={"quantity_allocated": "0", "source": "'feed'"},
        ),
    ]
