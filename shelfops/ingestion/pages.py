"""What the pages of a Parquet file unpack to, read from the pages themselves.

The sizes that a file's end gives may lie; those before each page are what the reader goes by. They
are written in Thrift's compact protocol, of which this reads what a page's header can hold.
"""

from typing import Any, BinaryIO

# A header is a few dozen bytes, and some hundred with the statistics that some writers add.
HEADER_LIMIT = 64 * 1024
PAGES_LIMIT = 200_000
UNPACKED, PACKED = 2, 3  # the fields of a page's header that hold its sizes
TRUE, FALSE, BYTE, I16, I32, I64, DOUBLE, BINARY, LIST, SET, _MAP, STRUCT = range(1, 13)


class Broken(ValueError):
    """This is no page's header."""


def unpacked_sizes(file: BinaryIO, start: int, length: int) -> list[int]:
    """The bytes that each page between `start` and `start + length` unpacks to."""
    sizes: list[int] = []
    place, end = start, start + length
    while place < end:
        file.seek(place)
        header = Header(file.read(min(HEADER_LIMIT, end - place)))
        fields = header.struct()
        unpacked, packed = fields.get(UNPACKED), fields.get(PACKED)
        if unpacked is None or packed is None or unpacked < 0 or packed < 0:
            raise Broken
        sizes.append(unpacked)
        if len(sizes) > PAGES_LIMIT:
            raise Broken
        place += header.place + packed
    return sizes


class Header:
    """Bytes and how far they have been read."""

    def __init__(self, data: bytes) -> None:
        self.data, self.place = data, 0

    def byte(self) -> int:
        if self.place >= len(self.data):
            raise Broken
        self.place += 1
        return self.data[self.place - 1]

    def skip(self, length: int) -> None:
        self.place += length
        if self.place > len(self.data):
            raise Broken

    def unsigned(self) -> int:
        value = 0
        for shift in range(0, 70, 7):
            byte = self.byte()
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
        raise Broken

    def number(self) -> int:
        value = self.unsigned()
        return (value >> 1) ^ -(value & 1)

    def struct(self, depth: int = 0) -> dict[int, Any]:
        """Its fields that are whole numbers, by their id."""
        fields: dict[int, Any] = {}
        last = 0
        while kind := (start := self.byte()) & 0x0F:
            last = last + (start >> 4) if start >> 4 else self.number()
            fields[last] = self.value(kind, depth)
        return fields

    def value(self, kind: int, depth: int) -> int | None:
        """A number, or None for anything else, which is passed over."""
        if kind in (I16, I32, I64):
            return self.number()
        if kind == BYTE:
            self.byte()
        elif kind == DOUBLE:
            self.skip(8)
        elif kind == BINARY:
            self.skip(self.unsigned())
        elif kind in (LIST, SET):
            self.elements(depth)
        elif kind == STRUCT and depth < 8:
            self.struct(depth + 1)
        elif kind not in (TRUE, FALSE):
            raise Broken
        return None

    def elements(self, depth: int) -> None:
        start = self.byte()
        size = start >> 4 if start >> 4 < 15 else self.unsigned()
        if size > HEADER_LIMIT:
            raise Broken
        for _ in range(size):
            self.value(start & 0x0F, depth + 1)
