"""Opens an uploaded file and reads its rows for one kind of master data."""

import io
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pyarrow
import pyarrow.compute as pc

from shelfops.ingestion.files import MARKS, CsvRows, FileProblem, Rows
from shelfops.ingestion.master.kinds import Field
from shelfops.ingestion.master.sheets import SheetRows
from shelfops.ingestion.master.words import GUARDED
from shelfops.ingestion.reader import Dialect, Reader

FILE_LIMIT = 20 * 1024 * 1024
ROW_LIMIT = 100_000
MAGIC = {
    b"\xd0\xcf\x11\xe0": "This is an old or a locked spreadsheet. Save it as XLSX, without a"
    " password, or as CSV.",
    b"PAR1": "This is a Parquet file. Save it as CSV or XLSX.",
    b"\x1f\x8b": "This file is packed. Unpack it first.",
    b"%PDF": "This is a PDF. Save the table itself as CSV or XLSX.",
}


class MasterRows:
    """The rows of a file: no more than ROW_LIMIT, texts without their guard, headers distinct."""

    def __init__(self, content: bytes, reading: Mapping[str, Any]) -> None:
        self.inner = opened(content, reading)
        self.header = distinct(self.inner.header)
        self.plain = self.inner.plain

    def rows(self, wanted: list[int]) -> Iterator[Rows]:
        read = 0
        for group in self.inner.rows(wanted):
            read += len(group.lines)
            if read > ROW_LIMIT:
                raise FileProblem(f"The file has more than {ROW_LIMIT:,} rows. Split it.")
            for index, column in group.columns.items():
                group.columns[index] = pc.replace_substring_regex(column, GUARDED, r"\1")
            yield group

    @property
    def sheets(self) -> list[str]:
        return self.inner.sheets if isinstance(self.inner, SheetRows) else []


class MasterReader(Reader):
    """Records with every text twice that is a key: trimmed, and exactly as the file has it."""

    def batch(self, rows: Rows) -> pyarrow.RecordBatch:
        made = super().batch(rows)
        for column, index in zip(self.columns, self.indexes, strict=True):
            if isinstance(column, Field) and column.is_key:
                made = made.append_column(f"{column.name}_exact", rows.columns[index])
        return made


def opened(content: bytes, reading: Mapping[str, Any]) -> CsvRows | SheetRows:
    """FileProblem if it is neither CSV nor XLSX, or empty, or damaged."""
    if not content.strip():
        raise FileProblem("The file is empty.")
    for magic, problem in MAGIC.items():
        if content.startswith(magic):
            raise FileProblem(problem)
    decimal = reading.get("decimal") or "."
    if content.startswith(b"PK"):
        return SheetRows(content, reading.get("sheet"), decimal)
    encoding = reading.get("encoding") or encoding_of(content)
    return CsvRows(io.BufferedReader(io.BytesIO(content)), encoding, None)


def encoding_of(content: bytes) -> str | None:
    """None leaves it to the byte order mark, and to UTF-8; else what Windows writes in the West."""
    if content.startswith(tuple(MARKS)) or b"\0" in content[:4]:
        return None
    try:
        content.decode()
    except UnicodeDecodeError:
        return "cp1252"
    return None


def distinct(header: Sequence[str]) -> list[str]:
    """Every heading another name: what is empty is called by its place, doubles are counted."""
    names: list[str] = []
    for place, name in enumerate(header, 1):
        name = name.strip()[:100] or f"Column {place}"
        times = 1
        while name in names:
            times += 1
            name = f"{header[place - 1].strip()[:100] or 'Column'} ({times})"
        names.append(name)
    return names


def reader(
    content: bytes, reading: Mapping[str, Any], fields: Sequence[Field]
) -> tuple[MasterReader, list[Field]]:
    """Reads the fields for which `reading` names a column; those are the second."""
    chosen = reading.get("columns", {})
    wanted = [field for field in fields if field.name in chosen]
    dialect = Dialect(decimal=reading.get("decimal"), columns=chosen)
    return MasterReader(MasterRows(content, reading), wanted, dialect), wanted  # type: ignore[arg-type]
