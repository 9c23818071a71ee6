"""Opens the parts of a spreadsheet file (XLSX), once it is known that they can be borne.

Each part is looked through before it is parsed, whatever it is called: how much it unpacks to, its
rows, cells and texts, its encoding, and whether it has a document type, the door to entities.
"""

import re
import zlib
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from typing import IO, Any
from xml.etree import ElementTree as ET
from xml.parsers import expat
from zipfile import BadZipFile, ZipFile

from shelfops.ingestion.rows import FileProblem

UNPACKED_LIMIT = 100 * 1024 * 1024
PARTS_LIMIT = 2_000
CELL_LIMIT, STRING_LIMIT, SHEET_ROWS = 2_000_000, 1_000_000, 1_048_576
COUNTED = re.compile(rb"<(?:[\w.-]+:)?(row|c|si|xf|mergeCell)[\s/>]")
LIMITS = {
    b"row": SHEET_ROWS,
    b"c": CELL_LIMIT,
    b"si": STRING_LIMIT,
    b"xf": 100_000,
    b"mergeCell": 100_000,
}
PIECE, TAIL = 1024 * 1024, 512
# Tags of a part that is taken as a whole, between two elements of one that is streamed, and of
# what such a part holds besides them.
TAGS_AT_ONCE = 400_000
# No tag with the text behind it is longer.
STRETCH = PIECE
ENCODINGS = {"", "utf-8", "utf8", "us-ascii"}

DAMAGES: tuple[type[Exception], ...] = (BadZipFile, zlib.error, EOFError, ET.ParseError)
DAMAGES += (expat.ExpatError, LookupError, OSError, ValueError, ArithmeticError)


@contextmanager
def explained() -> Iterator[None]:
    try:
        yield
    except (NotImplementedError, RuntimeError) as error:
        raise FileProblem("The XLSX file is packed or locked in a way that is not read.") from error
    except DAMAGES as error:
        raise FileProblem("The XLSX file is cut off or damaged.") from error


def local(element: ET.Element) -> str:
    return str(element.tag).rpartition("}")[2]


class Parts:
    """The parts by their paths; FileProblem for what cannot be borne."""

    def __init__(self, content: bytes) -> None:
        self.archive = ZipFile(BytesIO(content))
        parts = self.archive.infolist()
        if len(parts) > PARTS_LIMIT or sum(part.file_size for part in parts) > UNPACKED_LIMIT:
            raise FileProblem(
                f"Unpacked, the file is larger than {UNPACKED_LIMIT // 1024 // 1024} MB."
                " Save it without pictures, split it, or save it as CSV."
            )
        self.names = {part.filename for part in parts}
        self.checked: dict[str, Counter[bytes]] = {}

    def __contains__(self, path: str) -> bool:
        return path in self.names

    def check(self, path: str) -> Counter[bytes]:
        """How often each mark is in the part."""
        if path not in self.checked:
            with self.archive.open(path) as file:
                self.checked[path] = counted(file)
        return self.checked[path]

    def tree(self, path: str) -> ET.Element:
        """A small part as a whole."""
        if self.check(path)[b"<"] > TAGS_AT_ONCE:
            raise crowded()
        return ET.fromstring(self.archive.read(path))  # noqa: S314  (checked: no entities)

    def elements(self, path: str, tag: str) -> Iterator[ET.Element]:
        """The elements of this name, each gone when the next one is asked for."""
        if tag.encode() in LIMITS and not self.check(path)[tag.encode()]:
            return
        parser: Any = ET.XMLPullParser(["end"])
        tags = ended = others = 0
        with self.archive.open(path) as file:
            while piece := file.read(TAIL * 128):
                tags += piece.count(b"<")
                parser.feed(piece)
                for _, element in parser.read_events():
                    ended += 1
                    if local(element) == tag:
                        others += max(ended - sum(1 for _ in element.iter()), 0)
                        yield element
                        element.clear()
                        tags = ended = 0
                if tags > TAGS_AT_ONCE or others > TAGS_AT_ONCE:
                    raise crowded()
            parser.close()


def crowded() -> FileProblem:
    return FileProblem(
        "The file holds far more than cells. Save it without formats and pictures, or as CSV."
    )


def counted(file: IO[bytes]) -> Counter[bytes]:
    """The part's marks, and b"<" for all its tags. Nothing is kept of what is parsed here."""
    counts: Counter[bytes] = Counter()
    parser = expat.ParserCreate()
    parser.StartDoctypeDeclHandler = has_document_type
    parser.XmlDeclHandler = has_encoding
    tail = b""
    while piece := file.read(PIECE):
        if b"\0" in piece:
            raise FileProblem(NOT_PLAIN)
        if len(piece) >= STRETCH and b"<" not in piece:
            raise FileProblem("A cell of the file is longer than any cell can be.")
        parser.Parse(piece, False)
        text = tail + piece
        counts.update(m[1] for m in COUNTED.finditer(text) if m.end() > len(tail))
        counts[b"<"] += piece.count(b"<")
        if any(counts[mark] > limit for mark, limit in LIMITS.items()):
            raise FileProblem(f"The file has more than {CELL_LIMIT:,} cells, or as many texts.")
        tail = text[-TAIL:]
    parser.Parse(b"", True)
    return counts


NOT_PLAIN = "The file declares its own XML entities, or is not written in UTF-8."


def has_document_type(*declared: object) -> None:
    raise FileProblem(NOT_PLAIN)


def has_encoding(version: str, encoding: str | None, standalone: int) -> None:
    if (encoding or "").lower() not in ENCODINGS:
        raise FileProblem(NOT_PLAIN)
