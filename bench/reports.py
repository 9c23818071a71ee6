"""Measures every report for one customer, alone in the database and as one of ten.

    python bench/reports.py [--copies 10] [--keep] [--only by=product]

Runs on the empty, migrated database that the environment names, or on the embedded engine, which
has to run: `manage.py embedded start`. Each customer has the whole real year, 1.47 million lines.
Reports are found in the URLs, each with every choice of its filters, over 90 days; the figures
are medians over rounds that take the pages in turn, through Django's test client, rendered and
read to the end. Without --keep the database is emptied at the end; with it, the next run starts
from what is there.
"""

import argparse
import os
import re
import statistics
import sys
import time
import warnings
from pathlib import Path
from uuid import uuid4

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
os.environ["DEBUG"] = "false"
os.environ.setdefault("LOG_LEVEL", "ERROR")
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shelfops.settings")

import django  # noqa: E402

django.setup()

from django.conf import settings  # noqa: E402
from django.core.management.base import OutputWrapper  # noqa: E402
from django.db import connection, connections  # noqa: E402
from django.test import Client  # noqa: E402
from django.test.utils import CaptureQueriesContext  # noqa: E402

from bench import customers  # noqa: E402
from bench.pages import EXAMPLES, pages  # noqa: E402
from shelfops.ingestion.progress import lines  # noqa: E402
from shelfops.reports.sql import row  # noqa: E402
from shelfops.tenancy.context import set_local, tenant  # noqa: E402
from shelfops.tenancy.models import Customer, User  # noqa: E402
from shelfops.tenancy.roles import Role  # noqa: E402

DAYS = 90
ROUNDS = 7
Medians = dict[str, float]

SIZES = """
SELECT name, pg_size_pretty(hypertable_size(hypertable)) AS size,
       pg_size_pretty(before_compression_total_bytes) AS before,
       pg_size_pretty(after_compression_total_bytes) AS after,
       number_compressed_chunks || ' of ' || total_chunks AS chunks,
       query
FROM (
    SELECT hypertable_name::text AS name,
           format('%I.%I', hypertable_schema, hypertable_name)::regclass AS hypertable
    FROM timescaledb_information.hypertables WHERE hypertable_schema = 'timeseries'
    UNION ALL
    SELECT view_name, format('%I.%I', materialization_hypertable_schema,
                             materialization_hypertable_name)::regclass
    FROM timescaledb_information.continuous_aggregates WHERE view_schema = 'timeseries'
) AS tables
LEFT JOIN LATERAL hypertable_columnstore_stats(hypertable) ON true
CROSS JOIN LATERAL (SELECT format('SELECT count(*) FROM %s', hypertable) AS query) AS counting
ORDER BY hypertable_size(hypertable) DESC
"""


def say(text: str = "") -> None:
    print(text, flush=True)  # noqa: T201


def client_of(customer: Customer) -> Client:
    """Logged in as an admin of the customer."""
    with tenant(customer):
        user = User(role=Role.ADMIN, email=f"{uuid4()}@example.com", customer=customer)
        user.set_unusable_password()
        user.save(using="default", force_insert=True)
        client = Client(SERVER_NAME="localhost")
        set_local("current_user_id", user.pk)
        client.force_login(user)
    return client


def read(client: Client, url: str) -> None:
    response = client.get(url, secure=True)
    if response.streaming:
        for _ in response.streaming_content:
            pass
    if response.status_code != 200:
        raise SystemExit(f"{url} answers {response.status_code}")


def measure(client: Client, urls: list[str]) -> tuple[Medians, dict[str, int]]:
    """Milliseconds and number of queries of each page."""
    queries = {}
    for url in urls:
        read(client, url)
        with CaptureQueriesContext(connection) as captured:
            read(client, url)
        queries[url] = len(captured)
    taken: dict[str, list[float]] = {url: [] for url in urls}
    for _ in range(ROUNDS):
        for url in urls:
            start = time.perf_counter()
            read(client, url)
            taken[url].append((time.perf_counter() - start) * 1000)
    return {url: statistics.median(times) for url, times in taken.items()}, queries


def show_sizes() -> None:
    say(f"{'':<24}{'rows':>12}{'size':>10}   {'columnstore: chunks, before, after'}")
    with connections["owner"].cursor() as cursor:
        cursor.execute(SIZES)
        for name, size, before, after, chunks, query in cursor.fetchall():
            cursor.execute(query)
            [(count,)] = cursor.fetchall()
            packed = f"{chunks}, {before} -> {after}" if before else "–"
            say(f"{name:<24}{count:>12,}{size:>10}   {packed}")


def show_times(found: dict[int, tuple[Medians, dict[str, int]]]) -> None:
    """A line for each page; the ratio is of the most customers to the fewest."""
    counts = sorted(found)
    (first, _), (last, queries) = found[counts[0]], found[counts[-1]]
    say("".join(f"{f'{count}x ms':>9}" for count in counts) + f"{'ratio':>7}{'queries':>9}  page")
    for url in last:
        times = "".join(f"{found[count][0][url]:>9.0f}" for count in counts)
        say(f"{times}{last[url] / first[url]:>7.2f}{queries[url]:>9}  {short(url)}")


def short(url: str) -> str:
    return re.sub(r"([0-9a-f]{8})-[0-9a-f-]{27}", r"\1", url)


def prepare() -> None:
    settings.ALLOWED_HOSTS = ["localhost"]
    plain = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    settings.STORAGES = {**settings.STORAGES, "staticfiles": plain}  # nothing is collected
    warnings.filterwarnings("ignore", message="No directory at")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--copies", type=int, default=10, help="customers in the end (10)")
    parser.add_argument("--keep", action="store_true", help="do not empty the database")
    parser.add_argument("--only", default="", help="pages that match this regular expression")
    options = parser.parse_args()
    prepare()
    found = {}
    for count in sorted({min(max(len(customers.customers()), 1), options.copies), options.copies}):
        with lines(OutputWrapper(sys.stdout)) as steps:
            customers.grow(count, steps)
        say(f"\n{count} customer{'s' if count > 1 else ''}")
        show_sizes()
        customer = customers.customers()[0]
        with tenant(customer):
            examples = row(EXAMPLES, {})
        urls = [url for url in pages(examples, DAYS) if re.search(options.only, url)]
        found[count] = measure(client_of(customer), urls)
        say()
        show_times(found)
    if not options.keep:
        customers.remove()


if __name__ == "__main__":
    main()
