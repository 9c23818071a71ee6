"""What readers of files share: rows as text, and what no row and no header may be."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy
import pyarrow
import pyarrow.compute as pc

COLUMN_LIMIT, ROW_LIMIT = 500, 50_000_000
# No column holds more than this; what is longer is cut and refused.
FIELD_LIMIT = 1_000
HEADING_LIMIT = 200
ROWS_AT_ONCE, CHARACTERS_AT_ONCE = 10_000, 8 * 1024 * 1024
TEXTS = pyarrow.list_(pyarrow.string())
# What the database cannot hold: the NUL character, and halves of characters.
UNHOLDABLE = re.compile("[\0\ud800-\udfff]")
STAND_IN = "\u2400"
NAMED, NAME_SHOWN = 20, 40

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


def tidied(text: str, name: str, position: int, flaws: dict[int, Flaw]) -> str:
    """The text without what nothing can hold; `flaws` then says what that was."""
    if len(text) > FIELD_LIMIT:
        flaws.setdefault(position, (name[:64], f"longer than {FIELD_LIMIT:,} characters"))
        text = text[: FIELD_LIMIT - 1] + "…"
    if UNHOLDABLE.search(text):
        what = "a NUL character" if "\0" in text else "half a character"
        flaws.setdefault(position, (name[:64], f"contains {what}"))
        text = UNHOLDABLE.sub(STAND_IN, text)
    return text


def checked_header(names: Sequence[str]) -> list[str]:
    """The headings without what does not count; FileProblem for what can be none."""
    if len(names) > COLUMN_LIMIT:
        raise FileProblem(
            f"The file has {len(names):,} columns; at most {COLUMN_LIMIT} can be read. Leave out"
            " those that are not needed."
        )
    if any(map(UNHOLDABLE.search, names)):
        raise FileProblem(
            "The headings contain characters that are no text. The file has another encoding, for"
            " example utf-16-le or utf-16-be; name it. Or it is no table at all."
        )
    return [name.strip().lstrip("\ufeff")[:HEADING_LIMIT] for name in names]


def listed(names: Sequence[str]) -> str:
    """Names for a message: no more, and no longer, than anybody reads."""
    shown = [
        name if len(name) <= NAME_SHOWN else f"{name[: NAME_SHOWN - 1]}…" for name in names[:NAMED]
    ]
    more = len(names) - NAMED
    return ", ".join(shown) + (f" and {more:,} more" if more > 0 else "")


def sizes(rows: pyarrow.Array) -> pyarrow.Array:
    """The bytes that each list of texts has, with what JSON puts around them."""
    texts = rows.flatten()
    lengths = pc.fill_null(pc.binary_length(texts), 0).to_numpy(zero_copy_only=False)
    ends = numpy.concatenate([[0], numpy.cumsum(lengths + 4)])
    return pyarrow.array(numpy.diff(ends[rows.offsets.to_numpy()]), pyarrow.int64())
