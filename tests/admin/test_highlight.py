"""The side bar marks the page that is open, and no other."""

import pytest
from django.urls import reverse

from shelfops.navigation import GROUPS

PAGES = [page for pages in GROUPS.values() for page in pages if page.title != "Customers"]


def active(client, url):
    groups = client.get(url).context["sidebar_navigation"]
    return [item["title"] for group in groups for item in group["items"] if item["active"]]


@pytest.mark.parametrize("page", PAGES, ids=[page.title for page in PAGES])
def test_it_highlights_the_open_page_alone(cast, client_of, page):
    assert active(client_of(cast.admin), reverse(page.url)) == [page.title]


def test_it_highlights_the_list_of_an_object(cast, client_of):
    client = client_of(cast.admin)
    product = reverse("admin:inventory_product_change", args=[cast.product.pk])
    assert active(client, product) == ["Products"]
    assert active(client, reverse("admin:alerts_alertrule_add")) == ["Alert rules"]
    assert active(client, reverse("alerts:notifications")) == ["Alerts"]
    assert active(client, reverse("admin:password_change")) == []
    assert active(client, "/") == ["Home"]
