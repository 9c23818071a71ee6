"""Reads Parquet files as rows of text, in bounded memory whatever the file says of itself.

Packed and as dictionaries, a few kilobytes hold gigabytes of text. So what the pages unpack to is
known before they are unpacked, texts stay dictionaries until they are cut to what a column can
hold, and what is then written out in full is no more at a time than of other files.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO

import pyarrow
import pyarrow.compute as pc
import pyarrow.parquet as pq

from shelfops.ingestion.pages import Broken, unpacked_sizes
from shelfops.ingestion.rows import (
    CHARACTERS_AT_ONCE,
    FIELD_LIMIT,
    ROW_LIMIT,
    ROWS_AT_ONCE,
    TEXTS,
    FileProblem,
    Flaw,
    Rows,
    checked_header,
    tidied,
)

MEGABYTE = 1024 * 1024
# What the wanted columns of one row group unpack to; and the description at the file's end.
UNPACKED_LIMIT, FOOTER_LIMIT = 256 * MEGABYTE, 8 * MEGABYTE
CONTAINER_LIMIT = 100_000
LARGEST_FLOAT = 1e15


class ParquetRows:
    """Rows of a Parquet file, numbered from 1. Of its columns only the wanted are read."""

    def __init__(self, file: BinaryIO) -> None:
        self.count, self.raw = 0, file
        with self.explained():
            check_footer(file)
            self.file = self.opened([])
            schema = self.file.schema_arrow
            self.names: list[str] = schema.names
        self.header = checked_header(self.names)
        # Columns of numbers: their text has a decimal point, whatever the feed writes elsewhere.
        self.plain = frozenset(
            index for index, kind in enumerate(schema.types) if not is_text(kind)
        )
        if self.file.metadata.num_rows > ROW_LIMIT:
            raise FileProblem(f"The file has more than {ROW_LIMIT:,} rows. Split it.")

    def opened(self, dictionaries: list[str]) -> Any:
        return pq.ParquetFile(
            self.raw,
            pre_buffer=False,
            buffer_size=1 << 16,
            read_dictionary=dictionaries,
            thrift_string_size_limit=FOOTER_LIMIT,
            thrift_container_size_limit=CONTAINER_LIMIT,
        )

    def rows(self, wanted: list[int]) -> Iterator[Rows]:
        names = [self.names[index] for index in wanted]
        with self.explained():
            self.check_sizes(set(names))
            file = self.opened([self.names[index] for index in wanted if index not in self.plain])
            for batch in file.iter_batches(ROWS_AT_ONCE, columns=names, use_threads=False):
                yield from self.slices(batch, wanted)

    def check_sizes(self, names: set[str]) -> None:
        """FileProblem if a row group unpacks to more than can be borne."""
        for number in range(self.file.metadata.num_row_groups):
            group = self.file.metadata.row_group(number)
            chunks = [group.column(index) for index in range(group.num_columns)]
            size = sum(
                sum(unpacked_sizes(self.raw, *span(chunk)))
                for chunk in chunks
                if chunk.path_in_schema.partition(".")[0] in names or chunk.path_in_schema in names
            )
            if size > UNPACKED_LIMIT:
                raise FileProblem(
                    f"Unpacked, a row group of the Parquet file has {size // MEGABYTE:,} MB in the"
                    f" columns that are read; at most {UNPACKED_LIMIT // MEGABYTE} MB can be. Write"
                    " it with smaller row groups, or as CSV."
                )

    def slices(self, batch: pyarrow.RecordBatch, wanted: list[int]) -> Iterator[Rows]:
        """The batch in pieces that are small also when they are written out."""
        flaws: dict[int, Flaw] = {}
        read = {}
        for index in wanted:
            read[index] = as_text(batch[self.names[index]], self.header[index], flaws)
        widest = sum(column.widest for column in read.values())
        step = max(1, min(batch.num_rows, CHARACTERS_AT_ONCE // max(widest, 1)))
        for start in range(0, batch.num_rows, step):
            columns = {index: column.part(start, step) for index, column in read.items()}
            lines = list(range(self.count + 1, self.count + 1 + min(step, batch.num_rows - start)))
            self.count += len(lines)
            own = {at - start: flaws[at] for at in range(start, start + step) if at in flaws}
            values = zip(*(column.to_pylist() for column in columns.values()), strict=True)
            yield Rows(lines, columns, pyarrow.array(list(map(list, values)), TEXTS), own)

    @property
    def share(self) -> float:
        return self.count / max(int(self.file.metadata.num_rows), 1)

    @contextmanager
    def explained(self) -> Iterator[None]:
        try:
            yield
        except Broken as error:
            raise FileProblem("The Parquet file is cut off or damaged.") from error
        except (pyarrow.ArrowException, OSError, ValueError, OverflowError, KeyError) as error:
            first = (str(error).splitlines() or [""])[0][:200]
            raise FileProblem(f"The Parquet file is cut off or damaged: {first}") from error


class Texts:
    """A column of texts; with `indices`, each different one once."""

    def __init__(self, values: pyarrow.Array, indices: pyarrow.Array | None = None) -> None:
        self.values, self.indices = values, indices
        self.widest = (pc.max(pc.binary_length(values)).as_py() or 0) + 1

    def part(self, start: int, length: int) -> pyarrow.Array:
        if self.indices is None:
            return self.values.slice(start, length)
        return self.values.take(self.indices.slice(start, length))


def check_footer(file: BinaryIO) -> None:
    """FileProblem if what describes the file is itself too large to be read."""
    end = file.seek(0, 2)
    file.seek(max(end - 8, 0))
    length = int.from_bytes(file.read(4), "little")
    if file.read(4) == b"PAR1" and length > FOOTER_LIMIT:
        raise FileProblem("The description of the Parquet file is too large. Write it as CSV.")
    file.seek(0)


def span(chunk: Any) -> tuple[int, int]:
    """Where a column's pages begin, and the bytes that they take."""
    start = chunk.data_page_offset
    if chunk.has_dictionary_page and 0 < (chunk.dictionary_page_offset or 0) < start:
        start = chunk.dictionary_page_offset
    return start, chunk.total_compressed_size


