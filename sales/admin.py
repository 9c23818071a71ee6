"""The read-only ledgers of transactions and forecasts."""

from datetime import date, timedelta

from django.contrib import admin
from django.db.models import Q
from django.http import HttpRequest
from django.utils import timezone
from unfold.decorators import display

from inventory.stock_columns import quantity
from sales.models import Forecast, Ledger, Transaction
from shelfops.ledgers import LedgerAdmin, midnight


class ProductColumns(LedgerAdmin):
    @display(description="SKU")
    def sku(self, row: Ledger) -> str:
        return row.product.sku


@admin.register(Transaction)
class TransactionAdmin(ProductColumns):
    list_display = (
        "sold",
        "business_date",
        "store",
        "receipt",
        "product",
        "sku",
        "units",
        "price",
        "total_amount",
    )
    ordering = ("-sold_at",)
    search_column = "receipt"
    search_help_text = "Exact SKU or receipt"

    def days(self, first: date, last: date) -> Q:
        """By business day; a store's day lies within a day of the UTC one."""
        day = timedelta(days=1)
        return Q(
            sold_at__gte=midnight(first - day),
            sold_at__lt=midnight(last + 2 * day),
            business_date__gte=first,
            business_date__lte=last,
        )

    @display(description="Sold at")
    def sold(self, row: Transaction) -> str:
        return f"{row.sold_at.astimezone(row.store.zone):%-d %b %Y %H:%M %Z}"

    @display(description="Units")
    def units(self, row: Transaction) -> str:
        return quantity(row.quantity)

    @display(description="Unit price")
    def price(self, row: Transaction) -> str:
        return f"{row.unit_price:,.2f}"


@admin.register(Forecast)
class ForecastAdmin(ProductColumns):
    empty_text = "No forecast covers this period."
    list_display = (
        "forecast_for",
        "store",
        "product",
        "sku",
        "units",
        "range",
        "model",
        "issued_at",
    )
    ordering = ("forecast_for",)

    def default_period(self, request: HttpRequest) -> tuple[date, date]:
        """Today and the two weeks that follow."""
        today = timezone.now().date()
        return today, today + timedelta(days=14)

    def days(self, first: date, last: date) -> Q:
        return Q(forecast_for__gte=first, forecast_for__lte=last)

    @display(description="Units expected")
    def units(self, row: Forecast) -> str:
        return quantity(row.quantity)

    @display(description="Between")
    def range(self, row: Forecast) -> str:
        if row.lower_bound is None or row.upper_bound is None:
            return "–"
        return f"{quantity(row.lower_bound)} – {quantity(row.upper_bound)}"
