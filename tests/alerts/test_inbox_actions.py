"""What people do with alerts on the pages: each transition, refused where it may not be."""

from datetime import timedelta

import pytest
from django.contrib.messages import get_messages
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from alerts.inbox import actions, queries
from alerts.models import Alert, AlertEvent
from inventory.models import Product
from shelfops.tenancy.context import tenant
from tests.alerts.raising import raised
from tests.cast import Cast, make_user

ACT, UNDO = "/alerts/act/", "/alerts/undo/"


@pytest.fixture
def alert(cast: Cast) -> Alert:
    with tenant(cast.customer):
        return raised(cast.store, cast.product)


def state(cast: Cast, alert: Alert) -> tuple:
    with tenant(cast.customer):
        alert.refresh_from_db()
        return alert.status, alert.owner_id, alert.version, AlertEvent.objects.count()


def post(client: Client, action: str, *alerts: Alert, **data):
    return client.post(
        ACT, {"action": action, "alert": [f"{a.pk}:{a.version}" for a in alerts], **data}
    )


def said(response) -> list[str]:
    return [str(message) for message in get_messages(response.wsgi_request)]


def test_it_goes_through_the_table_by_forms(cast: Cast, alert: Alert, client_of) -> None:
    client = client_of(cast.staff)
    steps = [
        ("acknowledge", {}, "acknowledged"),
        ("assign", {"owner": cast.manager.pk}, "acknowledged"),
        ("snooze", {"until": "1 day"}, "snoozed"),
        ("wake", {}, "open"),
        ("resolve", {"resolution": "restocked", "note": "2 cases", "although_it_holds": "yes"},
         "resolved"),
        ("reopen", {"note": "not yet"}, "open"),
    ]  # fmt: skip
    for action, data, status in steps:
        response = post(client, action, alert, **data, next=f"/alerts/{alert.pk}/")
        assert (response.status_code, response.url) == (302, f"/alerts/{alert.pk}/")
        assert state(cast, alert)[0] == status
    with tenant(cast.customer):
        events = AlertEvent.objects.order_by("version").values_list("kind", "reason", "note")
        assert list(events) == [
            ("opened", "", ""),
            ("acknowledged", "", ""),
            ("assigned", "", ""),
            ("snoozed", "", ""),
            ("woken", "", ""),
            ("resolved", "restocked", "2 cases"),
            ("reopened", "", "not yet"),
        ]
        assert alert.owner_id == cast.manager.pk


def test_it_snoozes_for_a_time_and_never_for_ever(cast: Cast, alert: Alert, client_of) -> None:
    client = client_of(cast.staff)
    for until, _ in actions.Snooze.base_fields["until"].choices:
        post(client, "snooze", alert, until=until)
        assert state(cast, alert)[0] == "snoozed"
        assert timedelta(hours=3) < alert.snoozed_until - timezone.now() <= timedelta(days=90)


MISSING = [
    ("assign", {}, "owner"),
    ("assign", {"owner": "x"}, "owner"),
    ("snooze", {}, "until"),
    ("snooze", {"until": "for ever"}, "until"),
    ("snooze", {"until": "100 weeks"}, "until"),
    ("resolve", {"although_it_holds": "yes"}, "resolution"),
    ("resolve", {"resolution": "clear", "although_it_holds": "yes"}, "resolution"),
    ("resolve", {"resolution": "restocked"}, "although_it_holds"),
    ("resolve", {"resolution": "restocked", "note": "x" * 2001}, "note"),
    ("resolve", {"resolution": "restocked", "note": "\0"}, "note"),
]


def test_it_asks_again_where_something_is_missing(cast: Cast, alert: Alert, client_of) -> None:
    before, client = state(cast, alert), client_of(cast.staff)
    for action, data, field in MISSING:
        response = post(client, action, alert, **data)
        assert response.status_code == 200
        assert field in response.context["form"].errors
        assert "Nothing has been changed yet" in response.content.decode()
    assert state(cast, alert) == before


def test_it_says_first_that_a_condition_still_holds(cast: Cast, alert: Alert, client_of) -> None:
    client = client_of(cast.staff)
    response = post(client, "resolve", alert, resolution="restocked")
    assert "still held at the last evaluation" in response.content.decode()
    response = post(client, "resolve", alert, resolution="restocked", although_it_holds="no")
    assert "It still holds" in said(response)[0]
    assert state(cast, alert)[0] == "open"
    with tenant(cast.customer):
        Alert.objects.update(clear_count=1)
    post(client, "resolve", alert, resolution="restocked")
    assert state(cast, alert)[0] == "resolved"


def test_it_tells_the_second_of_two_what_happened(cast: Cast, alert: Alert, client_of) -> None:
    """Both looked at the same alert; the second one's form is of a version that is past."""
    post(client_of(cast.staff), "acknowledge", alert)
    before = state(cast, alert)
    alert.version = 1
    response = post(client_of(cast.manager), "snooze", alert, until="1 week")
    [message] = said(response)
    assert "Nothing was changed" in message
    assert "Since you looked: taken by Staff" in message
    assert state(cast, alert) == before


