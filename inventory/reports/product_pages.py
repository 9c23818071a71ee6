"""Pages that list products: ABC classes, dead stock and phantom stock."""

from collections.abc import Iterator

from django.urls import reverse

from inventory.reports import classes, unsold
from inventory.reports.analysis import TODAYS, Analysis
from inventory.reports.filters import ClassFilter, DeadFilter, PhantomFilter
from shelfops.reports.chart import Chart, Series
from shelfops.reports.sql import Row
from shelfops.reports.table import Column, Kind, show


class AbcClasses(Analysis):
    """Products by the revenue they bring."""

    title = "ABC classes"
    filter_class = ClassFilter
    orders = classes.ORDERS
    notes: tuple[str, ...] = (
        "Ranked by revenue: A are the products that bring the first 80%, B those up to 95%, C the"
        " rest. The product with which a limit is crossed belongs to the class that it completes.",
        "U are active products without sales, and those returned for as much as was sold.",
    )
    nothing = "Nothing of this was sold in the period."

    def fetch(self, filters: ClassFilter, limit: int, offset: int) -> list[Row]:
        return classes.classes(
            filters.scope, self.period, **self.choices(filters), limit=limit, offset=offset
        )

    def fetch_all(self, filters: ClassFilter) -> Iterator[Row]:
        return classes.all_classes(filters.scope, self.period, **self.choices(filters))

    def choices(self, filters: ClassFilter) -> dict[str, str]:
        values = filters.form.cleaned_data
        within = values["within"] or "all"
        return {"within": within, "chosen": values["abc"], "order": filters.order}

    def caption(self, filters: ClassFilter) -> str:
        return f"ABC classes by revenue, {self.period}"

    def columns(self, filters: ClassFilter) -> list[Column]:
        return [
            Column("label", "Product", link=_product_url, nothing="Total"),
            Column("number", "SKU", nothing=""),
            Column("class", "Class", nothing=""),
            Column("department", "Department", nothing=""),
            Column("revenue", self.money("Revenue"), Kind.MONEY),
            Column("share", "Share (%)", Kind.RATE, nothing=""),
            Column("cumulative", "Cumulative (%)", Kind.RATE, nothing=""),
            Column("units", "Units sold", Kind.UNITS),
        ]

    def cards(self, filters: ClassFilter, total: Row) -> list[dict[str, str]]:
        found = [
            self.card(
                f"Class {name.upper()}",
                Kind.COUNT,
                total[f"{name}_products"],
                "products",
                f"{show(Kind.MONEY, total[f'{name}_revenue'] or 0)} {self.currency}",
            )
            for name in "abc"
        ]
        return [
            *found,
            self.card("Class U", Kind.COUNT, total["u_products"], "products", "no sales"),
        ]

    def charts(self, filters: ClassFilter, rows: list[Row]) -> list[Chart]:
        values = [self.total[f"{name}_revenue"] for name in "abc"]
        series = [Series("Revenue", values)]
        title = "Revenue by class"
        return [Chart("chart-classes", title, "columns", self.currency, list("ABC"), series)]


class DeadStock(Analysis):
    """What lies in the stores and does not sell."""

    title = "Dead stock"
    filter_class = DeadFilter
    orders = unsold.ORDERS
    notes: tuple[str, ...] = (
        "On hand by the latest count, and not sold on any of the days, nor since. Days are whole"
        " ones, up to the last day of sales, as for the alert. The last sale is looked for"
        f" in {unsold.LAST_SALE_DAYS} days.",
        TODAYS,
    )
    nothing = "No dead stock."
    advice = "Nothing that is on hand and matches these filters went unsold for so long."

    def fetch(self, filters: DeadFilter, limit: int, offset: int) -> list[Row]:
        return unsold.dead(
            filters.scope, self.period, order=filters.order, limit=limit, offset=offset
        )

    def fetch_all(self, filters: DeadFilter) -> Iterator[Row]:
        return unsold.all_dead(filters.scope, self.period, filters.order)

    def caption(self, filters: DeadFilter) -> str:
        return f"On hand and not sold, {self.period}"

    def columns(self, filters: DeadFilter) -> list[Column]:
        return [
            *_names(),
            Column("last_sale", "Last sale", Kind.DATE, nothing="none found"),
            *self.values(),
        ]

    def values(self) -> list[Column]:
        return [
            Column("on_hand", "On hand", Kind.UNITS),
            Column("cost_value", self.money("Value at cost"), Kind.MONEY),
            Column("retail_value", self.money("Value at retail"), Kind.MONEY),
            Column("counted_on", "Counted on", Kind.DATE, nothing=""),
        ]

    def cards(self, filters: DeadFilter, total: Row) -> list[dict[str, str]]:
        missing = total["without_cost"]
        return [
            self.card("Products in stores", Kind.COUNT, total["place"] - 1),
            self.card("Units", Kind.UNITS, total["on_hand"]),
            self.card(
                "Tied up at cost",
                Kind.MONEY,
                total["cost_value"],
                self.currency,
                f"{missing:,} without a cost left out" if missing else "",
            ),
            self.card("Value at retail", Kind.MONEY, total["retail_value"], self.currency),
        ]


class PhantomStock(DeadStock):
    """What the counts say is there, while the sales say it is not."""

    title = "Phantom stock"
    filter_class = PhantomFilter
    orders = unsold.PHANTOM_ORDERS
    notes: tuple[str, ...] = (
        "On hand by the latest count, but without a sale for far longer than its rate explains:"
        " count it, or look for it in the back room.",
        "The rate is purchases (receipt lines) a day in stock, over the days chosen. With so many"
        " expected in the run of days without any, the chance of none is exp(-expected); what is"
        " less likely than chosen is listed.",
        TODAYS,
    )
    nothing = "No phantom stock."
    advice = "Nothing that matches these filters has gone unsold for longer than chance explains."

    def fetch(self, filters: PhantomFilter, limit: int, offset: int) -> list[Row]:
        return unsold.phantom(
            filters.scope,
            self.period,
            filters.chosen_chance,
            order=filters.order,
            limit=limit,
            offset=offset,
        )

    def fetch_all(self, filters: PhantomFilter) -> Iterator[Row]:
        return unsold.all_phantom(filters.scope, self.period, filters.chosen_chance, filters.order)

    def caption(self, filters: PhantomFilter) -> str:
        return f"On hand, but unsold for longer than chance explains, {self.period}"

    def columns(self, filters: PhantomFilter) -> list[Column]:
        return [
            *_names(),
            Column("chance", "Chance", nothing=""),
            Column("run", "Days in stock without a sale", Kind.COUNT, nothing=""),
            Column("purchases_a_day", "Purchases a day", Kind.RATE, nothing=""),
            Column("expected_purchases", "Purchases expected", Kind.RATE, nothing=""),
            Column("last_sale", "Last sale", Kind.DATE, nothing=""),
            *self.values(),
        ]


def _names() -> list[Column]:
    return [
        Column("label", "Product", link=_product_url, nothing="Total"),
        Column("number", "SKU", nothing=""),
        Column("store", "Store", nothing=""),
    ]


def _product_url(row: Row) -> str:
    return reverse("reports:product", args=[row["product_id"]])
