"""What a mail says, as text and as HTML, with links that mute without logging in."""

from datetime import timedelta
from email.utils import parseaddr
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from django.conf import settings
from django.core import signing
from django.core.mail import EmailMultiAlternatives
from django.template.loader import render_to_string
from django.urls import reverse

from alerts.models import AlertEvent, AlertType, Severity
from shelfops.reports.sql import Row
from shelfops.tenancy.models import Customer

MOST_LISTED = 25
# In place of a type of alert: all e-mail.
ALL = "all"
# How long a link in a mail mutes: mail programs may use it for a month at least.
LINK_LASTS = timedelta(days=60)
_signer = signing.TimestampSigner(salt="alerts.mute")


def token(customer_id: UUID, user_id: UUID, what: str) -> str:
    """What a link in a mail proves: that it was sent to this person, for muting this."""
    return _signer.sign(f"{customer_id.hex}.{user_id.hex}.{what}").replace(":", "~")


def opened(token: str) -> tuple[UUID, UUID, str] | None:
    """Customer, person and what is to be muted; None if it was not signed by us.

    SignatureExpired if it was, too long ago.
    """
    try:
        text = _signer.unsign(token.replace("~", ":"), max_age=LINK_LASTS)
        customer_id, user_id, what = text.split(".")
        return UUID(customer_id), UUID(user_id), what
    except signing.SignatureExpired:
        raise
    except (signing.BadSignature, ValueError):
        return None


def absolute(path: str) -> str:
    return f"{settings.SITE_URL}{path}"


def mute_url(customer: Customer, mail: Row, what: str) -> str:
    signed = token(customer.pk, UUID(str(mail["user_id"])), what)
    return absolute(reverse("alerts:mute", args=[signed]))


def message(customer: Customer, mail: Row, connection: Any) -> EmailMultiAlternatives:
    alerts = [_line(customer, alert) for alert in mail["alerts"]]
    types = sorted({alert["alert_type"] for alert in mail["alerts"]})
    # With one type in it, the mail program's own button mutes that type, else all mail.
    one_click = mute_url(customer, mail, types[0] if len(types) == 1 else ALL)
    context = {
        "subject": subject(mail, alerts),
        "customer": customer,
        "name": mail["name"],
        "kind": mail["kind"],
        "alerts": alerts[:MOST_LISTED],
        "others": max(len(alerts) - MOST_LISTED, 0),
        "inbox": absolute(reverse("alerts:inbox")),
        "choices": absolute(reverse("alerts:notification-settings")),
        "mutes": [(AlertType(name).label, mute_url(customer, mail, name)) for name in types],
    }
    host = urlsplit(settings.SITE_URL).hostname or "localhost"
    built = EmailMultiAlternatives(
        subject=context["subject"],
        body=render_to_string("alerts/mail.txt", context),
        to=[mail["email"]],
        connection=connection,
        headers={
            "Message-ID": f"<{mail['mail_id']}@{host}>",
            "Auto-Submitted": "auto-generated",
            "List-Unsubscribe": f"<{one_click}>",
            "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
            "List-Id": f"ShelfOps alerts <alerts.{parseaddr(settings.DEFAULT_FROM_EMAIL)[1]}>",
        },
    )
    built.attach_alternative(render_to_string("alerts/mail.html", context), "text/html")
    return built


def subject(mail: Row, alerts: list[Row]) -> str:
    """One line, whatever names hold."""
    first = alerts[0]
    if len(alerts) == 1:
        text = f"{first['severity_label']}: {first['title']}"
    elif mail["kind"] == "now":
        text = f"{len(alerts)} critical alerts, first {first['title']}"
    else:
        text = f"{len(alerts)} new alerts"
    return " ".join(text.split())[:150]


def _line(customer: Customer, alert: Row) -> Row:
    label = AlertType(alert["alert_type"]).label
    what = f"{alert['product']}, {alert['store']}" if alert["product"] else alert["store"]
    return {
        **alert,
        "title": f"{label}, {what}",
        "severity_label": Severity(alert["severity"]).label,
        # What was hidden when it opened is news like any other.
        "news": ""
        if alert["kind"] in ("opened", "shown")
        else AlertEvent.Kind(alert["kind"]).label,
        "url": absolute(reverse("alerts:alert", args=[alert["alert_id"]])),
    }
