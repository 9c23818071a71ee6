"""What a person says about an uploaded file: what it holds, and how it is written."""

from collections.abc import Sequence
from functools import cache
from typing import Any
from zoneinfo import available_timezones

from django import forms
from unfold.widgets import UnfoldAdminSelectWidget

from shelfops.ingestion.columns import candidates, problems_of
from shelfops.ingestion.files import FileProblem, open_rows
from shelfops.ingestion.imports import KINDS, Kind
from shelfops.ingestion.reader import Dialect
from shelfops.ingestion.uploads.spool import Upload

ENCODINGS = [
    ("", "Found by itself: UTF-8, or what the file's mark says"),
    ("cp1252", "Western European, as Windows writes it (cp1252)"),
    ("cp1250", "Central European, as Windows writes it (cp1250)"),
    ("cp1251", "Cyrillic, as Windows writes it (cp1251)"),
    ("iso-8859-1", "Latin 1 (ISO 8859-1)"),
    ("mac-roman", "Western European, as old Macs write it"),
    ("utf-16", "UTF-16 with a mark at its start"),
    ("utf-16-le", "UTF-16, as Windows writes it, without a mark"),
    ("utf-16-be", "UTF-16, big-endian, without a mark"),
    ("utf-32", "UTF-32"),
]
DECIMALS = [
    ("", "Plain numbers: 1234.5"),
    (".", "Point, and groups of thousands: 1,234.5"),
    (",", "Comma: 1234,5 or 1.234,5"),
]


@cache
def zones() -> list[tuple[str, str]]:
    return [("", "Each store's own"), *((zone, zone) for zone in sorted(available_timezones()))]


def choice(label: str, choices: Any, **fields: Any) -> forms.ChoiceField:
    return forms.ChoiceField(
        label=label, choices=choices, widget=UnfoldAdminSelectWidget(), **fields
    )


class FileForm(forms.Form):
    kind = choice("What the file holds", [(key, kind.title) for key, kind in KINDS.items()])
    encoding = choice("Encoding of a CSV file", ENCODINGS, required=False)
    decimal = choice("Decimal sign", DECIMALS, required=False)
    time_zone = choice(
        "Zone of times that come without one",
        zones,
        required=False,
        help_text="Summer time counts.",
    )


class OptionsForm(FileForm):
    """All of it for a file that is there: its columns can be chosen by hand."""

    def __init__(self, upload: Upload, data: Any) -> None:
        super().__init__(data)
        self.upload = upload
        self.header: Sequence[str] = ()
        self.problem = ""
        try:
            self.header = self.read_header()
        except FileProblem as problem:
            self.problem = str(problem)
        if self.header:
            self.add_columns()

    def read_header(self) -> Sequence[str]:
        encoding = self.data.get("encoding") or None
        with open_rows(self.upload.file, encoding if encoding in dict(ENCODINGS) else None) as rows:
            return list(rows.header)

    @property
    def of_kind(self) -> Kind:
        return KINDS.get(self.data.get("kind", ""), KINDS["transactions"])

    def add_columns(self) -> None:
        headers = [(name, name or "(no name)") for name in dict.fromkeys(self.header) if name]
        for column in self.of_kind.columns:
            found = candidates(column, self.header, {})
            name = self.header[found[0]] if len(found) == 1 else ""
            empty = f"Found by name: {name}" if name else "Choose a column"
            if not column.required and not name:
                empty = "Not in the file"
            self.fields[f"column_{column.name}"] = choice(
                column.name.replace("_", " ").capitalize(),
                [("", empty), *headers],
                required=False,
            )

    @property
    def columns(self) -> list[Any]:
        return [self[name] for name in self.fields if name.startswith("column_")]

    @property
    def named(self) -> dict[str, str]:
        """Headers chosen by hand, by column."""
        chosen = {
            column.name: self.data.get(f"column_{column.name}", "")
            for column in self.of_kind.columns
        }
        return {name: header for name, header in chosen.items() if header}

    def clean(self) -> dict[str, Any]:
        if self.problem:
            field = "encoding" if "encoding" in self.problem else None
            self.add_error(field, self.problem)
            return self.cleaned_data
        found = {
            column.name: candidates(column, self.header, self.named)
            for column in self.of_kind.columns
        }
        for column in self.of_kind.columns:
            for problem in problems_of(column, found, self.header, self.named):
                self.add_error(f"column_{column.name}", problem)
        return self.cleaned_data

    def options(self) -> dict[str, Any]:
        """What was chosen, to be kept; the form again, from its own answer."""
        return {
            "kind": self.data.get("kind", ""),
            "encoding": self.data.get("encoding", ""),
            "decimal": self.data.get("decimal", ""),
            "time_zone": self.data.get("time_zone", ""),
            **{f"column_{name}": header for name, header in self.named.items()},
        }

    def dialect(self) -> Dialect:
        data = self.cleaned_data
        return Dialect(
            encoding=data["encoding"] or None,
            decimal=data["decimal"] or None,
            columns=self.named,
        )
