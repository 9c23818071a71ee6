"""Sending mails: claim in the database, send outside of any transaction, record each at once.

A process that dies between sending and recording leaves one mail that is sent again after a
while: an alert told twice is better than one not told. It has the same Message-ID both times, by
which mail programs know it again.
"""

import smtplib
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.conf import settings
from django.core.mail import get_connection
from django.utils import timezone

from alerts.notifications import queries
from alerts.notifications.mails import message
from shelfops.reports.sql import Row
from shelfops.tenancy.context import tenant
from shelfops.tenancy.models import Customer

# Waits after a refusal of this mail; after the last one it is given up, and its row says why.
BACK_OFF = [timedelta(minutes=5), timedelta(hours=1), timedelta(hours=6), timedelta(days=1)]
SERVER_DOWN = timedelta(minutes=1)
# What a server says of one mail; everything else is about the server.
REFUSED = (smtplib.SMTPRecipientsRefused, smtplib.SMTPSenderRefused, smtplib.SMTPDataError)
NOTHING_LEFT = "Nothing was left to tell."


class Sent(NamedTuple):
    told: int
    mails: int
    failed: int


def notify(customer: Customer, now: datetime | None = None) -> Sent:
    """Collect what is new and send what is due."""
    now = now or timezone.now()
    with tenant(customer):
        told = queries.collect(now, mails=settings.SENDS_MAIL)
        claimed = queries.claim(now) if settings.SENDS_MAIL else []
    sent = send(customer, claimed, now)
    return Sent(told, sent, len(claimed) - sent)


def send(customer: Customer, mails: list[Row], now: datetime) -> int:
    """Send claimed mails over one connection; how many are done with.

    Where the server is down the rest waits, and that counts as no attempt.
    """
    server = get_connection()
    done, down = 0, ""
    for mail in mails:
        try:
            done += not down and send_one(customer, mail, server, now)
        except (OSError, smtplib.SMTPException) as error:
            down = f"The mail server cannot be used: {error}"
        if down:
            waits = {"wait": SERVER_DOWN, "counts": False}
            record(customer, mail, now, sent=False, error=down, **waits)
    with suppress(OSError, smtplib.SMTPException):  # everything is recorded already
        server.close()
    return done


def send_one(customer: Customer, mail: Row, server: Any, now: datetime) -> bool:
    """False if the server refused this mail; errors of the server itself are the caller's."""
    if not mail["alerts"]:
        record(customer, mail, now, sent=False, error=NOTHING_LEFT)
        return True
    server.open()
    try:
        message(customer, mail, server).send()
    except REFUSED as error:
        # Later perhaps, as with a full mailbox.
        wait = dict(enumerate(BACK_OFF, start=1)).get(mail["attempts"])
        record(customer, mail, now, sent=False, error=str(error), wait=wait)
        return False
    record(customer, mail, now, sent=True)
    return True


def record(customer: Customer, mail: Row, now: datetime, **outcome: Any) -> None:
    with tenant(customer):
        queries.record(mail, now, **outcome)
