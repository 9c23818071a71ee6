"""Measures the inbox with 1,000 alerts of a customer and with 100,000.

    python manage.py collectstatic --noinput && python bench/inbox.py

Makes two new customers, which stay, on the database that the environment names, each with 200
stores: one has 1,000 open alerts, the other 100,000, one in ten of them hidden. Prints for an
administrator, who sees all stores, and for staff of one store the median time of 15 requests of
the whole page and of its renewal, and how many queries it asks.
"""

import os
import sys
import time
from pathlib import Path
from statistics import median

import django

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shelfops.settings")
django.setup()

from django.conf import settings  # noqa: E402
from django.db import connection, connections, transaction  # noqa: E402
from django.test import Client  # noqa: E402

from shelfops.tenancy.context import set_local, tenant  # noqa: E402
from shelfops.tenancy.models import Customer, User  # noqa: E402

SIZES = (1_000, 100_000)
PAGES = {
    "page": "/alerts/?view=",
    "renewal": "/alerts/?part=list&seen=x",
    "newest first": "/alerts/?sort=newest",
    "filtered by type": "/alerts/?type=overstock",
    "searched": "/alerts/?q=Product+77",
}
FILL = (
    """
    INSERT INTO stores (code, name) SELECT 'S' || n, 'Store ' || n FROM generate_series(1, 200) n
    """,
    """
    INSERT INTO products (customer_id, sku, name)
    SELECT current_customer_id(), 'P' || n, 'Product ' || n FROM generate_series(1, 500) AS n
    """,
    """
    INSERT INTO alerts (customer_id, store_id, product_id, alert_type, severity, message,
                        money_at_stake, hidden_by, opened_at)
    SELECT (SELECT current_customer_id()), store_id, product_id,
           (ARRAY['stockout', 'low_stock', 'overstock', 'dead_stock'])[1 + n %% 4],
           (ARRAY['critical', 'warning', 'info'])[1 + n %% 3], 'Some reason', n %% 5000,
           CASE WHEN n %% 10 = 0 THEN 'feed_gap' ELSE '' END, now() - n * INTERVAL '1 minute'
    FROM (SELECT store_id, product_id, row_number() OVER (ORDER BY random()) AS n
          FROM stores CROSS JOIN products) AS pairs
    WHERE n <= %(alerts)s
    """,
)


class Queries:
    number = 0

    def __call__(self, execute, sql, params, many, context):
        self.number += 1
        return execute(sql, params, many, context)


def make(alerts: int) -> list[User]:
    """A customer with so many alerts; its administrator, and staff of one store."""
    customer = Customer.objects.using("operator").create(name=f"Inbox of {alerts}")
    people = []
    with tenant(customer), connection.cursor() as cursor:
        for statement in FILL:
            cursor.execute(statement, {"alerts": alerts})
        for role in ("admin", "staff"):
            email = f"{role}-{customer.pk}@example.com"
            user = User(email=email, name=role, role=role, customer=customer)
            user.set_unusable_password()
            user.save(using="default", force_insert=True)
            people.append(user)
        cursor.execute(
            "INSERT INTO store_assignments (user_id, store_id)"
            " SELECT %s, store_id FROM stores WHERE code = 'S7'",
            [people[1].pk],
        )
    return people


def measured(user: User, url: str) -> tuple[float, int]:
    """Median time in ms, and queries of one request."""
    client, times = Client(), []
    with transaction.atomic():
        set_local("current_user_id", user.pk)
        set_local("current_customer_id", user.customer_id)
        client.force_login(user)
    for _ in range(15):
        count = Queries()
        start = time.perf_counter()
        with connection.execute_wrapper(count):
            response = client.get(url)
        if response.status_code != 200:
            raise SystemExit(f"{url} answers {response.status_code}")
        times.append((time.perf_counter() - start) * 1000)
    return median(times), count.number


def main() -> None:
    settings.ALLOWED_HOSTS = ["testserver"]
    people = [make(alerts) for alerts in SIZES]
    with connections["owner"].cursor() as cursor:
        cursor.execute("ANALYZE alerts")
    print(f"{'':<28}{'1,000':>10}{'100,000':>10}{'times':>8}{'queries':>10}")  # noqa: T201
    for title, url in PAGES.items():
        for few, many in zip(*people, strict=True):
            small, asked = measured(few, url)
            large, asked_again = measured(many, url)
            name = f"{title}, {few.role}"
            ratio, queries = f"{large / small:.2f}", f"{asked}, {asked_again}"
            print(f"{name:<28}{small:>7.0f} ms{large:>7.0f} ms{ratio:>8}{queries:>10}")  # noqa: T201


if __name__ == "__main__":
    main()
