"""Every statement of every report, asked twenty times as if parallel plans cost nothing.

TimescaleDB's parallel plans over many chunks answer differently from one time to the next, on
some days only: when workers come before the leader. Here the leader leaves the work to them.
"""

import os
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from django.db import connection, connections
from django.test import Client
from psycopg import sql

from alerts.evaluation import evaluate
from bench.pages import EXAMPLES, pages
from shelfops.reports.sql import row
from shelfops.tenancy.context import tenant
from shelfops.tenancy.models import Customer, User
from shelfops.timescale.refresh import owner_cursor
from tests.cast import make_cast
from tests.conftest import logged_in
from tests.independent.books import Asked, Books
from tests.independent.chain import chain_of
from tests.independent.comparing import differences
from tests.reports.shop import YESTERDAY, shop_of

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
# The same for every new connection of a role.
FOR_ROLE = {
    "parallel_setup_cost": "0",
    "parallel_tuple_cost": "0",
    "min_parallel_table_scan_size": "0",
    "min_parallel_index_scan_size": "0",
    "parallel_leader_participation": "off",
}
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
    def keep(execute, statement, params, many, context):
        if statement.lstrip().startswith(("SELECT", "WITH")):
            asked.setdefault(statement, params)
        return execute(statement, params, many, context)

    with connection.execute_wrapper(keep):
        yield


def answer(cursor, statement: str, params: object) -> Counter:
    cursor.execute(statement, params)
    return Counter(map(repr, cursor.fetchall()))


@pytest.mark.parametrize("name", ["first", "second"])
def test_it_answers_the_same_twenty_times_as_without_workers(customers, name):
    customer, asked = customers[name]
    wrong = []
    for statement, params in asked.items():
        with tenant(customer), connection.cursor() as cursor:
            cursor.execute(AS_IF_FREE)
            answers = [answer(cursor, statement, params) for _ in range(TIMES)]
            cursor.execute(WORKERS.format(0))
            right = answer(cursor, statement, params)
        wrong += [statement] if any(one != right for one in answers) else []
    assert len(asked) > 100
    assert wrong == []


def test_it_would_be_wrong_with_workers(customers):
    """Else the test above proves nothing, or TimescaleDB is repaired and E009 can go."""
    customer, asked = customers["first"]
    wrong = 0
    for statement, params in asked.items():
        with tenant(customer), connection.cursor() as cursor:
            cursor.execute(AS_IF_FREE + WORKERS.format(2))
            maybe = answer(cursor, statement, params)
            cursor.execute(WORKERS.format(0))
            wrong += maybe != answer(cursor, statement, params)
    assert wrong > 0


@pytest.fixture
def free_for_roles(admin_url: str) -> Iterator[None]:
    """What imports, refreshes and evaluations ask inside of functions is as if free, too."""
    name = sql.Identifier(connections["owner"].settings_dict["NAME"])
    roles = [sql.Identifier(role) for role in ("shelfops_owner", "shelfops_app")]
    with psycopg.connect(admin_url, autocommit=True) as admin:
        for role in roles:
            for setting, value in FOR_ROLE.items():
                change = sql.SQL("ALTER ROLE {} IN DATABASE {} SET {} = {}")
                admin.execute(change.format(role, name, sql.Identifier(setting), value))
        connect_anew()
        yield
        for role in roles:
            admin.execute(sql.SQL("ALTER ROLE {} IN DATABASE {} RESET ALL").format(role, name))
    connect_anew()


def connect_anew() -> None:
    connections.close_all()
    connections["default"].close_pool()


def test_imports_refreshes_and_alerts_are_right_where_parallel_plans_are_free(free_for_roles):
    with owner_cursor() as cursor:
        cursor.execute("SHOW parallel_leader_participation")
        assert cursor.fetchone() == ("off",)
    chain = chain_of(make_cast())
    cast = chain.cast
    for product in chain.products:
        shop_of(cast).snapshot(cast.store, product, YESTERDAY, 0)
    books, client = Books(cast.customer), logged_in(cast.admin)
    today = datetime.now(UTC).date()
    for by in ("week", "store", "category"):
        asked = Asked(by, today - timedelta(days=365), today)
        assert differences(client, books, asked) == []
    first, *others = [evaluate(cast.customer) for _ in range(5)]
    assert first.held > 0
    assert {(run.error, run.held, run.resolved) for run in others} == {("", first.held, 0)}
