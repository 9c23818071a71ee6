"""A small shop whose every sale and count a test knows."""

import csv
import io
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from itertools import count
from time import sleep
from zoneinfo import ZoneInfo

from django.db import OperationalError, connection
from django.http import HttpResponse
from openpyxl import load_workbook
from psycopg.errors import LockNotAvailable

from inventory.models import CurrentStock, Product, ReorderPoint, Store
from shelfops.tenancy.context import tenant
from shelfops.tenancy.models import Customer
from shelfops.timescale.refresh import owner_cursor
from tests.cast import Cast

AGGREGATES = ("daily_sales", "daily_store_sales", "daily_group_sales", "receipts")

# The last day that is over everywhere.
YESTERDAY = (datetime.now(UTC) - timedelta(hours=36)).date()


def refresh_aggregate(name: str, window: list[datetime]) -> None:
    """Where a scheduler runs, its job may be refreshing the same days: then once more."""
    while True:
        try:
            with owner_cursor() as cursor:
                return cursor.execute(
                    f"CALL refresh_continuous_aggregate('timeseries.{name}', %s, %s)", window
                )
        except OperationalError as error:
            if not isinstance(error.__cause__, LockNotAvailable):
                raise
        sleep(0.1)


@dataclass(frozen=True)
class Sale:
    store: Store
    product: Product
    day: date
    at: datetime
    units: Decimal
    amount: Decimal
    receipt: str


@dataclass
class Shop:
    customer: Customer
    sales: list[Sale] = field(default_factory=list)
    numbers: count = field(default_factory=count)

    def sell(
        self,
        store: Store,
        product: Product,
        day: date,
        units: object,
        amount: object,
        clock: str = "12:00",
        receipt: str = "",
    ) -> Sale:
        """A line sold when the store's clock showed `clock` on `day`; a receipt of its own."""
        local = datetime.combine(day, time.fromisoformat(clock), ZoneInfo(store.time_zone))
        at = local.astimezone(UTC)
        line = next(self.numbers)
        receipt = receipt or f"R{line}"
        sale = Sale(store, product, day, at, Decimal(str(units)), Decimal(str(amount)), receipt)
        with tenant(self.customer), connection.cursor() as cursor:
            cursor.execute(
                """
                INSERT INTO transactions (store_id, product_id, sold_at, business_date, receipt,
                                          line, quantity, unit_price, total_amount)
                VALUES (%s, %s, %s, %s, %s, %s, %s, 1, %s)
                """,
                [store.pk, product.pk, at, day, receipt, line, units, amount],
            )
        self.sales.append(sale)
        return sale

    def product(self, sku: str, name: str = "", **fields: object) -> Product:
        with tenant(self.customer):
            return Product.objects.create(sku=sku, name=name or sku, **fields)

    def store(self, code: str, **fields: object) -> Store:
        with tenant(self.customer):
            return Store.objects.create(code=code, name=code, **fields)

    def count(
        self,
        store: Store,
        product: Product,
        on_hand: object,
        allocated: object = 0,
        days_ago: int = 90,
    ) -> CurrentStock:
        """Current stock, counted long ago; the ledger holds it no longer."""
        with tenant(self.customer):
            return CurrentStock.objects.create(
                store=store,
                product=product,
                timestamp=datetime.now(UTC) - timedelta(days=days_ago),
                quantity_on_hand=on_hand,
                quantity_allocated=allocated,
                source="count",
            )

    def snapshot(
        self,
        store: Store,
        product: Product,
        day: date,
        on_hand: object,
        allocated: object = 0,
        clock: str = "23:30",
    ) -> None:
        """A count when the store's clock showed `clock`: in the ledger, and current if latest."""
        at = datetime.combine(day, time.fromisoformat(clock), ZoneInfo(store.time_zone))
        row = [store.pk, product.pk, at, on_hand, allocated]
        with tenant(self.customer), connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO inventory_levels (store_id, product_id, timestamp, quantity_on_hand,"
                " quantity_allocated) VALUES (%s, %s, %s, %s, %s)",
                row,
            )
            cursor.execute(
                """
                INSERT INTO current_stock AS stock (store_id, product_id, timestamp,
                                                    quantity_on_hand, quantity_allocated)
                VALUES (%s, %s, %s, %s, %s)
                ON CONFLICT (customer_id, store_id, product_id) DO UPDATE
                SET timestamp = excluded.timestamp, quantity_on_hand = excluded.quantity_on_hand,
                    quantity_allocated = excluded.quantity_allocated
                WHERE stock.timestamp < excluded.timestamp
                """,
                row,
            )

    def level(self, store: Store, product: Product, day: date, on_hand: object) -> None:
        """A count in the ledger at the close of the store's day."""
        at = datetime.combine(day, time(23, 30), ZoneInfo(store.time_zone))
        with tenant(self.customer), connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO inventory_levels (store_id, product_id, timestamp, quantity_on_hand)"
                " VALUES (%s, %s, %s, %s)",
                [store.pk, product.pk, at, on_hand],
            )

    def rule(self, store: Store, product: Product, reorder_point: object, start: datetime) -> None:
        with tenant(self.customer):
            ReorderPoint.objects.create(
                store=store, product=product, reorder_point=reorder_point, effective_from=start
            )

    def refresh(self) -> None:
        """What a feed does after loading: other tests may have moved the aggregates' watermark."""
        days = [sale.at for sale in self.sales]
        window = [min(days) - timedelta(days=2), max(days) + timedelta(days=2)]
        for name in AGGREGATES:
            refresh_aggregate(name, window)

    def total(self, what: str, start: date, end: date, **only: object) -> Decimal:
        """`amount` or `units` sold in the days, of the given store or product."""
        return sum(
            (
                getattr(sale, what)
                for sale in self.sales
                if start <= sale.day <= end
                and all(getattr(sale, name) == value for name, value in only.items())
            ),
            Decimal(0),
        )

    def baskets(self, start: date, end: date, **only: object) -> int:
        """Distinct receipts of each store and day, of the given store."""
        return len(
            {
                (sale.store.pk, sale.day, sale.receipt)
                for sale in self.sales
                if start <= sale.day <= end
                and all(getattr(sale, name) == value for name, value in only.items())
            }
        )


def shop_of(cast: Cast) -> Shop:
    return Shop(cast.customer)


def text(response: HttpResponse) -> str:
    body = b"".join(response.streaming_content) if response.streaming else response.content
    return body.decode("utf-8-sig")


def file_rows(response: HttpResponse) -> list[dict[str, str]]:
    assert response["Content-Type"] == "text/csv; charset=utf-8"
    return list(csv.DictReader(text(response).splitlines()))


def sheet_rows(response: HttpResponse) -> list[dict[str, object]]:
    """The rows of an XLSX file as another library reads them."""
    assert response["Content-Type"].endswith("spreadsheetml.sheet")
    assert response["Content-Disposition"].endswith('.xlsx"')
    sheet = load_workbook(io.BytesIO(response.getvalue())).active
    head, *rows = sheet.iter_rows(values_only=True)
    return [dict(zip(head, row, strict=True)) for row in rows]
