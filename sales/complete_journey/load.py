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

COMMAND = "load_complete_journey"
SALES_FILE, CATALOGUE_FILE = "transactions.parquet", "products.parquet"


def demo_customers() -> list[Customer]:
    """The two customers that share the stores; made if they are not there yet."""
    found = Customer.objects.using("operator")
    return [found.get_or_create(name=name)[0] for name in stores.CUSTOMERS]


def is_loaded(customers: Sequence[Customer]) -> bool:
    """Whether every customer has had its sales and its stock loaded to the end."""
    last = {"kind": INVENTORY_LEVELS.kind, "status": ImportBatch.Status.DONE}
    for customer in customers:
        with tenant(customer):
            if not ImportBatch.objects.filter(imported_by=COMMAND, **last).exists():
                return False
    return True


def load_year(
    customers: Sequence[Customer], limits: Sequence[int | None], steps: Steps
) -> list[ImportBatch]:
    """Load the busiest stores of each customer, as many as its limit says (None: all).

    What is there already stays as it is. The aggregates are left to the refresh.
    """
    weeks = weeks_to_shift(customers)
    lines, products = read_lines(), catalogue.records()
    known = products["sku"].cast(pyarrow.int64()).to_numpy()
    batches: list[ImportBatch] = []
    for index, (customer, limit) in enumerate(zip(customers, limits, strict=True)):
        numbers = stores.busiest(lines.store, index, limit)
        own = lines.take(np.isin(lines.store, numbers))
        batches += Loader(customer, weeks, steps).load(numbers, products, own, known)
    return batches


class Loader:
    """Loads one customer's share, its dates shifted by whole weeks."""

    def __init__(self, customer: Customer, weeks: int, steps: Steps) -> None:
        self.customer, self.weeks, self.steps = customer, weeks, steps
        self.shift = np.timedelta64(weeks, "W").astype("timedelta64[D]")

    def load(
        self, numbers: Column, products: pyarrow.RecordBatch, lines: Lines, known: Column
    ) -> list[ImportBatch]:
        demand = stock.demand(lines, known)
        last_day = LAST_DAY + self.shift
        first_day = last_day - (stock.DAYS - 1)
        counts = len(stock.counted_days()) * len(demand.units)
        return [
            self.feed(STORES, SALES_FILE, [stores.records(numbers)], len(numbers)),
            self.feed(PRODUCTS, CATALOGUE_FILE, [products], products.num_rows),
            self.feed(TRANSACTIONS, SALES_FILE, self.transactions(lines), len(lines)),
            self.feed(
                REORDER_POINTS,
                SALES_FILE,
                [stock.reorder_points(demand, first_day)],
                len(demand.units),
            ),
            self.feed(INVENTORY_LEVELS, SALES_FILE, stock.snapshots(demand, last_day), counts),
        ]

    def feed(self, feed: Feed, file: str, records: Sequence | Iterator, rows: int) -> ImportBatch:
        title = f"{self.customer.name}: {feed.kind.replace('_', ' ')}"
        source = Source(file, sha256(file), COMMAND, {"weeks": self.weeks})
        with self.steps(title, rows) as advance:
            return load(self.customer, feed, source, records, advance)

    def transactions(self, lines: Lines) -> Iterator[pyarrow.RecordBatch]:
        """The lines as the transaction feed wants them."""
        for start in range(0, len(lines), BLOCK_ROWS):
            part = lines.take(slice(start, start + BLOCK_ROWS))
            yield pyarrow.RecordBatch.from_pydict(
                {
                    "line_number": part.row,
                    "store": part.store,
                    "product": part.product,
                    "sold_at": pyarrow.nulls(len(part)),
                    "local_time": part.time + self.shift,
                    "receipt": part.basket,
                    "line": part.line,
                    "quantity": part.quantity,
                    "unit_price": pyarrow.nulls(len(part)),
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
    return (day - LAST_DAY.item()).days // 7
