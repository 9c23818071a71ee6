"""Which column of a file is which column of a feed: by name, whatever its case and marks."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from shelfops.ingestion.rows import FileProblem, listed


@dataclass(frozen=True)
class Column:
    """A column that a feed reads. `kind` is text, time, integer, or a number of decimals.

    `synonyms` are what feeds call it, in lower case without marks, besides its own name. A time
    fills two columns of the feed: its own and `local_time`.
    """

    name: str
    kind: str | int
    synonyms: Sequence[str] = ()
    required: bool = True

    def is_called(self, header: str) -> bool:
        return simplified(header) in {simplified(self.name), *self.synonyms}


def simplified(header: str) -> str:
    return re.sub(r"[\W_]+", "", header.casefold())


def match(columns: Sequence[Column], header: Sequence[str], named: Mapping[str, str]) -> list[int]:
    """The index in `header` of each column, -1 for one that is not there and need not be.

    `named` maps columns to headers, as the user says. FileProblem names every column that is
    missing or is there more than once, all in one message.
    """
    if unknown := sorted(set(named) - {column.name for column in columns}):
        names = ", ".join(column.name for column in columns)
        raise FileProblem(f"There is no column {', '.join(unknown)} to name. There are: {names}.")
    found = {column.name: candidates(column, header, named) for column in columns}
    problems = [
        problem for column in columns for problem in problems_of(column, found, header, named)
    ]
    if problems:
        raise FileProblem(" ".join(problems) + f" The file has: {listed(header)}.")
    return [(found[column.name] or [-1])[0] for column in columns]


def candidates(column: Column, header: Sequence[str], named: Mapping[str, str]) -> list[int]:
    if column.name in named:
        wanted = named[column.name].strip()
        return [index for index, name in enumerate(header) if name == wanted]
    taken = {name.strip() for name in named.values()}
    return [
        index for index, name in enumerate(header) if name not in taken and column.is_called(name)
    ]


def problems_of(
    column: Column,
    found: Mapping[str, list[int]],
    header: Sequence[str],
    named: Mapping[str, str],
) -> list[str]:
    indexes = found[column.name]
    if not indexes and (column.required or column.name in named):
        asked = f" ({named[column.name]})" if column.name in named else ""
        return [f"No column for {column.name}{asked}."]
    if len(indexes) > 1:
        return [f"Several columns for {column.name}: {listed([header[i] for i in indexes])}."]
    return []
