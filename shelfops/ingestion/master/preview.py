"""The lines of a draft as its page shows them."""

import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any, NamedTuple

from django.http import HttpRequest

from shelfops.ingestion.master.drafts import PAGE_ROWS
from shelfops.ingestion.master.kinds import Kind
from shelfops.ingestion.master.words import yes_or_no
from shelfops.reports.sql import Row
from shelfops.reports.table import plain

NOTHING = "–"
LABELS = {"created": "New", "changed": "Changed", "refused": "Refused"}


class Pages(NamedTuple):
    number: int
    last: int

    @property
    def previous(self) -> int | None:
        return self.number - 1 if self.number > 1 else None

    @property
    def next(self) -> int | None:
        return self.number + 1 if self.number < self.last else None


def pages_of(request: HttpRequest, rows: int) -> Pages:
    """The page that is asked for, or the nearest one that there is."""
    asked = request.GET.get("page", "1")
    last = max(1, -(-rows // PAGE_ROWS))
    number = int(asked) if asked.isdecimal() and len(asked) < 9 else 1
    return Pages(min(max(number, 1), last), last)


class Cell(NamedTuple):
    """A field that is set, or changed from `old`."""

    label: str
    old: str
    new: str


class Line:
    """A line of the file and what becomes of it."""

    def __init__(self, kind: Kind, row: Row) -> None:
        self.kind, self.row = kind, row
        self.number, self.key, self.title = row["line_number"], row["key"], row["title"]
        self.outcome = row["outcome"]
        self.label = LABELS[self.outcome]
        self.before, self.after = loaded(row["before"]), loaded(row["after"])

    @property
    def reason(self) -> str:
        """The field by its label, and what is wrong with it."""
        labels = {field.name: field.label for field in self.kind.fields}
        field = self.row["field"]
        return f"{labels.get(field, field)}: {self.row['reason']}"

    @property
    def cells(self) -> Iterator[Cell]:
        for field in self.kind.fields:
            if field.name in self.before:
                old, new = (written(side[field.name]) for side in (self.before, self.after))
                yield Cell(field.label, old, new)
            elif field.kind != "time" and self.is_told(field.name):
                yield Cell(field.label, "", written(self.after[field.name]))
        if "in_force_from" in self.after:
            yield Cell("In force from", "", self.after["in_force_from"])

    def is_told(self, name: str) -> bool:
        """Whether a new row's field is to be shown: it has a value, and is not its title."""
        return (
            self.outcome == "created"
            and self.after.get(name) not in (None, "")
            and self.after[name] != self.title
        )


def loaded(text: str | None) -> dict[str, Any]:
    """jsonb comes as text; its numbers stay exact."""
    return json.loads(text, parse_float=Decimal) if text else {}


def written(value: Any) -> str:
    if value is None or value == "":
        return NOTHING
    if isinstance(value, bool):
        return yes_or_no(value)
    return str(plain(value))
