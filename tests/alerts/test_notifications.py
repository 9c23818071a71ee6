"""Who is told what, when, and never twice: in the product, by mail and in digests."""

import re
import smtplib
import time
from datetime import UTC, datetime, timedelta

import pytest
from django.core import mail
from django.core.mail.backends.locmem import EmailBackend
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection
from django.test import Client
from django.utils import timezone

from alerts import transitions
from alerts.management.commands import send_notifications
from alerts.models import Alert, AlertEvent, AlertType
from alerts.notifications import queries
from alerts.notifications.mails import ALL, token
from alerts.notifications.models import Mail, NotificationSettings
from alerts.notifications.send import BACK_OFF, Sent, notify
from inventory.models import StoreAssignment
from shelfops.tenancy.context import tenant
from shelfops.tenancy.models import User
from tests.alerts.raising import raised
from tests.cast import Cast


@pytest.fixture(autouse=True)
def outbox(settings) -> list:
    settings.SITE_URL = "https://shop.example"
    mail.outbox = []
    return mail.outbox


def raise_alert(cast: Cast, **fields) -> Alert:
    with tenant(cast.customer):
        return raised(cast.store, cast.product, **fields)


def happened(cast: Cast, alert: Alert, kind: str, **changes) -> None:
    """What an evaluation does to an alert."""
    with tenant(cast.customer):
        alert.refresh_from_db()
        for name, value in {"version": alert.version + 1, **changes}.items():
            setattr(alert, name, value)
        alert.save()
        AlertEvent.objects.create(
            alert=alert, version=alert.version, kind=kind, to_status=alert.status, source="job"
        )


def addressees() -> set[str]:
    return {message.to[0] for message in mail.outbox}


def unread(cast: Cast, user: User) -> int:
    with tenant(cast.customer):
        return queries.unread(user)


def test_it_tells_critical_alerts_at_once_and_once(cast: Cast, outbox) -> None:
    raise_alert(cast)
    with tenant(cast.customer):
        raised(cast.store, alert_type="feed_gap", message="Silent")
    assert notify(cast.customer) == Sent(told=4, mails=2, failed=0)
    assert notify(cast.customer) == Sent(0, 0, 0)
    assert addressees() == {cast.manager.email, cast.staff.email}
    first = outbox[0]
    assert first.subject == "2 critical alerts, first Feed gap, Main Street" or (
        first.subject == "2 critical alerts, first Stockout, Milk 1 l, Main Street"
    )
    assert "Stockout, Milk 1 l, Main Street" in first.body
    html, kind = first.alternatives[0]
    assert kind == "text/html"
    assert "https://shop.example/alerts/" in html
    assert unread(cast, cast.staff) == unread(cast, cast.manager) == 2
    assert unread(cast, cast.admin) == unread(cast, cast.analyst) == 0


def test_it_tells_the_roles_that_the_rule_names(cast: Cast) -> None:
    raise_alert(cast, rule={"told": ["admin"]})
    notify(cast.customer)
    assert addressees() == {cast.admin.email}


def test_it_tells_nobody_of_stores_that_are_not_theirs(cast: Cast) -> None:
    with tenant(cast.customer):
        raised(cast.unassigned_store, cast.product, rule={"told": ["manager", "staff"]})
    with tenant(cast.other_customer):
        raised(cast.other_store, cast.other_product, rule={"told": ["admin"]})
    assert notify(cast.customer) == Sent(0, 0, 0)
    notify(cast.other_customer)
    assert addressees() == {cast.outsider.email}


@pytest.mark.parametrize("change", ["deactivated", "unassigned", "taken", "resolved", "hidden"])
def test_it_does_not_send_what_is_no_longer_to_be_told(cast: Cast, settings, change: str) -> None:
    """Between collecting and sending: the server was down in the meantime."""
    alert = raise_alert(cast)
    settings.EMAIL_BACKEND = "tests.alerts.test_notifications.Down"
    assert notify(cast.customer) == Sent(told=2, mails=0, failed=2)
    with tenant(cast.customer):
        if change == "deactivated":
            User.objects.filter(pk__in=[cast.staff.pk, cast.manager.pk]).update(is_active=False)
        elif change == "unassigned":
            StoreAssignment.objects.all().delete()
        elif change == "taken":
            transitions.acknowledge(cast.staff, {alert.pk: 1})
        elif change == "resolved":
            transitions.resolve(cast.staff, {alert.pk: 1}, "accepted", although_it_holds=True)
        else:
            Alert.objects.update(hidden_by="feed_gap")
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    notify(cast.customer, timezone.now() + timedelta(minutes=2))
    assert mail.outbox == []
    with tenant(cast.customer):
        assert {row.status for row in Mail.objects.all()} == {"Not sent"}


