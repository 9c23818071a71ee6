"""Every statement of every report, asked twenty times as if parallel plans cost nothing.

TimescaleDB's parallel plans over many chunks answer differently from one time to the next, on
some days only: when workers come before the leader. Here the leader leaves the work to them.
"""

import os
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.db import connection
from django.test import Client

from bench.pages import EXAMPLES, pages
from shelfops.reports.sql import row
from shelfops.tenancy.context import tenant
from shelfops.tenancy.models import Customer, User
from tests.cast import make_cast
from tests.conftest import logged_in
from tests.independent.chain import chain_of

pytestmark = pytest.mark.skipif(
    "DATABASE_ADMIN_URL" not in os.environ, reason="the embedded engine starts no parallel workers"
)

TIMES = 20
AS_IF_FREE = """
SET LOCAL parallel_setup_cost = 0;
SET LOCAL parallel_tuple_cost = 0;
SET LOCAL min_parallel_table_scan_size = 0;
SET LOCAL min_parallel_index_scan_size = 0;
SET LOCAL parallel_leader_participation = off;
"""
WORKERS = "SET LOCAL max_parallel_workers_per_gather = {}"
Statements = dict[str, object]


@pytest.fixture(scope="module")
def customers() -> dict[str, tuple[Customer, Statements]]:
    """Two with sales in every week of a year, each with the statements that its pages ask."""
    found = {}
    for name in ("first", "second"):
        cast = chain_of(make_cast()).cast
        found[name] = (cast.customer, statements(cast.customer, cast.admin))
    return found


def statements(customer: Customer, admin: User) -> Statements:
    """SQL and parameters of all that the pages read, once each."""
    with tenant(customer):
        examples = row(EXAMPLES, {})
    client, asked = logged_in(admin), {}
    with recorded(asked):
        for url in pages(examples, 28):
            assert read(client, url) == 200, url
    return asked


def read(client: Client, url: str) -> int:
    response = client.get(url)
    for _ in response.streaming_content if response.streaming else ():
        pass
    return response.status_code


@contextmanager
def recorded(asked: Statements) -> Iterator[None]:
    def keep(execute, sql, params, many, context):
        if sql.lstrip().startswith(("SELECT", "WITH")) and "chunk" not in sql:
            asked.setdefault(sql, params)
        return execute(sql, params, many, context)

    with connection.execute_wrapper(keep):
        yield


def answer(cursor, sql: str, params: object) -> Counter:
    cursor.execute(sql, params)
    return Counter(map(repr, cursor.fetchall()))


@pytest.mark.parametrize("name", ["first", "second"])
def test_it_answers_the_same_twenty_times_as_without_workers(customers, name):
    customer, asked = customers[name]
    wrong = []
    for sql, params in asked.items():
        with tenant(customer), connection.cursor() as cursor:
            cursor.execute(AS_IF_FREE)
            answers = [answer(cursor, sql, params) for _ in range(TIMES)]
            cursor.execute(WORKERS.format(0))
            right = answer(cursor, sql, params)
        wrong += [sql] if any(one != right for one in answers) else []
    assert len(asked) > 100
    assert wrong == []


def test_it_would_be_wrong_with_workers(customers):
    """Else the test above proves nothing, or TimescaleDB is repaired and E009 can go."""
    customer, asked = customers["first"]
    wrong = 0
    for sql, params in asked.items():
        with tenant(customer), connection.cursor() as cursor:
            cursor.execute(AS_IF_FREE + WORKERS.format(2))
            maybe = answer(cursor, sql, params)
            cursor.execute(WORKERS.format(0))
            wrong += maybe != answer(cursor, sql, params)
    assert wrong > 0
