"""Products, their figures, and their reorder points."""

from decimal import Decimal

import pytest
from django.urls import reverse

from inventory.models import Product, ReorderPoint, Store
from inventory.stock_columns import Figures, cover, quantity
from shelfops.tenancy.context import tenant
from tests.admin.forms import made_from, product_form, reorder_point, starting
from tests.rows import days_ago, fill, refresh_aggregates


def page_of(product):
    return reverse("admin:inventory_product_change", args=[product.pk])


def points_of(cast):
    with tenant(cast.customer):
        points = ReorderPoint.objects.filter(store=cast.store).order_by("effective_from")
        return [(p.reorder_point, p.effective_to is None) for p in points]


def in_force(cast):
    with tenant(cast.customer):
        return made_from(ReorderPoint.objects.get(store=cast.store, effective_to=None))


def inline_errors(response):
    return [
        form.errors
        for inline in response.context["inline_admin_formsets"]
        for form in inline.formset.forms
    ]


def test_it_closes_the_reorder_point_in_force_with_a_new_one(cast, client_of):
    fill(cast.customer, cast.store, cast.product)
    point = reorder_point(cast.store, reorder_point=9, order_up_to=20, **in_force(cast))
    data = product_form(point)
    response = client_of(cast.manager).post(page_of(cast.product), data)
    assert response.status_code == 302
    assert points_of(cast) == [(Decimal(3), False), (Decimal(9), True)]


def test_it_shows_a_start_before_the_one_in_force_at_its_field(cast, client_of):
    fill(cast.customer, cast.store, cast.product)
    point = reorder_point(cast.store, effective_from_0="2020-01-01", **in_force(cast))
    data = product_form(point)
    response = client_of(cast.manager).post(page_of(cast.product), data)
    assert response.status_code == 200
    [errors] = inline_errors(response)
    assert list(errors) == ["effective_from"]
    assert "a new one starts after it" in errors["effective_from"][0]
    assert points_of(cast) == [(Decimal(3), True)]


def test_it_shows_an_order_up_to_below_the_reorder_point_at_its_field(cast, client_of):
    data = product_form(reorder_point(cast.store, reorder_point=9, order_up_to=8))
    [errors] = inline_errors(client_of(cast.admin).post(page_of(cast.product), data))
    assert list(errors) == ["order_up_to"]
    assert points_of(cast) == []


def test_it_refuses_a_store_entered_twice(cast, client_of):
    data = product_form(reorder_point(cast.store), reorder_point(cast.store))
    first, second = inline_errors(client_of(cast.admin).post(page_of(cast.product), data))
    assert (first, second) == ({}, {"store": ["This store is entered twice."]})
    assert points_of(cast) == []


@pytest.mark.parametrize("store", ["unassigned_store", "other_store"])
def test_it_refuses_a_reorder_point_in_a_store_that_is_not_the_managers(cast, client_of, store):
    data = product_form(reorder_point(getattr(cast, store)))
    [errors] = inline_errors(client_of(cast.manager).post(page_of(cast.product), data))
    assert list(errors) == ["store"]
    assert points_of(cast) == []


def test_it_never_changes_a_reorder_point_in_force(cast, client_of):
    fill(cast.customer, cast.store, cast.product)
    with tenant(cast.customer):
        point = ReorderPoint.objects.get()
    data = product_form() | {
        "reorder_points-2-TOTAL_FORMS": 1,
        "reorder_points-2-INITIAL_FORMS": 1,
        "reorder_points-2-0-reorder_point_id": point.pk,
        "reorder_points-2-0-reorder_point": 99,
        "reorder_points-2-0-DELETE": "on",
    }
    client_of(cast.admin).post(page_of(cast.product), data)
    assert points_of(cast) == [(Decimal(3), True)]


def test_it_lists_reorder_points_in_force_and_past(cast, client_of):
    fill(cast.customer, cast.store, cast.product)
    client = client_of(cast.manager)
    point = reorder_point(cast.store, reorder_point=9, **in_force(cast))
    client.post(page_of(cast.product), product_form(point))
    url = reverse("admin:inventory_reorderpoint_changelist")

    def listed(**query):
        return [p.reorder_point for p in client.get(url, query).context["cl"].result_list]

    assert listed() == [9]
    assert listed(in_force="past") == [3]
    assert listed(in_force="all") == [9, 3]


def test_it_shows_a_taken_sku_at_its_field(cast, client_of):
    data = {"sku": cast.product.sku, "name": "Another", "is_active": "on"}
    response = client_of(cast.admin).post(reverse("admin:inventory_product_add"), data)
    assert response.context["adminform"].form.errors == {"sku": ["This SKU is already in use."]}


