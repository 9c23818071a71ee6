"""Another customer's object answers 404 on every page of the admin, and nothing changes."""

import pytest
from django.contrib import admin
from django.urls import NoReverseMatch, reverse

from shelfops.tenancy.context import tenant
from shelfops.tenancy.models import Customer
from tests.rows import fill

VIEWS = ("change", "delete", "history")


def pages():
    """Every page of one object, but the customers' own, which only operators have."""
    for model in admin.site._registry:
        for view in VIEWS:
            name = f"admin:{model._meta.app_label}_{model._meta.model_name}_{view}"
            try:
                reverse(name, args=["x"])
            except NoReverseMatch:
                continue
            if model is not Customer:
                yield pytest.param(model, name, id=name)


PAGES = list(pages())
DELETABLE = {"admin:alerts_alertrule_delete"}


@pytest.fixture
def strange(cast):
    fill(cast.customer, cast.store, cast.product)
    fill(cast.other_customer, cast.other_store, cast.other_product)
    return cast


def key_of(model, customer):
    with tenant(customer):
        return model._base_manager.filter(customer=customer).values_list("pk", flat=True).first()


@pytest.mark.parametrize(("model", "name"), PAGES)
def test_it_answers_404(strange, client_of, model, name):
    key = key_of(model, strange.other_customer)
    assert key is not None, f"tests/rows.py makes no {model.__name__}"
    url = reverse(name, args=[key])
    client = client_of(strange.admin)
    # Where nobody may delete, that page says 403 before it looks.
    forbidden = name.endswith("_delete") and name not in DELETABLE
    assert client.get(url).status_code == (403 if forbidden else 404)
    assert client.post(url, {"post": "yes"}).status_code in (403, 404)


@pytest.mark.parametrize(("model", "name"), PAGES)
@pytest.mark.parametrize("key", ["nonsense", "00000000-0000-4000-8000-000000000000", "_00"])
def test_it_answers_a_strangers_key_like_no_key(strange, client_of, model, name, key):
    client = client_of(strange.admin)
    theirs = client.get(reverse(name, args=[key_of(model, strange.other_customer)]))
    nobody = client.get(reverse(name, args=[key]))
    assert theirs.status_code == nobody.status_code


@pytest.mark.parametrize("path", ["/r/1/x/", "/search/?s=x", "/search/?s=x&page=y", "/nothing/"])
def test_it_has_no_side_doors(cast, client_of, path):
    assert client_of(cast.admin).get(path).status_code == 404
