"""Reports on stock read the counts and the aggregate of their days, and nothing older."""

import re
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from inventory import queries
from inventory.queries import StockScope
from inventory.reports import classes, movement, trend, unsold
from inventory.reports.reading import hash_joins
from shelfops.reports.period import Period
from shelfops.tenancy.context import tenant
from tests.cast import Cast
from tests.reports.shop import YESTERDAY, Shop

ALL = StockScope(None)
SHORT = Period.ending(YESTERDAY - timedelta(days=28), 7)
LONG = Period.ending(YESTERDAY - timedelta(days=28), 300)

STATEMENTS = {
    "stock now": lambda period: (
        queries.stock_statement("cover"),
        movement.params(ALL, period, 50, 0),
    ),
    "stock now by value": lambda period: (
        queries.stock_statement("cost"),
        movement.params(ALL, period, 50, 0),
    ),
    "movement": lambda period: (
        movement.statement("product", "turn"),
        movement.params(ALL, period, 50, 0),
    ),
    "as of": lambda period: (
        movement.statement("product", "closing", with_sales=False),
        movement.params(ALL, period, 50, 0),
    ),
    "trend": lambda period: (trend.TREND, movement.params(ALL, period, None, 0)),
    "classes": lambda period: (
        classes.statement("all", "revenue"),
        classes.params(ALL, period, "", 50, 0),
    ),
    "phantom": lambda period: (
        unsold.phantom_statement("chance"),
        unsold.phantom_params(ALL, period, 0.01, 50, 0),
    ),
}
# The chunks of a week each that SHORT may touch, with the 35 days before it: other tests' rows
# may lie in any of them.
WEEKS_READ = 8
# Which tables of many chunks each may read.
NO_COUNTS = {"classes"}
NO_SALES = {"trend", "as of"}


@pytest.fixture
def a_year(cast: Cast, shop: Shop) -> Shop:
    """A sale and a count every 30 days."""
    for back in range(330, -30, -30):
        day = YESTERDAY - timedelta(days=back)
        shop.sell(cast.store, cast.product, day, 1, "1.00")
        shop.snapshot(cast.store, cast.product, day, max(back, 1))
    shop.refresh()
    return shop


def plan(cast: Cast, statement: str, params: dict[str, object]) -> str:
    """What was executed, and how."""
    with tenant(cast.customer), connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) {statement}", params)
        return "\n".join(line for (line,) in cursor.fetchall())


def read(text: str) -> dict[str, set[str]]:
    """The chunks that were read, by the hypertable's number."""
    found: dict[str, set[str]] = {}
    for line in text.splitlines():
        if "never executed" not in line:
            for table, chunk in re.findall(r"on (_hyper_\d+)_(\d+)_chunk", line):
                found.setdefault(table, set()).add(chunk)
    return found


def tables(cast: Cast) -> tuple[str, str]:
    """The numbers of the ledger of counts and of the daily aggregate."""
    counts = "SELECT count(*) FROM inventory_levels"
    sales = "SELECT count(*) FROM daily_sales WHERE day < now() - INTERVAL '20 days'"
    [ledger], [aggregate] = read(plan(cast, counts, {})), read(plan(cast, sales, {}))
    return ledger, aggregate


def test_it_reads_few_chunks_and_no_transactions(cast: Cast, a_year: Shop) -> None:
    ledger, aggregate = tables(cast)
    for name, ask in STATEMENTS.items():
        short, long = (plan(cast, *ask(period)) for period in (SHORT, LONG))
        assert not re.search(r" on transactions", short), name
        few, many = read(short), read(long)
        wanted = set() if name in NO_COUNTS else {ledger}
        wanted |= set() if name in NO_SALES else {aggregate}
        assert set(few) == set(many) == wanted, name
        for table in wanted:
            assert len(few[table]) <= WEEKS_READ < len(many[table]), (name, table)


def test_it_reads_dead_stock_of_its_days(cast: Cast, a_year: Shop) -> None:
    """The last sale is looked for half a year back, which is what is read at most.

    Sales of today count as well: they may be read from the lines, of the latest chunks.
    """
    _, aggregate = tables(cast)
    params = unsold.dead_params(ALL, SHORT, 50, 0)
    found = read(plan(cast, unsold.dead_statement("cost_value"), params))
    there = read(plan(cast, "SELECT count(*) FROM daily_sales", {}))
    assert sum(len(chunks) for table, chunks in found.items() if table != aggregate) <= 2
    assert len(found[aggregate]) < len(there[aggregate]) * 0.75


def test_it_looks_further_back_only_for_what_was_not_counted(cast: Cast, a_year: Shop) -> None:
    ledger, _ = tables(cast)
    a_year.snapshot(cast.store, a_year.product("SELDOM"), YESTERDAY - timedelta(days=320), 7)
    a_year.snapshot(cast.store, a_year.product("NEW"), YESTERDAY, 7)
    days = read(plan(cast, *STATEMENTS["trend"](SHORT)))
    assert len(days[ledger]) > 3
    with tenant(cast.customer):
        assert trend.by_day(ALL, SHORT)[-1]["on_hand"] == 30 + 7


def test_its_number_of_queries_is_constant(cast: Cast, a_year: Shop, client_of) -> None:
    names = ("stock-as-of", "abc", "stock-turn", "sell-through", "availability", "dead-stock")

    def queries_of(name: str) -> int:
        client = client_of(cast.admin)
        with CaptureQueriesContext(connection) as captured:
            client.get(reverse(f"reports:{name}"), {"by": "product"})
        return len(captured)

    few = {name: queries_of(name) for name in names}
    for n in range(12):
        product = a_year.product(f"N{n}", category=f"C{n}")
        a_year.snapshot(a_year.store(f"N{n}"), product, YESTERDAY, n)
        a_year.sell(cast.store, product, YESTERDAY, 1, "1.00")
    assert {name: queries_of(name) for name in names} == few


def test_it_never_reads_the_counts_once_for_each_product(cast: Cast, a_year: Shop) -> None:
    """Also of a feed that came in a minute ago, of which the planner knows nothing yet."""
    for n in range(40):
        a_year.snapshot(cast.store, a_year.product(f"P{n}"), YESTERDAY - timedelta(days=40), n)
    for name in ("movement", "as of", "trend", "phantom"):
        with tenant(cast.customer), hash_joins():
            text = plan(cast, *STATEMENTS[name](LONG))
        scans = [line for line in text.splitlines() if "Scan" in line and "_chunk" in line]
        assert not [line for line in scans if re.search(r"loops=([2-9]|\d\d)", line)], name
