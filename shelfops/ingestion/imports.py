"""Imports a file of sales or counts of stock, whoever asks for it: a command or an upload."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

import pyarrow

from inventory.ingest import INVENTORY_LEVELS, LEVEL_COLUMNS
from sales.ingest import COLUMNS, TRANSACTIONS
from shelfops.ingestion.columns import Column
from shelfops.ingestion.feeds import Feed, Source, load
from shelfops.ingestion.files import open_rows, sha256
from shelfops.ingestion.models import ImportBatch
from shelfops.ingestion.reader import Dialect, Reader
from shelfops.tenancy.models import Customer


@dataclass(frozen=True)
class Kind:
    """What a file can hold: its title for people, its feed, and the columns to look for."""

    title: str
    feed: Feed
    columns: Sequence[Column]


KINDS = {
    "transactions": Kind("Sales", TRANSACTIONS, COLUMNS),
    "inventory_levels": Kind("Counts of stock", INVENTORY_LEVELS, LEVEL_COLUMNS),
}


@dataclass(frozen=True)
class Order:
    """A file to import, how to read it, and for whom.

    Lines of stores other than `stores` are refused as unknown, if it is not None. Times without
    a zone are those of `time_zone`, or of the store's own.
    """

    path: Path
    imported_by: str
    name: str = ""
    dialect: Dialect = field(default_factory=Dialect)
    time_zone: str | None = None
    stores: Sequence[UUID] | None = None
    batch_id: UUID | None = None


def import_file(
    customer: Customer,
    kind: Kind,
    order: Order,
    progress: Callable[[int, float], None] = lambda rows, share: None,
) -> ImportBatch:
    """Import the file whole or not at all; FileProblem or a database error if not at all.

    `progress` is told of rows that have been placed, and which share of the file is read.
    """
    file = File(order, kind)
    with file.reader() as reader:  # what is wrong with its columns is said before anything begins
        described = source(order, reader)
    return load(customer, kind.feed, described, file, lambda done: progress(done, file.share))


class File:
    """The records of a file, which can be read again and again."""

    def __init__(self, order: Order, kind: Kind) -> None:
        self.order, self.kind, self.share = order, kind, 0.0

    @contextmanager
    def reader(self) -> Iterator[Reader]:
        path, dialect = self.order.path, self.order.dialect
        with open_rows(path, dialect.encoding, dialect.delimiter) as rows:
            yield Reader(rows, self.kind.columns, dialect)

    def __iter__(self) -> Iterator[pyarrow.RecordBatch]:
        with self.reader() as reader:
            for batch in reader.records():
                self.share = reader.file.share
                yield batch


def source(order: Order, reader: Reader) -> Source:
    named = {
        column.name: reader.file.header[index]
        for column, index in zip(reader.columns, reader.indexes, strict=True)
        if index >= 0
    }
    metadata: dict[str, Any] = {
        "columns": reader.header,
        "named": named,
        "time_zone": order.time_zone,
    }
    if order.stores is not None:
        metadata["stores"] = sorted(map(str, order.stores))
    return Source(
        (order.name or order.path.name)[-255:],
        sha256(order.path),
        order.imported_by,
        metadata,
        order.time_zone,
        stores=order.stores,
        batch_id=order.batch_id,
    )
