"""Pages say which totals have still to follow what was imported or undone."""

import pytest
from django.urls import reverse

from shelfops.ingestion.models import ImportBatch
from shelfops.tenancy.context import tenant
from shelfops.timescale.refresh import refresh_requested
from tests.conftest import logged_in
from tests.ingestion.feeding import load_sales, sale

MARK = "Totals are being brought up to date"


@pytest.fixture
def pages(cast):
    return [
        "/",
        reverse("reports:sales"),
        reverse("reports:stock"),
        reverse("reports:product", args=[cast.product.pk]),
        reverse("admin:inventory_product_changelist"),
        reverse("admin:inventory_product_change", args=[cast.product.pk]),
    ]


def marked(user, pages):
    client = logged_in(user)
    return [page for page in pages if MARK in client.get(page).content.decode()]


def undo(cast):
    with tenant(cast.customer):
        batch = ImportBatch.objects.get()
    url = reverse("admin:ingestion_importbatch_undo", args=[batch.pk])
    return logged_in(cast.admin).post(url, {"post": "yes"})


def test_it_marks_the_days_of_an_undone_import_until_their_totals_are_right(cast, pages, refreshes):
    load_sales(cast.customer, sale(cast))
    refresh_requested()
    assert marked(cast.admin, pages) == []
    assert undo(cast).status_code == 302
    assert marked(cast.admin, pages) == pages
    assert marked(cast.outsider, ["/", reverse("reports:sales")]) == []
    refresh_requested()
    assert marked(cast.admin, pages) == []


def test_undoing_starts_the_refresh_at_once(cast, refreshes):
    load_sales(cast.customer, sale(cast))
    undo(cast)
    assert refreshes == [True]
