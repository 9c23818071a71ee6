"""What browsers and proxies may keep: nothing of a person's pages, all of the static files."""

from django.test import Client

from tests.conftest import logged_in
from tests.rows import fill
from tests.test_access import LEAVES, objects_of, pages

FORBIDS = "private, no-store"


def kept(client, urls):
    """Addresses whose answer may be kept, with what it says of that."""
    answers = {url: client.get(url).get("Cache-Control", "") for url in urls}
    return {url: says for url, says in answers.items() if says != FORBIDS}


def test_it_lets_nobody_keep_a_page_of_a_person_or_its_export(cast):
    fill(cast.customer, cast.store, cast.product)
    objects = objects_of(cast.customer, cast.store, without=cast.admin)
    urls = [page.url(objects) for page in pages() if page.name not in LEAVES]
    reports = [url for url in urls if url.startswith("/reports/")]
    assert len(reports) > 8
    urls += [f"{url}?format={kind}" for url in reports for kind in ("csv", "xlsx")]
    for person in (cast.admin, cast.operator):
        client = logged_in(person)
        client.raise_request_exception = False
        assert kept(client, [*urls, "/there/is/no/such/page/"]) == {}


def test_it_lets_nobody_keep_the_log_in_page_or_what_leads_there():
    assert kept(Client(), ["/login/", "/", "/reports/sales/"]) == {}


def test_it_lets_browsers_keep_static_files(cast):
    for client in (Client(), logged_in(cast.admin)):
        response = client.get("/static/shelfops/icon.svg")
        response.close()
        says = response.headers["Cache-Control"]
        assert "max-age=" in says
        assert "no-store" not in says
        assert "private" not in says
