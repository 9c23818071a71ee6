import io
import tracemalloc
from datetime import date, datetime
from decimal import Decimal

import pytest
from openpyxl import Workbook, load_workbook

from shelfops.reports import workbook
from shelfops.reports.export import lines, safe, value
from shelfops.reports.table import Column, Kind, Table, plain


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1"])
def test_it_keeps_text_from_being_a_formula(text: str) -> None:
    assert safe(text) == f"'{text}"


@pytest.mark.parametrize("text", ["Milk", "1=1", "", "a-b"])
def test_it_leaves_other_text_alone(text: str) -> None:
    assert safe(text) == text


def test_it_leaves_negative_numbers_alone() -> None:
    assert value(Column("n", "N", Kind.MONEY), Decimal("-3.50")) == "-3.50"
    assert value(Column("n", "N", Kind.UNITS), Decimal("-3.000")) == Decimal("-3")


def test_it_drops_the_zeros_of_the_scale() -> None:
    found = [str(plain(Decimal(text))) for text in ("3.000", "2.500", "100.000", "0.000")]
    assert found == ["3", "2.5", "100", "0"]


def test_it_reads_rows_while_it_writes() -> None:
    def rows():
        for number in range(1200):
            taken.append(number)
            yield {"n": number}

    taken: list[int] = []
    pieces = lines(Table("t", [Column("n", "N", Kind.COUNT)], rows()))
    assert next(pieces).startswith("\ufeffN\r\n0\r\n")
    assert len(taken) < 600
    assert "".join(pieces).endswith("1199\r\n")


def opened(table: Table) -> Workbook:
    return load_workbook(io.BytesIO(b"".join(workbook.pieces(table))))


FORMULAS = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "{=1}", "http://example.com", "1", "\x00\x1f"]


@pytest.mark.parametrize("text", FORMULAS)
def test_its_workbook_takes_no_text_for_anything_else(text: str) -> None:
    [_, [cell]] = opened(Table("t", [Column("n", "N")], [{"n": text}])).active.iter_rows()
    assert cell.data_type == "s"
    assert cell.hyperlink is None
    assert text.startswith("\x00") or cell.value == text


def test_its_workbook_holds_numbers_dates_and_nothing() -> None:
    columns = [
        Column("day", "Day", Kind.DATE),
        Column("money", "Money", Kind.MONEY),
        Column("units", "Units", Kind.UNITS),
        Column("change", "Change", Kind.CHANGE),
    ]
    row = {
        "day": date(2026, 3, 1),
        "money": Decimal("-1234.50"),
        "units": Decimal("2.500"),
        "change": None,
    }
    head, cells, total = opened(Table("Caption", columns, [row], {"units": 7})).active.iter_rows()
    assert [cell.value for cell in head] == ["Day", "Money", "Units", "Change"]
    assert [cell.value for cell in cells] == [datetime(2026, 3, 1), -1234.5, 2.5, None]  # noqa: DTZ001
    assert [cell.data_type for cell in cells] == ["d", "n", "n", "n"]
    assert [cell.number_format for cell in cells[:2]] == ["yyyy-mm-dd", "#,##0.00"]
    assert [cell.value for cell in total] == [None, None, 7, None]


def test_its_workbook_goes_on_in_another_sheet(monkeypatch) -> None:
    monkeypatch.setattr(workbook, "MOST_ROWS", 3)
    rows = [{"n": number} for number in range(6)]
    book = opened(Table("t", [Column("n", "N", Kind.COUNT)], rows, {"n": 15}))
    found = [[row[0] for row in sheet.iter_rows(values_only=True)] for sheet in book]
    assert found == [["N", 0, 1, 2], ["N", 3, 4, 5], ["N", 15]]


def test_its_workbook_without_rows_has_a_head() -> None:
    sheet = opened(Table("t", [Column("n", "N")], [])).active
    assert list(sheet.iter_rows(values_only=True)) == [("N",)]


def test_its_workbook_needs_no_memory_for_its_rows() -> None:
    def peak(rows: int) -> int:
        table = Table("t", [Column("n", "N")], ({"n": f"row {n}"} for n in range(rows)))
        tracemalloc.start()
        for _ in workbook.pieces(table):
            pass
        try:
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak(10)
    assert peak(20_000) < peak(2_000) + 500_000
