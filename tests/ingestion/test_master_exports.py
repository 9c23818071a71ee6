"""The lists as files: what they hold, for whom, and that no spreadsheet works it out."""

import csv
from datetime import UTC, datetime
from decimal import Decimal
from io import BytesIO, StringIO

import pytest
from openpyxl import load_workbook

from inventory.models import Product, ReorderPoint, Store
from shelfops.ingestion.master.words import GUARDED, clock_of, guarded
from shelfops.tenancy.context import tenant
from tests.ingestion.master import NASTY

EXPORTS = {
    "products": "/inventory/product/export/csv/",
    "stores": "/inventory/store/export/csv/",
    "points": "/inventory/reorderpoint/export/csv/",
}


def text_of(response):
    assert response.status_code == 200
    return b"".join(response.streaming_content).decode("utf-8-sig")


def rows_of(response):
    return list(csv.reader(StringIO(text_of(response))))


def test_it_exports_products_as_they_are(cast, client_of):
    with tenant(cast.customer):
        Product.objects.create(
            sku="00123",
            name="=1+1",
            brand='6" "pan", blue\n',
            unit_price=Decimal("1.2345"),
            unit_cost=Decimal("10.5"),
            shelf_life_days=0,
            is_active=False,
        )
    text = text_of(client_of(cast.admin).get(EXPORTS["products"]))
    assert text == (
        '"SKU","Name","Department","Category","Brand","Package size","Unit price","Unit cost",'
        '"Shelf life (days)","Active"\r\n'
        '"00123","\'=1+1","","","6"" ""pan"", blue\n","",1.2345,10.5,0,"no"\r\n'
        '"MILK-1","Milk 1 l","","Dairy","","","","","","yes"\r\n'
    )


def test_it_exports_what_search_and_filters_leave_on_all_pages(cast, client_of):
    with tenant(cast.customer):
        Product.objects.bulk_create(Product(sku=f"T{n:03}", name="Tea") for n in range(60))
        Product.objects.create(sku="T999", name="Tea, old", is_active=False)
    client = client_of(cast.analyst)
    found = rows_of(client.get(EXPORTS["products"], {"q": "Tea", "is_active__exact": 1, "p": 2}))
    assert sorted(row[0] for row in found[1:]) == [f"T{n:03}" for n in range(60)]
    page = client.get("/inventory/product/", {"q": "Tea", "p": 2})
    assert '/inventory/product/export/csv/?q=Tea"' in page.content.decode()


def test_it_exports_own_stores_only(cast, client_of):
    with tenant(cast.customer):
        for store in (cast.store, cast.unassigned_store):
            ReorderPoint.objects.create(
                store=store,
                product=cast.product,
                reorder_point=12,
                effective_from=datetime(2026, 3, 31, 4, tzinfo=UTC),
            )
    expected = {"admin": ["S1", "S2"], "manager": ["S1"], "staff": ["S1"], "analyst": ["S1", "S2"]}
    for role, stores in expected.items():
        client = client_of(getattr(cast, role))
        for export in ("stores", "points"):
            rows = rows_of(client.get(EXPORTS[export]))[1:]
            assert sorted(row[0] for row in rows) == stores, (role, export)
    [row] = rows_of(client_of(cast.manager).get(EXPORTS["points"]))[1:]
    assert row == ["S1", "Main Street", "MILK-1", "Milk 1 l", "12", "", "1", "", "2026-03-31", ""]


def test_it_exports_numbers_as_numbers_and_text_as_text_to_xlsx(cast, client_of):
    with tenant(cast.customer):
        Product.objects.filter(pk=cast.product.pk).update(
            sku="00123", name="=1+1", unit_price=Decimal("1.2345"), shelf_life_days=7
        )
    response = client_of(cast.admin).get("/inventory/product/export/xlsx/")
    sheet = load_workbook(BytesIO(b"".join(response.streaming_content))).active
    cells = {head.value: cell for head, cell in zip(*sheet.iter_rows(), strict=True)}
    assert (cells["SKU"].value, cells["SKU"].data_type) == ("00123", "s")
    assert (cells["Name"].value, cells["Name"].data_type) == ("'=1+1", "s")
    assert (cells["Unit price"].value, cells["Unit price"].data_type) == (1.2345, "n")
    assert cells["Shelf life (days)"].value == 7
    assert cells["Unit cost"].value is None


@pytest.mark.parametrize("path", EXPORTS.values())
def test_it_exports_nothing_by_a_filter_that_is_none(cast, client_of, path):
    response = client_of(cast.admin).get(path, {"nonsense": "1"})
    assert response.status_code == 400
    assert f'href="{path.removesuffix("export/csv/")}"' in response.content.decode()


def test_it_guards_every_text_so_that_it_can_be_taken_back():
    import re

    for text in [*NASTY, "'=1", "''=1", "'", "''", "'x", "plain"]:
        assert not guarded(text).startswith(("=", "+", "-", "@", "\t", "\r", "\n"))
        assert re.sub(GUARDED, r"\1", guarded(text)) == text


def test_it_tells_moments_by_the_stores_clock():
    midnight = datetime(2026, 3, 31, 4, tzinfo=UTC)
    assert clock_of(midnight, "America/New_York") == "2026-03-31"
    assert clock_of(midnight, "UTC") == "2026-03-31 04:00:00+00:00"
    exact = datetime(2026, 3, 31, 4, 0, 0, 7, tzinfo=UTC)
    assert clock_of(exact, "America/New_York") == "2026-03-31 00:00:00.000007-04:00"


def test_it_has_a_file_for_a_list_without_rows(cast, client_of):
    with tenant(cast.other_customer):
        assert Store.objects.count() == 1
    rows = rows_of(client_of(cast.outsider).get(EXPORTS["points"]))
    assert rows[0][:3] == ["Store", "Store name", "SKU"]
    assert len(rows) == 1
