"""A heat map: figures by two kinds of labels, as a table whose cells are coloured."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple

# Of colour; static/reports/reports.css has as many.
STEPS = 8


class HeatCell(NamedTuple):
    text: str
    css: str


class HeatRow(NamedTuple):
    label: str
    cells: list[HeatCell]


@dataclass(frozen=True)
class Heatmap:
    """`values` are the figures of each row, in the order of the columns; None is no figure."""

    title: str
    unit: str
    columns: Sequence[str]
    labels: Sequence[str]
    values: Sequence[Sequence[Decimal | None]]

    def rows(self) -> list[HeatRow]:
        most = max((value for row in self.values for value in row if value), default=Decimal(0))
        return [
            HeatRow(label, [HeatCell(short(value), css(value, most)) for value in values])
            for label, values in zip(self.labels, self.values, strict=True)
        ]

    @property
    def steps(self) -> range:
        return range(STEPS + 1)


def css(value: Decimal | None, most: Decimal) -> str:
    """The step of colour: 0 for nothing sold (or less), else 1 to 8 in equal parts."""
    if value is None or value <= 0:
        return "heat-0"
    return f"heat-{min(int(value * STEPS / most) + 1, STEPS)}"


def short(value: Decimal | None) -> str:
    """In few characters: 950, 1.2k, 3.4M; nothing for no figure."""
    if value is None:
        return ""
    for size, sign in ((1_000_000, "M"), (1_000, "k")):
        if abs(value) >= size:
            return f"{value / size:.1f}{sign}"
    return f"{value:.0f}"
