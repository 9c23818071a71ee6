"""Platform operators: customers, and acting as one of them."""

import pytest
from django.urls import reverse

from inventory.models import Product
from shelfops.tenancy.context import tenant
from shelfops.tenancy.models import Customer, CustomerAccess, User
from tests.admin.forms import errors_of

STOP = reverse("stop-acting")
CUSTOMERS = reverse("admin:tenancy_customer_changelist")


def start(customer):
    return reverse("start-acting", args=[customer.pk])


def log_of(customer):
    with tenant(customer):
        rows = CustomerAccess.objects.order_by("at")
        return [(row.operator_email, row.action, row.reason) for row in rows]


@pytest.fixture
def acting(cast, client_of):
    client = client_of(cast.operator)
    assert client.post(start(cast.customer), {"reason": "Call 4711"}).status_code == 302
    return client


def test_it_logs_the_start_and_shows_a_banner_on_every_page(cast, acting):
    assert log_of(cast.customer) == [(cast.operator.email, "start", "Call 4711")]
    for url in (
        "/",
        reverse("admin:inventory_product_changelist"),
        reverse("admin:password_change"),
    ):
        page = acting.get(url).content.decode()
        assert "Acting as <strong>Acme Grocers</strong>" in page
        assert f'action="{STOP}"' in page


def test_it_sees_what_the_customers_admin_sees(cast, acting):
    rows = acting.get(reverse("admin:inventory_product_changelist")).context["cl"].result_list
    assert [product.pk for product in rows] == [cast.product.pk]
    users = acting.get(reverse("admin:tenancy_user_changelist")).context["cl"].result_list
    assert cast.operator.email not in {user.email for user in users}
    url = reverse("admin:inventory_product_change", args=[cast.other_product.pk])
    assert acting.get(url).status_code == 404


def test_it_logs_the_end(cast, acting):
    response = acting.post(STOP, follow=True)
    assert log_of(cast.customer)[-1] == (cast.operator.email, "stop", "Call 4711")
    assert b"Acting as" not in response.content
    assert acting.get(reverse("admin:inventory_product_changelist")).status_code == 403


def test_it_logs_the_end_when_the_operator_logs_out(cast, acting):
    acting.post(reverse("admin:logout"))
    assert [action for _, action, _ in log_of(cast.customer)] == ["start", "stop"]


def test_it_changes_the_session_key(cast, client_of):
    client = client_of(cast.operator)
    before = client.session.session_key
    client.post(start(cast.customer), {"reason": "Call 4711"})
    during = client.session.session_key
    client.post(STOP)
    assert len({before, during, client.session.session_key}) == 3


@pytest.mark.parametrize("reason", ["", "   ", "x" * 256])
def test_it_wants_a_reason(cast, client_of, reason):
    client = client_of(cast.operator)
    response = client.post(start(cast.customer), {"reason": reason})
    assert list(response.context["form"].errors) == ["reason"]
    assert log_of(cast.customer) == []
    assert client.get(reverse("admin:inventory_product_changelist")).status_code == 403


def test_it_starts_and_stops_by_post_alone(cast, client_of, acting):
    assert acting.get(STOP).status_code == 405
    client = client_of(cast.operator)
    assert client.get(start(cast.customer)).status_code == 200
    assert len(log_of(cast.customer)) == 1


@pytest.mark.parametrize("role", ["admin", "manager", "staff", "analyst"])
def test_it_is_for_operators_alone(cast, client_of, role):
    client = client_of(getattr(cast, role))
    for customer in (cast.customer, cast.other_customer):
        assert client.post(start(customer), {"reason": "mine"}).status_code == 403
        assert log_of(customer) == []
    assert client.post(STOP).status_code == 403
    assert client.get(CUSTOMERS).status_code == 403


def test_it_answers_404_for_no_customer(cast, client_of):
    url = reverse("start-acting", args=[cast.product.pk])
    assert client_of(cast.operator).post(url, {"reason": "x"}).status_code == 404


def test_it_shows_the_log_to_the_customers_admin(cast, acting, client_of):
    url = reverse("admin:tenancy_customeraccess_changelist")
    [row] = client_of(cast.admin).get(url).context["cl"].result_list
    assert row.reason == "Call 4711"
    assert client_of(cast.manager).get(url).status_code == 403
    assert client_of(cast.outsider).get(url).context["cl"].result_list == []


def test_it_attributes_changes_to_the_operator(cast, acting):
    from django.contrib.admin.models import LogEntry

    acting.post(
        reverse("admin:inventory_product_add"), {"sku": "OP-1", "name": "Op", "is_active": "on"}
    )
    with tenant(cast.customer):
        assert Product.objects.filter(sku="OP-1").exists()
        [entry] = LogEntry.objects.all()
        assert entry.user_id == cast.operator.pk


def test_it_adds_and_changes_customers(cast, client_of):
    client = client_of(cast.operator)
    name = f"New {cast.customer.pk}"
    data = {"name": name, "currency": "eur", "is_active": "on"}
    assert client.post(reverse("admin:tenancy_customer_add"), data).status_code == 302
    customer = Customer.objects.using("operator").get(name=name)
    assert customer.currency == "EUR"
    page = reverse("admin:tenancy_customer_change", args=[customer.pk])
    assert client.post(page, {"name": name, "currency": "EUR", "_version": 1}).status_code == 302
    customer.refresh_from_db()
    assert customer.is_active is False


def test_it_shows_a_wrong_currency_at_its_field(cast, client_of):
    data = {"name": "Wrong", "currency": "E1", "is_active": "on"}
    response = client_of(cast.operator).post(reverse("admin:tenancy_customer_add"), data)
    assert list(errors_of(response)) == ["currency"]


def test_it_shows_an_operator_all_customers(cast, client_of):
    client = client_of(cast.operator)
    rows = client.get(CUSTOMERS, {"q": "Acme Grocers"}).context["cl"].result_list
    assert cast.customer.pk in {row.pk for row in rows}
    assert client.get("/").status_code == 200


def test_it_lets_an_operator_add_the_first_user(cast, client_of):
    client = client_of(cast.operator)
    name = f"New {cast.customer.pk}"
    client.post(
        reverse("admin:tenancy_customer_add"), {"name": name, "currency": "USD", "is_active": "on"}
    )
    customer = Customer.objects.using("operator").get(name=name)
    client.post(start(customer), {"reason": "First user"})
    address = f"first-{customer.pk}@example.com"
    from tests.admin.test_users import new_user

    data = new_user(email=address, role="admin")
    assert client.post(reverse("admin:tenancy_user_add"), data).status_code == 302
    user = User.objects.using("operator").defer("password").get(email=address)
    assert user.customer_id == customer.pk
