"""Forms of an import: the file, and how it is read."""

from collections.abc import Mapping, Sequence
from typing import Any

from django import forms
from django.core.files.uploadedfile import UploadedFile

from shelfops.ingestion.master.files import FILE_LIMIT, ROW_LIMIT
from shelfops.ingestion.master.kinds import Kind

ENCODINGS = [
    ("", "Found by itself (UTF-8, or Windows)"),
    ("utf-8", "UTF-8"),
    ("cp1252", "Windows, Western Europe"),
    ("cp1250", "Windows, Central Europe"),
    ("cp1251", "Windows, Cyrillic"),
    ("cp1253", "Windows, Greek"),
    ("cp1254", "Windows, Turkish"),
    ("cp932", "Windows, Japanese"),
    ("mac_roman", "Macintosh"),
    ("cp437", "DOS"),
    ("utf-16-le", "UTF-16 (Windows)"),
    ("utf-16-be", "UTF-16 (big-endian)"),
    ("utf-32", "UTF-32"),
]
DECIMALS = [("", "1234.5"), (".", "1,234.5"), (",", "1.234,5")]


class UploadForm(forms.Form):
    file = forms.FileField(
        label="File",
        help_text=f"CSV or XLSX, at most {FILE_LIMIT // 1024 // 1024} MB and {ROW_LIMIT:,} rows,"
        " headings first.",
        widget=forms.FileInput(attrs={"accept": ".csv,.txt,.tsv,.xlsx"}),
        error_messages={
            "required": "Choose a file.",
            "empty": "The file is empty.",
            "missing": "Choose a file.",
        },
    )

    def clean_file(self) -> UploadedFile:
        file: UploadedFile = self.cleaned_data["file"]
        if (file.size or 0) > FILE_LIMIT:
            size, limit = (bytes_ / 1024 / 1024 for bytes_ in (file.size or 0, FILE_LIMIT))
            raise forms.ValidationError(
                f"The file has {size:.1f} MB; at most {limit:.0f} MB can be imported. Split it."
            )
        return file


class ReadingForm(forms.Form):
    """Which column is which, and how numbers and characters are written."""

    def __init__(
        self,
        kind: Kind,
        header: Sequence[str],
        samples: Mapping[str, str],
        reading: Mapping[str, Any],
        data: Any = None,
    ) -> None:
        super().__init__(data)
        self.kind, self.reading = kind, reading
        columns = [(name, f"{name}: {samples[name]}" if samples[name] else name) for name in header]
        for field in kind.fields:
            self.fields[field.name] = forms.ChoiceField(
                label=field.label,
                required=field.required,
                choices=[("", "Not in the file"), *columns],
                initial=reading["columns"].get(field.name, ""),
                help_text=field.hint,
                error_messages={
                    "required": "Choose the column. Without it a row cannot be placed.",
                    "invalid_choice": "The file has no such column.",
                },
            )
        self.add_reading()

    def add_reading(self) -> None:
        self.fields["decimal"] = forms.ChoiceField(
            label="Numbers look like",
            required=False,
            choices=DECIMALS,
            initial=self.reading.get("decimal", ""),
        )
        if sheets := self.reading.get("sheets"):
            self.fields["sheet"] = forms.ChoiceField(
                label="Sheet",
                choices=[(name, name) for name in sheets],
                initial=self.reading.get("sheet") or sheets[0],
            )
        else:
            self.fields["encoding"] = forms.ChoiceField(
                label="Characters",
                required=False,
                choices=ENCODINGS,
                initial=self.reading.get("encoding", ""),
            )

    def clean(self) -> dict[str, Any]:
        values = super().clean() or self.cleaned_data
        taken: dict[str, str] = {}
        for field in self.kind.fields:
            heading = values.get(field.name)
            if heading and heading in taken:
                self.add_error(field.name, f"{heading} is chosen for {taken[heading]} already.")
            elif heading:
                taken[heading] = field.label
        return values

    @property
    def is_another_text(self) -> bool:
        """Whether another sheet or other characters are wanted, and thus other headings."""
        return any(
            name in self.fields and self.data.get(name, "") != (self[name].initial or "")
            for name in ("sheet", "encoding")
        )

    @property
    def chosen_reading(self) -> dict[str, Any]:
        columns = {
            field.name: self.cleaned_data[field.name]
            for field in self.kind.fields
            if self.cleaned_data.get(field.name)
        }
        asked = {
            name: self.cleaned_data[name]
            for name in ("decimal", "sheet", "encoding")
            if self.cleaned_data.get(name)
        }
        return {"sheets": self.reading.get("sheets", []), **asked, "columns": columns}
