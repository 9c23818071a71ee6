"""Rows of a statement, as dictionaries."""

from collections.abc import Iterator
from typing import Any

from django.db import connection

Row = dict[str, Any]

BATCH = 2000


def rows(statement: str, params: dict[str, Any]) -> list[Row]:
    with connection.cursor() as cursor:
        cursor.execute(statement, params)
        names = [column.name for column in cursor.description]
        return [dict(zip(names, values, strict=True)) for values in cursor.fetchall()]


def row(statement: str, params: dict[str, Any]) -> Row:
    """The only row of a statement that always has one."""
    [only] = rows(statement, params)
    return only


def stream(statement: str, params: dict[str, Any]) -> Iterator[Row]:
    """The rows through a cursor of the server's, so that memory does not grow with them."""
    with connection.chunked_cursor() as cursor:
        cursor.execute(statement, params)
        while batch := cursor.fetchmany(BATCH):
            names = [column.name for column in cursor.description]
            for values in batch:
                yield dict(zip(names, values, strict=True))
