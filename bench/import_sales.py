"""Measures `manage.py import_sales` on the real year as CSV, against a bare COPY of the same file.

    python bench/import_sales.py [--stores N] [--times N] [--rounds N]
    (all 457 stores, the year once, three rounds)

Runs on the server that the environment names. Migrate first. The bare load copies the same
values, typed already, into a temporary table and from there, with INSERT ... ON CONFLICT DO
NOTHING, into a hypertable with the same keys and references: no reading, no checks. Both are of
new customers, and the rounds alternate; what is printed last is the median of their ratios. The
command's time is that of its import: starting Python and bringing the aggregates up to date have
no counterpart in the bare load. `--times` repeats the lines under other receipts, to show that
memory stays.
"""

import argparse
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import django
import pyarrow
import pyarrow.csv

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shelfops.settings")
django.setup()

from django.db import connections  # noqa: E402

from sales.complete_journey import catalogue, load, stores  # noqa: E402
from sales.complete_journey.source import read_lines  # noqa: E402
from shelfops.ingestion.progress import silent  # noqa: E402
from shelfops.tenancy.context import tenant  # noqa: E402
from shelfops.tenancy.models import Customer  # noqa: E402
from shelfops.timescale.refresh import update_statistics  # noqa: E402

HEADER = ["store", "product", "sold_at", "receipt", "line", "quantity", "total_amount"]
STAGE = """
CREATE TEMP TABLE bare (store text, product text, sold_at timestamp, receipt text, line integer,
                        quantity numeric, total_amount numeric) ON COMMIT DROP
"""
INSERT = """
INSERT INTO timeseries.transactions (customer_id, store_id, product_id, sold_at, business_date,
                                     receipt, line, quantity, unit_price, total_amount)
SELECT %s, store_id, product_id, sold_at AT TIME ZONE time_zone, sold_at::date, receipt, line,
       quantity, coalesce(total_amount / nullif(quantity, 0), total_amount), total_amount
FROM bare
JOIN stores ON stores.customer_id = %s AND stores.code = store
JOIN products ON products.customer_id = %s AND products.sku = product
ON CONFLICT DO NOTHING
"""


def customer_with_catalogue(name: str, numbers: object) -> Customer:
    customer = Customer.objects.using("operator").create(name=name)
    with silent() as steps:
        loader = load.Loader(customer, 0, steps)
        loader.stores(numbers)
        loader.products(catalogue.records())
    update_statistics("stores", "products")
    return customer


def write(path: Path, lines: object, weeks: int, times: int) -> int:
    table = pyarrow.table(
        {
            "store": lines.store,
            "product": lines.product,
            "sold_at": pyarrow.array(lines.time + load.np.timedelta64(weeks * 7, "D")),
            "receipt": lines.basket,
            "line": lines.line,
            "quantity": lines.quantity,
            "total_amount": lines.amount,
        }
    )
    with path.open("wb") as file:
        file.write((",".join(HEADER) + "\n").encode())
        for turn in range(times):
            receipts = pyarrow.array(lines.basket + turn * 10**12)
            part = table.set_column(3, "receipt", receipts)
            pyarrow.csv.write_csv(part, file, pyarrow.csv.WriteOptions(include_header=False))
    return len(lines.row) * times


def bare(path: Path, customer: Customer) -> float:
    start = time.monotonic()
    with tenant(customer, using="owner"), connections["owner"].cursor() as cursor:
        cursor.execute("SELECT set_config('work_mem', '64MB', true)")
        cursor.execute(STAGE)
        with (
            path.open("rb") as file,
            cursor.copy("COPY bare FROM STDIN (FORMAT csv, HEADER)") as copy,
        ):
            while piece := file.read(1 << 20):
                copy.write(piece)
        cursor.execute(INSERT, [customer.pk] * 3)
    return time.monotonic() - start


# Started from a small process: a child's memory counts that of the parent it was forked from.
MEASURE = """
import resource, subprocess, sys
subprocess.run(sys.argv[1:], check=True)
peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
print(f"memory of the importer: {peak:.0f} MB at most", flush=True)
"""


def command(path: Path, customer: Customer) -> float:
    """Seconds that the import took by its own clock, of the line `sales.csv: 12.3 s`."""
    importer = [sys.executable, "manage.py", "import_sales", path, "--customer", str(customer.pk)]
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-c", MEASURE, *importer],
        cwd=ROOT,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    print(done.stdout, end="")  # noqa: T201
    return float(re.search(rf"^{re.escape(path.name)}: .*?([\d.]+) s$", done.stdout, re.M)[1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--stores", type=int, help="the busiest ones only")
    parser.add_argument("--times", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--no-bare", action="store_true")
    options = parser.parse_args()
    lines = read_lines()
    numbers = stores.busiest(lines.store, 0, options.stores and (options.stores + 1) // 2)
    others = stores.busiest(lines.store, 1, options.stores and options.stores // 2)
    numbers = load.np.concatenate([numbers, others])
    lines = lines.take(load.np.flatnonzero(load.np.isin(lines.store, numbers)))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "sales.csv"
        rows = write(path, lines, load.weeks_until(load.yesterday()), options.times)
        print(f"{rows:,} lines, {path.stat().st_size / 1e6:.0f} MB")  # noqa: T201
        ratios = []
        for _ in range(options.rounds):
            seconds = {
                title: measured(title, run, path, rows, numbers)
                for title, run in RUNS
                if not (options.no_bare and run is bare)
            }
            if not options.no_bare:
                ratios.append(seconds["bare COPY"] / seconds["import_sales"])
    if ratios:
        print(f"import_sales at {statistics.median(ratios):.0%} of the bare rate")  # noqa: T201


def measured(title: str, run: object, path: Path, rows: int, numbers: object) -> float:
    seconds = run(path, customer_with_catalogue(f"Benchmark {title}", numbers))
    print(f"{title:<16}{seconds:>8.1f} s{rows / seconds:>10,.0f} rows/s", flush=True)  # noqa: T201
    return seconds


RUNS = [("bare COPY", bare), ("import_sales", command)]

if __name__ == "__main__":
    main()
