from decimal import Decimal

import pytest

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
