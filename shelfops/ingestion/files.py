"""Reads files of rows as text: CSV, CSV packed with gzip, and Parquet, told apart by content.

Memory is bounded by the largest row that is accepted, not by the file: a longer one is no row.
"""

import csv
import gzip
import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import file_digest
from io import TextIOWrapper
from itertools import chain, repeat
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow

from shelfops.ingestion.parquet import ParquetRows
from shelfops.ingestion.rows import (
    CHARACTERS_AT_ONCE,
    COLUMN_LIMIT,
    FIELD_LIMIT,
    ROW_LIMIT,
    ROWS_AT_ONCE,
    TEXTS,
    Flaw,
    checked_header,
    tidied,
)
from shelfops.ingestion.rows import FileProblem as FileProblem
from shelfops.ingestion.rows import Rows as Rows

# Characters of a row, which can go over several lines.
LINE_LIMIT = 16 * 1024 * 1024
UNPACKED_LIMIT = 10 * 1024 * 1024 * 1024
MARKS = {
    b"\xef\xbb\xbf": "utf-8-sig",
    b"\xff\xfe\0\0": "utf-32",
    b"\0\0\xfe\xff": "utf-32",
    b"\xff\xfe": "utf-16",
    b"\xfe\xff": "utf-16",
}
# Where a Latin letter has its NUL bytes, without a mark before it.
NULS = {
    (False, True, True, True): "utf-32-le",
    (True, True, True, False): "utf-32-be",
    (False, True, False, True): "utf-16-le",
    (True, False, True, False): "utf-16-be",
}
NO_TABLES = {
    b"PK\x03\x04": "This is a spreadsheet or a ZIP file. Save it as CSV.",
    b"\xd0\xcf\x11\xe0": "This is an old or a locked spreadsheet. Save it as CSV.",
    b"%PDF": "This is a PDF. Save the table itself as CSV.",
    b"PARE": "This Parquet file is locked. Write it without a key.",
}
DELIMITERS = ",;\t|"


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
        elif start in NO_TABLES:
            raise FileProblem(NO_TABLES[start])
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
        self.row_characters = self.total = self.count = 0
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
            self.header = checked_header(next(self.reader))

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
                self.row_characters = 0
                if any(row):
                    group.append(row if len(row) <= COLUMN_LIMIT else row[: COLUMN_LIMIT + 1])
                    lines.append(self.row_line)
                self.row_line = offset + self.reader.line_num + 1
                if len(group) >= ROWS_AT_ONCE or self.characters >= CHARACTERS_AT_ONCE:
                    if group:
                        yield self.grouped(lines, group, wanted)
                    self.start_anew(len(group))
                    group, lines = [], []
            if group:
                yield self.grouped(lines, group, wanted)

    def start_anew(self, rows: int) -> None:
        """Count what a group had; FileProblem if the file is far more than anybody's."""
        self.count, self.total = self.count + rows, self.total + self.characters
        self.characters, self.is_odd = 0, False
        if self.count > ROW_LIMIT:
            raise FileProblem(f"The file has more than {ROW_LIMIT:,} rows. Split it.")
        if self.total > UNPACKED_LIMIT:
            raise FileProblem("Unpacked, the file is larger than 10 GB. Split it.")

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
                    fields = f"more than {COLUMN_LIMIT}" if len(row) > COLUMN_LIMIT else len(row)
                    flaws[position] = ("row", f"{fields} fields instead of {width}")
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
            self.row_characters += len(text)
            if self.row_characters >= LINE_LIMIT:
                raise FileProblem(
                    f"The row that begins in line {self.row_line} is longer than"
                    f" {LINE_LIMIT // 1024 // 1024} MB: this is no CSV file."
                )
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
    """What a byte order mark says, or where NUL bytes are; else UTF-8.

    Other text hardly ever passes for UTF-8.
    """
    start = file.peek(4)[:4]
    if start[:2] == b"\x1f\x8b":
        raise FileProblem("The file is packed twice. Unpack it once.")
    marked = (name for mark, name in MARKS.items() if start.startswith(mark))
    guessed = NULS.get(tuple(byte == 0 for byte in start), "utf-8")
    return next(marked, guessed)
