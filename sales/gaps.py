"""What is missing in the sales of a period, and what a comparison leaves out for it.

A day is a gap where sales were expected and it is not complete (sales/days.py): it is drawn as a
gap, and has no figure where nothing came in. A store and day that one of two compared periods
lacks is left out of the other, too.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from uuid import UUID

from sales.days import WAITED_WEEKS, listed
from sales.scope import StoreDay, Stores
from shelfops.reports.period import Period
from shelfops.reports.sql import Row, rows

# By how many days into the period; `sales_days` says what was missing.
GAPS = f"""
WITH days AS (
    SELECT false AS is_before, day - %(start)s::date AS n, store_id, has_sales, silent_weeks
    FROM sales_days(now(), %(start)s, %(end)s, %(stores)s::uuid[])
    UNION ALL
    SELECT true, day - %(before_start)s::date, store_id, has_sales, silent_weeks
    FROM sales_days(now(), %(before_start)s, %(before_end)s, %(stores)s::uuid[])
),
pairs AS (
    SELECT n, store_id, bool_or(has_sales AND NOT is_before) AS reported,
           bool_or(NOT has_sales AND NOT is_before) AS missing,
           bool_or(NOT has_sales AND NOT is_before AND silent_weeks < {WAITED_WEEKS}) AS awaited,
           bool_or(has_sales AND is_before) AS reported_before,
           bool_or(NOT has_sales AND is_before) AS missing_before
    FROM days GROUP BY n, store_id
)
SELECT n, count(*) FILTER (WHERE reported) AS reported,
       count(*) FILTER (WHERE reported OR awaited) AS expected,
       coalesce(array_agg(store_id) FILTER (WHERE missing), '{{}}') AS missing,
       count(*) FILTER (WHERE reported_before) AS reported_before,
       count(*) FILTER (WHERE missing_before) AS missing_before,
       coalesce(array_agg(store_id) FILTER (WHERE missing AND reported_before), '{{}}')
           AS not_now,
       coalesce(array_agg(store_id) FILTER (WHERE reported AND missing_before), '{{}}')
           AS not_before,
       (SELECT count(DISTINCT store_id) FROM pairs) AS stores
FROM pairs GROUP BY n ORDER BY n
"""

CENTS = Decimal("0.01")


@dataclass(frozen=True)
class Gaps:
    """`days` has a row for each day on which anything came in or is missing."""

    days: dict[int, Row]
    period: Period
    compared: Period

    @property
    def left_out(self) -> list[StoreDay]:
        return [
            (store, n)
            for n, row in self.days.items()
            for store in row["not_now"] + row["not_before"]
        ]

    @property
    def notes(self) -> list[str]:
        """What to say of the comparison."""
        missing = [
            self.period.start + timedelta(n) for n, row in self.days.items() if row["not_now"]
        ]
        missing += [
            self.compared.start + timedelta(n) for n, row in self.days.items() if row["not_before"]
        ]
        stores = next((row["stores"] for row in self.days.values()), 0)
        left_out = len({store for store, _ in self.left_out})
        if not left_out:
            return []
        where = f"{left_out:,} of {stores:,} stores ({listed(sorted(set(missing)))})"
        return [f"Left out of the comparison: days without data in {where}."]

    def is_gap(self, day: date) -> bool:
        row = self._row(day)
        return bool(row and row["missing"] and row["reported"] * 2 <= row["expected"])

    def without(self, day: date) -> str:
        """Of how many stores nothing came in: "2 of 5 stores", or nothing."""
        row = self._row(day)
        if not row or not row["missing"]:
            return ""
        missing = len(row["missing"])
        return f"{missing:,} of {missing + row['reported']:,} stores"

    def days_without(self, days: Iterable[date]) -> list[date]:
        return [day for day in days if self.is_gap(day)]

    def without_any(self, weekday: int) -> int:
        """On how many such weekdays (1 is Monday) nothing came in from any store."""
        return sum(
            (self.period.start + timedelta(n)).isoweekday() == weekday
            for n, row in self.days.items()
            if row["missing"] and not row["reported"]
        )

    def by_store(self) -> dict[UUID, int]:
        """On how many days of the period each store's sales are missing."""
        found: dict[UUID, int] = {}
        for row in self.days.values():
            for store in row["missing"]:
                found[store] = found.get(store, 0) + 1
        return found

    def lacks_before(self, n: int) -> bool:
        """Whether nothing is left to compare a day with, for want of data."""
        row = self.days.get(n)
        return bool(
            row and (row["not_now"] or (row["missing_before"] and not row["reported_before"]))
        )

    def _row(self, day: date) -> Row | None:
        return self.days.get((day - self.period.start).days)


def gaps(stores: Stores, period: Period, compared: Period) -> Gaps:
    found = rows(GAPS, {**period.params_against(compared), "stores": stores})
    return Gaps({row["n"]: row for row in found}, period, compared)


def marked(rows: list[Row], by: str, found: Gaps) -> list[Row]:
    """Rows of a table by time or store, which say what they are `without`.

    Where nothing came in that was expected, there is no figure.
    """
    if by == "store":
        days = found.by_store()
        texts = {store: _days(count) for store, count in days.items()}
        return [_with(row, texts.get(row["store_id"], "")) for row in rows]
    if by == "day":
        return [
            _compared(_with(row, found.without(row["business_date"])), found.lacks_before(n))
            for n, row in enumerate(rows)
        ]
    if by in ("week", "month"):
        return [_with(row, _span(row, found)) for row in rows]
    if by == "hour":
        return [_hour(row, found.without_any(row["weekday"])) for row in rows]
    return rows


def _hour(row: Row, missing: int) -> Row:
    """Its average is of the days on which anything came in."""
    if not missing:
        return {**row, "without": None}
    left = row["days"] - missing
    without = f"{missing} of {_days(row['days'])}"
    if not left:
        return {**_with(row, without), "average": None}
    average = (row["revenue"] / left).quantize(CENTS, ROUND_HALF_UP)
    return {**row, "average": average, "without": without}


def _span(row: Row, found: Gaps) -> str:
    days = [row["first_day"] + timedelta(n) for n in range(row["days"])]
    missing = len(found.days_without(days))
    return f"{missing} of {_days(len(days))}" if missing else ""


def _with(row: Row, without: str) -> Row:
    nothing = {"revenue": None, "units": None} if without and not row["revenue"] else {}
    return {**row, "without": without or None, **nothing}


def _compared(row: Row, lacks_before: bool) -> Row:
    nothing = lacks_before and not row["revenue_before"]
    return {**row, "revenue_before": None, "units_before": None} if nothing else row


def _days(count: int) -> str:
    return f"{count} day{'' if count == 1 else 's'}"
