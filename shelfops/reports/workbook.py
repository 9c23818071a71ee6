"""A report's table as an XLSX file."""

from collections.abc import Iterator
from datetime import date
from tempfile import TemporaryFile
from typing import IO, Any

from xlsxwriter import Workbook

from shelfops.reports.table import Column, Kind, Table, figure

# Excel opens no sheet that is longer; the head is one row of it.
MOST_ROWS = 1_048_576 - 1
PIECE = 64 * 1024

FORMATS = {
    Kind.DATE: "yyyy-mm-dd",
    Kind.COUNT: "#,##0",
    Kind.MONEY: "#,##0.00",
    Kind.CHANGE: "+0.0;-0.0;0.0",
}
WIDTHS = {Kind.TEXT: 28, Kind.DATE: 14}


def pieces(table: Table) -> Iterator[bytes]:
    """The file in pieces of 64 KiB.

    It is written to the disk first, row by row: memory does not grow with the rows, and what
    describes a sheet can stand before it.
    """
    with TemporaryFile() as file:
        write(table, file)
        file.seek(0)
        while piece := file.read(PIECE):
            yield piece


def write(table: Table, file: IO[bytes]) -> None:
    """Head, rows, total; what one sheet cannot hold goes on in the next."""
    with Workbook(file, {"constant_memory": True}) as book:
        book.set_properties({"title": table.caption})
        styles = [_style(book, column) for column in table.columns]
        sheet = _sheet(book, table.columns)
        for number, row in enumerate(table.records()):
            if number and number % MOST_ROWS == 0:
                sheet = _sheet(book, table.columns)
            for place, column in enumerate(table.columns):
                at = (number % MOST_ROWS + 1, place)
                _cell(sheet, at, column, row.get(column.key), styles[place])


def _style(book: Any, column: Column) -> Any:
    name = FORMATS.get(column.kind)
    return book.add_format({"num_format": name}) if name else None


def _sheet(book: Any, columns: list[Column]) -> Any:
    """A new sheet with its head, which stays in sight."""
    sheet = book.add_worksheet()
    bold = book.add_format({"bold": True, "text_wrap": True, "valign": "top"})
    sheet.freeze_panes(1, 0)
    for place, column in enumerate(columns):
        sheet.set_column(place, place, WIDTHS.get(column.kind, 12))
        sheet.write_string(0, place, column.label, bold)
    return sheet


def _cell(sheet: Any, at: tuple[int, int], column: Column, value: Any, style: Any) -> None:
    """Typed by what it is: text is written as text, which no program takes for a formula."""
    if value is None:
        return
    if isinstance(value, date):
        sheet.write_datetime(*at, value, style)
    elif column.kind.is_number:
        sheet.write_number(*at, figure(column.kind, value), style)
    else:
        sheet.write_string(*at, str(value))
