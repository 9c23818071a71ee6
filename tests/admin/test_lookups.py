"""Every list answers every lookup of every field: rows for what its filters offer, else 400."""

import re
from collections.abc import Iterator

import pytest
from django.contrib import admin
from django.db.models import ForeignKey
from django.test import RequestFactory
from django.urls import reverse

from shelfops.admin import UnusableFilter
from shelfops.tenancy.context import set_local, tenant
from tests.cast import Cast

# For each kind of trouble that PostgreSQL or Python has with a value.
HOSTILE = ("(", "99999999999999999999", "x", "2026-13-45", "1,2")
SIX = (
    "name__regex=(",
    "name__iregex=(",
    "created_at__year=99999",
    "created_at__year__gte=99999",
    "created_at__iso_year=99999",
    "created_at__date__year=99999",
)
LISTS = {
    f"{model._meta.app_label}_{model._meta.model_name}": model_admin
    for model, model_admin in admin.site._registry.items()
}

OF_A_CUSTOMER = [name for name in LISTS if name != "tenancy_customer"]


def lookups(model) -> Iterator[str]:
    """Every field of the model and of what it refers to, with every lookup and transform."""
    for field in model._meta.get_fields():
        if not getattr(field, "concrete", False):
            continue
        paths = [(field.name, field)]
        if isinstance(field, ForeignKey):
            related = field.related_model._meta.concrete_fields
            paths += [(f"{field.name}__{other.name}", other) for other in related]
        for path, last in paths:
            yield path
            for name, lookup in last.get_lookups().items():
                yield f"{path}__{name}"
                if hasattr(lookup, "get_lookups"):  # a transform
                    yield f"{path}__{name}__gte"


def offered(model_admin, request) -> set[str]:
    """What the list's own filters understand, also those that have nothing to offer today."""
    names = {getattr(spec, "parameter_name", "") for spec in model_admin.list_filter}
    for spec in model_admin.list_filter:
        if isinstance(spec, tuple):
            field = model_admin.model._meta.get_field(spec[0])
            names |= {f"{field.name}__isnull", f"{field.name}__exact"}
            if isinstance(field, ForeignKey):
                names.add(f"{field.name}__{field.target_field.name}__exact")
    specs = model_admin.get_changelist_instance(request).filter_specs
    return names | {str(name) for spec in specs for name in spec.expected_parameters()}


def request_of(cast: Cast, query: dict[str, str]):
    request = RequestFactory().get("/", query)
    request.user, request.customer = cast.admin, cast.customer
    return request


@pytest.mark.parametrize("name", OF_A_CUSTOMER)
def test_it_refuses_every_lookup_that_no_filter_offers(cast: Cast, settings, name: str) -> None:
    """All at once: the answer names each of them."""
    settings.DATA_UPLOAD_MAX_NUMBER_FIELDS = None  # some lists have over a thousand
    model_admin = LISTS[name]
    with tenant(cast.customer):
        set_local("current_user_id", cast.admin.pk)
        known = offered(model_admin, request_of(cast, {}))
        queries = {
            lookup: "(" if "regex" in lookup else "99999"
            for lookup in lookups(model_admin.model)
            if lookup not in known
        }
        with pytest.raises(UnusableFilter) as refused:
            model_admin.get_changelist_instance(request_of(cast, queries))
    assert len(queries) > 20
    assert set(re.findall(r"\w*__\w+|\w+", str(refused.value))) >= set(queries)


@pytest.mark.parametrize("name", OF_A_CUSTOMER)
def test_it_answers_whatever_value_its_own_filters_are_given(cast: Cast, name: str) -> None:
    model_admin, wrong = LISTS[name], {}
    with tenant(cast.customer):
        set_local("current_user_id", cast.admin.pk)
        for parameter in offered(model_admin, request_of(cast, {})) - {""}:
            for value in HOSTILE:
                response = model_admin.changelist_view(request_of(cast, {parameter: value}))
                if response.status_code not in (200, 400):
                    wrong[parameter, value] = response.status_code
    assert wrong == {}


@pytest.mark.parametrize("query", SIX)
def test_it_says_what_is_wrong_in_the_products_own_page(cast, client_of, query) -> None:
    for name in ("inventory_store", "inventory_product"):
        client = client_of(cast.admin)
        client.raise_request_exception = False
        url = reverse(f"admin:{name}_changelist")
        response = client.get(f"{url}?{query}")
        page = response.content.decode()
        assert response.status_code == 400
        assert query.partition("=")[0] in page
        assert f'href="{url}"' in page
        assert response.context["sidebar_navigation"]


@pytest.mark.parametrize("name", ["inventory_product", "inventory_store"])
@pytest.mark.parametrize("kind", ["csv", "xlsx"])
def test_it_exports_nothing_by_such_a_filter(cast, client_of, name, kind) -> None:
    client = client_of(cast.admin)
    client.raise_request_exception = False
    url = reverse(f"admin:{name}_export_{kind}")
    for query in ("name__regex=(", "created_at__year=99999", "unknown=1"):
        assert client.get(f"{url}?{query}").status_code == 400


def test_it_follows_the_links_of_the_products_own_pages(cast, client_of) -> None:
    client = client_of(cast.admin)
    points = reverse("admin:inventory_reorderpoint_changelist")
    query = {"in_force": "all", "q": "MILK-1", "store__store_id__exact": str(cast.store.pk)}
    assert client.get(points, query).status_code == 200
    assert client.get(points, {"is_active__exact": "1"}).status_code == 400
    users = reverse("admin:tenancy_user_changelist")
    assert client.get(users, {"role__exact": "staff", "o": "1", "p": "1"}).status_code == 200


def test_an_operators_list_refuses_them_too(cast, client_of) -> None:
    client = client_of(cast.operator)
    client.raise_request_exception = False
    url = reverse("admin:tenancy_customer_changelist")
    for query in ("name__regex=(", "created_at__year=99999", "customer_id__exact=x"):
        assert client.get(f"{url}?{query}").status_code == 400
    assert client.get(url, {"is_active__exact": "1"}).status_code == 200
