"""Master data from files: what the preview says is what happens, all of it or nothing."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from io import BytesIO

import pytest
from django.db import connection, connections
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from inventory.models import Product, ReorderPoint, Store
from shelfops.ingestion.models import ImportDraft
from shelfops.tenancy.context import tenant
from tests.ingestion.feeding import query
from tests.ingestion.master import (
    NASTY,
    PAGES,
    apply,
    batch_of,
    counts,
    csv_of,
    draft,
    drafts,
    outcomes,
    problem,
    products,
    said,
    upload,
)

HEAD = ["SKU", "Name", "Department", "Unit price", "Shelf life (days)", "Active"]
POINTS = "SELECT code, reorder_point, order_up_to, order_multiple, lead_time_days, effective_to"


def points(cast):
    return query(
        cast.customer,
        f"{POINTS} FROM reorder_points JOIN stores USING (store_id) ORDER BY effective_from, code",
    )


def test_it_shows_row_by_row_what_a_file_would_do_and_does_it(cast, client_of):
    client = client_of(cast.manager)
    url = draft(
        client,
        "products",
        HEAD,
        ["MILK-1", "Milk 1 l", "Dairy", "1.50", "", "no"],
        ["TEA", "Tea", "", "2", "", ""],
        ["", "Nothing", "", "", "", ""],
        ["JAM", "", "", "", "", ""],
        ["HAM", "Ham", "", "-1", "", ""],
        ["TEA", "Tea again", "", "", "", ""],
        ["EGG", "Egg", "", "1.23456", "", ""],
        ["OIL", "Oil", "", "", "1.5", ""],
        ["RYE", "Rye", "", "", "", "perhaps"],
    )
    changes = [
        ("Department", "–", "Dairy"),
        ("Unit price", "–", "1.5"),
        ("Active", "yes", "no"),
    ]
    assert outcomes(client, url) == [
        (2, "changed", changes),
        (3, "created", [("Unit price", "", "2"), ("Active", "", "yes")]),
        (4, "refused", "SKU: no SKU"),
        (5, "refused", "Name: no name"),
        (6, "refused", "Unit price: negative"),
        (7, "refused", "SKU: the same SKU as in line 3"),
        (8, "refused", "Unit price: more than 4 decimals"),
        (9, "refused", "Shelf life (days): not a whole number"),
        (10, "refused", "Active: neither yes nor no"),
    ]
    assert [row[0] for row in outcomes(client, url, outcome="changed")] == [2]
    before = products(cast)
    assert "are refused" in said(apply(client, url))
    assert products(cast) == before
    response = apply(client, url, leave_out="1")
    assert "1 new, 1 changed, 0 as they were, 7 left out" in said(response)
    assert products(cast) == [
        ("MILK-1", "Milk 1 l", "Dairy", Decimal("1.5"), None, False),
        ("TEA", "Tea", "", Decimal("2"), None, True),
    ]
    assert counts(cast) == (9, 1, 1, 0, 7)
    assert drafts(cast) == 0
    batch = batch_of(cast)
    assert (batch.kind, batch.source, batch.imported_by, batch.status) == (
        "products",
        "file.csv",
        cast.manager.email,
        "done",
    )
    refused = query(
        cast.customer,
        "SELECT line_number, field, content -> 'original' ->> 1 FROM refused_rows"
        " WHERE line_number < 6 ORDER BY line_number",
    )
    assert refused == [(4, "sku", "Nothing"), (5, "name", "")]


def test_it_leaves_alone_what_a_file_does_not_have(cast, client_of):
    with tenant(cast.customer):
        Product.objects.filter(pk=cast.product.pk).update(unit_price=3, shelf_life_days=9)
    client = client_of(cast.admin)
    rows = [["sku", "Price", "active"], ["MILK-1", "", ""]]
    url = draft(client, "products", *rows)
    assert outcomes(client, url) == [(2, "changed", [("Unit price", "3", "–")])]
    apply(client, url)
    assert products(cast) == [("MILK-1", "Milk 1 l", "", None, 9, True)]


@pytest.mark.parametrize("file_type", ["csv", "xlsx"])
def test_it_finds_its_own_exports_unchanged(cast, client_of, file_type):
    moment = datetime(2026, 3, 31, 4, 0, 0, 123456, tzinfo=UTC)
    with tenant(cast.customer):
        made = Product.objects.bulk_create(
            Product(
                sku=f"{text} {number}" if number % 2 else text,
                name=text,
                department=text[:100],
                unit_price=Decimal("12345678.1234") if number % 3 else None,
                unit_cost=Decimal("0.0001"),
            )
            for number, text in enumerate(NASTY)
        )
        Store.objects.create(code="007", name="=SUM(A1)", time_zone="Asia/Tokyo", is_active=False)
        for number, product in enumerate([cast.product, *made]):
            ReorderPoint.objects.create(
                store=cast.store,
                product=product,
                reorder_point=Decimal("12345678901.123") if number else 3,
                order_up_to=None if number else 4,
                effective_from=moment + timedelta(hours=number),
            )
        past = ReorderPoint.objects.create(
            store=cast.store,
            product=cast.product,
            reorder_point=9,
            effective_from=moment + timedelta(days=9),
        )
    assert past
    client = client_of(cast.admin)
    lists = {"product": "products", "store": "stores", "reorderpoint": "reorder_points"}
    for page, kind in lists.items():
        export = client.get(
            f"/inventory/{page}/export/{file_type}/",
            {"in_force": "all"} if page == "reorderpoint" else {},
        )
        content = b"".join(export.streaming_content)
        response = upload(client, kind, content, f"file.{file_type}")
        assert response.status_code == 302, problem(response)
        draft_ = client.get(response.url).context["draft"]
        assert outcomes(client, response.url) == []
        assert draft_.rows_read == draft_.rows_same > 2 - (kind == "stores")
    assert "changes nothing" in client.get(response.url).content.decode()


def test_it_makes_a_new_reorder_point_that_closes_the_current_one(cast, client_of):
    start = local = timezone.now() - timedelta(days=30)
    with tenant(cast.customer):
        for store in (cast.store, cast.unassigned_store):
            ReorderPoint.objects.create(
                store=store,
                product=cast.product,
                reorder_point=5,
                order_up_to=9,
                lead_time_days=2,
                effective_from=start,
            )
        Product.objects.create(sku="TEA", name="Tea")
    client = client_of(cast.admin)
    url = draft(
        client,
        "reorder_points",
        ["Store", "SKU", "Reorder point", "From"],
        ["S1", "MILK-1", "6", start.isoformat()],
        ["S2", "MILK-1", "5.000", "2020-01-01"],
        ["S1", "TEA", "7", "2026-03-31"],
        ["S3", "TEA", "7", ""],
        ["S1", "NONE", "7", ""],
        ["S1", "TEA", "8", ""],
        ["S2", "MILK-1", "8", "2020-01-01"],
    )
    shown = outcomes(client, url)
    assert shown[:2] == [
        (2, "changed", [("Reorder point", "5", "6"), ("In force from", "", "now")]),
        (
            4,
            "created",
            [
                ("Reorder point", "", "7"),
                ("In force from", "", "2026-03-31 00:00"),
            ],
        ),
    ]
    assert [row[2] for row in shown[2:]] == [
        "Store: unknown store",
        "SKU: unknown product",
        "SKU: the same store and SKU as in line 4",
        f"In force from: not after {local:%Y-%m-%d %H:%M}, when the latest one begins",
    ]
    apply(client, url, leave_out=1)
    assert counts(cast) == (7, 1, 1, 1, 4)
    tea, old, other, new = points(cast)
    assert old[:5] == ("S1", 5, 9, 1, 2)
    assert old[5] is not None
    assert other[5] is None
    assert tea[:5] == ("S1", 7, None, 1, None)
    assert new == ("S1", 6, 9, 1, 2, None)
    [(begins,)] = query(
        cast.customer, "SELECT effective_from FROM reorder_points WHERE reorder_point = 7"
    )
    assert begins == datetime(2026, 3, 31, 4, tzinfo=UTC)


def test_it_knows_only_a_managers_own_stores(cast, client_of):
    client = client_of(cast.manager)
    rows = [["Store", "SKU", "Min"], ["S1", "MILK-1", "1"], ["S2", "MILK-1", "1"]]
    url = draft(client, "reorder_points", *rows)
    assert [row[1:] for row in outcomes(client, url)][1] == ("refused", "Store: unknown store")
    with tenant(cast.customer):
        cast.store.assignments.filter(user=cast.manager).delete()
    assert "somebody has changed" in said(apply(client, url, leave_out=1))
    assert points(cast) == []


@pytest.mark.parametrize(
    ("role", "allowed"),
    [("manager", ["products", "reorder_points"]), ("staff", []), ("analyst", [])],
)
def test_it_is_for_those_who_may_edit(cast, client_of, role, allowed):
    client = client_of(getattr(cast, role))
    for kind, page in PAGES.items():
        assert client.get(page).status_code == (200 if kind in allowed else 403)
        if kind not in allowed:
            assert upload(client, kind, b"SKU\nX\n").status_code == 403
    assert drafts(cast) == 0


def test_it_shows_a_draft_to_nobody_else(cast, client_of):
    url = draft(client_of(cast.admin), "products", HEAD, ["TEA", "Tea", "", "", "", ""])
    for other in (cast.manager, cast.outsider, cast.operator):
        client = client_of(other)
        assert client.get(url).status_code == 404
        assert client.get(f"{url}columns/").status_code == 404
        for action in ("apply", "discard", "columns"):
            assert client.post(f"{url}{action}/", {"seen": "x"}).status_code == 404
    assert drafts(cast) == 1
    assert len(products(cast)) == 1


def test_it_forgets_a_draft_after_a_day(cast, client_of):
    client = client_of(cast.admin)
    url = draft(client, "products", HEAD, ["TEA", "Tea", "", "", "", ""])
    with tenant(cast.customer):
        ImportDraft.objects.update(created_at=timezone.now() - timedelta(days=1, minutes=1))
    assert client.get(url).status_code == 404
    with connections["owner"].cursor() as cursor:
        cursor.execute("CALL timeseries.purge_import_drafts()")
    assert drafts(cast) == 0


def test_it_overwrites_nothing_that_somebody_changed_meanwhile(cast, client_of):
    client = client_of(cast.admin)
    with tenant(cast.customer):
        Product.objects.create(sku="TEA", name="Tea", unit_price=1)
    rows = [HEAD, ["MILK-1", "Milk", "", "", "", ""], ["TEA", "Tea", "", "2", "", ""]]
    url = draft(client, "products", *rows, ["JAM", "Jam", "", "", "", ""])
    with tenant(cast.customer):
        Product.objects.filter(sku="TEA").update(unit_price=3)
        Product.objects.create(sku="JAM", name="Jam of somebody else")
    before = products(cast)
    response = apply(client, url)
    assert "(lines 3, 4)" in said(response)
    assert products(cast) == before
    assert outcomes(client, url)[1:] == [
        (3, "changed", [("Unit price", "3", "2")]),
        (4, "changed", [("Name", "Jam of somebody else", "Jam")]),
    ]
    with tenant(cast.customer):  # what the file does not change is nobody's conflict
        Product.objects.filter(sku="TEA").update(department="Drinks", brand="Own")
    assert "3 changed" in said(apply(client, url))


def test_it_applies_only_what_was_looked_at(cast, client_of):
    client = client_of(cast.admin)
    url = draft(client, "products", HEAD, ["TEA", "Tea", "", "", "", ""])
    assert "since you looked" in said(apply(client, url, seen="2020-01-01T00:00:00+00:00"))
    assert len(products(cast)) == 1
    assert apply(client, url).status_code == 200
    again = client.post(f"{url}apply/", {"seen": "x"}, follow=True)
    assert "was applied already" in said(again)
    assert len(products(cast)) == 2


def test_it_needs_as_many_queries_for_many_rows_as_for_few(cast, client_of):
    client = client_of(cast.admin)

    def needed(rows):
        content = csv_of(HEAD, *([f"N{n}", "New", "", "x" * (n % 2), "", ""] for n in range(rows)))
        with CaptureQueriesContext(connection) as captured:
            url = upload(client, "products", content).url
            client.get(url)
            apply(client, url, leave_out=1)
        return len(captured)

    needed(2)
    assert needed(4) == needed(400)


def test_it_lets_columns_be_chosen_by_hand(cast, client_of):
    client = client_of(cast.admin)
    content = "Artikel;Bezeichnung;Prise;Farbe\nTEA;T\u00e4\u00e4;1.234,5;rot\n".encode("cp1252")
    response = upload(client, "products", content)
    page = client.get(response.url)
    assert page.context["unknown"] == ["Artikel", "Bezeichnung", "Prise", "Farbe"]
    assert "T\u00e4\u00e4" in page.content.decode()
    chosen = {"sku": "Artikel", "name": "Bezeichnung", "unit_price": "Prise"}
    wrong = client.post(response.url, {**chosen, "brand": "Prise"})
    assert wrong.context["form"].errors == {"unit_price": ["Prise is chosen for Brand already."]}
    missing = client.post(response.url, {"name": "Bezeichnung"})
    assert "sku" in missing.context["form"].errors
    compared = client.post(response.url, {**chosen, "decimal": ","})
    assert outcomes(client, compared.url) == [(2, "created", [("Unit price", "", "1234.5")])]
    apply(client, compared.url)
    assert ("TEA", "T\u00e4\u00e4") in [row[:2] for row in products(cast)]


def test_it_reads_a_file_anew_with_other_characters(cast, client_of):
    client = client_of(cast.admin)
    response = upload(client, "products", "SKU,Name,Other\nX,\u0416\n".encode("cp1251"))
    read = client.post(response.url, {"sku": "SKU", "name": "Name", "encoding": "cp1251"})
    assert read.url == response.url
    page = client.get(response.url).content.decode()
    assert "\u0416" in page


def test_it_discards_a_draft(cast, client_of):
    client = client_of(cast.admin)
    url = draft(client, "products", HEAD, ["TEA", "Tea", "", "", "", ""])
    assert "was discarded" in said(client.post(f"{url}discard/", follow=True))
    assert drafts(cast) == 0
    assert client.get(url).status_code == 404


def test_it_pages_a_long_preview(cast, client_of):
    client = client_of(cast.admin)
    url = draft(client, "products", HEAD, *([f"N{n}", "N", "", "", "", ""] for n in range(205)))
    assert [row[0] for row in outcomes(client, url, page=3)] == [202, 203, 204, 205, 206]
    for page in ("0", "x", "99", "-1", "9" * 20):
        assert client.get(url, {"page": page, "outcome": "nonsense"}).status_code == 200


def test_it_compares_every_kind_of_store(cast, client_of):
    client = client_of(cast.admin)
    url = draft(
        client,
        "stores",
        ["Store", "Store name", "TZ"],
        ["S1", "Main Street", "Europe/Berlin"],
        ["S9", "New one", ""],
        ["S8", "New two", "Mars/Olympus"],
        ["S7", "New three", "Europe/Berlin"],
    )
    assert outcomes(client, url) == [
        (2, "changed", [("Time zone", "America/New_York", "Europe/Berlin")]),
        (3, "refused", "Time zone: no time zone"),
        (4, "refused", "Time zone: not a time zone such as America/New_York"),
        (5, "created", [("Time zone", "", "Europe/Berlin")]),
    ]
    apply(client, url, leave_out=1)
    found = query(cast.customer, "SELECT code, time_zone FROM stores ORDER BY code")
    assert found == [("S1", "Europe/Berlin"), ("S2", "UTC"), ("S7", "Europe/Berlin")]


def test_it_says_what_a_spreadsheet_did_to_a_key(cast, client_of):
    with tenant(cast.customer):
        Product.objects.create(sku="00123", name="Lemons")
    client = client_of(cast.admin)
    rows = [["SKU", "Name"], ["123", "Lemons"], ["1.23E+11", "Limes"], [" 00123 ", "Lemons"]]
    url = draft(client, "products", *rows)
    assert [row[2] for row in outcomes(client, url)] == [
        "SKU: not in the catalogue, but 00123 is: has a spreadsheet dropped its zeros?",
        "SKU: a number that a spreadsheet has shortened",
    ]


def test_it_says_how_large_a_file_may_be(cast, client_of, monkeypatch):
    monkeypatch.setattr("shelfops.ingestion.master.forms.FILE_LIMIT", 1024 * 1024)
    client = client_of(cast.admin)
    content = BytesIO(b"SKU\n" + b"x" * (1024 * 1024)).getvalue()
    assert problem(upload(client, "products", content)) == (
        "The file has 1.0 MB; at most 1 MB can be imported. Split it."
    )
