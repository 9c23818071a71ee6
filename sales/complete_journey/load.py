"""Loads the year, customer by customer, through the feeds."""

from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow

from inventory.ingest import INVENTORY_LEVELS, PRODUCTS, REORDER_POINTS, STORES
from sales.complete_journey import catalogue, stock, stores
from sales.complete_journey.source import LAST_DAY, Column, Lines, read_lines, sha256
from sales.ingest import TRANSACTIONS
from shelfops.ingestion.feeds import BLOCK_ROWS, Feed, Source, load
from shelfops.ingestion.models import ImportBatch
from shelfops.ingestion.progress import Steps
from shelfops.tenancy.context import tenant
from shelfops.tenancy.models import Customer
from shelfops.timescale.refresh import update_statistics

COMMAND = "load_complete_journey"
SALES_FILE, CATALOGUE_FILE = "transactions.parquet", "products.parquet"


def demo_customers() -> list[Customer]:
    """The two customers that share the stores; made if they are not there yet."""
    found = Customer.objects.using("operator")
    return [found.get_or_create(name=name)[0] for name in stores.CUSTOMERS]


def is_wanted() -> bool:
    """Whether there is no customer but these two, and their load has not been finished."""
    others = Customer.objects.using("operator").exclude(name__in=stores.CUSTOMERS)
    return not others.exists() and not all(map(is_loaded, demo_customers()))


def is_loaded(customer: Customer) -> bool:
    """Whether the last step of a load has been carried out to its end."""
    with tenant(customer):
        return ImportBatch.objects.filter(
            imported_by=COMMAND, kind=INVENTORY_LEVELS.kind, status=ImportBatch.Status.DONE
        ).exists()


def load_year(
    customers: Sequence[Customer], limits: Sequence[int | None], steps: Steps
) -> list[ImportBatch]:
    """Load the busiest stores of each customer, as many as its limit says (None: all).

    What is there already stays as it is. The aggregates are left to the refresh.
    """
    weeks = weeks_to_shift(customers)
    products = catalogue.records()
    lines = read_lines()
    known = products["sku"].cast(pyarrow.int64()).to_numpy()
    batches: list[ImportBatch] = []
    for index, (customer, limit) in enumerate(zip(customers, limits, strict=True)):
        numbers = stores.busiest(lines.store, index, limit)
        rows = np.flatnonzero(np.isin(lines.store, numbers))
        demand = stock.demand(lines, rows, known)
        loader = Loader(customer, weeks, steps)
        batches += [loader.stores(numbers), loader.products(products)]
        update_statistics("stores", "products")
        batches += [
            loader.transactions(lines, rows),
            loader.reorder_points(demand),
            loader.inventory_levels(demand),
        ]
    return batches


class Loader:
    """Loads one customer's share, its dates shifted by whole weeks."""

    def __init__(self, customer: Customer, weeks: int, steps: Steps) -> None:
        self.customer, self.weeks, self.steps = customer, weeks, steps
        self.shift = np.timedelta64(weeks * 7, "D")
        self.last_day = LAST_DAY + self.shift

    def stores(self, numbers: Column) -> ImportBatch:
        return self.feed(STORES, SALES_FILE, [stores.records(numbers)], len(numbers))

    def products(self, products: pyarrow.RecordBatch) -> ImportBatch:
        return self.feed(PRODUCTS, CATALOGUE_FILE, [products], products.num_rows)

    def transactions(self, lines: Lines, rows: Column) -> ImportBatch:
        return self.feed(TRANSACTIONS, SALES_FILE, self.records(lines, rows), len(rows))

    def reorder_points(self, demand: stock.Demand) -> ImportBatch:
        records = stock.reorder_points(demand, self.last_day)
        return self.feed(REORDER_POINTS, SALES_FILE, [records], records.num_rows)

    def inventory_levels(self, demand: stock.Demand) -> ImportBatch:
        records = stock.snapshots(demand, self.last_day)
        counts = len(stock.counted_days()) * len(demand.units)
        return self.feed(INVENTORY_LEVELS, SALES_FILE, records, counts)

    def feed(self, feed: Feed, file: str, records: Sequence | Iterator, rows: int) -> ImportBatch:
        title = f"{self.customer.name}: {feed.kind.replace('_', ' ')}"
        source = Source(file, sha256(file), COMMAND, {"weeks": self.weeks}, moved=True)
        with self.steps(title, rows) as advance:
            return load(self.customer, feed, source, records, advance, by_block=True)

    def records(self, lines: Lines, rows: Column) -> Iterator[pyarrow.RecordBatch]:
        """The lines in these rows as the transaction feed wants them."""
        for start in range(0, len(rows), BLOCK_ROWS):
            part = lines.take(rows[start : start + BLOCK_ROWS])
            yield pyarrow.RecordBatch.from_pydict(
                {
                    "line_number": part.row,
                    "store": part.store,
                    "product": part.product,
                    "sold_at": pyarrow.nulls(len(part.row)),
                    "local_time": part.time + self.shift,
                    "receipt": part.basket,
                    "line": part.line,
                    "quantity": part.quantity,
                    "unit_price": pyarrow.nulls(len(part.row)),
                    "total_amount": part.amount,
                }
            )


def weeks_to_shift(customers: Sequence[Customer]) -> int:
    """Weeks from the real year to ours: as in the first load, or so that it ends yesterday.

    Loading on another day must not move what is there, so each import remembers its weeks.
    """
    for customer in customers:
        with tenant(customer):
            first = ImportBatch.objects.filter(imported_by=COMMAND).order_by("started_at").first()
        if first is not None:
            return int(first.metadata["weeks"])
    return weeks_until(yesterday())


def yesterday() -> date:
    """The last day that is over in every store."""
    return datetime.now(ZoneInfo("America/Los_Angeles")).date() - timedelta(days=1)


def weeks_until(day: date) -> int:
    """Weeks to shift so that the last day of sales keeps its weekday and is at most `day`."""
    return int((np.datetime64(day) - LAST_DAY) // np.timedelta64(7, "D"))
