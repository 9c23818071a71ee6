"""A table of a report: the page and the files are made of the same columns and rows."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from enum import Enum
from typing import Any, NamedTuple

from shelfops.reports.period import long_date
from shelfops.reports.sql import Row


class Kind(Enum):
    TEXT = "text"
    DATE = "date"
    COUNT = "count"
    UNITS = "units"
    MONEY = "money"
    RATE = "rate"
    CHANGE = "change"
    FLAG = "flag"

    @property
    def is_number(self) -> bool:
        return self not in (Kind.TEXT, Kind.DATE, Kind.FLAG)


STEPS = {Kind.MONEY: Decimal("0.01"), Kind.CHANGE: Decimal("0.1")}


class Cell(NamedTuple):
    text: str
    css: str
    href: str


@dataclass(frozen=True)
class Column:
    """`nothing` stands for an unknown value on the page; the file leaves it empty.

    A row without the column, such as a total that has no such figure, shows an empty cell.

    `sort_url` is the page in this column's order; `sorted` is ascending or descending where it
    is in it already.
    """

    key: str
    label: str
    kind: Kind = Kind.TEXT
    link: Callable[[Row], str] | None = None
    nothing: str = "–"
    sort_url: str = ""
    sorted: str = ""

    @property
    def css(self) -> str:
        return "report-number" if self.kind.is_number else f"report-{self.kind.value}"

    def cell(self, row: Row) -> Cell:
        if self.key not in row:
            return Cell("", self.css, "")
        value = row[self.key]
        href = self.link(row) if self.link and value is not None else ""
        return Cell(
            self.nothing if value is None else show(self.kind, value), self.style(value), href
        )

    def style(self, value: Any) -> str:
        if self.kind is Kind.CHANGE and value:
            return f"{self.css} {'report-up' if value > 0 else 'report-down'}"
        return self.css


@dataclass(frozen=True)
class Table:
    """Rows, and what they add up to; the total is a row of the same query."""

    caption: str
    columns: list[Column]
    rows: Iterable[Row]
    total: Row | None = None

    def body(self) -> Iterator[list[Cell]]:
        for row in self.rows:
            yield [column.cell(row) for column in self.columns]

    def records(self) -> Iterator[Row]:
        """What a file holds: the rows, and last their total."""
        yield from self.rows
        if self.total:
            yield self.total

    def foot(self) -> list[Cell]:
        return [column.cell(self.total) for column in self.columns] if self.total else []


def show(kind: Kind, value: Any) -> str:
    """A value as people read it."""
    if kind is Kind.DATE:
        return long_date(value)
    if kind is Kind.MONEY:
        return f"{figure(kind, value):,.2f}"
    if kind is Kind.CHANGE:
        return f"{figure(kind, value):+,.1f} %"
    if kind.is_number:
        return f"{figure(kind, value):,}"
    return str(value)


def figure(kind: Kind, value: Any) -> Any:
    """The number that page and files show: amounts in cents, changes in tenths of a percent."""
    step = STEPS.get(kind)
    return plain(value) if step is None else rounded(value, step)


def rounded(value: Any, step: Decimal) -> Decimal:
    """To the nearest step; halves go away from zero, as PostgreSQL rounds them."""
    return Decimal(value).quantize(step, ROUND_HALF_UP)


def plain(value: Any) -> Any:
    """A number without the zeros that its column's scale adds: 3.000 is 3, 2.500 is 2.5."""
    if not isinstance(value, Decimal):
        return value
    value = value.normalize()
    return value.quantize(Decimal(1)) if value.as_tuple().exponent > 0 else value
