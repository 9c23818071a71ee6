"""Records for the feeds, and shorthand to load them."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pyarrow
from django.db import connection

from inventory.ingest import INVENTORY_LEVELS
from sales.ingest import TRANSACTIONS
from shelfops.ingestion.feeds import Feed, Source, load
from shelfops.ingestion.models import ImportBatch
from shelfops.tenancy.context import tenant
from shelfops.tenancy.models import Customer
from tests.cast import Cast

FILE = Source("sales.csv", "0" * 64, "tests")
TYPES = {
    "bigint": pyarrow.int64(),
    "text": pyarrow.string(),
    "timestamptz": pyarrow.timestamp("us", "UTC"),
    "timestamp": pyarrow.timestamp("us"),
    "date": pyarrow.date32(),
    "integer": pyarrow.int32(),
    "smallint": pyarrow.int16(),
    "numeric": pyarrow.string(),
}


def days_ago(days: int, hour: int = 12) -> datetime:
    now = datetime.now(UTC).replace(hour=hour, minute=0, second=0, microsecond=0)
    return now - timedelta(days=days)


def records(feed: Feed, *rows: dict[str, Any], first: int = 1) -> pyarrow.RecordBatch:
    """The rows with line numbers from `first`; columns that a row leaves out are NULL."""
    schema = pyarrow.schema(
        [("line_number", pyarrow.int64())]
        + [(name, TYPES[kind]) for name, kind in feed.columns.items()]
    )
    numbered = [
        {"line_number": number} | {name: cell(value) for name, value in row.items()}
        for number, row in enumerate(rows, first)
    ]
    return pyarrow.RecordBatch.from_pylist(numbered, schema=schema)


def cell(value: Any) -> Any:
    return str(value) if isinstance(value, Decimal | float) else value


def sale(cast: Cast, **changes: Any) -> dict[str, Any]:
    """A line of two units at 1.50 in the cast's store, three days ago."""
    return {
        "store": cast.store.code,
        "product": cast.product.sku,
        "sold_at": days_ago(3),
        "receipt": "R1",
        "line": 1,
        "quantity": "2",
        "total_amount": "3.00",
    } | changes


def stock_count(cast: Cast, on_hand: str, days: int, **changes: Any) -> dict[str, Any]:
    return {
        "store": cast.store.code,
        "product": cast.product.sku,
        "timestamp": days_ago(days),
        "quantity_on_hand": on_hand,
    } | changes


def load_sales(customer: Customer, *rows: dict[str, Any], source: Source = FILE) -> ImportBatch:
    return load(customer, TRANSACTIONS, source, [records(TRANSACTIONS, *rows)])


def load_counts(customer: Customer, *rows: dict[str, Any]) -> ImportBatch:
    return load(customer, INVENTORY_LEVELS, FILE, [records(INVENTORY_LEVELS, *rows)])


def outcome(batch: ImportBatch) -> tuple[int, int, int, int]:
    """Rows read, inserted, already there, refused."""
    return batch.rows_read, batch.rows_inserted, batch.rows_present, batch.rows_refused


def query(customer: Customer, sql: str, params: Any = None) -> list[tuple[Any, ...]]:
    with tenant(customer), connection.cursor() as cursor:
        cursor.execute(sql, params)
        return cursor.fetchall()
