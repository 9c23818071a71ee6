"""ABC classes, dead stock and phantom stock: by hand, and against DuckDB."""

from datetime import timedelta

import pytest
from django.urls import reverse

from tests.cast import Cast
from tests.reports.held import Books
from tests.reports.shop import YESTERDAY, Shop, file_rows, text


def ago(days: int):
    return YESTERDAY - timedelta(days=days)


def rows(client_of, user, name: str, **query) -> list[dict[str, str]]:
    url = reverse(f"reports:{name}")
    return file_rows(client_of(user).get(url, {"format": "csv", **query}))


class TestClasses:
    @pytest.fixture
    def range_(self, cast: Cast, shop: Shop) -> Shop:
        """Of 100: 50, 29, 2 (crosses 80), 13, 1, 4 (crosses 95), 0.5, 0.5; two without sales."""
        for n, amount in enumerate((50, 29, 2, 13, 1, 4, "0.5", "0.5")):
            department = "Food" if n % 2 else "Home"
            product = shop.product(f"P{n}", department=department)
            shop.sell(cast.store, product, ago(n), 1, amount)
        returned = shop.product("RETURNED")
        shop.sell(cast.store, returned, ago(1), -2, "-9.00")
        shop.sell(cast.unassigned_store, cast.product, ago(60), 5, "500.00")
        shop.product("OFF", is_active=False)
        shop.snapshot(cast.store, cast.product, ago(9), 1)
        shop.refresh()
        return shop

    def test_it_puts_the_product_that_crosses_a_limit_into_the_class_it_completes(
        self, cast, client_of, range_
    ):
        found = rows(client_of, cast.admin, "abc")
        assert [(row["SKU"], row["Class"], row["Cumulative (%)"]) for row in found] == [
            ("P0", "A", "50"),
            ("P1", "A", "79"),
            ("P3", "A", "92"),
            ("P5", "B", "96"),
            ("P2", "C", "98"),
            ("P4", "C", "99"),
            *sorted(
                [("P6", "C", found[6]["Cumulative (%)"]), ("P7", "C", found[7]["Cumulative (%)"])]
            ),
            ("", "", ""),
        ]
        assert found[-1]["Revenue (USD)"] == "100.00"

    def test_it_lists_products_without_sales_as_u(self, cast, client_of, range_):
        found = rows(client_of, cast.admin, "abc", abc="U")
        assert {row["SKU"]: row["Revenue (USD)"] for row in found} == {
            "MILK-1": "0.00",
            "RETURNED": "-9.00",
            "": "-9.00",
        }

    def test_it_counts_every_class_whichever_is_chosen(self, cast, client_of, range_):
        for chosen in ("", "B", "U"):
            page = client_of(cast.admin).get(reverse("reports:abc"), {"abc": chosen})
            cards = [(card["label"], card["value"]) for card in page.context["cards"]]
            expected = [("Class A", "3"), ("Class B", "1"), ("Class C", "4"), ("Class U", "2")]
            assert cards == expected

    def test_it_ranks_within_departments(self, cast, client_of, range_):
        found = rows(client_of, cast.admin, "abc", within="department")
        classes = {row["SKU"]: row["Class"] for row in found}
        assert (classes["P0"], classes["P2"], classes["P4"], classes["P6"]) == ("A", "B", "C", "C")
        assert (classes["P1"], classes["P3"], classes["P5"]) == ("A", "A", "B")

    def test_it_takes_the_stores_chosen_only(self, cast, client_of, range_):
        query = {"start": ago(70), "end": ago(0)}
        found = rows(client_of, cast.admin, "abc", **query)
        assert (found[0]["SKU"], found[0]["Revenue (USD)"]) == ("MILK-1", "500.00")
        found = rows(client_of, cast.manager, "abc", **query)
        assert found[-1]["Revenue (USD)"] == "100.00"

    def test_it_agrees_with_an_independent_calculation(self, cast, client_of, range_):
        start, end = ago(70), ago(0)
        found = rows(client_of, cast.admin, "abc", start=start, end=end)
        books = Books(cast.customer, start, end)
        theirs = books.ask(
            """
            WITH sold AS (
                SELECT sku, sum(amount) AS revenue FROM sales JOIN products USING (product_id)
                WHERE day BETWEEN $start::date AND $end::date GROUP BY sku HAVING sum(amount) > 0
            )
            SELECT sku, (SELECT coalesce(sum(revenue), 0) FROM sold better
                         WHERE better.revenue > sold.revenue)
                        / (SELECT sum(revenue) FROM sold) AS above
            FROM sold
            """,
            start=str(start),
            end=str(end),
        )
        expected = {
            row["sku"]: "A" if row["above"] < 0.8 else "B" if row["above"] < 0.95 else "C"
            for row in theirs
        }
        assert {row["SKU"]: row["Class"] for row in found[:-1]} == expected


