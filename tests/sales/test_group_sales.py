"""Sales by department and category, of what was sold before there was an aggregate of them."""

from collections.abc import Iterator

import pytest
from django.core.management import call_command

from shelfops.timescale.refresh import owner_cursor, refresh_requested
from tests.cast import make_cast
from tests.ingestion.feeding import query
from tests.rows import days_ago, fill

TOTALS = "SELECT sum(lines), sum(quantity_sold), sum(revenue) FROM {}"
HOURLY = """
SELECT initial_start > now()
FROM timescaledb_information.jobs j JOIN timescaledb_information.continuous_aggregates a
     ON j.hypertable_name IN (view_name, materialization_hypertable_name)
WHERE view_name = 'daily_group_sales' AND proc_name = 'policy_refresh_continuous_aggregate'
"""


@pytest.fixture
def restored() -> Iterator[None]:
    yield
    call_command("migrate", verbosity=0)


def test_it_takes_over_what_was_sold_before(restored) -> None:
    """The hourly refresh of a month would hide older days, if it came before that of all days."""
    cast = make_cast()
    fill(cast.customer, cast.store, cast.product, days_ago(3))
    fill(cast.customer, cast.unassigned_store, cast.product, days_ago(200))
    call_command("migrate", "sales", "0003", verbosity=0)
    refresh_requested()
    going_back = TOTALS.replace("sum(lines), ", "")
    old = query(cast.customer, going_back.format("daily_category_sales"))
    assert old == query(cast.customer, going_back.format("daily_store_sales"))
    call_command("migrate", verbosity=0)
    with owner_cursor() as cursor:
        cursor.execute(HOURLY)
        assert cursor.fetchall() == [(True,)]
    expected = query(cast.customer, TOTALS.format("daily_store_sales"))
    assert query(cast.customer, TOTALS.format("daily_group_sales")) == expected
    refresh_requested()
    assert query(cast.customer, TOTALS.format("daily_group_sales")) == expected
