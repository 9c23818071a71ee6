"""A report's table as a CSV file."""

import csv
from collections.abc import Iterator
from datetime import date
from typing import Any

from django.http import StreamingHttpResponse

from shelfops.reports.table import Column, Kind, Table, plain

# Excel takes a file without it for the machine's old code page.
BYTE_ORDER_MARK = "\ufeff"
BATCH = 500


class Echo:
    """A file that hands back what is written to it."""

    def write(self, text: str) -> str:
        return text


def response(table: Table, name: str) -> StreamingHttpResponse:
    content = StreamingHttpResponse(lines(table), content_type="text/csv; charset=utf-8")
    content["Content-Disposition"] = f'attachment; filename="{name}.csv"'
    content["Cache-Control"] = "no-store"
    return content


def lines(table: Table) -> Iterator[str]:
    """The file in pieces of some hundred lines: head, rows, total."""
    writer = csv.writer(Echo())
    piece = [BYTE_ORDER_MARK, writer.writerow([column.label for column in table.columns])]
    for record in records(table):
        piece.append(writer.writerow(record))
        if len(piece) >= BATCH:
            yield "".join(piece)
            piece = []
    yield "".join(piece)


def records(table: Table) -> Iterator[list[object]]:
    for row in table.rows:
        yield [value(column, row.get(column.key)) for column in table.columns]
    if table.total:
        yield [value(column, table.total.get(column.key)) for column in table.columns]


def value(column: Column, value: Any) -> object:
    """What a cell of the page says, without signs for the reader."""
    if value is None:
        return ""
    if isinstance(value, date):
        return value.isoformat()
    if column.kind.is_number:
        return f"{value:.2f}" if column.kind is Kind.MONEY else plain(value)
    return safe(str(value))


def safe(text: str) -> str:
    """Text that a spreadsheet will not take for a formula."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r", "\n")) else text