class TestDead:
    @pytest.fixture
    def shelves(self, cast: Cast, shop: Shop) -> Shop:
        costed = {"unit_cost": "2", "unit_price": "3"}
        moving, dead = shop.product("MOVING", **costed), shop.product("DEAD", **costed)
        empty = shop.product("EMPTY", **costed)
        for product, on_hand in ((moving, 10), (dead, 7), (empty, 0), (cast.product, 1)):
            shop.snapshot(cast.store, product, ago(100), on_hand)
        shop.snapshot(cast.unassigned_store, moving, ago(5), 4)
        shop.sell(cast.store, moving, ago(59), 1, "3.00")
        shop.sell(cast.store, dead, ago(60), 1, "3.00", "23:59")
        shop.sell(cast.store, dead, ago(20), -1, "-3.00")  # a return is no sale
        shop.sell(cast.unassigned_store, dead, ago(0), 1, "3.00")  # of the other store
        shop.sell(cast.store, empty, ago(0), 1, "3.00")
        shop.refresh()
        return shop

    def test_it_lists_what_was_not_sold(self, cast, client_of, shelves):
        found = rows(client_of, cast.admin, "dead-stock")
        told = [
            (row["SKU"], row["Store"], row["Value at cost (USD)"], row["Last sale"])
            for row in found
        ]
        assert told == [
            ("DEAD", "Main Street", "14.00", str(ago(60))),
            ("MOVING", "Harbour", "8.00", ""),
            ("MILK-1", "Main Street", "", ""),
            ("", "", "22.00", ""),
        ]
        assert found[-1]["Value at retail (USD)"] == "33.00"

    def test_it_takes_the_days_asked_for(self, cast, client_of, shelves):
        found = rows(client_of, cast.admin, "dead-stock", days=90, store=cast.store.pk)
        assert [row["SKU"] for row in found] == ["MILK-1", ""]
        found = rows(client_of, cast.admin, "dead-stock", days=30, store=cast.store.pk)
        assert [row["SKU"] for row in found] == ["MOVING", "DEAD", "MILK-1", ""]

    def test_it_shows_a_manager_the_assigned_stores_only(self, cast, client_of, shelves):
        found = rows(client_of, cast.manager, "dead-stock")
        assert [row["SKU"] for row in found] == ["DEAD", "MILK-1", ""]
        assert found[-1]["Value at cost (USD)"] == "14.00"

    def test_it_says_when_there_is_none(self, cast, client_of, shop):
        assert "No dead stock." in text(client_of(cast.admin).get(reverse("reports:dead-stock")))


class TestPhantom:
    @pytest.fixture
    def shelves(self, cast: Cast, shop: Shop) -> Shop:
        """A purchase each other day, then none: for 10 days (0.67%) and, of the case, for 8."""
        gone, case_ = shop.product("GONE", unit_cost="1", unit_price="2"), shop.product("CASE")
        out = shop.product("OUT")
        for product in (gone, case_, out):
            shop.snapshot(cast.store, product, ago(99), 50)
        for back in range(10, 90, 2):
            shop.sell(cast.store, gone, ago(back), 1, "2.00")
        for back in range(40, 90, 16):
            shop.sell(cast.store, case_, ago(back), 24, "48.00")
        for back in range(10, 90, 2):
            shop.sell(cast.store, out, ago(back), 1, "2.00")
        shop.snapshot(cast.store, out, ago(10), 0)  # empty meanwhile, and here again since today
        shop.snapshot(cast.store, out, ago(0), 50)
        shop.sell(cast.unassigned_store, gone, ago(0), 1, "2.00")
        shop.refresh()
        return shop

    def test_it_lists_what_has_not_sold_for_longer_than_chance_explains(
        self, cast, client_of, shelves
    ):
        found = rows(client_of, cast.admin, "phantom-stock", chance="0.05")
        told = [(row["SKU"], row["Days in stock without a sale"], row["Chance"]) for row in found]
        # 40 purchases in 90 days: 4.4 expected in 10 days; exp(-4.444) is 1 in 85.
        assert told == [("GONE", "10", "1 in 85"), ("", "", "")]
        assert found[0]["Purchases a day"] == "0.44"
        assert found[0]["Purchases expected"] == "4.4"
        assert found[0]["Last sale"] == str(ago(10))

    def test_it_takes_the_chance_asked_for(self, cast, client_of, shelves):
        found = rows(client_of, cast.admin, "phantom-stock")
        assert [row["SKU"] for row in found] == [""]

    def test_it_survives_what_cannot_be_chance_at_all(self, cast, client_of, shop):
        shop.snapshot(cast.store, cast.product, ago(99), 5)
        for n in range(200):
            shop.sell(cast.store, cast.product, ago(60 + n % 30), 1, "1.00")
        shop.sell(cast.store, shop.product("OTHER"), ago(0), 1, "1.00")
        shop.refresh()
        [milk, _] = rows(client_of, cast.admin, "phantom-stock")
        assert milk["Chance"] == "under 1 in 1,000,000"


PAGES = ("stock-as-of", "abc", "stock-turn", "sell-through", "availability", "dead-stock")
PAGES += ("phantom-stock",)


@pytest.mark.parametrize("name", PAGES)
def test_it_has_a_page_for_those_without_anything(cast, client_of, name):
    response = client_of(cast.analyst).get(reverse(f"reports:{name}"))
    assert response.status_code == 200
    assert response.context["empty"]
    assert "Start over" in text(response)
    files = client_of(cast.analyst).get(reverse(f"reports:{name}"), {"format": "csv"})
    assert len(file_rows(files)) <= 1


@pytest.mark.parametrize("name", PAGES)
def test_it_shows_wrong_filters_at_their_fields(cast, client_of, name):
    query = {"sort": "name; DROP TABLE", "q": "\x00", "store": cast.other_store.pk, "page": "²"}
    response = client_of(cast.manager).get(reverse(f"reports:{name}"), query)
    assert response.status_code == 200
    assert {"sort", "q", "store"} <= set(response.context["form"].errors)


@pytest.mark.parametrize("name", PAGES)
def test_it_is_not_for_staff(cast, client_of, name):
    assert client_of(cast.staff).get(reverse(f"reports:{name}")).status_code == 403
