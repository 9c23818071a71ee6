"""A session that ends while a page renews a part of itself."""

from urllib.parse import parse_qs, urlsplit

import pytest
from django.test import Client
from django.urls import reverse

from tests.cast import PASSWORD

INBOX = "/alerts/?tab=mine"
PART = "/alerts/?tab=mine&part=list&seen=abc"


def asked(client, url, page="http://testserver" + INBOX, method="get"):
    headers = {"HX-Request": "true", "HX-Current-URL": page}
    return getattr(client, method)(url, headers=headers)


@pytest.mark.parametrize("url", [PART, "/reports/sales/", "/inventory/product/", "/"])
def test_it_sends_the_whole_page_to_the_log_in(url):
    response = asked(Client(), url)
    assert response.status_code == 401
    assert response.content == b""
    login = urlsplit(response.headers["HX-Redirect"])
    assert login.path == reverse("admin:login")
    assert parse_qs(login.query) == {"next": [INBOX]}


def test_it_leads_back_to_the_full_page_after_logging_in(cast):
    client = Client()
    login = asked(client, PART).headers["HX-Redirect"]
    page = client.get(login)
    data = {"username": cast.staff.email, "password": PASSWORD, "next": page.context["next"]}
    response = client.post(login, data)
    assert response.url == INBOX
    assert "<html" in client.get(response.url).content.decode()


def test_it_sends_what_was_posted_there_too():
    response = asked(Client(), reverse("alerts:act"), method="post")
    assert response.status_code == 401
    assert "next=%2Falerts%2F%3Ftab%3Dmine" in response.headers["HX-Redirect"]


@pytest.mark.parametrize("page", ["https://evil.example/x", "//evil.example/", "", "nonsense", "/"])
def test_it_leads_to_the_home_page_where_the_full_page_is_unknown(page):
    response = asked(Client(), PART, page=page)
    assert parse_qs(urlsplit(response.headers["HX-Redirect"]).query) == {"next": ["/"]}


def test_it_leaves_other_answers_alone(cast, client_of):
    assert Client().get(PART).status_code == 302
    assert asked(client_of(cast.staff), PART).status_code == 200
    assert asked(client_of(cast.analyst), PART).status_code == 403
    moved = asked(client_of(cast.staff), "/inventory/product")
    assert (moved.status_code, moved.url) == (301, "/inventory/product/")
