"""The rows of a list as a file, CSV or XLSX, that imports back unchanged."""

import csv
from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal
from typing import Any

from django.db.models import QuerySet
from django.http import StreamingHttpResponse

from shelfops.ingestion.master.kinds import Field, Kind, Row
from shelfops.ingestion.master.words import guarded
from shelfops.reports import workbook
from shelfops.reports.export import BATCH, BYTE_ORDER_MARK, Echo
from shelfops.reports.table import Column, Table, plain
from shelfops.reports.table import Kind as Shown

ROWS_AT_ONCE = 2_000


def response(kind: Kind, rows: QuerySet, file_type: str) -> StreamingHttpResponse:
    """All rows, streamed; `file_type` is one of WRITERS."""
    write, content_type = WRITERS[file_type]
    content = StreamingHttpResponse(write(kind, records(kind, rows)), content_type=content_type)
    name = kind.many.replace(" ", "-")
    content["Content-Disposition"] = f'attachment; filename="{name}.{file_type}"'
    content["Cache-Control"] = "no-store"
    return content


def records(kind: Kind, rows: QuerySet) -> Iterator[Row]:
    """By column: text guarded against being taken for a formula, numbers as numbers."""
    for row in rows.values(*kind.paths).iterator(ROWS_AT_ONCE):
        yield {field.name: cell(field, row) for field in kind.columns}


def cell(field: Field, row: Row) -> Any:
    value = field.value(row)
    if isinstance(value, Decimal):
        return plain(value)
    return guarded(value) if isinstance(value, str) else value


def as_csv(kind: Kind, rows: Iterable[Row]) -> Iterator[str]:
    """Texts are quoted, so that spaces at their ends stay."""
    writer = csv.writer(Echo(), quoting=csv.QUOTE_NONNUMERIC)
    piece = [BYTE_ORDER_MARK, writer.writerow([field.label for field in kind.columns])]
    for row in rows:
        piece.append(writer.writerow("" if value is None else value for value in row.values()))
        if len(piece) >= BATCH:
            yield "".join(piece)
            piece = []
    yield "".join(piece)


def as_workbook(kind: Kind, rows: Iterable[Row]) -> Iterator[bytes]:
    columns = [
        Column(field.name, field.label, Shown.TEXT if field.is_text else Shown.UNITS)
        for field in kind.columns
    ]
    return workbook.pieces(Table(kind.title, columns, rows))


WRITERS: dict[str, tuple[Callable[[Kind, Iterable[Row]], Iterator[Any]], str]] = {
    "csv": (as_csv, "text/csv; charset=utf-8"),
    "xlsx": (
        as_workbook,
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    ),
}
