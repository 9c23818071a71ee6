"""Views that a person keeps of a page: theirs alone, opened with today's rights."""

from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlencode

import psycopg
import pytest
from django.db import connection, connections
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from psycopg import errors

from inventory.models import StoreAssignment
from shelfops.saved_views.models import SavedView
from shelfops.saved_views.views import MOST_VIEWS
from shelfops.tenancy.acting import enter
from shelfops.tenancy.context import set_local, tenant
from tests.cast import Cast
from tests.reports.shop import text
from tests.sql import Sql

SALES, STOCK = reverse("reports:sales"), reverse("reports:stock")


def said(response) -> list[str]:
    return [str(message) for message in response.context["messages"]]


def save(client, name: str, query: str = "period=7&by=store", path: str = SALES, **more: str):
    data = {"path": path, "query": query, "name": name, **more}
    return client.post(reverse("saved-views:save"), data, follow=True)


def views_of(user, page: str = "reports:sales") -> dict[str, str]:
    with tenant(user.customer_id):
        set_local("current_user_id", user.pk)
        found = SavedView.objects.filter(page=page)
        return dict(found.values_list("name", "query"))


def view_of(user, name: str) -> SavedView:
    with tenant(user.customer_id):
        set_local("current_user_id", user.pk)
        return SavedView.objects.get(name=name)


def change(client, view: SavedView, what: str, query: str = "", path: str = SALES, **more: str):
    data = {"path": path, "query": query, "change": what, **more}
    return client.post(reverse("saved-views:change", args=[view.pk]), data, follow=True)


def test_it_keeps_what_is_shown_under_a_name(cast: Cast, client_of) -> None:
    client = client_of(cast.admin)
    response = save(client, "By store")
    assert response.redirect_chain == [(f"{SALES}?period=7&by=store", 302)]
    assert said(response) == ["“By store” is saved."]
    assert views_of(cast.admin) == {"By store": "period=7&by=store"}
    page = text(client.get(SALES, {"by": "day"}))
    assert f'href="{SALES}?period=7&amp;by=store"' in page


def test_it_keeps_filters_only(cast: Cast, client_of) -> None:
    query = "by=day&store=&page=7&format=csv&view=&department=Fresh+%26+dry"
    save(client_of(cast.admin), "Fresh", query)
    assert views_of(cast.admin) == {"Fresh": "by=day&department=Fresh+%26+dry"}


def test_it_marks_the_view_that_is_shown_whatever_the_order(cast: Cast, client_of) -> None:
    client = client_of(cast.admin)
    save(client, "By store")
    shown = client.get(f"{SALES}?by=store&period=7&page=3&start=").context["saved_views"].current
    assert shown.name == "By store"
    assert client.get(f"{SALES}?by=day").context["saved_views"].current is None


def test_it_opens_a_page_with_its_default(cast: Cast, client_of) -> None:
    client = client_of(cast.admin)
    save(client, "By store", default="1")
    assert client.get(SALES).headers["Location"] == f"{SALES}?period=7&by=store"
    assert client.get(f"{SALES}?view=").status_code == 200
    assert client.get(STOCK).status_code == 200
    change(client, view_of(cast.admin, "By store"), "no-default", "period=7")
    assert client.get(SALES).status_code == 200


def test_it_has_one_default(cast: Cast, client_of) -> None:
    client = client_of(cast.admin)
    save(client, "First", default="1")
    save(client, "Second", "by=month", default="1")
    assert client.get(SALES).headers["Location"] == f"{SALES}?by=month"
    response = change(client, view_of(cast.admin, "First"), "default", "by=day")
    assert said(response) == ["This page now opens with “First”."]
    assert response.redirect_chain == [(f"{SALES}?by=day", 302)]
    assert not view_of(cast.admin, "Second").is_default


def test_its_default_of_no_filters_does_not_lead_in_a_circle(cast: Cast, client_of) -> None:
    client = client_of(cast.admin)
    response = save(client, "Plain", "", default="1")
    assert response.redirect_chain == [(f"{SALES}?view=", 302)]
    assert client.get(SALES).status_code == 200


def test_it_renames_replaces_and_deletes(cast: Cast, client_of) -> None:
    client = client_of(cast.admin)
    save(client, "Old")
    view = view_of(cast.admin, "Old")
    assert said(change(client, view, "rename", name="New")) == ["“Old” is now called “New”."]
    change(client, view, "replace", "by=hour")
    assert views_of(cast.admin) == {"New": "by=hour"}
    assert said(change(client, view, "delete")) == ["“New” is deleted."]
    assert views_of(cast.admin) == {}


def test_it_says_that_a_name_is_taken(cast: Cast, client_of) -> None:
    client = client_of(cast.admin)
    save(client, "Mine")
    save(client, "Other", "by=day")
    [message] = said(save(client, "Mine", "by=week"))
    assert message.startswith("You have a view “Mine” here.")
    [message] = said(change(client, view_of(cast.admin, "Other"), "rename", name="Mine"))
    assert message.startswith("You have a view “Mine” here.")
    assert views_of(cast.admin) == {"Mine": "period=7&by=store", "Other": "by=day"}
    save(client, "Mine", "q=milk", path=STOCK)  # each page has names of its own
    assert views_of(cast.admin, "reports:stock") == {"Mine": "q=milk"}


