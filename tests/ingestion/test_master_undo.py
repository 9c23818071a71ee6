"""An import of master data is taken back exactly, or not at all and for reasons that are told."""

from datetime import timedelta

import psycopg
import pytest
from django.utils import timezone
from psycopg import errors

from inventory.models import Product, ReorderPoint, Store
from shelfops.ingestion import undo
from shelfops.tenancy.context import tenant
from tests.ingestion.feeding import load_sales, query, sale
from tests.ingestion.master import apply, batch_of, draft, products
from tests.sql import Sql

HEAD = ["SKU", "Name", "Unit price"]
# All but the stamps of changes: undoing is one, too.
EVERYTHING = """
SELECT to_jsonb(t) - '{{updated_at,version,changed_at,changed_by}}'::text[] FROM {} AS t ORDER BY 1
"""


def state(cast):
    tables = ("products", "stores", "reorder_points")
    return [query(cast.customer, EVERYTHING.format(table)) for table in tables]


def imported(cast, client, kind, *rows):
    apply(client, draft(client, kind, *rows), leave_out=1)
    return batch_of(cast)


def reasons(cast, batch):
    with pytest.raises(undo.CannotUndo) as refused:
        undo.undo(cast.customer, batch, cast.admin.email)
    return refused.value.reasons


@pytest.fixture
def client(cast, client_of):
    return client_of(cast.admin)


def test_it_restores_products_and_removes_new_ones(cast, client):
    before = state(cast)
    batch = imported(
        cast,
        client,
        "products",
        HEAD,
        ["MILK-1", "Milk", "2"],
        ["TEA", "Tea", "3.50"],
        ["", "Nothing", ""],
    )
    assert state(cast) != before
    with tenant(cast.customer):  # another field is nobody's obstacle, and stays
        Product.objects.filter(sku="MILK-1").update(brand="Own")
    assert undo.undo(cast.customer, batch, cast.admin.email) == 2
    with tenant(cast.customer):
        assert Product.objects.get().brand == "Own"
        Product.objects.update(brand="")
    assert state(cast) == before
    assert batch_of(cast).status == "undone"
    assert reasons(cast, batch)[0].startswith("It was undone on")
    again = imported(cast, client, "products", HEAD, ["TEA", "Tea", "3.50"])
    assert (again.rows_inserted, again.rows_changed) == (1, 0)


def test_it_restores_stores_and_removes_new_ones(cast, client):
    before = state(cast)
    rows = [["Code", "Name", "Time zone"], ["S1", "Main", "UTC"], ["S9", "New", "UTC"]]
    batch = imported(cast, client, "stores", *rows)
    assert undo.undo(cast.customer, batch, cast.admin.email) == 2
    assert state(cast) == before


def test_it_opens_reorder_points_again(cast, client):
    with tenant(cast.customer):
        ReorderPoint.objects.create(
            store=cast.store,
            product=cast.product,
            reorder_point=5,
            effective_from=timezone.now() - timedelta(days=3),
        )
    before = state(cast)
    rows = [["Store", "SKU", "Min"], ["S1", "MILK-1", "6"], ["S2", "MILK-1", "7"]]
    batch = imported(cast, client, "reorder_points", *rows)
    assert undo.undo(cast.customer, batch, cast.admin.email) == 2
    assert state(cast) == before


def test_it_says_row_by_row_what_has_happened_since(cast, client):
    batch = imported(
        cast,
        client,
        "products",
        HEAD,
        ["MILK-1", "Milk", "2"],
        ["TEA", "Tea", "3"],
        ["JAM", "Jam", "3"],
        ["HAM", "Ham", "3"],
        ["EGG", "Egg", "3"],
    )
    with tenant(cast.customer):
        Product.objects.filter(sku="MILK-1").update(unit_price=4)
        Product.objects.filter(sku="TEA").update(category="Hot")
        ReorderPoint.objects.create(
            store=cast.store, product=Product.objects.get(sku="JAM"), reorder_point=1
        )
    load_sales(cast.customer, sale(cast, product="HAM"))
    before = state(cast)
    assert reasons(cast, batch) == [
        "Line 2, MILK-1: somebody has changed it since.",
        "Line 3, TEA: somebody has changed it since.",
        "Line 4, JAM: it has reorder points.",
        "Line 5, HAM: it was sold.",
    ]
    assert state(cast) == before
    assert batch_of(cast).status == "done"


def test_it_keeps_a_store_in_which_people_work(cast, client):
    batch = imported(cast, client, "stores", ["Code", "Name", "TZ"], ["S9", "New", "UTC"])
    with tenant(cast.customer):
        Store.objects.get(code="S9").assignments.create(user=cast.staff)
    assert reasons(cast, batch) == ["Line 2, S9: people work in it."]


def test_it_keeps_a_reorder_point_that_another_has_followed(cast, client):
    rows = [["Store", "SKU", "Min"], ["S1", "MILK-1", "6"]]
    batch = imported(cast, client, "reorder_points", *rows)
    imported(cast, client, "reorder_points", rows[0], ["S1", "MILK-1", "8"])
    assert reasons(cast, batch) == [
        "Line 2, MILK-1 in Main Street: a newer reorder point has followed it."
    ]


def test_it_is_offered_on_the_imports_page(cast, client):
    batch = imported(cast, client, "products", HEAD, ["TEA", "Tea", "3"])
    url = f"/ingestion/importbatch/{batch.pk}/"
    assert "undo" in client.get(f"{url}change/").content.decode().lower()
    assert client.get(f"{url}undo/").status_code == 200
    client.post(f"{url}undo/", {"post": "yes"})
    assert [row[0] for row in products(cast)] == ["MILK-1"]


def test_it_removes_nothing_that_no_import_has_made(cast, client, database_urls):
    """The functions that delete, called over the application's log-in with any id there is."""
    batch = imported(cast, client, "products", HEAD, ["MILK-1", "Milk", "2"])
    kinds = ("products", "stores", "reorder_points")
    with psycopg.connect(database_urls["app"], autocommit=True) as connection:
        app = Sql(connection)
        for customer in (None, cast.other_customer.pk, cast.customer.pk):
            app.act_as(customer)
            for kind in kinds:
                removed = app.execute(f"SELECT remove_imported_{kind}(%s)", [batch.pk])
                assert removed.fetchone() == (0,)
        for statement in ("UPDATE import_changes SET before = NULL", "DELETE FROM import_changes"):
            with pytest.raises(errors.InsufficientPrivilege):
                app.execute(statement)
    assert len(products(cast)) == 1
