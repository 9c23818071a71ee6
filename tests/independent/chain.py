"""A chain of stores with all that makes sums go wrong.

Stores in five time zones, sales at all hours around each change of the clocks, receipts across
midnight and quarters of an hour, returns, coupons of quantity 0, weighed goods, products that have
no cost, that have no department or category or were moved to another, a store that was switched
off, and lines that arrive after their days were summed up and compressed. Everything goes in as a
feed does.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

from inventory.models import Product, Store, StoreAssignment
from shelfops.tenancy.context import tenant
from shelfops.timescale.refresh import owner_cursor, refresh_requested
from tests.cast import Cast
from tests.ingestion.feeding import load_sales, outcome

NOW = datetime.now(UTC).replace(second=0, microsecond=0)
TODAY = NOW.date()
ZONES = ("America/New_York", "Europe/Berlin", "Pacific/Auckland")
# A quarter of an hour begins, ends, and is crossed; minutes after a whole hour.
MINUTES = (0, 14, 15, 29, 59)
KINDS = ("plain", "return", "coupon", "weighed")

# Of the lines and their aggregates, the chunks that hold these moments.
COMPRESS = """
SELECT compress_chunk(format('%%I.%%I', chunk_schema, chunk_name)::regclass, true)
FROM timescaledb_information.chunks c
WHERE (hypertable_schema, hypertable_name) IN (
          SELECT 'timeseries', 'transactions'
          UNION ALL
          SELECT materialization_hypertable_schema, materialization_hypertable_name
          FROM timescaledb_information.continuous_aggregates
          WHERE hypertable_name = 'transactions')
  AND EXISTS (SELECT FROM unnest(%s::timestamptz[]) AS moment
              WHERE moment >= range_start AND moment < range_end)
"""


def changes_of_clocks(zone: str) -> list[datetime]:
    """The moments of the last year at which the zone's clocks were changed."""
    hours = (NOW.replace(minute=0) - timedelta(hours=n) for n in range(24 * 366))
    place = ZoneInfo(zone)
    return [
        hour
        for hour in hours
        if hour.astimezone(place).utcoffset()
        != (hour - timedelta(hours=1)).astimezone(place).utcoffset()
    ]


@dataclass
class Chain:
    cast: Cast
    stores: list[Store] = field(default_factory=list)
    products: list[Product] = field(default_factory=list)
    number: int = 0
    random: Random = field(default_factory=lambda: Random(7))  # noqa: S311

    def open(self) -> None:
        with tenant(self.cast.customer):
            self.stores = [self.cast.store, self.cast.unassigned_store]
            for code, zone, active in (
                ("BER", "Europe/Berlin", True),
                ("AKL", "Pacific/Auckland", True),
                ("CCU", "Asia/Kolkata", True),
                ("OLD", "Europe/Berlin", False),
            ):
                made = Store.objects.create(code=code, name=code, time_zone=zone, is_active=active)
                self.stores.append(made)
            Store.objects.create(code="NIL", name="Never sold", is_active=False)
            StoreAssignment.objects.create(user=self.cast.manager, store=self.stores[3])
            self.products = [self.cast.product] + [
                Product.objects.create(
                    sku=sku, name=sku, department=department, category=category, unit_cost=cost
                )
                for sku, department, category, cost in (
                    ("BREAD", "Food", "Bakery", "1.2345"),
                    ("LOOSE", "", "", None),
                    ("AWAY", "Food", "Dairy", "40"),
                    ("BACK", "Food", "Dairy", "0"),
                    ("GONE", "Food", "Bakery", None),
                    ("FOUND", "", "", "0.0005"),
                    ("MOVED", "Food", "Bakery", "2.5"),
                    ("FUEL", "Forecourt", 'Fuel, "all" kinds', "1.0001"),
                )
            ]

    def assigned(self) -> list[Store]:
        return [self.stores[0], self.stores[3]]

    def product(self, sku: str) -> Product:
        return next(product for product in self.products if product.sku == sku)

    def lines(self, moments: list[datetime]) -> list[dict[str, Any]]:
        """A receipt of one to three lines at each moment in each store, of every kind in turn."""
        made = []
        for moment in moments:
            for store in self.stores:
                self.number += 1
                for line in range(1, self.random.randint(2, 4)):
                    late = moment + timedelta(minutes=8 * (line - 1))
                    made.append(self.line(store, min(late, NOW), line))
        return made

    def line(self, store: Store, moment: datetime, line: int) -> dict[str, Any]:
        kind = KINDS[self.random.choices(range(4), (12, 1, 1, 3))[0]]
        quantity = Decimal(self.random.randint(1, 5))
        amount = Decimal(self.random.randint(1, 5000)) / 100
        if kind == "return":
            quantity, amount = -quantity, -amount
        elif kind == "coupon":
            quantity, amount = Decimal(0), -amount
        elif kind == "weighed":
            quantity = Decimal(self.random.randint(1, 99999)) / 1000
        return {
            "store": store.code,
            "product": self.random.choice(self.products).sku,
            "sold_at": moment,
            "receipt": f"R{self.number % 50}",  # numbers come again
            "line": self.number * 10 + line,
            "quantity": str(quantity),
            "total_amount": str(amount),
        }

    def feed(self, moments: list[datetime]) -> None:
        lines = self.lines(moments)
        assert outcome(load_sales(self.cast.customer, *lines)) == (len(lines), len(lines), 0, 0)
        refresh_requested()

    def move(self, sku: str, *groups: tuple[str, str]) -> None:
        """To these departments and categories, one after another."""
        with tenant(self.cast.customer):
            product = Product.objects.get(sku=sku)
            for product.department, product.category in groups:
                product.save()

    def midnight(self, store: Store, day: date) -> datetime:
        place = ZoneInfo(store.time_zone)
        return datetime.combine(day, time(0), place).astimezone(UTC)


def around_changes() -> Iterator[datetime]:
    for zone in ZONES:
        for change in changes_of_clocks(zone):
            for hours in range(-4, 5):
                yield change + timedelta(hours=hours, minutes=MINUTES[hours % len(MINUTES)])


def recent(chain: Chain, first: int, last: int) -> Iterator[datetime]:
    """Around the midnight of a store, and some time, on each of these days back."""
    for back in range(first, last - 1, -1):
        day = TODAY - timedelta(days=back)
        store = chain.stores[back % len(chain.stores)]
        yield chain.midnight(store, day) - timedelta(minutes=7)
        minute = chain.random.choice(MINUTES)
        yield datetime.combine(day, time(chain.random.randrange(24), minute), UTC)


def chain_of(cast: Cast) -> Chain:
    chain = Chain(cast)
    chain.open()
    last_year, weeks_ago = recent(chain, 364 + 28, 364 + 14), recent(chain, 56, 30)
    chain.feed([*around_changes(), *last_year, *weeks_ago])
    compress()
    chain.move("AWAY", ("Food", "Bakery"))
    chain.move("BACK", ("Forecourt", "Bakery"), ("Food", "Dairy"))
    chain.move("GONE", ("", ""))
    chain.move("FOUND", ("Forecourt", "Dairy"))
    chain.move("MOVED", ("Frozen", "Bakery"))
    late = [*around_changes()][::5] + [*recent(chain, 50, 40)]
    chain.feed([*late, *recent(chain, 29, 1), NOW - timedelta(minutes=40)])
    return chain


def compress() -> None:
    spring, autumn = changes_of_clocks("Europe/Berlin")
    with owner_cursor() as cursor:
        cursor.execute(COMPRESS, [[spring, autumn, NOW - timedelta(days=45)]])
        assert cursor.rowcount >= 15