@pytest.mark.parametrize("name", ["", "   ", "x" * 101, "a\x00b"])
def test_it_refuses_a_name_that_is_none(cast: Cast, client_of, name: str) -> None:
    assert len(said(save(client_of(cast.admin), name))) == 1
    assert views_of(cast.admin) == {}


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("https://evil.example/", ""),
        ("//evil.example/reports/sales/", ""),
        ("/", ""),
        ("/inventory/product/", ""),
        ("/nowhere/", ""),
        ("", ""),
        (SALES, "q=" + "x" * 9000),
        (SALES, "q=%00"),
        (SALES, "q=\x00"),
    ],
)
def test_it_keeps_nothing_of_an_address_that_is_no_such_page(cast, client_of, path, query) -> None:
    response = save(client_of(cast.admin), "Bad", query, path)
    assert response.status_code == 400
    assert views_of(cast.admin) == {}


def test_it_holds_a_limited_number(cast: Cast, client_of) -> None:
    with tenant(cast.customer):
        set_local("current_user_id", cast.admin.pk)
        SavedView.objects.bulk_create(
            SavedView(user=cast.admin, page="reports:sales", name=str(n), query="by=day")
            for n in range(MOST_VIEWS)
        )
    assert said(save(client_of(cast.admin), "More")) == [
        f"A page keeps {MOST_VIEWS} views. Delete one first."
    ]


def test_it_shows_and_changes_nobody_elses(cast: Cast, client_of) -> None:
    save(client_of(cast.admin), "Mine", default="1")
    view = view_of(cast.admin, "Mine")
    for stranger in (cast.manager, cast.analyst, cast.outsider):
        client = client_of(stranger)
        assert "Mine" not in text(client.get(SALES))
        for what in ("rename", "replace", "default", "delete"):
            assert change(client, view, what, "by=day", name="Yours").status_code == 404
    assert views_of(cast.admin) == {"Mine": "period=7&by=store"}


def test_it_is_not_for_operators(cast: Cast, client_of) -> None:
    acting = client_of(cast.operator)
    session = acting.session
    enter(session, cast.customer.pk)
    session.save()
    save(client_of(cast.admin), "Mine", default="1")
    page = acting.get(SALES)
    assert page.status_code == 200
    assert page.context["saved_views"] is None
    assert save(acting, "Theirs").status_code == 403


def test_it_opens_with_the_stores_of_today(cast: Cast, client_of) -> None:
    """The view names a store that its user no longer works in: no figure of it is shown."""
    client = client_of(cast.manager)
    query = urlencode({"store": cast.store.pk, "by": "day"})
    save(client, "My store", query)
    with tenant(cast.customer):
        StoreAssignment.objects.filter(user=cast.manager).update(store=cast.unassigned_store)
    response = client.get(f"{SALES}?{views_of(cast.manager)['My store']}")
    assert list(response.context["form"].errors) == ["store"]
    assert "table" not in response.context


def test_it_reads_the_views_once(cast: Cast, client_of) -> None:
    client = client_of(cast.admin)

    def reads() -> int:
        with CaptureQueriesContext(connection) as queries:
            client.get(STOCK)
        return sum("saved_views" in query["sql"] for query in queries)

    assert reads() == 1
    for n in range(5):
        save(client, f"View {n}", f"q={n}", STOCK)
    assert reads() == 1


@pytest.fixture
def app(database_urls):
    with psycopg.connect(database_urls["app"], autocommit=True) as opened:
        yield Sql(opened)


def test_the_database_shows_and_takes_nobody_elses(cast: Cast, client_of, app) -> None:
    save(client_of(cast.admin), "Mine")
    insert = "INSERT INTO saved_views (user_id, page, name, query) VALUES (%s, 'p', 'x', '')"
    for user in (None, cast.analyst.pk):
        app.act_as(cast.customer.pk, user)
        assert app.execute("SELECT count(*) FROM saved_views").fetchone() == (0,)
        assert app.execute("UPDATE saved_views SET query = 'x'").rowcount == 0
        assert app.execute("DELETE FROM saved_views").rowcount == 0
        with pytest.raises(errors.InsufficientPrivilege):
            app.execute(insert, [cast.admin.pk])
    app.act_as(cast.customer.pk, cast.outsider.pk)
    with pytest.raises(errors.ForeignKeyViolation):
        app.execute(insert, [cast.outsider.pk])


def test_it_keeps_one_default_when_two_windows_choose_at_once(
    cast: Cast, client_of, admin_url
) -> None:
    client = client_of(cast.admin)
    for n in range(6):
        save(client, f"View {n}", f"by=day&top={n}")
    views = [view_of(cast.admin, f"View {n}") for n in range(6)]

    def choose(view: SavedView) -> int:
        try:
            return change(client_of(cast.admin), view, "default").status_code
        finally:
            connections.close_all()

    with ThreadPoolExecutor(6) as pool:
        assert set(pool.map(choose, views)) == {200}
    assert sum(view_of(cast.admin, view.name).is_default for view in views) == 1
