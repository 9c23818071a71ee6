"""One rounding for the last digit, wherever it is read: halves go away from zero."""

import csv
import io
from decimal import Decimal

import pytest
from openpyxl import load_workbook

from shelfops.reports import export, workbook
from shelfops.reports.table import Column, Kind, Table

HALVES = {
    Kind.MONEY: {"0.865": "0.87", "0.875": "0.88", "-0.865": "-0.87", "1234.005": "1234.01"},
    Kind.CHANGE: {"0.25": "0.3", "0.35": "0.4", "-0.25": "-0.3", "12.05": "12.1"},
}


@pytest.mark.parametrize(
    ("kind", "exact", "shown"),
    [(kind, *pair) for kind, pairs in HALVES.items() for pair in pairs.items()],
)
def test_page_and_files_show_the_same_digits(kind: Kind, exact: str, shown: str) -> None:
    table = Table("Halves", [Column("value", "Value", kind)], [{"value": Decimal(exact)}])
    [[cell]] = table.body()
    assert Decimal(cell.text.replace(",", "").removesuffix(" %")) == Decimal(shown)
    [_, [in_csv]] = csv.reader(io.StringIO("".join(export.lines(table))))
    assert in_csv == shown
    sheet = load_workbook(io.BytesIO(b"".join(workbook.pieces(table)))).active
    assert sheet["A2"].value == float(shown)
