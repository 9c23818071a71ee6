"""Events reach the customer's addresses: signed, each in one delivery, until they are accepted."""

import json
from datetime import timedelta

import pytest
from django.db import connection
from django.urls import reverse
from django.utils import timezone

from alerts import transitions
from alerts.webhooks import deliver as module
from alerts.webhooks import queries
from alerts.webhooks.deliver import BACK_OFF, deliver
from alerts.webhooks.models import WebhookDelivery, WebhookEndpoint
from alerts.webhooks.post import Answer
from alerts.webhooks.signature import headers
from shelfops.tenancy.acting import enter
from shelfops.tenancy.context import tenant
from tests.alerts.raising import raised
from tests.cast import Cast

URL = "https://hooks.example/in"


@pytest.fixture
def endpoint(cast: Cast) -> WebhookEndpoint:
    with tenant(cast.customer):
        return WebhookEndpoint.objects.create(url=URL)


@pytest.fixture
def sent(monkeypatch) -> list:
    """What would have been sent: address, body and headers; `.answer` is what comes back."""

    class Sent(list):
        answer = Answer(200)

    sent = Sent()

    def post(url, body, headers):
        assert not connection.in_atomic_block, "a stranger's server must not hold a transaction"
        sent.append((url, body, headers))
        return sent.answer

    monkeypatch.setattr(module, "post", post)
    return sent


def raise_alert(cast: Cast, **fields):
    with tenant(cast.customer):
        return raised(cast.store, cast.product, **fields)


def only_delivery(cast: Cast) -> WebhookDelivery:
    with tenant(cast.customer):
        return WebhookDelivery.objects.get()


def make_due(cast: Cast) -> None:
    with tenant(cast.customer):
        WebhookDelivery.objects.filter(next_attempt_at__isnull=False).update(
            next_attempt_at=timezone.now()
        )


def test_it_sends_an_event_once_and_signed(cast: Cast, endpoint, sent) -> None:
    alert = raise_alert(cast, money_at_stake="12.50")
    assert deliver(cast.customer) == (1, 0)
    assert deliver(cast.customer) == (0, 0)
    [(url, body, given)] = sent
    assert url == URL
    content = json.loads(body)
    [event] = content["data"]["events"]
    assert (content["type"], event["kind"], event["from"], event["to"]) == (
        "alert.events", "opened", None, "open",
    )  # fmt: skip
    assert event["alert"]["url"] == f"http://127.0.0.1:8000/alerts/{alert.pk}/"
    assert (event["alert"]["type"], event["alert"]["money_at_stake"]) == ("stockout", 12.5)
    assert event["alert"]["store"]["code"] == "S1"
    assert event["alert"]["product"]["sku"] == "MILK-1"
    delivery = only_delivery(cast)
    time = int(given["webhook-timestamp"])
    expected = headers([endpoint.secret], str(delivery.pk), time, body)
    assert {name: given[name] for name in expected} == expected
    assert (delivery.status, delivery.events, delivery.response_status) == ("Delivered", 1, 200)


def test_it_sends_what_a_person_does_and_why_but_no_comment(cast: Cast, endpoint, sent) -> None:
    alert = raise_alert(cast)
    with tenant(cast.customer):
        transitions.comment(cast.staff, alert.pk, "between us")
        transitions.resolve(
            cast.staff, {alert.pk: 1}, "restocked", "two cases", although_it_holds=True
        )
    deliver(cast.customer)
    [(_, body, _)] = sent
    events = json.loads(body)["data"]["events"]
    assert [(e["kind"], e["actor"], e["reason"], e["note"]) for e in events] == [
        ("opened", None, None, None),
        ("resolved", "Staff", "restocked", "two cases"),
    ]


def test_it_sends_many_events_in_few_deliveries(cast: Cast, endpoint, sent, monkeypatch) -> None:
    monkeypatch.setattr(queries, "EVENTS_A_DELIVERY", 2)
    for kind in ("stockout", "overstock", "dead_stock"):
        raise_alert(cast, alert_type=kind)
    assert deliver(cast.customer) == (2, 0)
    assert sorted(len(json.loads(body)["data"]["events"]) for _, body, _ in sent) == [1, 2]


def test_it_sends_nothing_of_before_and_nothing_while_switched_off(cast: Cast, sent) -> None:
    raise_alert(cast, at=timezone.now() - timedelta(minutes=1))
    with tenant(cast.customer):
        WebhookEndpoint.objects.create(url=URL)
        WebhookEndpoint.objects.create(url=URL, is_active=False)
    assert deliver(cast.customer) == (0, 0)
    assert sent == []


def test_it_sends_a_customers_events_to_that_customer_only(cast: Cast, endpoint, sent) -> None:
    with tenant(cast.other_customer):
        raised(cast.other_store, cast.other_product)
    assert deliver(cast.customer) == deliver(cast.other_customer) == (0, 0)
    assert sent == []


