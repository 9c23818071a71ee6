"""Lines of a file as a relation of one statement, without a table to put them into.

The application's role may make no temporary tables, which would stand before the real ones for
whoever uses the connection next. A statement gets its lines as arrays, one a column, from which
it makes the CTE `staged`. They are bound on the server's side: they stand in no log, and the
planner knows how many they are.
"""

from collections.abc import Mapping
from typing import Any

import psycopg
import pyarrow
import pyarrow.compute as pc
from django.db import connection

PARAMETER = "staged_"


def staged(columns: Mapping[str, str]) -> str:
    """The CTE `staged` with these columns and types, for a statement that `execute` runs."""
    types = {name: kind.removesuffix("[]") for name, kind in columns.items()}
    arrays = ", ".join(f"%({PARAMETER}{name})s::{kind}[]" for name, kind in types.items())
    # Arrays within an array would be taken apart, so they come as texts.
    values = ", ".join(n if columns[n] == types[n] else f"{n}::{columns[n]}" for n in columns)
    names = ", ".join(columns)
    return f"staged AS MATERIALIZED (SELECT {values} FROM unnest({arrays}) AS lines ({names}))"


def execute(
    statement: str, params: Mapping[str, Any], columns: Mapping[str, str], lines: pyarrow.Table
) -> tuple[Any, ...]:
    """The only row of a statement that begins `WITH {staged(columns)}`; absent columns are NULL.

    The plan is made for these lines, and not kept.
    """
    arrays = {f"{PARAMETER}{name}": as_array(column(lines, name)) for name in columns}
    with connection.wrap_database_errors, psycopg.Cursor(connection.connection) as cursor:
        cursor.execute(statement, {**params, **arrays}, prepare=False)
        [row] = cursor.fetchall()
    return tuple(row)


def column(lines: pyarrow.Table, name: str) -> pyarrow.Array:
    if name not in lines.column_names:
        return pyarrow.nulls(lines.num_rows, pyarrow.string())
    return lines[name].combine_chunks()


def as_array(values: pyarrow.Array) -> str:
    """The values as PostgreSQL writes an array: texts quoted, NULL for what is missing."""
    texts = values.cast(pyarrow.string())
    if pyarrow.types.is_string(values.type) or pyarrow.types.is_large_string(values.type):
        texts = quoted(texts)
    elements = pc.fill_null(texts, "NULL")
    joined = pc.binary_join(pyarrow.ListArray.from_arrays([0, len(elements)], elements), ",")
    return "{" + str(joined[0]) + "}"


def quoted(texts: pyarrow.Array) -> pyarrow.Array:
    for sign in ("\\", '"'):
        texts = pc.replace_substring(texts, sign, "\\" + sign)
    mark, nothing = (pyarrow.scalar(text, texts.type) for text in ('"', ""))
    return pc.binary_join_element_wise(mark, texts, mark, nothing)
