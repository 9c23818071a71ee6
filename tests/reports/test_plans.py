"""Reports read few chunks, and aggregates instead of transactions."""

import re
from datetime import date, timedelta

import pytest
from django.db import connection

from inventory import queries as stock
from inventory.spans import span_params
from sales import margin, movers
from sales import queries as sales
from sales.scope import SalesScope
from shelfops.reports.period import Period
from shelfops.tenancy.context import tenant
from shelfops.timescale.refresh import owner_cursor
from tests.cast import Cast, make_cast
from tests.reports.shop import YESTERDAY, shop_of

WEEK = Period.ending(YESTERDAY, 7)


@pytest.fixture(scope="module")
def a_year() -> Cast:
    """Sales in every aggregate chunk of a year."""
    cast = make_cast()
    shop = shop_of(cast)
    for back in range(0, 360, 30):
        shop.sell(cast.store, cast.product, YESTERDAY - timedelta(days=back), 1, "1.00")
    shop.refresh()
    return cast


def plan(cast: Cast, statement: str, params: dict[str, object]) -> str:
    with tenant(cast.customer), connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (COSTS OFF) {statement}", params)
        return "\n".join(line for (line,) in cursor.fetchall())


def chunks_of(text: str) -> set[str]:
    return set(re.findall(r"_hyper_\d+_\d+_chunk", text))


DAIRY = {"all_products": False, "category": "Dairy"}
STATEMENTS = {
    "day": (f"WITH {sales.BASKET_SALES} {sales.DAYS}", {}),
    "week": (f"WITH {sales.BASKET_SALES} {sales.WEEKS}", {}),
    "month": (f"WITH {sales.BASKET_SALES} {sales.MONTHS}", {}),
    "day of a category": (f"WITH {sales.NARROWED_SALES} {sales.DAYS}", DAIRY),
    "hour": (sales.BY_HOUR, {}),
    "store": (f"WITH {sales.BASKET_SALES} {sales.STORES}", {}),
    "department": (sales.ALL_BY_GROUP["department"], {"moved": []}),
    "category": (sales.ALL_BY_GROUP["category"], {"moved": []}),
    "category in some stores": (sales.SOME_BY_GROUP["category"], {}),
    "best products": (sales.BEST_PRODUCTS, {"top": 50}),
    "product": (f"WITH {sales.STORE_SALES}, {sales.PRODUCTS}", {"best": []}),
    "product of a category": (
        f"WITH {sales.NARROWED_SALES}, {sales.PRODUCTS}",
        {"best": [], **DAIRY},
    ),
    "movers": (movers.PRODUCTS["revenue"], {"top": 15}),
    "movers of categories": (movers.ALL_CATEGORIES["units"], {"top": 15, "moved": []}),
    "margin": (margin.STATEMENTS["day"], {}),
    "margin of products": (margin.STATEMENTS["product"], {"top": 50}),
    "stock": (
        stock.stock_statement("cover"),
        {**stock.StockScope(None).params(), "limit": 50, "offset": 0},
    ),
}


def params(period: Period, more: dict[str, object]) -> dict[str, object]:
    return {
        **span_params(period),
        **SalesScope(period, period.before, None).params(),
        **more,
    }


@pytest.mark.parametrize("name", STATEMENTS)
def test_it_leaves_out_chunks_of_other_days(a_year, name):
    statement, more = STATEMENTS[name]
    year = Period(YESTERDAY - timedelta(days=364), YESTERDAY)
    few = chunks_of(plan(a_year, statement, params(WEEK, more)))
    many = chunks_of(plan(a_year, statement, params(year, more)))
    assert 0 < len(few) < len(many)


@pytest.mark.parametrize("name", STATEMENTS)
def test_it_reads_no_transactions_that_an_aggregate_holds(a_year, name):
    """Of days that are materialised: the real-time part of the aggregate falls away."""
    statement, more = STATEMENTS[name]
    past = Period.ending(date.fromordinal(YESTERDAY.toordinal() - 30), 28)
    text = plan(a_year, statement, params(past, more))
    assert chunks_of(text)
    assert " on transactions" not in text


def reads(text: str, aggregate: str) -> bool:
    with owner_cursor() as cursor:
        cursor.execute(
            """
            SELECT substring(materialization_hypertable_name, '[0-9]+$')
            FROM timescaledb_information.continuous_aggregates WHERE view_name = %s
            """,
            [aggregate],
        )
        [number] = cursor.fetchone()
    return f"_hyper_{number}_" in text


@pytest.mark.parametrize("name", ["department", "category", "movers of categories"])
@pytest.mark.parametrize("narrowed", [{}, {"all_products": False, "department": "Fresh"}])
def test_it_reads_groups_of_all_stores_at_no_finer_grain(a_year, name, narrowed):
    """But of products that were moved to another group."""
    statement, more = STATEMENTS[name]
    past = Period.ending(date.fromordinal(YESTERDAY.toordinal() - 30), 28)

    def text(moved: list[object]) -> str:
        return plan(a_year, statement, params(past, {**more, **narrowed, "moved": moved}))

    assert reads(text([]), "daily_group_sales")
    assert not reads(text([]), "daily_sales")
    assert " on transactions" not in text([])
    assert reads(text([a_year.product.pk]), "daily_sales")


@pytest.mark.parametrize("name", ["day", "hour", "store", "category"])
def test_it_reads_no_chunk_between_the_days_of_this_and_last_year(a_year, name):
    statement, more = STATEMENTS[name]
    near, far = WEEK, WEEK.year_before
    both = plan(a_year, statement, {**SalesScope(near, far, None).params(), **more})
    year = Period(near.start - timedelta(days=357), near.end)
    assert len(chunks_of(both)) < len(chunks_of(plan(a_year, statement, params(year, more)))) / 2