def test_it_lets_two_customers_use_one_sku(cast, client_of):
    data = {"sku": "NEW-1", "name": "New", "is_active": "on"}
    for user in (cast.admin, cast.outsider):
        url = reverse("admin:inventory_product_add")
        assert client_of(user).post(url, data).status_code == 302


def test_it_keeps_a_reorder_point_in_force_until_the_next_one_begins(cast, client_of):
    fill(cast.customer, cast.store, cast.product)
    client = client_of(cast.manager)
    later = reorder_point(cast.store, reorder_point=9, **in_force(cast), **starting(days_ago(-5)))
    client.post(page_of(cast.product), product_form(later))
    url = reverse("admin:inventory_reorderpoint_changelist")

    def listed(**query):
        return [p.reorder_point for p in client.get(url, query).context["cl"].result_list]

    assert listed() == [3]
    assert listed(in_force="later") == [9]
    assert listed(in_force="past") == []
    inlines = client.get(page_of(cast.product)).context["inline_admin_formsets"]
    shown = [form.instance.reorder_point for form in inlines[1].formset.initial_forms]
    assert shown == [3, 9]


@pytest.mark.parametrize("role", ["staff", "analyst"])
def test_it_lets_no_reader_change_a_product(cast, client_of, role):
    response = client_of(getattr(cast, role)).post(
        page_of(cast.product), product_form(reorder_point(cast.store), name="Hacked")
    )
    assert response.status_code == 403
    with tenant(cast.customer):
        assert Product.objects.get().name == "Milk 1 l"
    assert points_of(cast) == []


def test_it_searches_sku_and_name(cast, client_of):
    client = client_of(cast.staff)
    url = reverse("admin:inventory_product_changelist")
    for query, found in (("MILK", 1), ("milk 1 l", 1), ("nothing", 0), ("%", 0), ("x'", 0)):
        assert len(client.get(url, {"q": query}).context["cl"].result_list) == found, query


def test_it_filters_by_group(cast, client_of):
    with tenant(cast.customer):
        Product.objects.create(sku="X", name="Rope", category="Hardware")
    url = reverse("admin:inventory_product_changelist")
    rows = client_of(cast.admin).get(url, {"category": "Hardware"}).context["cl"].result_list
    assert [product.name for product in rows] == ["Rope"]


def test_it_works_out_days_of_cover(cast, client_of):
    fill(cast.customer, cast.store, cast.product)  # 3 receipts of 2 units; 5 available
    refresh_aggregates()
    [product] = (
        client_of(cast.admin)
        .get(reverse("admin:inventory_product_changelist"))
        .context["cl"]
        .result_list
    )
    assert product.figures == Figures(Decimal(5), Decimal(6))
    assert cover(product.figures) == "23.3 days"


def test_it_leaves_sales_before_the_window_out(cast, client_of):
    fill(cast.customer, cast.store, cast.product)
    with tenant(cast.customer):
        store = Store.objects.create(code="S3", name="Closed")
    fill(cast.customer, store, cast.product, at=days_ago(40))
    refresh_aggregates()
    refresh_aggregates(days_ago(40))
    url = reverse("admin:inventory_product_changelist")
    [product] = client_of(cast.admin).get(url).context["cl"].result_list
    assert product.figures == Figures(Decimal(10), Decimal(6))


@pytest.mark.parametrize(
    ("available", "units", "text"),
    [
        (Decimal(10), Decimal(28), "10.0 days"),
        (Decimal(0), Decimal(28), "0.0 days"),
        (Decimal(10), Decimal(0), "no sales"),
        (Decimal(10), Decimal(-2), "no sales"),
        (None, Decimal(28), ""),
    ],
)
def test_it_says_no_sales_instead_of_a_number(available, units, text):
    assert cover(Figures(available, units)) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("12.000", "12"),
        ("1234.500", "1,234.5"),
        ("0.000", "0"),
        ("100.000", "100"),
        ("-0.125", "-0.125"),
    ],
)
def test_it_shows_quantities_without_trailing_zeros(value, text):
    assert quantity(Decimal(value)) == text


def test_it_refuses_an_unknown_time_zone_at_its_field(cast, client_of):
    data = {"code": "S9", "name": "Moon", "time_zone": "Moon/Base", "is_active": "on"}
    response = client_of(cast.admin).post(reverse("admin:inventory_store_add"), data)
    assert list(response.context["adminform"].form.errors) == ["time_zone"]
    with tenant(cast.customer):
        assert not Store.objects.filter(name="Moon").exists()
