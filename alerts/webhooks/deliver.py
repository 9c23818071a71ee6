"""Sending what is due: claim in the database, POST outside of any transaction, record.

A process that dies in between leaves a delivery that is sent again, under the same id. So an
event arrives at least once, and receivers tell by the id what they have already.
"""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from time import time

from django.conf import settings

from alerts.webhooks import queries
from alerts.webhooks.post import Answer, post
from alerts.webhooks.signature import headers, secret_of
from shelfops.reports.sql import Row
from shelfops.tenancy.context import tenant
from shelfops.tenancy.models import Customer

# Waits between attempts; after the last one a person may ask for another.
BACK_OFF = [
    timedelta(minutes=1),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=6),
    timedelta(hours=12),
    timedelta(hours=24),
]
AT_ONCE = 8


def deliver(customer: Customer) -> tuple[int, int]:
    """Collect and send the customer's events; how many deliveries were accepted, how many not."""
    with tenant(customer):
        queries.collect(settings.SITE_URL)
        claimed = queries.claim()
    if not claimed:
        return 0, 0
    with ThreadPoolExecutor(AT_ONCE) as threads:
        answers = list(threads.map(send, claimed))
    with tenant(customer):
        for delivery, answer in zip(claimed, answers, strict=True):
            record(delivery, answer)
    accepted = sum(answer.accepted for answer in answers)
    return accepted, len(answers) - accepted


def send(delivery: Row) -> Answer:
    """One attempt."""
    body = delivery["body"].encode()
    secrets = [secret_of(delivery["endpoint_id"], salt) for salt in delivery["salts"]]
    signed = headers(secrets, str(delivery["delivery_id"]), int(time()), body)
    content = {"Content-Type": "application/json", "User-Agent": "ShelfOps-Webhook/1"}
    return post(delivery["url"], body, {**content, **signed})


def record(delivery: Row, answer: Answer) -> None:
    waits = dict(enumerate(BACK_OFF, start=1))
    queries.record(
        delivery["delivery_id"],
        delivery["attempts"],
        waits.get(delivery["attempts"]),
        accepted=answer.accepted,
        status=answer.status,
        excerpt=answer.excerpt,
        error=answer.error,
    )
