"""Measures what the signed context costs: reports and imports, against one that is only set.

    python bench/context.py [--rounds N] [--stores N]

Runs on a migrated server, with the whole year in it, that the environment names; it changes the
functions that policies ask and puts them back, so take a scratch one. Rounds alternate between
signed and plain: the functions and policies as they were before migration tenancy.0010, and
Python as it was (customer and user set plainly, without asking for backend and time). Sessions
are signed in both. Printed are medians, and the ratio of the sums.
"""

import argparse
import importlib
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from django.core.management import call_command
from django.db import connection, connections
from django.urls import get_resolver, reverse

from bench import reports  # noqa: F401  (sets Django up)
from bench.import_sales import customer_with_catalogue, write
from bench.pages import EXAMPLES, report_views
from bench.reports import client_of, prepare, read, say
from sales.complete_journey import load, stores
from sales.complete_journey.source import read_lines
from shelfops.reports.sql import row
from shelfops.tenancy.context import tenant
from shelfops.tenancy.models import Customer
from shelfops.tenancy.postgresql.base import DatabaseWrapper
from shelfops.tenancy.signing import Identity, Purpose

migration = importlib.import_module("shelfops.tenancy.migrations.0010_signed_context")
PLAIN = migration.UNSIGNED.partition("DROP FUNCTION")[0]
SIGNED = migration.ASKED.partition("CREATE OR REPLACE FUNCTION public.current_import")[0]
SAY = """
SELECT set_config('app.current_customer_id', %s, true), set_config('app.current_user_id', %s, true)
"""
Identify = Callable[[DatabaseWrapper, Identity], None]
signed_identify = DatabaseWrapper.identify


def plain_identify(self: DatabaseWrapper, identity: Identity) -> None:
    if identity.purpose is Purpose.WORK and identity != Identity():
        with self.cursor() as cursor:
            cursor.execute(SAY, [str(identity.customer or ""), str(identity.user or "")])
        self.identity = identity
    else:
        signed_identify(self, identity)


@contextmanager
def variant(
    functions: str, identify: Callable[[DatabaseWrapper, Identity], None]
) -> Iterator[None]:
    with connections["owner"].cursor() as cursor:
        cursor.execute(functions)
    DatabaseWrapper.identify = identify  # type: ignore[method-assign]
    try:
        yield
    finally:
        DatabaseWrapper.identify = signed_identify  # type: ignore[method-assign]
        with connections["owner"].cursor() as cursor:
            cursor.execute(SIGNED)


VARIANTS = {"plain": (PLAIN, plain_identify), "signed": (SIGNED, signed_identify)}


def urls_of(customer: Customer) -> list[str]:
    with tenant(customer):
        examples = row(EXAMPLES, {})
    return [
        f"{reverse(name, kwargs={key: examples[key] for key in pattern.pattern.converters})}"
        "?period=90"
        for name, pattern in report_views(get_resolver().url_patterns)
    ]


def measure(rounds: int, work: dict[str, Callable[[], None]], warm: bool) -> None:
    taken: dict[str, dict[str, list[float]]] = {what: {v: [] for v in VARIANTS} for what in work}
    for turn in range(rounds):
        for name in list(VARIANTS)[:: 1 if turn % 2 else -1]:
            with variant(*VARIANTS[name]):
                for what, run in work.items():
                    if warm:
                        run()
                    start = time.perf_counter()
                    run()
                    taken[what][name].append((time.perf_counter() - start) * 1000)
    show(
        {what: {v: statistics.median(t) for v, t in times.items()} for what, times in taken.items()}
    )


def show(medians: dict[str, dict[str, float]]) -> None:
    sums = {v: sum(times[v] for times in medians.values()) for v in VARIANTS}
    for what, times in [*medians.items(), ("all together", sums)]:
        figures = f"{times['plain']:>9.1f} ms plain {times['signed']:>9.1f} ms signed"
        say(f"{figures} {times['signed'] / times['plain']:>6.3f}  {what}")


def asked(customer: Customer, times: int) -> Callable[[], None]:
    def ask() -> None:
        for _ in range(times):
            with tenant(customer), connection.cursor() as cursor:
                cursor.execute("SELECT current_customer_id()")

    return ask


def customer_of(name: str) -> Customer:
    found = Customer.objects.using("operator").filter(name__startswith=name).order_by("created_at")
    return found[0]


def imported(path: Path, numbers: object) -> Callable[[], None]:
    def run() -> None:
        call_command("import_sales", str(path), customer=str(customers.pop().pk), verbosity=0)

    customers = [customer_with_catalogue("Benchmark context", numbers) for _ in range(10)]
    return run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--stores", type=int, default=4, help="of the import (4)")
    options = parser.parse_args()
    prepare()
    customer = customer_of("")
    client = client_of(customer)
    say(f"{customer.name}: reports over 90 days")
    urls = urls_of(customer)
    measure(options.rounds, {url: lambda url=url: read(client, url) for url in urls}, warm=True)
    say("A thousand transactions that ask for the customer once")
    measure(options.rounds, {"1,000 transactions": asked(customer, 1000)}, warm=True)
    lines = read_lines()
    numbers = stores.busiest(lines.store, 0, options.stores)
    lines = lines.take(load.np.flatnonzero(load.np.isin(lines.store, numbers)))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "sales.csv"
        count = write(path, lines, load.weeks_until(load.yesterday()), 1)
        say(f"Imports of {count:,} lines")
        measure(min(options.rounds, 5), {"import": imported(path, numbers)}, warm=False)


if __name__ == "__main__":
    main()