def is_text(kind: Any) -> bool:
    """Also bytes, which older writers do not mark as text."""
    types = pyarrow.types
    kind = kind.value_type if types.is_dictionary(kind) else kind
    return bool(types.is_string(kind) or types.is_large_string(kind)) or bool(
        types.is_binary(kind) or types.is_large_binary(kind)
    )


def as_text(column: pyarrow.Array, name: str, flaws: dict[int, Flaw]) -> Texts:
    """Any column of single values as text. FileProblem for lists and the like."""
    if not pyarrow.types.is_dictionary(column.type):
        column = column.dictionary_encode() if is_text(column.type) else column
    if pyarrow.types.is_dictionary(column.type):
        return cut(column, name, flaws)
    try:
        return Texts(written(column))
    except pyarrow.ArrowNotImplementedError as error:
        raise FileProblem(f"A column of type {column.type} holds no single values.") from error
    except pyarrow.ArrowInvalid:
        values = list(one_by_one(column, name, flaws))
        return Texts(pyarrow.array(values, pyarrow.string()))


def cut(column: pyarrow.DictionaryArray, name: str, flaws: dict[int, Flaw]) -> Texts:
    """Texts of which none is longer than a column can hold; `flaws` says which were."""
    values = column.dictionary
    if not is_text(values.type):
        return as_text(values.take(column.indices), name, flaws)
    values = pc.binary_slice(values.cast(pyarrow.large_binary()), 0, 4 * FIELD_LIMIT + 4)
    try:
        texts = values.cast(pyarrow.string())
        if not pc.any(pc.or_(is_long(texts), pc.match_substring(texts, "\0"))).as_py():
            return Texts(texts, column.indices)
    except pyarrow.ArrowInvalid:  # not UTF-8
        pass
    wrong: dict[int, Flaw] = {}
    tidy = [read(raw, name, place, wrong) for place, raw in enumerate(values.to_pylist())]
    for position, place in enumerate(column.indices.to_pylist()):
        if place in wrong:
            flaws.setdefault(position, wrong[place])
    return Texts(pyarrow.array(tidy, pyarrow.string()), column.indices)


def is_long(texts: pyarrow.Array) -> pyarrow.Array:
    return pc.greater(pc.utf8_length(texts), FIELD_LIMIT)


def read(raw: bytes | None, name: str, place: int, wrong: dict[int, Flaw]) -> str | None:
    if raw is None:
        return None
    text = raw.decode(errors="replace")
    if "\ufffd" in text and len(text) <= FIELD_LIMIT:
        wrong[place] = (name[:64], "is not written in UTF-8")
    return tidied(text, name, place, wrong)


def written(column: pyarrow.Array) -> pyarrow.Array:
    """Numbers, times and the like as text."""
    if pyarrow.types.is_floating(column.type):
        return written_float(column.cast(pyarrow.float64()))
    if pyarrow.types.is_timestamp(column.type):
        column = column.cast(pyarrow.timestamp("us", column.type.tz and "UTC"), safe=False)
    return column.cast(pyarrow.string())


def written_float(column: pyarrow.Array) -> pyarrow.Array:
    """Noise beyond the sixth decimal is no part of a quantity or an amount.

    What is too large for that, or no number, is left to be refused as such.
    """
    is_near = pc.fill_null(pc.less(pc.abs(column), LARGEST_FLOAT), False)
    near = pc.if_else(is_near, column, None)
    whole = pc.if_else(pc.equal(near, pc.round(near)), near, None)
    digits = pc.round(near, 6).cast(pyarrow.string())
    far = pc.if_else(is_near, None, column).cast(pyarrow.string())
    return pc.coalesce(whole.cast(pyarrow.int64()).cast(pyarrow.string()), digits, far)


def one_by_one(column: pyarrow.Array, name: str, flaws: dict[int, Flaw]) -> Iterator[str | None]:
    for position in range(len(column)):
        try:
            yield written(column.slice(position, 1))[0].as_py()
        except (pyarrow.ArrowInvalid, ValueError):
            flaws.setdefault(position, (name[:64], "not a value that can be read"))
            yield None
