"""Reads files of rows as text: CSV, CSV packed with gzip, and Parquet, told apart by content.

Memory is bounded by the largest row that is accepted, not by the file: a longer one is no row.
"""

import csv
import gzip
import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import file_digest
from io import TextIOWrapper
from itertools import chain, repeat
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias

import pyarrow
import pyarrow.compute as pc
import pyarrow.parquet as pq

# Characters of a line, and of a quoted field that goes over several lines.
LINE_LIMIT = 32 * 1024 * 1024
# No column holds more than this; what is longer is cut and refused.
FIELD_LIMIT = 1_000
ROWS_AT_ONCE, CHARACTERS_AT_ONCE = 10_000, 8 * 1024 * 1024
MARKS = {b"\xef\xbb\xbf": "utf-8-sig", b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}
DELIMITERS = ",;\t|"
# Stands for the NUL character, which the database cannot hold.
NUL_PICTURE = "\u2400"
TEXTS = pyarrow.list_(pyarrow.string())

Flaw: TypeAlias = tuple[str, str]


class FileProblem(Exception):
    """The file as a whole cannot be imported; the message says why and what to do."""


@dataclass
class Rows:
    """Some rows: their lines in the file, the wanted columns as text, and all of each row.

    `flaws` has, by position, the field and reason of rows that are no proper rows at all.
    """

    lines: list[int]
    columns: dict[int, pyarrow.Array]
    original: pyarrow.Array
    flaws: dict[int, Flaw] = field(default_factory=dict)


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()


@contextmanager
def open_rows(
    path: Path, encoding: str | None = None, delimiter: str | None = None
) -> Iterator["CsvRows | ParquetRows"]:
    """The file's header and rows; FileProblem if it cannot be read, now or later."""
    try:
        file = path.open("rb")
        start = file.peek(4)[:4]
    except OSError as error:
        raise FileProblem(f"{path} cannot be read: {error.strerror}.") from error
    with file:
        if start == b"PAR1":
            yield ParquetRows(file)
        elif start == b"PK\x03\x04":
            raise FileProblem("This is a spreadsheet or a ZIP file. Save it as CSV.")
        elif start[:2] == b"\x1f\x8b":
            with gzip.open(file) as unpacked:
                yield CsvRows(unpacked, encoding, delimiter, file)
        else:
            yield CsvRows(file, encoding, delimiter, file)


class CsvRows:
    """Rows of delimited text. `header` is its first line that is not empty."""

    plain: frozenset[int] = frozenset()

    def __init__(
        self,
        file: Any,
        encoding: str | None,
        delimiter: str | None,
        packed: BinaryIO | None = None,
    ) -> None:
        self.packed, self.size = packed, os.fstat(packed.fileno()).st_size if packed else 0
        self.characters, self.line, self.row_line, self.is_odd = 0, 0, 1, False
        with self.explained():
            self.encoding = encoding or encoding_of(file)
            self.text = TextIOWrapper(file, encoding=self.encoding, newline="")
            first = next((line for line in self.lines() if line.strip()), "")
            if not first:
                raise FileProblem("The file is empty.")
            self.row_line = self.line
            csv.field_size_limit(LINE_LIMIT)
            self.reader = csv.reader(
                chain([first], self.lines()),
                delimiter=delimiter or max(DELIMITERS, key=first.count),
                strict=True,
                skipinitialspace=True,
            )
            self.header = [name.strip().lstrip("\ufeff") for name in next(self.reader)]

    @property
    def share(self) -> float:
        """How much of the file has been read, from 0 to 1; 0 if nobody knows its size."""
        return 0 if self.packed is None else min(self.packed.tell() / max(self.size, 1), 1)

    def rows(self, wanted: list[int]) -> Iterator[Rows]:
        """Rows in groups; of their columns those with an index in `wanted`."""
        group: list[list[str]] = []
        lines: list[int] = []
        offset = self.row_line - 1
        with self.explained():
            self.row_line = offset + self.reader.line_num + 1
            for row in self.reader:
                if any(row):
                    group.append(row)
                    lines.append(self.row_line)
                self.row_line = offset + self.reader.line_num + 1
                if len(group) >= ROWS_AT_ONCE or self.characters >= CHARACTERS_AT_ONCE:
                    yield self.grouped(lines, group, wanted)
                    self.characters, self.is_odd, group, lines = 0, False, [], []
        if group:
            yield self.grouped(lines, group, wanted)

    def grouped(self, lines: list[int], group: list[list[str]], wanted: list[int]) -> Rows:
        flaws: dict[int, Flaw] = {}
        if self.is_odd:
            for position, row in enumerate(group):
                group[position] = self.tidied(row, position, flaws)
        original = pyarrow.array(group, TEXTS)
        width = len(self.header)
        if set(map(len, group)) - {width}:
            for position, row in enumerate(group):
                if len(row) != width:
                    flaws[position] = ("row", f"{len(row)} fields instead of {width}")
                    group[position] = (row + [""] * width)[:width]
        columns = list(zip(*group, strict=True))
        read = {index: pyarrow.array(columns[index], pyarrow.string()) for index in wanted}
        return Rows(lines, read, original, flaws)

    def tidied(self, row: list[str], position: int, flaws: dict[int, Flaw]) -> list[str]:
        names = chain(self.header, repeat("row"))
        return [tidied(text, name, position, flaws) for text, name in zip(row, names)]  # noqa: B905

    def lines(self) -> Iterator[str]:
        """Lines of bounded length; notes what may have something that no column can hold.

        A quoted field that goes over lines can be longer than each of them.
        """
        readline = self.text.readline
        while text := readline(LINE_LIMIT):
            self.line += 1
            self.characters += len(text)
            if len(text) >= LINE_LIMIT:
                raise FileProblem(f"Line {self.line} is longer than 32 MB: this is no CSV file.")
            if len(text) > FIELD_LIMIT or "\0" in text or text.count('"') % 2:
                self.is_odd = True
            yield text

    @contextmanager
    def explained(self) -> Iterator[None]:
        """Turn what is wrong with the file into a FileProblem that names the line."""
        try:
            yield
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise FileProblem(
                f"The gzip file is cut off or damaged, after line {self.line}."
            ) from error
        except UnicodeError as error:
            raise FileProblem(
                f"Shortly after line {self.line} there are bytes that are not {self.encoding}."
                " Name the encoding of the file, for example cp1252."
            ) from error
        except LookupError as error:
            raise FileProblem(f"There is no encoding {self.encoding}.") from error
        except csv.Error as error:
            raise FileProblem(
                f"The row that begins in line {self.row_line} has a quote that is not closed, or"
                f" is closed in the middle of a field ({error})."
            ) from error


