"""Every report page of the whole real year, worked out again with DuckDB: `make verify`.

28 and 90 days up to the last day with sales, both customers. Not recalculated: the home page, and
of the data quality report what the imports themselves are asked (refused rows, unknown products)
or what depends on the moment (stale stock).
"""

import os
from collections import Counter
from collections.abc import Iterator
from datetime import date, timedelta

import pytest
from django.core.management import call_command
from django.test import Client
from django.urls import reverse

from sales.complete_journey.load import demo_customers
from sales.complete_journey.stores import CUSTOMERS
from shelfops.reports.sql import row
from shelfops.tenancy.context import tenant
from shelfops.tenancy.models import Customer
from shelfops.tenancy.roles import Role
from tests.cast import make_user
from tests.conftest import logged_in
from tests.independent import books, comparing, lists
from tests.reports import held, independent
from tests.reports.shop import file_rows
from tests.reports.test_quality import GAPS

pytestmark = pytest.mark.skipif(
    "VERIFY" not in os.environ, reason="takes a quarter of an hour: make verify"
)

EXAMPLES = """
SELECT last.day AS last_day, product_id, store_id AS store, department, category
FROM daily_sales JOIN products USING (product_id)
CROSS JOIN (SELECT max(business_date) AS day FROM daily_store_sales) AS last
WHERE business_date > last.day - 28 AND department <> '' AND category <> ''
GROUP BY last.day, product_id, store_id, department, category
ORDER BY sum(revenue) DESC LIMIT 1
"""
BREAKDOWNS = [by for by in books.KEYS if by != "total"]
Found = list[tuple[str, int, list]]


@pytest.fixture(scope="module")
def customers(migrated: None, django_db_blocker) -> dict[str, Customer]:
    with django_db_blocker.unblock():
        call_command("load_complete_journey", all=True)
        return {customer.name: customer for customer in demo_customers()}


class Auditor:
    """A customer's pages as its administrator reads them, beside its books."""

    def __init__(self, customer: Customer) -> None:
        self.customer = customer
        with tenant(customer):
            self.client: Client = logged_in(make_user(Role.ADMIN, customer))
            self.examples = row(EXAMPLES, {})
        self.last: date = self.examples["last_day"]
        self.books = books.Books(customer)
        self.duck = independent.rows_of(customer)

    def check(self, days: int) -> Found:
        first = self.last - timedelta(days=days - 1)
        shelves = held.Books(self.customer, first, self.last)
        lists.read_more(shelves, self.customer)
        return [
            *self.sales(first),
            *self.movement(shelves),
            *self.lists(shelves, days),
            self.gaps(days),
        ]

    def sales(self, first: date) -> Iterator[tuple[str, int, list]]:
        for asked in self.questions(first):
            with counted(comparing) as count:
                wrong = comparing.differences(self.client, self.books, asked)
            yield f"sales by {asked.by}, {asked.figures}", count[0], wrong
        for of in ("product", "category"):
            for measure in ("revenue", "units"):
                asked = books.Asked(of, first, self.last)
                with counted(comparing) as count:
                    wrong = comparing.mover_differences(
                        self.client, self.books, asked, measure, most=15
                    )
                yield f"movers of {of}", count[0], wrong

    def questions(self, first: date) -> Iterator[books.Asked]:
        """Each breakdown against the days before and last year's, as margins, and narrowed."""
        narrow = {
            "department": self.examples["department"],
            "category": self.examples["category"],
            "product": str(self.examples["product_id"]),
            "store": str(self.examples["store"]),
        }
        for by in BREAKDOWNS:
            yield books.Asked(by, first, self.last)
            yield books.Asked(by, first, self.last, "year")
            if by != "hour":
                yield books.Asked(by, first, self.last, figures="margin")
                for only in narrow.items():
                    yield books.Asked(by, first, self.last, only=(only,))

    def movement(self, shelves: held.Books) -> Iterator[tuple[str, int, list]]:
        with counted(held) as count:
            wrong = held.wrong_figures(self.client, shelves)
        yield "stock as of, turn, sell-through, availability", count[0], wrong

    def lists(self, shelves: held.Books, days: int) -> Iterator[tuple[str, int, list]]:
        for listed in lists.LISTS:
            if listed.page == "stock" and days != 28:
                continue  # it has no period of its own
            days_asked = DEAD.get(days, days) if listed.page == "dead-stock" else days
            query = {**self.days_of(listed.page, days_asked), **listed.query, "format": "csv"}
            product = str(self.examples["product_id"])
            path = [product] if listed.page == "product" else []
            found = file_rows(self.client.get(reverse(f"reports:{listed.page}", args=path), query))
            first = self.last - timedelta(days=days_asked - 1)
            asked = listed.statement.format(start=first, end=self.last, product=product)
            yield listed.page, *lists.differences(listed, found, shelves.ask(asked))

    def days_of(self, page: str, days: int) -> dict[str, object]:
        """As the page takes them: as a number where it has a choice of some, else from and to."""
        if page in ("dead-stock", "phantom-stock"):
            return {} if (page, days) == ("phantom-stock", 90) else {"days": days}
        return {"start": self.last - timedelta(days=days - 1), "end": self.last}

    def gaps(self, days: int) -> tuple[str, int, list]:
        statement = GAPS.replace("83", str(days + 55)).replace("27", str(days - 1))
        statement = statement.replace("$end - 28", f"$end - {days}")
        response = self.client.get(
            reverse("reports:quality"),
            {"show": "feeds", "format": "csv", **self.days_of("quality", days)},
        )
        ours = {r["Store"]: (int(r["Gaps (days)"]), int(r["Lines"])) for r in file_rows(response)}
        expected = independent.answer(self.duck, statement, end=self.last)
        theirs = {r["name"]: (r["gaps"], r["lines"]) for r in expected}
        wrong = [pair for pair in theirs.items() if ours.get(pair[0]) != pair[1]]
        return "feeds", 2 * len(theirs), wrong


# Dead stock has no choice of 28 days.
DEAD = {28: 30}


class counted:  # noqa: N801  (reads as a verb)
    """Counts the figures that a module compares."""

    def __init__(self, module) -> None:
        self.module, self.same, self.count = module, module.same, [0]

    def __enter__(self) -> list[int]:
        def same(*figures: object) -> bool:
            self.count[0] += 1
            return self.same(*figures)

        self.module.same = same
        return self.count

    def __exit__(self, *error: object) -> None:
        self.module.same = self.same


@pytest.mark.parametrize("name", CUSTOMERS)
def test_every_report_agrees(customers, name, capsys) -> None:
    auditor = Auditor(customers[name])
    wrong = []
    for days in (28, 90):
        compared, unlike = Counter(), Counter()
        for page, count, found in auditor.check(days):
            compared[page] += count
            unlike[page] += len(found)
            wrong += [(days, page, one) for one in found]
        with capsys.disabled():
            say(name, days, compared, unlike)
    assert wrong == []


def say(name: str, days: int, compared: Counter, unlike: Counter) -> None:
    lines = [f"{compared[page]:>10,} {unlike[page]:>5}  {page}" for page in compared]
    total = f"{compared.total():>10,} {unlike.total():>5}  all"
    print(f"\n{name}, {days} days: figures compared, differences", *lines, total, sep="\n")  # noqa: T201
