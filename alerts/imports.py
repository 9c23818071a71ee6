"""An import has what it touched evaluated at once."""

from typing import Any
from uuid import UUID

from alerts.evaluation import evaluate
from alerts.models import AlertEvent
from shelfops.ingestion.models import ImportBatch
from shelfops.reports.sql import rows
from shelfops.tenancy.context import tenant

# The stores with stock counted, or sales, in the time that the import's rows span: those of the
# import, and at times a few more. `day` excludes chunks of the aggregate.
TOUCHED = {
    "inventory_levels": """
        SELECT DISTINCT store_id FROM current_stock
        WHERE timestamp BETWEEN %(first)s AND %(last)s
        """,
    "transactions": """
        SELECT DISTINCT store_id FROM daily_store_sales
        WHERE day BETWEEN date_trunc('day', %(first)s::timestamptz, 'UTC') AND %(last)s
        """,
}


def evaluate_import(sender: Any, batch: ImportBatch, **kwargs: Any) -> None:
    """Evaluate the stores of a finished import; one that brought nothing touched none."""
    if batch.kind not in TOUCHED or not batch.rows_inserted:
        return
    customer = batch.customer
    with tenant(customer):
        span = {"first": batch.touched_from, "last": batch.touched_until}
        stores: list[UUID] = [row["store_id"] for row in rows(TOUCHED[batch.kind], span)]
    evaluate(customer, AlertEvent.Source.IMPORT, stores=stores)
