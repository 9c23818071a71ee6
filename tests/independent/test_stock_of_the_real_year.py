"""Stock over eight weeks of two real stores, of which the stock is simulated, against DuckDB."""

from datetime import timedelta

import numpy as np
import pyarrow
import pyarrow.compute as pc
from django.db import connection

from inventory.ingest import PRODUCTS
from inventory.models import Store, StoreAssignment
from sales.complete_journey import catalogue, stock
from sales.complete_journey.load import CATALOGUE_FILE, Loader, weeks_until, yesterday
from sales.complete_journey.source import LAST_DAY, read_lines
from sales.complete_journey.stores import busiest
from shelfops.ingestion.progress import silent
from shelfops.tenancy.context import tenant
from shelfops.tenancy.models import Customer
from shelfops.tenancy.roles import Role
from shelfops.timescale.refresh import refresh_requested
from tests.cast import make_customer, make_user
from tests.conftest import logged_in
from tests.reports.held import Books, wrong_figures

DAYS = 56
# Most products have a cost, and some have none.
COSTS = "UPDATE products SET unit_cost = round(unit_price * 0.7, 4) WHERE sku NOT LIKE '%7'"


def load_weeks(customer: Customer) -> None:
    """The counts of a year, and the sales of its last weeks, as the demonstration loads them."""
    lines = read_lines()
    numbers = busiest(lines.store, 0, 2)
    rows = np.flatnonzero(np.isin(lines.store, numbers))
    products = catalogue.records()
    demand = stock.demand(lines, rows, np.array(products["sku"].to_pylist(), dtype=np.int64))
    recent = rows[lines.time[rows] >= LAST_DAY - np.timedelta64(DAYS - 1, "D")]
    kept = np.union1d(np.unique(lines.product[recent]), demand.product).astype(str)
    kept = products.filter(pc.is_in(products["sku"].cast("string"), pyarrow.array(kept)))
    with silent() as steps:
        loader = Loader(customer, weeks_until(yesterday()), steps)
        loader.stores(numbers)
        loader.feed(PRODUCTS, CATALOGUE_FILE, [kept], kept.num_rows)
        assert loader.transactions(lines, recent).rows_inserted > 2_000
        assert loader.inventory_levels(demand).rows_inserted > 2_000
    refresh_requested()
    with tenant(customer), connection.cursor() as cursor:
        cursor.execute(COSTS)


def test_it_is_right_for_all_stores_and_for_some() -> None:
    customer = make_customer("Real Grocer")
    load_weeks(customer)
    last = yesterday() - timedelta(days=9)  # any day that is over, not the data's own last one
    with tenant(customer):
        own = Store.objects.order_by("code")[:1]
        admin, manager = make_user(Role.ADMIN, customer), make_user(Role.MANAGER, customer)
        StoreAssignment.objects.create(user=manager, store=own[0])
        own = list(own)
    first = last - timedelta(days=34)
    everything, of_own = Books(customer, first, last), Books(customer, first, last, own)
    assert wrong_figures(logged_in(admin), everything, ("product",)) == []
    assert wrong_figures(logged_in(manager), of_own, ("category",)) == []
