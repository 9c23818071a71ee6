"""The data quality report: one check at a time, each a table of what to put right."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import reverse

from sales.days import last_business_day, last_day_notes, last_days, period_end
from shelfops.quality import grid, queries
from shelfops.quality.filters import CHECKS, QualityFilter
from shelfops.reports.period import Period, long_date
from shelfops.reports.sql import Row
from shelfops.reports.table import Column, Kind, Table, show
from shelfops.reports.views import Report

# The page shows the worst; the file holds all.
MOST = 200
# Rows of files are for who may read the imports.
OF_IMPORTS = {"refused", "unknown"}


@dataclass(frozen=True)
class Answer:
    """Rows of a check, how many there are in all, and what to say of them, or of none."""

    caption: str
    columns: list[Column]
    rows: list[Row]
    found: int
    text: str
    nothing: str


class QualityReport(Report):
    """What is missing in the feeds or wrong with the rows, and where to put it right."""

    title = "Data quality"
    permission = "reports.quality"
    template_name = "reports/quality.html"
    filter_class = QualityFilter

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        if request.GET.get("show") in OF_IMPORTS and not self.sees_imports:
            raise PermissionDenied
        return super().get(request, **kwargs)

    @property
    def sees_imports(self) -> bool:
        return bool(self.request.user.has_perm("ingestion.view_refusedrow"))

    def build(self, filters: QualityFilter) -> dict[str, Any]:
        last = last_days(filters.stores)
        period = filters.chosen_period(period_end(last))
        answer = self.answer(filters, period, MOST)
        return {
            "last_day_notes": last_day_notes(last),
            "period": period,
            "presets": self.presets(filters, period),
            "check": filters.check,
            "checks": self.checks(filters),
            "answer": answer,
            "empty": not answer.found,
            "more": answer.found - len(answer.rows) if answer.found > MOST else 0,
            "has_stores": bool(filters.options),
            "table": Table(answer.caption, answer.columns, answer.rows),
            "grid": self.grid(filters, period, answer.rows),
        }

    def table(self, filters: QualityFilter) -> Table:
        period = filters.chosen_period(last_business_day(filters.stores))
        answer = self.answer(filters, period, None)
        return Table(answer.caption, answer.columns, answer.rows)

    def file_name(self, filters: QualityFilter) -> str:
        return f"data-quality-{filters.check}"

    def checks(self, filters: QualityFilter) -> list[dict[str, Any]]:
        return [
            {"label": label, "url": self.url_with(show=name), "chosen": name == filters.check}
            for name, label in CHECKS
            if name not in OF_IMPORTS or self.sees_imports
        ]

    def answer(self, filters: QualityFilter, period: Period, limit: int | None) -> Answer:
        check = getattr(self, f"check_{filters.check}")
        answer: Answer = check(filters, period, limit)
        return answer

    def grid(self, filters: QualityFilter, period: Period, rows: list[Row]) -> grid.Grid | None:
        if filters.check != "feeds" or not rows:
            return None
        return grid.of(rows, queries.grid_days(period))

    def check_feeds(self, filters: QualityFilter, period: Period, limit: int | None) -> Answer:
        found = queries.feeds(filters.feed_name, filters.stores, period, limit)
        what = "sales" if filters.feed_name == "sales" else "counts of stock"
        gaps = found[0]["all_gaps"] if found else 0
        stores = found[0]["all_stores"] if found else 0
        columns = [
            Column("name", "Store", link=self.store_url),
            Column("gaps", "Gaps (days)", Kind.COUNT),
            Column("gap_days", "Missing days", nothing=""),
            Column("days_fed", f"Days with {what}", Kind.COUNT),
            Column("usual_weekdays", "Usual weekdays", Kind.COUNT),
            Column("lines", "Lines" if what == "sales" else "Counts", Kind.COUNT),
            Column("last_day", f"Last {what}", Kind.DATE, nothing="none"),
        ]
        return Answer(
            caption=f"Days with {what} by store, {period}",
            columns=columns,
            rows=found,
            found=stores,
            text=f"{count(gaps, 'gap')} in the {what} of {count(stores, 'active store')}. A gap is"
            " a day without any, of a weekday on which the store has some in more than half of"
            " the weeks, and in three at least; today does not count yet.",
            nothing="There is no active store to check.",
        )

    def check_refused(self, filters: QualityFilter, period: Period, limit: int | None) -> Answer:
        since, until = filters.imported(period)
        found = queries.refused(filters.stores, since, until, limit)
        columns = [
            Column("reason", "Reason"),
            Column("field", "Field"),
            Column("kind", "Rows of"),
            Column("rows", "Rows", Kind.COUNT),
            Column("first_line", "First in line", Kind.COUNT),
            Column("source", "File", link=batch_url),
            Column("imported_on", "Imported on", Kind.DATE),
            Column("imported_by", "By"),
        ]
        return Answer(
            caption=f"Refused rows by reason and import, imported since {period.start}",
            columns=columns,
            rows=found,
            found=found[0]["found"] if found else 0,
            text=f"{count(found[0]['all_rows'], 'row')} could not be placed. The import's page has"
            " them as a file, to be put right and imported again." if found else "",
            nothing="Of the imports since "
            f"{long_date(period.start)} every row of your stores was placed.",
        )  # fmt: skip

    def check_unknown(self, filters: QualityFilter, period: Period, limit: int | None) -> Answer:
        since, until = filters.imported(period)
        found = queries.unknown(filters.stores, since, until, limit)
        rows = [{**row, "state": "yes: import again" if row["is_known"] else "no"} for row in found]
        columns = [
            Column("sku", "SKU", nothing="(empty)", link=self.add_url),
            Column("rows", "Refused rows", Kind.COUNT),
            Column("stores", "Stores", Kind.COUNT),
            Column("units", "Units", Kind.UNITS),
            Column("amount", f"Amount ({self.currency})", Kind.MONEY),
            Column("state", "In the catalogue now"),
            Column("last_import", "Last import", Kind.DATE),
        ]
        return Answer(
            caption=f"Sold but not in the catalogue, imported since {period.start}",
            columns=columns,
            rows=rows,
            found=found[0]["found"] if found else 0,
            text=f"{count(found[0]['all_rows'], 'row')} of sales name an SKU that the catalogue"
            " lacked, and were refused. Add the product, then import the refused rows again."
            if found else "",
            nothing="Of the sales imported since "
            f"{long_date(period.start)} every SKU was in the catalogue.",
        )  # fmt: skip

    def check_margins(self, filters: QualityFilter, period: Period, limit: int | None) -> Answer:
        found = queries.below_cost(filters.stores, period, limit)
        columns = [
            Column("name", "Product", link=product_url),
            Column("sku", "SKU"),
            Column("loss", f"Loss ({self.currency})", Kind.MONEY),
            Column("stores", "Stores", Kind.COUNT),
            Column("days", "Days", Kind.COUNT),
            Column("units", "Units", Kind.UNITS),
            Column("revenue", f"Revenue ({self.currency})", Kind.MONEY),
            Column("cost", f"Cost ({self.currency})", Kind.MONEY),
            Column("unit_cost", f"Unit cost ({self.currency})", Kind.UNITS),
        ]
        loss = show(Kind.MONEY, found[0]["all_loss"]) if found else ""
        return Answer(
            caption=f"Sold below cost, {period}",
            columns=columns,
            rows=found,
            found=found[0]["found"] if found else 0,
            text=f"{count(found[0]['found'], 'product')} sold below today's unit cost, for"
            f" {self.currency} {loss} less than they cost. Only the stores and days on which that"
            " was so are counted." if found else "",
            nothing=self.nothing_below_cost(period) if not found else "",
        )  # fmt: skip

    def nothing_below_cost(self, period: Period) -> str:
        known = queries.products_with_cost()
        if not known:
            return "No product has a unit cost, so this could not be checked."
        return f"No day's sales of the {count(known, 'product')} with a unit cost were below it."

    def check_catalogue(self, filters: QualityFilter, period: Period, limit: int | None) -> Answer:
        found = queries.incomplete(filters.stores, period, limit)
        columns = [
            Column("name", "Product", link=self.record_url),
            Column("sku", "SKU"),
            Column("missing", "Missing", Kind.FLAG),
            Column("units", "Units sold", Kind.UNITS),
            Column("revenue", f"Revenue ({self.currency})", Kind.MONEY),
        ]
        first = found[0] if found else {}
        return Answer(
            caption=f"Products sold that are incomplete, {period}",
            columns=columns,
            rows=found,
            found=first.get("found", 0),
            text="Of the products that were sold,"
            f" {first['without_cost']:,} have no unit cost, {first['without_price']:,} no regular"
            f" price and {first['without_category']:,} no category." if found else "",
            nothing="Every product that was sold has a cost, a price and a category.",
        )  # fmt: skip

    def check_stale(self, filters: QualityFilter, period: Period, limit: int | None) -> Answer:
        days = filters.stale_days
        found = queries.stale(filters.stores, days, limit)
        columns = [
            Column("name", "Store", link=stock_url),
            Column("stale", f"Older than {days} days", Kind.COUNT),
            Column("rows", "Products counted", Kind.COUNT),
            Column("oldest", "Oldest count", Kind.DATE),
            Column("latest", "Latest count", Kind.DATE),
        ]
        first = found[0] if found else {"all_stale": 0, "all_rows": 0, "found": 0}
        checked = f"{count(first['all_rows'], 'product')} in {count(len(found), 'store')}"
        return Answer(
            caption=f"Stock whose latest count is older than {days} days",
            columns=columns,
            rows=[row for row in found if row["stale"]],
            found=first["found"],
            text=f"{first['all_stale']:,} of {first['all_rows']:,} products in stores were last"
            f" counted more than {count(days, 'day')} ago.",
            nothing=f"The {checked} were counted within {count(days, 'day')}."
            if found else "No stock has been counted, so there is nothing to check.",
        )  # fmt: skip

    def store_url(self, row: Row) -> str:
        return self.url_with(store=row["store_id"])

    def add_url(self, row: Row) -> str:
        if row["is_known"] or not self.request.user.has_perm("inventory.add_product"):
            return ""
        return f"{reverse('admin:inventory_product_add')}?{urlencode({'sku': row['sku']})}"

    def record_url(self, row: Row) -> str:
        return reverse("admin:inventory_product_change", args=[row["product_id"]])


def count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def batch_url(row: Row) -> str:
    return reverse("admin:ingestion_importbatch_change", args=[row["batch_id"]])


def product_url(row: Row) -> str:
    return reverse("reports:product", args=[row["product_id"]])


def stock_url(row: Row) -> str:
    return f"{reverse('reports:stock')}?{urlencode({'store': row['store_id'], 'sort': 'counted'})}"
