"""Every sales figure of twelve real stores' last eight weeks, against the books."""

from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import pyarrow
import pyarrow.compute as pc
import pytest
from django.test import Client

from inventory.ingest import PRODUCTS
from inventory.models import Store, StoreAssignment
from sales.complete_journey import catalogue
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
from tests.independent.books import KEYS, Asked, Books
from tests.independent.comparing import differences

DAYS = 56
ASSIGNED = 4


@dataclass(frozen=True)
class Grocer:
    books: Books
    admin: Client
    manager: Client
    own: list[Store]


@pytest.fixture(scope="module")
def grocer() -> Grocer:
    customer = make_customer("Real Grocer")
    load_weeks(customer)
    with tenant(customer):
        own = list(Store.objects.order_by("code")[:ASSIGNED])
        admin, manager = make_user(Role.ADMIN, customer), make_user(Role.MANAGER, customer)
        for store in own:
            StoreAssignment.objects.create(user=manager, store=store)
    return Grocer(Books(customer), logged_in(admin), logged_in(manager), own)


def load_weeks(customer: Customer) -> None:
    """Stores, the products that they sold, and their lines, as the demonstration loads them."""
    lines = read_lines()
    numbers = np.concatenate([busiest(lines.store, half, 6) for half in (0, 1)])
    recent = lines.time >= LAST_DAY - np.timedelta64(DAYS - 1, "D")
    rows = np.flatnonzero(recent & np.isin(lines.store, numbers))
    products = catalogue.records()
    skus = pyarrow.array(np.unique(lines.product[rows]).astype(str))
    sold = products.filter(pc.is_in(products["sku"].cast("string"), skus))
    with silent() as steps:
        loader = Loader(customer, weeks_until(yesterday()), steps)
        loader.stores(numbers)
        loader.feed(PRODUCTS, CATALOGUE_FILE, [sold], sold.num_rows)
        batch = loader.transactions(lines, rows)
    assert batch.rows_inserted > 20_000
    refresh_requested()


@pytest.mark.parametrize("by", [by for by in KEYS if by != "total"])
def test_it_is_right_for_all_stores_and_for_some(grocer, by):
    last = yesterday() - timedelta(days=7)  # any day that is over, not the data's own last one
    asked = Asked(by, last - timedelta(days=20), last)
    assert differences(grocer.admin, grocer.books, asked) == []
    assert differences(grocer.manager, grocer.books, asked, grocer.own) == []