def test_it_says_nothing_of_what_is_taken_snoozed_or_hidden(cast: Cast) -> None:
    taken, asleep = raise_alert(cast), raise_alert(cast, alert_type="overstock")
    raise_alert(cast, alert_type="low_stock", hidden_by="stockout")
    with tenant(cast.customer):
        transitions.acknowledge(cast.staff, {taken.pk: 1})
        transitions.snooze(cast.staff, {asleep.pk: 1}, None)
    assert notify(cast.customer) == Sent(0, 0, 0)
    happened(cast, taken, "worse")
    assert notify(cast.customer) == Sent(0, 0, 0)


def test_it_tells_again_only_what_got_worse(cast: Cast, outbox) -> None:
    alert = raise_alert(cast)
    notify(cast.customer)
    with tenant(cast.customer):
        Alert.objects.update(occurrences=5, money_at_stake=100)
    happened(cast, alert, "hidden", hidden_by="feed_gap")
    happened(cast, alert, "shown", hidden_by="")
    assert notify(cast.customer) == Sent(0, 0, 0)
    happened(cast, alert, "worse")
    assert notify(cast.customer).mails == 2
    assert "got worse" in outbox[-1].body
    happened(cast, alert, "regressed")
    assert notify(cast.customer).mails == 2


def test_it_tells_what_was_hidden_once_it_is_shown(cast: Cast) -> None:
    alert = raise_alert(cast, hidden_by="feed_gap")
    assert notify(cast.customer) == Sent(0, 0, 0)
    happened(cast, alert, "shown", hidden_by="")
    assert notify(cast.customer).mails == 2


def test_it_tells_whom_somebody_else_gave_an_alert(cast: Cast) -> None:
    alert = raise_alert(cast)
    notify(cast.customer)
    with tenant(cast.customer):
        transitions.acknowledge(cast.staff, {alert.pk: 1})
        transitions.assign(cast.staff, {alert.pk: 2}, cast.manager)
    assert notify(cast.customer) == Sent(told=1, mails=0, failed=0)
    assert (unread(cast, cast.manager), unread(cast, cast.staff)) == (2, 1)


def at(hour: int, day: int = 1) -> datetime:
    """That hour in New York, where the cast's store is, on a coming winter's day."""
    return datetime(2090, 1, day, hour + 5, 30, tzinfo=UTC)


def test_it_sends_one_digest_a_day_at_the_persons_hour(cast: Cast, outbox) -> None:
    raise_alert(cast, severity="warning", alert_type="low_stock", at=at(3))
    raise_alert(cast, severity="info", alert_type="overstock", at=at(3))
    with tenant(cast.customer):
        NotificationSettings.objects.create(user=cast.staff, digest_hour=9)
    assert notify(cast.customer, at(6)) == Sent(told=4, mails=0, failed=0)
    notify(cast.customer, at(7))
    assert addressees() == {cast.manager.email}
    notify(cast.customer, at(8))
    assert len(outbox) == 1
    notify(cast.customer, at(9))
    assert addressees() == {cast.manager.email, cast.staff.email}
    assert outbox[1].subject == "2 new alerts"
    raise_alert(cast, severity="warning", alert_type="dead_stock", at=at(10))
    notify(cast.customer, at(11))
    assert len(outbox) == 2
    notify(cast.customer, at(9, day=2))
    assert [message.subject for message in outbox[2:]] == [
        "Warning: Dead stock, Milk 1 l, Main Street"
    ] * 2
    notify(cast.customer, at(9, day=3))  # nothing new: no list of what is still open
    assert len(outbox) == 4


def test_it_follows_the_time_zone_that_a_person_chose(cast: Cast, outbox) -> None:
    raise_alert(cast, severity="warning", at=at(1))
    with tenant(cast.customer):
        for user in (cast.staff, cast.manager):
            NotificationSettings.objects.create(user=user, time_zone="UTC")
    notify(cast.customer, datetime(2090, 1, 1, 6, 59, tzinfo=UTC))
    assert outbox == []
    notify(cast.customer, datetime(2090, 1, 1, 7, 0, tzinfo=UTC))
    assert len(outbox) == 2


def test_it_keeps_to_what_a_person_chose(cast: Cast, client_of, outbox) -> None:
    page = "/alerts/notifications/settings/"
    types = [name for name in AlertType.values if name != "stockout"]
    data = {"mails_digest": "on", "digest_hour": 7, "types": types, "stores": [cast.store.pk]}
    client = client_of(cast.staff)
    assert client.post(page, data).status_code == 302
    assert client.post(page, {**data, "stores": []}).status_code == 302
    for wrong in ({"digest_hour": 24}, {"stores": [cast.unassigned_store.pk]}, {"types": "x"},
                  {"time_zone": "Europe/Berlin"}):  # fmt: skip
        response = client.post(page, {**data, **wrong})
        assert set(response.context["form"].errors) == set(wrong)
    raise_alert(cast, severity="warning", alert_type="low_stock")
    assert notify(cast.customer).told == 1  # the manager: the store is muted for staff
    client.post(page, data)
    raise_alert(cast)
    raise_alert(cast, alert_type="phantom_stock")
    notify(cast.customer)
    with tenant(cast.customer):  # for staff in the digest, not at once
        assert set(Mail.objects.filter(user=cast.staff).values_list("kind", flat=True)) == {
            "digest"
        }
    assert unread(cast, cast.staff) == 2  # low and phantom stock, but no stockout
    assert client_of(cast.analyst).get(page).status_code == 403


