"""Measures the ingestion of the real year, end to end from the parquet file.

    python bench/ingestion.py [--stores N]      (all 457 stores unless said otherwise)

Runs on the database that the environment names, or on the embedded engine, which has to run:
`manage.py embedded start`. Migrate first. It loads into two new customers, which stay, and
prints the rate of every step, the memory of this process, and the size of the transactions.
"""

import argparse
import os
import resource
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import django

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shelfops.settings")
django.setup()

from django.db import connections  # noqa: E402

from sales.complete_journey.load import load_year  # noqa: E402
from shelfops.tenancy.models import Customer  # noqa: E402
from shelfops.timescale import refresh  # noqa: E402

SIZE = """
SELECT pg_size_pretty(hypertable_size('timeseries.transactions')),
       (SELECT count(*) FROM timeseries.transactions)
"""


@contextmanager
def step(title: str, rows: int = 0) -> Iterator[object]:
    start = time.monotonic()
    yield lambda done: None
    seconds = time.monotonic() - start
    rate = f"{rows / seconds:>10,.0f} rows/s" if rows else ""
    print(f"{title:<36}{rows or '':>10}{seconds:>8.1f} s{rate}")  # noqa: T201


def size(title: str) -> None:
    with connections["owner"].cursor() as cursor:
        cursor.execute(SIZE)
        pretty, lines = cursor.fetchone()
    print(f"transactions {title}: {pretty}, {lines:,} lines")  # noqa: T201


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--stores", type=int, help="the busiest ones only")
    stores = parser.parse_args().stores
    limits = [None, None] if stores is None else [stores - stores // 2, stores // 2]
    customers = [
        Customer.objects.using("operator").create(name=f"Benchmark {half}") for half in "AB"
    ]
    with step("everything"):
        load_year(customers, limits, step)
        with step("aggregates"):
            refresh.refresh_requested()
        size("before the columnstore")
        with step("columnstore"):
            refresh.compress_old_chunks()
        with step("statistics"):
            refresh.update_statistics()
    size("after it")
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"memory of this process: {memory:.0f} MB at most")  # noqa: T201


if __name__ == "__main__":
    main()
