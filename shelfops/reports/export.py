"""A report's table as a file: CSV or XLSX."""

import csv
from collections.abc import Callable, Iterator
from datetime import date
from typing import Any

from django.http import StreamingHttpResponse

from shelfops.reports import workbook
from shelfops.reports.table import Column, Kind, Table, figure

# Excel takes a file without it for the machine's old code page.
BYTE_ORDER_MARK = "\ufeff"
BATCH = 500


class Echo:
    """A file that hands back what is written to it."""

    def write(self, text: str) -> str:
        return text


def response(table: Table, name: str, kind: str) -> StreamingHttpResponse:
    """The file; `kind` is one of KINDS."""
    write, content_type = KINDS[kind]
    content = StreamingHttpResponse(write(table), content_type=content_type)
    content["Content-Disposition"] = f'attachment; filename="{name}.{kind}"'
    content["Cache-Control"] = "no-store"
    return content


def lines(table: Table) -> Iterator[str]:
    """The file in pieces of some hundred lines: head, rows, total."""
    writer = csv.writer(Echo())
    piece = [BYTE_ORDER_MARK, writer.writerow([column.label for column in table.columns])]
    for row in table.records():
        piece.append(
            writer.writerow(value(column, row.get(column.key)) for column in table.columns)
        )
        if len(piece) >= BATCH:
            yield "".join(piece)
            piece = []
    yield "".join(piece)


def value(column: Column, value: Any) -> object:
    """What a cell of the page says, without signs for the reader."""
    if value is None:
        return ""
    if isinstance(value, date):
        return value.isoformat()
    if column.kind.is_number:
        number = figure(column.kind, value)
        return str(number) if column.kind is Kind.MONEY else number
    return safe(str(value))


def safe(text: str) -> str:
    """Text that a spreadsheet will not take for a formula."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r", "\n")) else text


KINDS: dict[str, tuple[Callable[[Table], Iterator[Any]], str]] = {
    "csv": (lines, "text/csv; charset=utf-8"),
    "xlsx": (
        workbook.pieces,
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    ),
}