class Down(EmailBackend):
    def open(self):
        raise ConnectionRefusedError("refused")


class Full(EmailBackend):
    """Refuses the manager's mail."""

    def send_messages(self, messages):
        if messages[0].to[0].startswith("manager"):
            raise smtplib.SMTPRecipientsRefused({messages[0].to[0]: (552, b"full")})
        return super().send_messages(messages)


class Dying(EmailBackend):
    """The process dies when the mail is out and before that is recorded."""

    def send_messages(self, messages):
        super().send_messages(messages)
        raise SystemExit


def test_it_loses_and_doubles_nothing_while_the_server_is_down(cast: Cast, settings) -> None:
    raise_alert(cast)
    settings.EMAIL_BACKEND = "tests.alerts.test_notifications.Down"
    now = timezone.now()
    for minute in range(0, 20, 2):  # as often as it takes: a server that is down uses up no attempt
        assert notify(cast.customer, now + timedelta(minutes=minute)).failed == 2
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    assert notify(cast.customer, now + timedelta(minutes=30)) == Sent(told=0, mails=2, failed=0)
    assert len(mail.outbox) == 2


def test_it_gives_up_a_mail_that_is_refused_and_says_so(cast: Cast, settings, client_of) -> None:
    raise_alert(cast)
    settings.EMAIL_BACKEND = "tests.alerts.test_notifications.Full"
    now = timezone.now()
    for wait in (timedelta(0), *BACK_OFF):
        now += wait
        assert notify(cast.customer, now).failed == 1
    assert notify(cast.customer, now + timedelta(days=2)) == Sent(0, 0, 0)
    assert addressees() == {cast.staff.email}
    html = client_of(cast.admin).get("/alerts/mail/").content.decode()
    assert "Not sent" in html
    assert "552" in html
    assert client_of(cast.manager).get("/alerts/mail/").status_code == 403


def test_it_sends_again_what_a_dead_process_may_have_sent(cast: Cast, settings) -> None:
    raise_alert(cast, rule={"told": ["staff"]})
    settings.EMAIL_BACKEND = "tests.alerts.test_notifications.Dying"
    with pytest.raises(SystemExit):
        notify(cast.customer)
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    now = timezone.now()
    assert notify(cast.customer, now + timedelta(minutes=5)).mails == 0
    assert notify(cast.customer, now + timedelta(minutes=11)).mails == 1
    first, second = mail.outbox
    assert first.extra_headers["Message-ID"] == second.extra_headers["Message-ID"]


def test_it_mails_nothing_without_a_server_and_nothing_of_then_later(cast: Cast, settings) -> None:
    settings.SENDS_MAIL = False
    raise_alert(cast)
    assert notify(cast.customer) == Sent(told=2, mails=0, failed=0)
    settings.SENDS_MAIL = True
    assert notify(cast.customer, timezone.now() + timedelta(days=1)) == Sent(0, 0, 0)


def test_it_holds_no_transaction_while_it_sends(cast: Cast, monkeypatch) -> None:
    raise_alert(cast)
    held = []
    send = EmailBackend.send_messages

    def watched(self, messages):
        held.append(connection.in_atomic_block)
        return send(self, messages)

    monkeypatch.setattr(EmailBackend, "send_messages", watched)
    notify(cast.customer)
    assert held == [False, False]


def test_it_serves_the_others_where_one_customer_fails(cast: Cast, monkeypatch, capsys) -> None:
    served = []

    def notify_but(customer):
        if customer == cast.customer:
            raise DatabaseError("broken\nDETAIL: something secret")
        served.append(customer.pk)
        return Sent(0, 0, 0)

    monkeypatch.setattr(send_notifications, "notify", notify_but)
    monkeypatch.setattr(send_notifications, "deliver", lambda customer: (0, 0))
    with pytest.raises(CommandError, match="1 customers were not served"):
        call_command("send_notifications")
    assert cast.other_customer.pk in served
    assert capsys.readouterr().err == "Acme Grocers: nothing sent: broken\n"


def links(message) -> tuple[str, str]:
    """The mail program's own link, and that of the text."""
    header = re.fullmatch(r"<https://shop\.example(.+)>", message.extra_headers["List-Unsubscribe"])
    text = re.search(r"https://shop\.example(/alerts/mute/\S+)", message.body)
    return header[1], text[1]