def test_it_undoes_the_last_action_and_only_ones_own(cast: Cast, alert: Alert, client_of) -> None:
    client = client_of(cast.staff)
    [message] = said(post(client, "acknowledge", alert))
    at = message.split('name="at" value="')[1].split('"')[0]
    assert "Taken: Milk 1 l, Main Street." in message
    before = state(cast, alert)
    client_of(cast.manager).post(UNDO, {"at": at})
    client_of(cast.outsider).post(UNDO, {"at": at})
    assert state(cast, alert) == before
    assert said(client.post(UNDO, {"at": at}))[-1].startswith("Undone: Milk 1 l")
    assert state(cast, alert)[:2] == ("open", None)
    client.post(UNDO, {"at": at})  # the button pressed again
    assert state(cast, alert)[2] == 3
    for wrong in ("", "x", "2026-13-45T00:00:00Z", "2026-01-01"):
        assert client.post(UNDO, {"at": wrong}).status_code == 400


def test_it_does_not_undo_what_somebody_has_built_upon(cast: Cast, alert: Alert, client_of) -> None:
    client = client_of(cast.staff)
    [message] = said(post(client, "acknowledge", alert))
    at = message.split('name="at" value="')[1].split('"')[0]
    state(cast, alert)
    post(client_of(cast.manager), "assign", alert, owner=cast.manager.pk)
    before = state(cast, alert)
    [*_, message] = said(client.post(UNDO, {"at": at}))
    assert "Since you looked: assigned by Manager" in message
    assert state(cast, alert) == before


def many(cast: Cast, number: int) -> list[Alert]:
    with tenant(cast.customer):
        return [
            raised(cast.store, Product.objects.create(sku=str(n), name=f"P{n}"))
            for n in range(number)
        ]


def test_it_acts_on_many_and_reports_what_it_skipped(cast: Cast, alert: Alert, client_of) -> None:
    first, second, third = many(cast, 3)
    with tenant(cast.customer):
        elsewhere = raised(cast.unassigned_store, cast.product)
        Alert.objects.filter(pk=second.pk).update(version=2)
        Alert.objects.filter(pk=third.pk).update(status="acknowledged")
    response = post(client_of(cast.staff), "acknowledge", first, second, third, elsewhere)
    done, skipped = said(response)
    assert "Taken: P0, Main Street." in done
    assert "3 skipped" in skipped
    assert "P1, Main Street: Since you looked" in skipped
    assert "P2, Main Street: It is acknowledged already" in skipped
    assert "An alert that is not yours to see: It does not exist, or not in your stores" in skipped
    assert "Harbour" not in skipped
    assert state(cast, elsewhere)[0] == "open"


def test_it_names_ten_skipped_and_counts_the_rest_by_reason(cast: Cast, client_of) -> None:
    alerts = many(cast, 13)
    with tenant(cast.customer):
        Alert.objects.update(status="acknowledged")
    [message] = said(post(client_of(cast.staff), "acknowledge", *alerts))
    assert message.count("<li>") == 11
    assert "3 more: It is acknowledged already" in message


def test_it_acts_on_all_that_match_the_filters(cast: Cast, alert: Alert, client_of) -> None:
    alerts = many(cast, 3)
    with tenant(cast.customer):
        elsewhere = raised(cast.unassigned_store, cast.product)
        Alert.objects.filter(pk=alerts[0].pk).update(severity="info")
    data = {"action": "acknowledge", "matching": "1", "query": "severity=critical"}
    response = client_of(cast.staff).post(ACT, data)
    assert "Taken: 3 alerts." in said(response)[0]
    found = [state(cast, each)[0] for each in (*alerts, alert, elsewhere)]
    assert found == ["open", "acknowledged", "acknowledged", "acknowledged", "open"]
    assert client_of(cast.staff).post(ACT, {**data, "query": "age=x"}).status_code == 400


def test_it_says_so_where_more_match_than_it_takes_at_once(
    cast: Cast, client_of, monkeypatch
) -> None:
    monkeypatch.setattr(queries, "MOST_AT_ONCE", 2)
    many(cast, 3)
    response = client_of(cast.staff).post(ACT, {"action": "acknowledge", "matching": "1"})
    assert said(response)[1] == "These were the first 2. Do it again for those left."


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"action": "delete"},
        {"action": "wake", "alert": "x"},
        {"action": "wake", "alert": "1:x"},
    ],
)
def test_it_refuses_a_form_that_is_none(cast: Cast, alert: Alert, client_of, data: dict) -> None:
    before = state(cast, alert)
    assert client_of(cast.staff).post(ACT, data).status_code == 400
    assert state(cast, alert) == before


