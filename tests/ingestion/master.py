"""Files of master data, and shorthand to bring them in."""

import csv
import re
from io import BytesIO, StringIO
from typing import Any

from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from openpyxl import Workbook

from shelfops.ingestion.models import ImportBatch, ImportDraft
from shelfops.tenancy.context import tenant
from tests.cast import Cast
from tests.ingestion.feeding import query

PAGES = {
    "products": "/imports/master/",
    "stores": "/imports/master/stores/",
    "reorder_points": "/imports/master/reorder-points/",
}
# Texts that files and spreadsheets like to spoil.
NASTY = [
    "=1+1",
    "+1",
    "-5",
    "@x",
    "\tindented",
    "'quoted",
    "'=guarded already",
    'double "quotes" and, commas; semicolons',
    "two\nlines",
    "a carriage\r\nreturn",
    "trailing spaces  ",
    "  leading spaces",
    "\U0001f34b lemon, caf\u00e9, \u5bff\u53f8",
    "00123",
    "1.23E+11",
    "_x000D_",
    "TRUE",
    "NULL",
    "2026-03-31",
]


def csv_of(*rows: list[Any], **dialect: Any) -> bytes:
    text = StringIO()
    csv.writer(text, **dialect).writerows(rows)
    return text.getvalue().encode()


def xlsx_of(*rows: list[Any]) -> bytes:
    book, content = Workbook(), BytesIO()
    for row in rows:
        book.active.append(row)
    book.save(content)
    return content.getvalue()


def upload(client: Client, kind: str, content: bytes, name: str = "file.csv") -> Any:
    return client.post(PAGES[kind], {"file": SimpleUploadedFile(name, content)})


def problem(response: Any) -> str:
    """What the page says is wrong with the file."""
    assert response.status_code == 200
    [error] = response.context["form"].errors["file"]
    return error


def draft(client: Client, kind: str, *rows: list[Any]) -> str:
    """The address of the preview of a file that is understood at once."""
    response = upload(client, kind, csv_of(*rows))
    assert response.status_code == 302, problem(response)
    assert "columns" not in response.url
    return response.url


def outcomes(client: Client, url: str, **query: Any) -> list[tuple[Any, ...]]:
    """Line, outcome, and the reason or the changes, as the page shows them."""
    lines = client.get(url, query).context["lines"]
    return [
        (
            line.number,
            line.outcome,
            line.reason if line.outcome == "refused" else [tuple(cell) for cell in line.cells],
        )
        for line in lines
    ]


def apply(client: Client, url: str, **data: Any) -> Any:
    seen = re.search(r'name="seen" value="([^"]+)"', client.get(url).content.decode())
    posted = {"seen": seen[1] if seen else "", **data}
    return client.post(f"{url}apply/", posted, follow=True)


def said(response: Any) -> str:
    return " ".join(str(message) for message in response.context["messages"])


def batch_of(cast: Cast) -> ImportBatch:
    with tenant(cast.customer):
        return ImportBatch.objects.order_by("-started_at")[0]


def counts(cast: Cast) -> tuple[int, ...]:
    """Rows read, inserted, changed, there already, refused by the last import."""
    batch = batch_of(cast)
    return (
        batch.rows_read,
        batch.rows_inserted,
        batch.rows_changed,
        batch.rows_present,
        batch.rows_refused,
    )


def drafts(cast: Cast) -> int:
    with tenant(cast.customer):
        return ImportDraft.objects.count()


def products(cast: Cast) -> list[tuple[Any, ...]]:
    return query(
        cast.customer,
        "SELECT sku, name, department, unit_price, shelf_life_days, is_active"
        " FROM products ORDER BY sku",
    )
