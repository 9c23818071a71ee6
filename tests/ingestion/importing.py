"""Files of sales, and shorthand to import them with the command."""

from io import StringIO
from pathlib import Path
from typing import Any

from django.core.management import call_command

from shelfops.ingestion.models import ImportBatch, RefusedRow
from shelfops.tenancy.context import tenant
from tests.cast import Cast
from tests.ingestion.feeding import days_ago, query

HEADER = "Store,SKU,Sold at,Receipt,Line,Qty,Amount"
LINES = """
SELECT sold_at, receipt, line, quantity, unit_price, total_amount
FROM transactions ORDER BY receipt, line
"""


def line(**changes: Any) -> str:
    """Two units at 1.50 in the cast's store, three days ago."""
    fields = {
        "store": "S1",
        "sku": "MILK-1",
        "time": days_ago(3).isoformat(),
        "receipt": "R1",
        "line": 1,
        "quantity": 2,
        "amount": "3.00",
    } | changes
    return ",".join(str(value) for value in fields.values())


def write(tmp_path: Path, *lines: str, header: str = HEADER) -> Path:
    return write_bytes(tmp_path, "".join(f"{text}\n" for text in (header, *lines)).encode())


def write_bytes(tmp_path: Path, content: bytes) -> Path:
    path = tmp_path / "sales.csv"
    path.write_bytes(content)
    return path


def run(command: str, cast: Cast, *args: Any) -> str:
    output = StringIO()
    call_command(command, *map(str, args), "--customer", str(cast.customer.pk), stdout=output)
    return output.getvalue()


def import_sales(cast: Cast, *args: Any) -> ImportBatch:
    """The batch that the command makes."""
    run("import_sales", cast, *args)
    return batches(cast)[0]


def batches(cast: Cast) -> list[ImportBatch]:
    with tenant(cast.customer):
        return list(ImportBatch.objects.order_by("-started_at"))


def refused(cast: Cast) -> list[tuple[int, str, str]]:
    with tenant(cast.customer):
        rows = RefusedRow.objects.order_by("batch__started_at", "line_number")
        return list(rows.values_list("line_number", "field", "reason"))


def sold(cast: Cast) -> list[tuple[Any, ...]]:
    return query(cast.customer, LINES)
