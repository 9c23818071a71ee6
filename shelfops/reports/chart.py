"""What static/reports/charts.js draws: labels and series, in the rows' own figures."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple


@dataclass(frozen=True)
class Series:
    """`role` is main, before (the period before, drawn fainter) or limit (a dashed line)."""

    label: str
    values: Sequence[Any]
    role: str = "main"
    hints: Sequence[str] = ()


class Gap(NamedTuple):
    """The place of a label for which data is missing, and what to say of it."""

    place: int
    text: str


@dataclass(frozen=True)
class Chart:
    """`kind` is line, or bars (lying, the label beside each). `unit` is the axis title.

    `gaps` are hatched.
    """

    id: str
    title: str
    kind: str
    unit: str
    labels: Sequence[str]
    series: list[Series] = field(default_factory=list)
    gaps: Sequence[Gap] = ()

    def data(self) -> dict[str, Any]:
        spec = asdict(self)
        for series in spec["series"]:
            series["values"] = [None if v is None else float(v) for v in series["values"]]
        spec["gaps"] = [{**gap._asdict(), "label": self.labels[gap.place]} for gap in self.gaps]
        return spec
