"""A ledger's row takes its import from the signed context, asked for once per statement.

The rules are those of sales/0007 and inventory/0006, with the import beside the customer.
"""

from django.db import migrations
from django.db.migrations import RunSQL

RULE = """
CREATE OR REPLACE RULE {ledger}_insert AS ON INSERT TO public.{ledger} DO INSTEAD
INSERT INTO timeseries.{ledger} (customer_id, {batch}{columns})
VALUES ((SELECT current_customer_id()), {value}{new})
ON CONFLICT {key} DO NOTHING
RETURNING {returning};
"""
LEDGERS = {
    "transactions": (
        "store_id, product_id, sold_at, business_date, receipt, line, quantity, unit_price,"
        " total_amount",
        "md5(customer_id::text || store_id || receipt || '/' || line)::uuid, customer_id,"
        " store_id, product_id, sold_at, business_date, receipt, line, quantity, unit_price,"
        " total_amount",
        "(customer_id, store_id, sold_at, receipt, line)",
    ),
    "inventory_levels": (
        "store_id, product_id, timestamp, quantity_on_hand, quantity_allocated, source",
        "md5(customer_id::text || store_id || product_id || extract(epoch FROM timestamp))::uuid,"
        " customer_id, store_id, product_id, timestamp, quantity_on_hand, quantity_allocated,"
        " quantity_on_hand - quantity_allocated, source",
        "(customer_id, store_id, product_id, timestamp)",
    ),
}
UNSIGNED = "nullif(current_setting('app.import_batch_id', true), '')::uuid"


def rule(ledger: str, *, batch: bool) -> str:
    columns, returning, key = LEDGERS[ledger]
    return RULE.format(
        ledger=ledger,
        batch="batch_id, " if batch else "",
        value="(SELECT current_import_batch_id()), " if batch else "",
        columns=columns,
        new=", ".join(f"NEW.{column.strip()}" for column in columns.split(",")),
        returning=returning,
        key=key,
    )


def default(ledger: str, change: str) -> str:
    return f"ALTER TABLE timeseries.{ledger} ALTER COLUMN batch_id {change};"


class Migration(migrations.Migration):
    dependencies = [
        ("ingestion", "0014_open_chunks"),
        ("inventory", "0006_ledger_keys"),
        ("sales", "0007_ledger_keys"),
        ("tenancy", "0010_signed_context"),
    ]

    operations = [
        RunSQL(
            rule(ledger, batch=True) + default(ledger, "DROP DEFAULT"),
            default(ledger, f"SET DEFAULT {UNSIGNED}") + rule(ledger, batch=False),
        )
        for ledger in LEDGERS
    ]
