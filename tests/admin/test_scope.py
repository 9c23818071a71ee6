"""Store managers and staff see the rows, choices and counts of their own stores alone."""

import pytest
from django.urls import reverse

from alerts.models import Anomaly
from inventory.models import ReorderPoint, Store, StoreAssignment
from shelfops.ingestion.models import ImportBatch, RefusedRow
from shelfops.tenancy.context import tenant
from tests.rows import fill, refresh_aggregates

STORE_LISTS = [
    "inventory_inventorylevel",
    "inventory_reorderpoint",
    "sales_transaction",
    "alerts_anomaly",
]


@pytest.fixture
def filled(cast):
    """A row of everything in both stores of the customer, and in the other customer's."""
    for store in (cast.store, cast.unassigned_store):
        fill(cast.customer, store, cast.product)
    fill(cast.other_customer, cast.other_store, cast.other_product)
    return cast


def stores_of(client, page):
    response = client.get(reverse(f"admin:{page}_changelist"))
    return {str(row.store) for row in response.context["cl"].result_list}


@pytest.mark.parametrize("page", STORE_LISTS)
def test_it_lists_rows_of_assigned_stores_only(filled, client_of, page):
    assert stores_of(client_of(filled.manager), page) == {"Main Street"}
    assert stores_of(client_of(filled.admin), page) == {"Main Street", "Harbour"}


def test_it_lists_assigned_stores_only(filled, client_of):
    url = reverse("admin:inventory_store_changelist")
    for user, names in (
        (filled.manager, ["Main Street"]),
        (filled.staff, ["Main Street"]),
        (filled.analyst, ["Harbour", "Main Street"]),
        (filled.admin, ["Harbour", "Main Street"]),
    ):
        rows = client_of(user).get(url).context["cl"].result_list
        assert [store.name for store in rows] == names


@pytest.mark.parametrize("page", STORE_LISTS)
def test_it_shows_nothing_without_an_assigned_store(filled, client_of, page):
    with tenant(filled.customer):
        StoreAssignment.objects.filter(user=filled.manager).delete()
    assert stores_of(client_of(filled.manager), page) == set()


@pytest.mark.parametrize("page", STORE_LISTS)
def test_it_offers_assigned_stores_in_filters(filled, client_of, page):
    with tenant(filled.customer):
        another = Store.objects.create(code="S3", name="Airport")
        StoreAssignment.objects.create(user=filled.manager, store=another)
    html = client_of(filled.manager).get(reverse(f"admin:{page}_changelist")).content.decode()
    assert f'value="{another.pk}"' in html
    assert str(filled.unassigned_store.pk) not in html
    assert "Harbour" not in html


def test_it_ignores_an_unassigned_store_in_the_filter(filled, client_of):
    url = reverse("admin:alerts_anomaly_changelist")
    query = {"store__store_id__exact": filled.unassigned_store.pk}
    rows = client_of(filled.manager).get(url, query).context["cl"].result_list
    assert "Harbour" not in {str(anomaly.store) for anomaly in rows}


def test_it_completes_assigned_stores_only(filled, client_of):
    query = {"app_label": "inventory", "model_name": "reorderpoint", "field_name": "store"}
    url = reverse("admin:autocomplete")

    def found(user):
        results = client_of(user).get(url, query | {"term": ""}).json()["results"]
        return {result["text"] for result in results}

    assert found(filled.manager) == {"Main Street"}
    assert found(filled.admin) == {"Main Street", "Harbour"}
    assert found(filled.outsider) == {"Rival Square"}


def test_it_refuses_an_unassigned_store_in_a_form(filled, client_of):
    data = {
        "store": filled.unassigned_store.pk,
        "product": filled.product.pk,
        "reorder_point": 7,
        "order_multiple": 1,
        "effective_from_0": "2030-01-01",
        "effective_from_1": "08:00",
    }
    response = client_of(filled.manager).post(reverse("admin:inventory_reorderpoint_add"), data)
    assert set(response.context["adminform"].form.errors) == {"store"}
    with tenant(filled.customer):
        assert ReorderPoint.objects.filter(reorder_point=7).count() == 0


def test_it_answers_404_for_a_row_of_an_unassigned_store(filled, client_of):
    client = client_of(filled.manager)
    with tenant(filled.customer):
        anomaly = Anomaly.objects.get(store=filled.unassigned_store)
        point = ReorderPoint.objects.get(store=filled.unassigned_store)
    for page, pk in (
        ("alerts_anomaly", anomaly.pk),
        ("inventory_reorderpoint", point.pk),
        ("inventory_store", filled.unassigned_store.pk),
    ):
        for view in ("change", "history"):
            assert client.get(reverse(f"admin:{page}_{view}", args=[pk])).status_code == 404


def test_it_counts_alerts_of_assigned_stores_only(filled, client_of):
    def alerts(user):
        sections = client_of(user).get("/").context["sections"]
        [found] = [section for section in sections if section.title == "Alerts"]
        return sum(int(card.value) for card in found.cards)

    assert (alerts(filled.staff), alerts(filled.admin)) == (1, 2)


def test_it_lists_refused_rows_of_assigned_stores_only(cast, client_of):
    with tenant(cast.customer):
        batch = ImportBatch.objects.create(kind="transactions", source="f", source_hash="h")
        for line, code in enumerate(("S1", "S2", None)):
            content = {"store": code} if code else {}
            RefusedRow.objects.create(
                batch=batch, kind="transactions", source_hash="h", line_number=line,
                field="product", reason="unknown product", content=content,
            )  # fmt: skip
        theirs = RefusedRow.objects.get(line_number=1)
    manager = client_of(cast.manager)
    url = reverse("admin:ingestion_refusedrow_changelist")
    assert [row.line_number for row in manager.get(url).context["cl"].result_list] == [0]
    rows = client_of(cast.admin).get(url).context["cl"].result_list
    assert [row.line_number for row in rows] == [0, 1, 2]
    page = reverse("admin:ingestion_refusedrow_change", args=[theirs.pk])
    assert manager.get(page).status_code == 404


def test_it_adds_up_stock_of_assigned_stores_only(filled, client_of):
    refresh_aggregates()

    def row(user):
        response = client_of(user).get(reverse("admin:inventory_product_changelist"))
        [product] = response.context["cl"].result_list
        return product.figures.available, product.figures.units

    assert row(filled.manager) == (5, 6)
    assert row(filled.admin) == (10, 12)