def test_it_mutes_one_type_by_one_click_and_only_by_post(cast: Cast, outbox) -> None:
    raise_alert(cast, rule={"told": ["staff"]})
    notify(cast.customer)
    [message] = outbox
    assert message.extra_headers["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    header, text = links(message)
    client = Client(enforce_csrf_checks=True)  # no cookie, no token: a mail program
    assert header == text
    assert "Mute Stockout" in client.get(header).content.decode()
    with tenant(cast.customer):
        assert not NotificationSettings.objects.exists()
    response = client.post(header, {"List-Unsubscribe": "One-Click"})
    assert "Stockout is muted" in response.content.decode()
    with tenant(cast.customer):
        assert NotificationSettings.objects.get().muted_types == ["stockout"]
    raise_alert(cast, alert_type="phantom_stock", rule={"told": ["staff"]})
    with tenant(cast.customer):
        raised(cast.store, None, rule={"told": ["staff"]})
    notify(cast.customer)
    assert [message.subject for message in outbox[1:]] == [
        "Critical: Phantom stock, Milk 1 l, Main Street"
    ]


def test_it_stops_all_mail_from_a_mail_of_several_types(cast: Cast, outbox) -> None:
    raise_alert(cast, rule={"told": ["staff"]})
    raise_alert(cast, alert_type="phantom_stock", rule={"told": ["staff"]})
    notify(cast.customer)
    Client().post(links(outbox[0])[0])
    with tenant(cast.customer):
        own = NotificationSettings.objects.get()
    assert (own.mails_at_once, own.mails_digest, own.muted_types) == (False, False, [])


def test_it_believes_no_forged_link(cast: Cast) -> None:
    good = token(cast.customer.pk, cast.staff.pk, "stockout")
    swapped = token(cast.customer.pk, cast.manager.pk, "stockout").split("~")[0]
    for forged in (good[:-1], swapped + "~" + good.split("~")[1], "x", "x~y",
                   token(cast.customer.pk, cast.staff.pk, "everything"),
                   token(cast.customer.pk, cast.outsider.pk, ALL),
                   token(cast.other_customer.pk, cast.staff.pk, ALL)):  # fmt: skip
        assert Client().post(f"/alerts/mute/{forged}/").status_code == 404
    with tenant(cast.customer):
        User.objects.filter(pk=cast.staff.pk).update(is_active=False)
    assert Client().post(f"/alerts/mute/{good}/").status_code == 404
    with tenant(cast.customer):
        assert not NotificationSettings.objects.exists()


def test_it_mutes_nothing_by_a_link_of_two_months_ago(cast: Cast, monkeypatch) -> None:
    link = f"/alerts/mute/{token(cast.customer.pk, cast.staff.pk, 'stockout')}/"
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 59 * 86_400)
    assert Client().get(link).status_code == 200
    monkeypatch.setattr(time, "time", lambda: now + 61 * 86_400)
    for send in (Client().get, Client().post):
        response = send(link)
        assert response.status_code == 410
        assert "This link has expired" in response.content.decode()
    with tenant(cast.customer):
        assert not NotificationSettings.objects.exists()


def test_it_shows_unread_notices_by_the_bell_of_every_page(cast: Cast, client_of) -> None:
    alert = raise_alert(cast)
    notify(cast.customer)
    client = client_of(cast.staff)
    for page in ("/", "/alerts/", "/reports/stock/", "/inventory/product/"):
        assert "Notifications, 1 unread" in client.get(page).content.decode()
    assert "shelf-bell" not in client_of(cast.analyst).get("/").content.decode()
    [notice] = client.get("/alerts/notifications/").context["notices"]
    data = {"notification": notice["notification_id"]}
    assert client_of(cast.manager).post("/alerts/notifications/read/", data).status_code == 404
    assert unread(cast, cast.staff) == 1
    response = client.post("/alerts/notifications/read/", data)
    assert response.url == f"/alerts/{alert.pk}/"
    assert (unread(cast, cast.staff), unread(cast, cast.manager)) == (0, 1)
    client_of(cast.manager).post("/alerts/notifications/read/", {"all": "1"})
    assert unread(cast, cast.manager) == 0
    for wrong in ({}, {"notification": "x"}):
        assert client.post("/alerts/notifications/read/", wrong).status_code == 400


def test_it_shows_no_notices_of_stores_that_were_taken_away(cast: Cast, client_of) -> None:
    raise_alert(cast)
    notify(cast.customer)
    with tenant(cast.customer):
        StoreAssignment.objects.filter(user=cast.staff).delete()
    client = client_of(cast.staff)
    assert client.get("/alerts/notifications/").context["notices"] == []
    assert "unread" not in client.get("/").content.decode()