def test_it_tries_again_later_and_later_and_then_waits_for_a_person(
    cast: Cast, endpoint, sent, client_of
) -> None:
    raise_alert(cast)
    sent.answer = Answer(500, "oops")
    for wait in BACK_OFF:
        before = timezone.now()
        assert deliver(cast.customer) == (0, 1)
        delivery = only_delivery(cast)
        assert (delivery.status, delivery.response_excerpt) == ("Retrying", "oops")
        assert before + wait <= delivery.next_attempt_at <= timezone.now() + wait
        assert deliver(cast.customer) == (0, 0)
        make_due(cast)
    assert deliver(cast.customer) == (0, 1)
    assert only_delivery(cast).status == "Failed"
    assert len({(body, given["webhook-id"]) for _, body, given in sent}) == 1
    sent.answer = Answer(200)
    page = reverse("admin:alerts_webhookdelivery_redeliver", args=[delivery.pk])
    assert client_of(cast.staff).post(page).status_code == 403
    assert client_of(cast.outsider).post(page).status_code == 404
    assert deliver(cast.customer) == (0, 0)
    client_of(cast.admin).post(page)
    assert deliver(cast.customer) == (1, 0)
    assert only_delivery(cast).status == "Delivered"


def test_it_sends_again_what_a_dead_process_had_taken(cast: Cast, endpoint, sent) -> None:
    raise_alert(cast)
    with tenant(cast.customer):
        queries.collect("https://shop.example")
        [taken] = queries.claim()
    assert deliver(cast.customer) == (0, 0)  # the other one may still be sending
    make_due(cast)
    assert deliver(cast.customer) == (1, 0)
    with tenant(cast.customer):
        module.record(taken, Answer(500))  # it was not dead, only slow: too late to matter
    assert only_delivery(cast).status == "Delivered"
    assert [given["webhook-id"] for _, _, given in sent] == [str(taken["delivery_id"])]


def test_it_shows_the_secret_once_and_to_the_admin_only(cast: Cast, endpoint, client_of) -> None:
    page = reverse("admin:alerts_webhookendpoint_secret", args=[endpoint.pk])
    acting = client_of(cast.operator)
    session = acting.session
    enter(session, cast.customer.pk)
    session.save()
    for client in (acting, client_of(cast.manager), client_of(cast.staff)):
        assert client.post(page).status_code == 403
    assert client_of(cast.outsider).post(page).status_code == 404
    admin = client_of(cast.admin)
    assert endpoint.secret not in admin.get(page).content.decode()
    response = admin.post(page)
    assert endpoint.secret in response.content.decode()
    assert "no-store" in response["Cache-Control"]
    assert endpoint.secret not in admin.get(page).content.decode()
    assert endpoint.secret not in admin.post(page).content.decode()


def test_it_signs_with_both_secrets_for_a_day_after_a_change(
    cast: Cast, endpoint, sent, client_of
) -> None:
    page = reverse("admin:alerts_webhookendpoint_secret", args=[endpoint.pk])
    for _ in range(2):
        client_of(cast.admin).post(page)
    with tenant(cast.customer):
        changed = WebhookEndpoint.objects.get()
    raise_alert(cast)
    deliver(cast.customer)
    [(_, body, given)] = sent
    assert changed.secret != endpoint.secret
    identity = given["webhook-id"], int(given["webhook-timestamp"]), body
    expected = headers([changed.secret, endpoint.secret], *identity)
    assert given["webhook-signature"] == expected["webhook-signature"]
    with tenant(cast.customer):
        WebhookEndpoint.objects.update(previous_until=timezone.now())
        WebhookDelivery.objects.update(next_attempt_at=timezone.now())
    deliver(cast.customer)
    assert len(sent[1][2]["webhook-signature"].split(" ")) == 1


def test_it_refuses_an_inner_address_at_its_field(cast: Cast, client_of) -> None:
    page = reverse("admin:alerts_webhookendpoint_add")
    for url in ("https://169.254.169.254/", "http://hooks.example/"):
        form = client_of(cast.admin).post(page, {"url": url}).context["adminform"].form
        assert set(form.errors) == {"url"}
    response = client_of(cast.admin).post(page, {"url": URL, "is_active": "on"})
    with tenant(cast.customer):
        endpoint = WebhookEndpoint.objects.get()
    assert response.url == reverse("admin:alerts_webhookendpoint_secret", args=[endpoint.pk])


def test_it_sends_a_test(cast: Cast, endpoint, sent, client_of) -> None:
    page = reverse("admin:alerts_webhookendpoint_test", args=[endpoint.pk])
    assert client_of(cast.manager).post(page).status_code == 403
    assert client_of(cast.admin).get(page).status_code == 405
    assert deliver(cast.customer) == (0, 0)
    client_of(cast.admin).post(page)
    assert deliver(cast.customer) == (1, 0)
    assert json.loads(sent[0][1])["type"] == "test"
