"""The shell around every page: log-in, side bar, home, errors."""

import pytest
from django.db import connection
from django.template.loader import render_to_string
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from inventory.models import ReorderPoint
from shelfops.tenancy.context import tenant
from shelfops.tenancy.roles import Role
from tests.admin.forms import made_from, product_form, reorder_point, starting
from tests.cast import PASSWORD
from tests.rows import days_ago, fill

LOGIN = reverse("admin:login")

ANALYSES = {
    *("Stock as of", "ABC classes", "Stock turn and GMROI", "Sell-through", "Availability"),
    *("Dead stock", "Phantom stock"),
}
SIDE_BAR = {
    "operator": {"Home", "Customers"},
    "admin": {
        *("Home", "Sales report", "Transactions", "Forecasts", "Stock now", "Products"),
        "Data quality",
        *("Reorder points", "Inventory levels", "Stores", "Alerts", "Anomalies"),
        *("Upload a file", "Import batches", "Refused rows", "Users", "Log-ins", "Operator access"),
        *("Webhooks", "Webhook deliveries", "Notification e-mails"),
        *("Alert rules", "Import master data"),
        *ANALYSES,
    },
    "staff": {
        *("Home", "Stock now", "Products", "Reorder points", "Inventory levels", "Stores"),
        "Alerts",
    },
    "analyst": {
        *("Home", "Sales report", "Transactions", "Forecasts", "Stock now", "Products"),
        "Data quality",
        *("Reorder points", "Inventory levels", "Stores"),
        *ANALYSES,
    },
}
SIDE_BAR["manager"] = SIDE_BAR["admin"] - {
    *("Users", "Log-ins", "Operator access"),
    *("Webhooks", "Webhook deliveries", "Notification e-mails"),
}


@pytest.mark.parametrize("role", Role.values)
def test_it_shows_a_role_its_own_pages_and_each_opens(cast, client_of, role):
    client = client_of(getattr(cast, role))
    groups = client.get("/").context["sidebar_navigation"]
    items = [item for group in groups for item in group["items"]]
    assert {item["title"] for item in items} == SIDE_BAR[role]
    assert {client.get(item["link"]).status_code for item in items} == {200}


@pytest.mark.parametrize(
    ("email", "password"),
    [("nobody@example.com", PASSWORD), (None, "wrong"), ("'; --", PASSWORD), ("a\0b", "c")],
)
def test_it_says_the_same_of_every_failed_log_in(cast, email, password):
    data = {"username": email or cast.staff.email, "password": password}
    response = Client().post(LOGIN, data)
    assert response.status_code == 200
    errors = response.context["form"].errors
    text = str(errors)
    assert "do not match an active account" in text or "Null characters" in text


def test_it_asks_for_what_is_missing():
    errors = Client().post(LOGIN, {}).context["form"].errors
    assert errors == {
        "username": ["Enter your e-mail address."],
        "password": ["Enter your password."],
    }


def test_it_logs_in_and_goes_on_to_the_page_that_was_asked_for(cast):
    client = Client()
    page = reverse("admin:inventory_store_changelist")
    response = client.get(page, follow=True)
    data = {"username": cast.staff.email.upper(), "password": PASSWORD, "next": page}
    assert client.post(response.request["PATH_INFO"], data)["Location"] == page
    assert client.get(page).status_code == 200


def test_it_never_goes_on_to_another_site(cast):
    data = {"username": cast.staff.email, "password": PASSWORD, "next": "https://evil.example/"}
    assert Client().post(LOGIN, data)["Location"] == "/"


@pytest.mark.parametrize(
    "name", ["admin:login", "admin:logout", "stop-acting", "admin:password_change"]
)
def test_it_refuses_a_form_from_elsewhere(cast, client_of, name):
    client = client_of(cast.staff)
    client.handler.enforce_csrf_checks = True
    response = client.post(reverse(name), {})
    assert response.status_code == 403
    assert b"This form has expired" in response.content


@pytest.mark.parametrize("status", ["400", "403", "403_csrf", "404", "500"])
def test_it_shows_an_error_without_the_database(status):
    with CaptureQueriesContext(connection) as captured:
        page = render_to_string(f"{status}.html")
    assert len(captured) == 0
    assert "Go to the home page" in page


def test_it_keeps_the_database_error_to_itself(cast, client_of, monkeypatch):
    """Two people save at once: the second is told so, and nothing of theirs is kept."""
    fill(cast.customer, cast.store, cast.product)
    monkeypatch.setattr(ReorderPoint, "_refuse_start", lambda self: None)
    url = reverse("admin:inventory_product_change", args=[cast.product.pk])
    with tenant(cast.customer):
        point = ReorderPoint.objects.get()
    early = reorder_point(cast.store, **starting(days_ago(30)), **made_from(point))
    client = client_of(cast.admin)
    response = client.post(url, product_form(early, name="Renamed"), follow=True)
    page = response.content.decode()
    assert "Nothing was saved" in page
    assert "idx_reorder_points" not in page
    assert "Renamed" not in page
    with tenant(cast.customer):
        assert ReorderPoint.objects.count() == 1


def test_it_tells_an_empty_list_from_a_search_without_a_match(cast, client_of):
    client = client_of(cast.admin)
    url = reverse("admin:inventory_reorderpoint_changelist")
    assert "Add a reorder point here" in client.get(url).content.decode()
    assert "Nothing matches" in client.get(url, {"q": "x"}).content.decode()