def test_it_goes_back_to_its_own_pages_only(cast: Cast, alert: Alert, client_of) -> None:
    client = client_of(cast.staff)
    for asked in ("https://evil.example/alerts/", "//evil.example/alerts/", "/logout/", ""):
        assert post(client, "wake", alert, next=asked).url == "/alerts/"
    assert post(client, "wake", alert, next="/alerts/?tab=mine").url == "/alerts/?tab=mine"
    [*_, message] = said(client.post(ACT, {"action": "wake"}))
    assert message == "Nothing was changed: choose alerts first."


@pytest.mark.parametrize("who", ["analyst", "operator", "outsider", "stranger", "elsewhere"])
def test_it_lets_nobody_else_do_anything(cast: Cast, alert: Alert, client_of, who: str) -> None:
    with tenant(cast.customer):
        colleague = make_user("staff", cast.customer)  # works in no store
    client = {"stranger": Client, "elsewhere": lambda: client_of(colleague)}.get(
        who, lambda: client_of(getattr(cast, who))
    )()
    before = state(cast, alert)
    data = {"until": "1 day", "owner": cast.staff.pk, "resolution": "accepted",
            "although_it_holds": "yes"}  # fmt: skip
    for action in actions.FORMS:
        assert post(client, action, alert, **data).status_code in (200, 302, 403)
    page = reverse("alerts:alert", args=[alert.pk])
    shown = {"stranger": 302, "analyst": 403, "operator": 403}.get(who, 404)
    assert client.get(page).status_code == shown
    assert client.post(f"{page}comment/", {"text": "x"}).status_code == shown
    assert state(cast, alert) == before


def test_it_gives_alerts_only_to_people_of_the_store(cast: Cast, alert: Alert, client_of) -> None:
    client = client_of(cast.admin)
    with tenant(cast.customer):
        idle = make_user("staff", cast.customer)
    before = state(cast, alert)
    for owner in (cast.outsider.pk, cast.analyst.pk):
        assert post(client, "assign", alert, owner=owner).status_code == 200
    post(client, "assign", alert, owner=idle.pk)
    assert state(cast, alert) == before
    post(client, "assign", alert, owner=cast.staff.pk)
    assert state(cast, alert)[1] == cast.staff.pk
    post(client, "assign", alert, owner="nobody")
    assert state(cast, alert)[1] is None


def test_it_explains_why_an_alert_fired(cast: Cast, client_of) -> None:
    with tenant(cast.customer):
        past = raised(cast.store, cast.product)
        Alert.objects.update(status="resolved", resolved_at=timezone.now(), resolution="clear")
        alert = raised(
            cast.store,
            cast.product,
            alert_type="low_stock",
            message="4 available, reorder at 12",
            previous=past,
            money_at_stake="1234.5",
            opening_figures={"measure": 9, "limit": 12, "available": 9},
            figures={"measure": 4, "limit": 12, "available": 4, "counted_at": "2026-11-20T10:00Z"},
            rule={"scope": "store+category", "scope_name": "Dairy", "threshold": 100},
        )
        other = raised(cast.store, cast.product, alert_type="overstock")
        hers = raised(cast.unassigned_store, cast.product)
    client = client_of(cast.staff)
    response = client.get(f"/alerts/{alert.pk}/")
    html = response.content.decode()
    assert "available at or below 100 % of the reorder point" in html
    assert "your rule for the category Dairy in this store" in html
    figures = [tuple(figure) for figure in response.context["figures"]]
    assert figures == [
        ("Limit, units available", "12", "12"),
        ("Available, units", "9", "4"),
        ("Counted", "–", "20 Nov, 05:00"),  # in New York
    ]
    assert "USD 1,234.50" in html
    assert f"/alerts/{past.pk}/" in html
    assert f"/alerts/{other.pk}/" in html
    assert str(hers.pk) not in html
    assert f"/reports/products/{cast.product.pk}/" in html
    assert str(hers.pk) in client_of(cast.admin).get(f"/alerts/{alert.pk}/").content.decode()


def test_it_shows_the_takings_of_a_silent_store(cast: Cast, client_of) -> None:
    with tenant(cast.customer):
        alert = raised(cast.store, alert_type="feed_gap", message="No sales since 1 Nov")
    response = client_of(cast.staff).get(f"/alerts/{alert.pk}/")
    [chart] = response.context["charts"]
    assert chart["title"] == "Revenue of Main Street"
    assert len(chart["labels"]) == 42


def test_it_keeps_comments_in_the_course(cast: Cast, alert: Alert, client_of) -> None:
    client = client_of(cast.staff)
    page = f"/alerts/{alert.pk}/"
    for text in ("", "   ", "x" * 2001, "\0"):
        client.post(f"{page}comment/", {"text": text})
    assert state(cast, alert)[3] == 1
    client.post(f"{page}comment/", {"text": "<b>Supplier</b> called"})
    html = client.get(page).content.decode()
    assert "&lt;b&gt;Supplier&lt;/b&gt; called" in html
    assert state(cast, alert)[2:] == (1, 2)