def encoding_of(file: Any) -> str:
    """What the byte order mark says; else UTF-8, for which other text hardly ever passes."""
    start = file.peek(4)[:4]
    return next((name for mark, name in MARKS.items() if start.startswith(mark)), "utf-8")


def tidied(text: str, name: str, position: int, flaws: dict[int, Flaw]) -> str:
    """The text without what nothing can hold; `flaws` then says what that was."""
    if len(text) > FIELD_LIMIT:
        flaws.setdefault(position, (name[:64], f"longer than {FIELD_LIMIT:,} characters"))
        text = text[: FIELD_LIMIT - 1] + "…"
    if "\0" in text:
        flaws.setdefault(position, (name[:64].replace("\0", ""), "contains a NUL character"))
        text = text.replace("\0", NUL_PICTURE)
    return text


class ParquetRows:
    """Rows of a Parquet file, numbered from 1. Of its columns only the wanted are read."""

    def __init__(self, file: BinaryIO) -> None:
        self.count = 0
        with self.explained():
            self.file = pq.ParquetFile(file, pre_buffer=False, buffer_size=1 << 16)
        schema = self.file.schema_arrow
        self.header: list[str] = schema.names
        # Columns of numbers: their text has a decimal point, whatever the feed writes elsewhere.
        self.plain = frozenset(
            index for index, kind in enumerate(schema.types) if not is_text(kind)
        )

    def rows(self, wanted: list[int]) -> Iterator[Rows]:
        names = [self.header[index] for index in wanted]
        with self.explained():
            for batch in self.file.iter_batches(ROWS_AT_ONCE, columns=names):
                read = {index: as_text(batch[self.header[index]]) for index in wanted}
                first = self.count + 1
                self.count += batch.num_rows
                lines = list(range(first, self.count + 1))
                yield self.grouped(lines, read)

    @property
    def share(self) -> float:
        return self.count / max(int(self.file.metadata.num_rows), 1)

    def grouped(self, lines: list[int], read: dict[int, Any]) -> Rows:
        flaws: dict[int, Flaw] = {}
        for index, column in read.items():
            long = pc.greater(pc.utf8_length(column), FIELD_LIMIT)
            if pc.any(pc.or_(long, pc.match_substring(column, "\0"))).as_py():
                texts = enumerate(column.to_pylist())
                name = self.header[index]
                read[index] = pyarrow.array(
                    [text and tidied(text, name, position, flaws) for position, text in texts],
                    pyarrow.string(),
                )
        values = zip(*(column.to_pylist() for column in read.values()), strict=True)
        return Rows(lines, read, pyarrow.array(list(map(list, values)), TEXTS), flaws)

    @contextmanager
    def explained(self) -> Iterator[None]:
        try:
            yield
        except (pyarrow.ArrowException, OSError) as error:
            first = str(error).splitlines()[0]
            raise FileProblem(f"The Parquet file is cut off or damaged: {first}") from error


def is_text(kind: Any) -> bool:
    kind = kind.value_type if pyarrow.types.is_dictionary(kind) else kind
    return bool(pyarrow.types.is_string(kind) or pyarrow.types.is_large_string(kind))


def as_text(column: pyarrow.Array) -> pyarrow.Array:
    """Any column of single values as text. FileProblem for lists and the like.

    Floating-point noise beyond the sixth decimal is no part of a quantity or an amount.
    """
    if pyarrow.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if pyarrow.types.is_floating(column.type):
        whole = pc.equal(column, pc.round(column))
        digits = pc.cast(pc.round(column.cast(pyarrow.float64()), 6), pyarrow.string())
        small = pc.and_(whole, pc.less(pc.abs(column), 1e15))
        integers = pc.if_else(small, column, None).cast(pyarrow.int64())
        return pc.coalesce(integers.cast(pyarrow.string()), digits)
    if pyarrow.types.is_timestamp(column.type):
        column = column.cast(pyarrow.timestamp("us", column.type.tz and "UTC"), safe=False)
    try:
        return column.cast(pyarrow.string())
    except pyarrow.ArrowNotImplementedError as error:
        raise FileProblem(f"A column of type {column.type} holds no single values.") from error
