"""The grid of stores and days: how much came in, and what is missing."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import NamedTuple

from shelfops.reports.heat import css
from shelfops.reports.period import Period, long_date
from shelfops.reports.sql import Row

# A grid of more is no picture any more; the table has the others.
MOST_STORES = 50


class Cell(NamedTuple):
    """`text` is for those who cannot see the colour."""

    css: str
    text: str
    sign: str


class Line(NamedTuple):
    label: str
    cells: list[Cell]


@dataclass(frozen=True)
class Grid:
    days: Sequence[str]
    lines: list[Line]
    stores: int


def of(rows: list[Row], period: Period) -> Grid:
    """The stores with the most gaps; each row's colours are of its own busiest day."""
    days = [period.start + timedelta(days=n) for n in range(period.days)]
    names = [long_date(day) for day in days]
    lines = [Line(row["name"], _cells(row, names)) for row in rows[:MOST_STORES]]
    return Grid([f"{day:%a}"[:2] + f" {day.day}" for day in days], lines, len(rows))


def _cells(row: Row, names: list[str]) -> list[Cell]:
    most = max(map(Decimal, row["grid_lines"]), default=Decimal(0))
    return [
        Cell("grid-gap", f"{name}: missing", "×")
        if is_gap
        else Cell(css(Decimal(lines), most), f"{name}: {lines:,}", "")
        for name, lines, is_gap in zip(names, row["grid_lines"], row["grid_gaps"], strict=True)
    ]
