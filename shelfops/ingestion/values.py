"""Text of a file as values: times, numbers and plain text, whole columns at a time.

Each conversion gives NULL for what it cannot read, and says why. An empty text is NULL.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

import pyarrow
import pyarrow.compute as pc

Column: TypeAlias = pyarrow.Array
# Which values are wrong, and the reason that all of them share.
Problem: TypeAlias = tuple[Column, str]

UTC_TIME, LOCAL_TIME = pyarrow.timestamp("us", "UTC"), pyarrow.timestamp("us")

CLOCK = r"^[12]\d{3}-\d{2}-\d{2}(?:[ T]\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?)?"
LOCAL, ZONED = CLOCK + "$", CLOCK[:-1] + r" ?(?:Z|[+-]\d{2}(?::?\d{2})?)$"
ISO = "not a time such as 2026-03-31 14:05 or 2026-03-31T14:05:00+02:00"

NUMBER = r"^[+-]?(?:\d{1,30}(?:\.\d{0,30})?|\.\d{1,30})$"
GAP = "[ \u00a0\u202f'\u2019]"
# By the decimal sign: a number with groups of three digits, and what stands between those.
GROUPED = {
    ".": (rf"^[+-]?\d{{1,3}}(?:(?:,\d{{3}})+|(?:{GAP}\d{{3}})+)?(?:\.\d+)?$", rf",|{GAP}"),
    ",": (rf"^[+-]?\d{{1,3}}(?:(?:\.\d{{3}})+|(?:{GAP}\d{{3}})+)?(?:,\d+)?$", rf"\.|{GAP}"),
}
UNGROUPED = {".": NUMBER, ",": r"^[+-]?\d{1,30}(?:,\d{1,30})?$"}
INTEGER = r"^[+-]?\d{1,18}$"
LARGEST_INTEGER = 2**31 - 1


@dataclass
class Values:
    """Columns made from one, and what was wrong with it, the first reason first."""

    columns: list[Column]
    problems: list[Problem]


def text(column: Column) -> Values:
    return Values([trimmed(column)], [])


def time(column: Column) -> Values:
    """Two columns: times that come with a zone, and those of a clock on the wall."""
    column = pc.replace_substring_regex(trimmed(column), r"(\.\d{6})\d+", r"\1")
    zoned, local = matching(column, ZONED), matching(column, LOCAL)
    columns = [
        cast(pc.replace_substring_regex(only(column, zoned), r" ([+\-Z])", r"\1"), UTC_TIME),
        cast(only(column, local), LOCAL_TIME),
    ]
    read = pc.or_(pc.is_valid(columns[0]), pc.is_valid(columns[1]))
    return Values(columns, [(unread(column, read), ISO)])


def integer(column: Column) -> Values:
    column = trimmed(column)
    whole = matching(column, INTEGER)
    numbers = only(pc.replace_substring_regex(column, r"^\+", ""), whole).cast(pyarrow.int64())
    large = pc.fill_null(pc.greater(pc.abs(numbers), LARGEST_INTEGER), False)
    problems = [(unread(column, whole), "not a whole number"), (large, "too large")]
    return Values([only(numbers, pc.invert(large)).cast(pyarrow.int32())], problems)


def decimal(places: int, sign: str | None) -> Callable[[Column], Values]:
    """Reads numbers of at most `places` decimals.

    Only a named decimal sign lets commas, and groups of thousands, be read: 1,234 may be
    a thousand and more or little more than one.
    """

    def read(column: Column) -> Values:
        column = trimmed(column)
        digits = column if sign is None else ungrouped(column, sign)
        good = matching(digits, NUMBER)
        comma = pc.and_(pc.invert(good), matching(column, r"^[+-]?\d[\d.]*,[\d.,]*\d$"))
        fine = matching(digits, rf"\.\d{{{places}}}\d*[1-9]")
        problems = [(unread(column, good), "not a number")]
        if sign is None:
            problems.insert(0, (comma, "has a comma; name the file's decimal sign"))
        problems.append((pc.and_(good, fine), f"more than {places} decimals"))
        return Values([only(digits, pc.and_(good, pc.invert(fine)))], problems)

    return read


def ungrouped(column: Column, sign: str) -> Column:
    """Numbers with a decimal point and no groups; NULL for what is neither."""
    pattern, separators = GROUPED[sign]
    grouped, plain = matching(column, pattern), matching(column, UNGROUPED[sign])
    joined = pc.replace_substring_regex(only(column, grouped), separators, "")
    return pc.replace_substring(pc.if_else(plain, column, joined), ",", ".")


def trimmed(column: Column) -> Column:
    return pc.utf8_trim_whitespace(column)


def matching(column: Column, pattern: str) -> Column:
    return pc.fill_null(pc.match_substring_regex(column, pattern), False)


def only(column: Column, wanted: Column) -> Column:
    return pc.if_else(wanted, column, pyarrow.scalar(None, column.type))


def unread(column: Column, read: Column) -> Column:
    """Where there was something to read."""
    given = pc.fill_null(pc.not_equal(column, ""), False)
    return pc.and_(given, pc.invert(read))


def cast(column: Column, kind: pyarrow.DataType) -> Column:
    """Times from text; NULL for days that no calendar has, looked for only if there is one."""
    try:
        return column.cast(kind)
    except pyarrow.ArrowInvalid:
        return pyarrow.array(one_by_one(column, kind), kind)


def one_by_one(column: Column, kind: pyarrow.DataType) -> Iterator[object]:
    for value in column:
        try:
            yield value.cast(kind).as_py()
        except pyarrow.ArrowInvalid:
            yield None
