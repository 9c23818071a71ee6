"""Point-of-sale transactions, their daily totals, and forecasts: views over hypertables."""

from django.db import models

from inventory.models import Product, Quantity, Store
from shelfops.tenancy.models import TenantModel


class Ledger(TenantModel):
    """Rows per store and product that the product reads and never edits."""

    store = models.ForeignKey(Store, models.DO_NOTHING, related_name="+", db_constraint=False)
    product = models.ForeignKey(Product, models.DO_NOTHING, related_name="+", db_constraint=False)

    class Meta:
        abstract = True
        managed = False


class Transaction(Ledger):
    """One line of a receipt. Its identity is the feed's own: store, receipt and line."""

    transaction_id = models.UUIDField(primary_key=True)
    sold_at = models.DateTimeField()
    business_date = models.DateField(help_text="The store's trading day.")
    receipt = models.CharField(max_length=64)
    line = models.IntegerField()
    quantity = Quantity()
    unit_price = models.DecimalField(max_digits=14, decimal_places=4)
    total_amount = models.DecimalField(max_digits=14, decimal_places=2)

    class Meta(Ledger.Meta):
        db_table = "transactions"
        ordering = ["-sold_at"]

    def __str__(self) -> str:
        return f"Receipt {self.receipt}, line {self.line}"


class DailySales(Ledger):
    """Units and revenue of a product in a store on a business day."""

    daily_sales_id = models.UUIDField(primary_key=True)
    business_date = models.DateField()
    quantity_sold = Quantity()
    revenue = models.DecimalField(max_digits=16, decimal_places=2)
    lines = models.BigIntegerField()

    class Meta(Ledger.Meta):
        db_table = "daily_sales"
        verbose_name_plural = "daily sales"

    def __str__(self) -> str:
        return f"{self.business_date}"


class Forecast(Ledger):
    """What a model, at `issued_at`, expected to sell on a business day."""

    forecast_id = models.UUIDField(primary_key=True)
    forecast_for = models.DateField()
    issued_at = models.DateTimeField()
    model = models.CharField(max_length=64)
    quantity = Quantity()
    lower_bound = Quantity(null=True)
    upper_bound = Quantity(null=True)

    class Meta(Ledger.Meta):
        db_table = "forecasts"
        ordering = ["-forecast_for"]

    def __str__(self) -> str:
        return f"{self.model} for {self.forecast_for}"
