"""Acting as a customer ends after an hour at the latest, and the customer can read when."""

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from inventory.models import Product
from shelfops.tenancy.acting import CUSTOMER, UNTIL
from shelfops.tenancy.context import tenant
from shelfops.tenancy.models import CustomerAccess
from tests.admin.test_acting import start
from tests.cast import PASSWORD
from tests.ingestion.uploading import ticket_of, upload

PRODUCTS = reverse("admin:inventory_product_changelist")
ADD = reverse("admin:inventory_product_add")
LIMIT = timedelta(hours=1)


@pytest.fixture
def acting(cast, client_of):
    client = client_of(cast.operator)
    client.post(start(cast.customer), {"reason": "Call 4711"})
    assert client.get(PRODUCTS).status_code == 200
    return client


def log_of(customer):
    with tenant(customer):
        return list(CustomerAccess.objects.order_by("at"))


def actions(customer):
    return [row.action for row in log_of(customer)]


def let_it_end(client):
    """An hour passes, as far as the session knows."""
    session = client.session
    session[UNTIL] = timezone.now().timestamp()
    session.save()


def test_it_says_at_the_start_when_it_ends_at_the_latest(cast, acting):
    [entry] = log_of(cast.customer)
    assert entry.ends_at - entry.at == LIMIT
    assert abs(entry.at - timezone.now()) < timedelta(minutes=1)


@pytest.mark.parametrize("dropped", ["browser closed", "session deleted", "password changed"])
def test_the_log_says_so_whatever_happens_to_the_session(cast, client_of, acting, dropped):
    if dropped == "session deleted":
        acting.session.delete()
    elif dropped == "password changed":
        new = "wholly new pass phrase"
        data = {"old_password": PASSWORD, "new_password1": new, "new_password2": new}
        client_of(cast.operator).post(reverse("admin:password_change"), data)
    else:
        acting.cookies.clear()
    assert acting.get(PRODUCTS).status_code == 302
    page = client_of(cast.admin).get(reverse("admin:tenancy_customeraccess_changelist"))
    [row] = page.context["cl"].result_list
    assert (row.action, row.ends_at - row.at) == ("start", LIMIT)
    assert "Ends at the latest" in page.content.decode()


def test_it_ends_after_an_hour(cast, acting):
    let_it_end(acting)
    response = acting.get(PRODUCTS)
    assert (response.status_code, response.url) == (302, start(cast.customer))
    page = acting.get(response.url).content.decode()
    assert "ended after an hour" in page
    assert actions(cast.customer) == ["start", "stop"]
    assert log_of(cast.customer)[1].reason == "Call 4711"
    assert acting.get(PRODUCTS).status_code == 403
    assert CUSTOMER not in acting.session
    assert actions(cast.customer) == ["start", "stop"]  # once


def test_it_does_nothing_that_is_posted_after_an_hour(cast, acting):
    let_it_end(acting)
    data = {"sku": "LATE-1", "name": "Late", "is_active": "on"}
    assert acting.post(ADD, data).url == start(cast.customer)
    with tenant(cast.customer):
        assert not Product.objects.filter(sku="LATE-1").exists()


def test_it_takes_a_part_of_a_page_to_the_full_page(cast, acting):
    let_it_end(acting)
    response = acting.get("/alerts/?part=list", headers={"HX-Request": "true"})
    assert response.status_code == 204
    assert response.headers["HX-Redirect"] == start(cast.customer)


def test_it_goes_on_for_another_hour_with_another_reason(cast, acting):
    let_it_end(acting)
    acting.get(PRODUCTS)
    acting.post(start(cast.customer), {"reason": "Call 4712"})
    assert acting.get(PRODUCTS).status_code == 200
    assert actions(cast.customer) == ["start", "stop", "start"]


def test_it_acts_as_one_at_a_time(cast, acting):
    answer = acting.post(start(cast.other_customer), {"reason": "Call 4712"})
    assert answer.status_code == 403
    assert actions(cast.other_customer) == []


def test_it_receives_no_upload_after_an_hour(cast, acting, settings, tmp_path):
    settings.UPLOAD_DIR = tmp_path
    ticket = ticket_of(acting)
    let_it_end(acting)
    assert upload(acting, b"store,sku\n", ticket=ticket).status_code == 403


@pytest.mark.parametrize("until", [None, "x", 1e300, -1, True])
def test_it_believes_no_session_without_an_end(cast, acting, until):
    session = acting.session
    session[UNTIL] = until
    session.save()
    assert acting.get(PRODUCTS).status_code in (302, 403)
    assert acting.get(PRODUCTS).status_code == 403


def test_nobody_moves_the_end_in_the_log(cast, acting, database_urls):
    with tenant(cast.customer), pytest.raises(Exception, match="permission denied"):
        CustomerAccess.objects.update(ends_at=timezone.now() + timedelta(days=1))
