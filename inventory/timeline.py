"""Panels one above the other on one axis of days, which static/reports/timeline.js draws."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import date
from typing import Any

from shelfops.reports.chart import Gap
from shelfops.reports.period import long_date


@dataclass(frozen=True)
class Line:
    """Figures by day, None where there is none.

    `kind` is columns, steps, line or area; an area reaches down to the series before it. `role`
    gives the colour: main, before (faint), limit.
    """

    label: str
    values: Sequence[Any]
    kind: str = "line"
    role: str = "main"


@dataclass(frozen=True)
class Panel:
    """`gaps` are hatched, and break its lines."""

    id: str
    title: str
    unit: str
    lines: list[Line]
    gaps: Sequence[Gap] = ()


@dataclass(frozen=True)
class Mark:
    """Something that happened on a day; `lane` is its row, `sign` its look."""

    day: date
    lane: str
    sign: str
    text: str


@dataclass(frozen=True)
class Timeline:
    days: Sequence[date]
    panels: list[Panel]
    lanes: Sequence[str] = ()
    marks: list[Mark] = field(default_factory=list)

    def data(self) -> dict[str, Any]:
        """For JSON: days as ISO dates with the names to show, figures as numbers."""
        spec = asdict(self)
        spec["days"] = [day.isoformat() for day in self.days]
        spec["names"] = [long_date(day) for day in self.days]
        for mark in spec["marks"]:
            mark["day"] = mark["day"].isoformat()
        for panel in spec["panels"]:
            panel["gaps"] = [
                {**gap._asdict(), "label": spec["names"][gap.place]} for gap in panel["gaps"]
            ]
            for line in panel["lines"]:
                line["values"] = [None if v is None else float(v) for v in line["values"]]
        return spec
