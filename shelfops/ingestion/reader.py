"""Makes a feed's records of a file's rows, each with what is wrong with it and as it was read."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import pyarrow
import pyarrow.compute as pc

from shelfops.ingestion import values
from shelfops.ingestion.columns import Column, match
from shelfops.ingestion.files import CsvRows
from shelfops.ingestion.parquet import ParquetRows
from shelfops.ingestion.rows import Flaw, Rows, sizes


@dataclass(frozen=True)
class Dialect:
    """How a file is to be read where it cannot tell by itself.

    `columns` maps columns of the feed to headers; `decimal` is the decimal sign, which also
    allows groups of thousands. None stands for what the file says, or for plain numbers.
    """

    encoding: str | None = None
    delimiter: str | None = None
    decimal: str | None = None
    columns: Mapping[str, str] = field(default_factory=dict)


class Reader:
    """The records of one file for one feed; FileProblem at once if its columns do not fit."""

    def __init__(
        self, file: CsvRows | ParquetRows, columns: Sequence[Column], dialect: Dialect
    ) -> None:
        self.file, self.columns, self.dialect = file, columns, dialect
        self.indexes = match(columns, file.header, dialect.columns)

    @property
    def wanted(self) -> list[int]:
        return sorted({index for index in self.indexes if index >= 0})

    @property
    def header(self) -> list[str]:
        """The names of what a record's `original` holds."""
        if isinstance(self.file, CsvRows):
            return self.file.header
        return [self.file.header[index] for index in self.wanted]

    def records(self) -> Iterator[pyarrow.RecordBatch]:
        for rows in self.file.rows(self.wanted):
            yield self.batch(rows)

    def batch(self, rows: Rows) -> pyarrow.RecordBatch:
        size, flaws = len(rows.lines), dict(rows.flaws)
        made: dict[str, pyarrow.Array] = {"line_number": pyarrow.array(rows.lines, pyarrow.int64())}
        for column, index in zip(self.columns, self.indexes, strict=True):
            given = rows.columns[index] if index >= 0 else pyarrow.nulls(size, pyarrow.string())
            read = self.conversion(column, index)(given)
            names = [column.name, "local_time"] if column.kind == "time" else [column.name]
            made |= zip(names, read.columns, strict=True)
            for wrong, reason in read.problems:
                for position in pc.indices_nonzero(wrong).to_pylist():
                    flaws.setdefault(position, (column.name, reason))
        made["flaw"] = as_arrays(flaws, size)
        made["original"], made["size"] = rows.original, sizes(rows.original)
        return pyarrow.RecordBatch.from_pydict(made)

    def conversion(self, column: Column, index: int) -> Callable[[pyarrow.Array], values.Values]:
        if isinstance(column.kind, int):
            sign = None if index in self.file.plain else self.dialect.decimal
            return values.decimal(column.kind, sign)
        return CONVERSIONS[column.kind]


CONVERSIONS = {"text": values.text, "time": values.time, "integer": values.integer}


def as_arrays(flaws: Mapping[int, Flaw], size: int) -> pyarrow.Array:
    """Flaws as PostgreSQL writes arrays of text: {"field","reason"}."""
    if not flaws:
        return pyarrow.nulls(size, pyarrow.string())
    return pyarrow.array(
        [as_array(flaws[row]) if row in flaws else None for row in range(size)], pyarrow.string()
    )


def as_array(flaw: Flaw) -> str:
    return "{" + ",".join(map(quoted, flaw)) + "}"


def quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
