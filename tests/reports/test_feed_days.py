"""The last day of sales where few stores have reported, and days on which a feed is missing."""

from datetime import date, timedelta
from decimal import Decimal

import pytest
from django.urls import reverse

from sales.days import last_days
from shelfops.reports.period import Period, long_date
from shelfops.tenancy.context import tenant
from tests.admin.test_home import card, sections
from tests.reports.shop import YESTERDAY, file_rows, text

SALES = reverse("reports:sales")


def ago(days: int) -> date:
    return YESTERDAY - timedelta(days=days)


@pytest.fixture
def chain(cast, shop):
    """Five stores that sold for 10 each day up to the day before yesterday."""
    stores = [cast.store, *(shop.store(f"N{n}", time_zone="UTC") for n in range(4))]
    for store in stores:
        for back in range(1, 60):
            shop.sell(store, cast.product, ago(back), 1, 10)
    shop.stores = stores
    return shop


def sold_early(cast, chain, *stores) -> None:
    """A file of the next day, of some stores only."""
    for store in stores:
        chain.sell(store, cast.product, ago(0), 1, 3)
    chain.refresh()


class TestLastDay:
    def test_it_is_not_moved_by_one_early_store(self, cast, client_of, chain):
        sold_early(cast, chain, chain.stores[1])
        with tenant(cast.customer):
            found = last_days(None)
        assert found["last_day"] == ago(1)
        assert (found["reported"], found["expected"]) == (5, 5)
        assert (found["early_day"], found["early_reported"], found["early_expected"]) == (
            ago(0),
            1,
            5,
        )
        section = sections(client_of, cast.admin)["Sales"]
        assert card(section, "Revenue").value == "50.00"
        assert [note.tone for note in card(section, "Revenue").notes] == ["", ""]
        assert "1 of 5 stores reported" in section.text
        for page in ("sales", "quality"):
            response = client_of(cast.admin).get(reverse(f"reports:{page}"))
            assert response.context["period"] == Period(ago(28), ago(1))
        assert "1 of 5 stores reported" in text(client_of(cast.admin).get(SALES))

    def test_it_is_the_last_on_which_most_reported(self, cast, client_of, chain):
        sold_early(cast, chain, *chain.stores[:3])
        with tenant(cast.customer):
            found = last_days(None)
        assert (found["last_day"], found["reported"], found["expected"]) == (ago(0), 3, 5)
        assert found["early_day"] is None
        assert "3 of 5 stores reported" in sections(client_of, cast.admin)["Sales"].text

    def test_it_is_of_the_stores_of_a_person(self, cast, client_of, chain):
        sold_early(cast, chain, cast.store)
        with tenant(cast.customer):
            assert last_days(None)["last_day"] == ago(1)
            assert last_days([cast.store.pk])["last_day"] == ago(0)
            assert last_days([chain.stores[1].pk])["last_day"] == ago(1)
        assert card(sections(client_of, cast.manager)["Sales"], "Revenue").value == "3.00"

    def test_half_of_the_stores_are_not_most(self, cast, chain):
        sold_early(cast, chain, *chain.stores[:2])
        stores = [store.pk for store in chain.stores[:4]]
        with tenant(cast.customer):
            assert last_days(stores)["last_day"] == ago(1)

    def test_it_waits_for_no_store_that_is_closed_or_long_silent(self, cast, shop):
        """Of five stores two were switched off and one has been silent for over four weeks."""
        stores = [cast.store, *(shop.store(f"N{n}", time_zone="UTC") for n in range(4))]
        for place, store in enumerate(stores):
            for back in range(30 if place == 4 else 1, 70):
                shop.sell(store, cast.product, ago(back), 1, 10)
        with tenant(cast.customer):
            for store in stores[2:4]:
                store.is_active = False
                store.save()
        shop.stores = stores
        sold_early(cast, shop, *stores[:2])
        with tenant(cast.customer):
            found = last_days(None)
        assert (found["last_day"], found["reported"], found["expected"]) == (ago(0), 2, 2)

    def test_it_expects_no_store_on_its_day_off(self, cast, shop):
        closed = ago(0).isoweekday()
        stores = [shop.store(f"N{n}", time_zone="UTC") for n in range(4)]
        for place, store in enumerate(stores):
            for back in range(60):
                if place == 0 or ago(back).isoweekday() != closed:
                    shop.sell(store, cast.product, ago(back), 1, 10)
        shop.refresh()
        with tenant(cast.customer):
            found = last_days(None)
        assert (found["last_day"], found["reported"], found["expected"]) == (ago(0), 1, 1)

    def test_a_new_customers_is_the_last_with_sales(self, cast, shop):
        for store in (cast.store, cast.unassigned_store):
            for back in range(1, 10):
                shop.sell(store, cast.product, ago(back), 1, 10)
        shop.sell(cast.store, cast.product, ago(0), 1, 10)
        shop.refresh()
        with tenant(cast.customer):
            assert last_days(None)["last_day"] == ago(0)

    def test_it_is_found_where_all_ended_long_ago_or_nothing_is_open(self, cast, shop):
        shop.sell(cast.store, cast.product, ago(200), 1, 10)
        shop.refresh()
        with tenant(cast.customer):
            assert last_days(None)["last_day"] == ago(200)
            cast.store.is_active = False
            cast.store.save()
            assert last_days(None)["last_day"] == ago(200)
            assert last_days([])["last_day"] is None


class TestHome:
    def test_it_compares_the_stores_that_reported_on_both_days(self, cast, client_of, chain):
        """One store lacks the day: what it sold in the weeks before is no loss."""
        lame = chain.stores[3]
        for store in chain.stores[:4]:
            chain.sell(store, cast.product, ago(0), 2, 30 if store == lame else 20)
        chain.refresh()
        section = sections(client_of, cast.admin)["Sales"]
        assert card(section, "Revenue").value == "90.00"
        notes = [note.text for note in card(section, "Revenue").notes]
        weekday = f"{ago(0):%A}"
        assert notes == [f"+125.0% on last {weekday}", f"+125.0% on the last 4 {weekday}s"]
        assert "1 of 5 stores, without data on" in section.text
        assert "4 of 5 stores reported" in section.text


def day_rows(client_of, user, **query) -> dict[str, dict[str, str]]:
    query = {"start": ago(13), "end": ago(7), "by": "day", "format": "csv", **query}
    return {row["Business day"]: row for row in file_rows(client_of(user).get(SALES, query))}


@pytest.fixture
def torn(cast, shop):
    """Five stores sell daily; all lack one day, one lacks another and one a day of the week before.

    The week from the 13th day ago to the 7th is compared with the 20th to the 14th.
    """
    shop.stores = [cast.store, *(shop.store(f"N{n}", time_zone="UTC") for n in range(4))]
    for place, store in enumerate(shop.stores):
        for back in range(60):
            if back != 10 and (place, back) not in {(1, 8), (2, 18)}:
                shop.sell(store, cast.product, ago(back), 1, 100 + place if back < 14 else 50)
    shop.refresh()
    return shop


class TestComparison:
    def test_it_compares_the_stores_and_days_that_both_periods_have(self, cast, client_of, torn):
        rows = day_rows(client_of, cast.admin)
        whole = sum(100 + place for place in range(5))
        total = rows[""]
        assert total["Revenue (USD)"] == f"{6 * whole - 101}.00"
        # Of 35 store days of the week before: one it lacks, and five and one of the week itself.
        assert total["Revenue before (USD)"] == f"{50 * (35 - 1 - 5 - 1)}.00"
        compared = 6 * whole - 101 - 102  # 11 days ago of the store that lacks the 18th
        assert total["Revenue change (%)"] == f"{100 * (compared - 1400) / 1400:.1f}"

    def test_it_says_what_it_leaves_out(self, cast, client_of, torn):
        page = client_of(cast.admin).get(SALES, {"start": ago(13), "end": ago(7)})
        names = ", ".join(long_date(ago(n)) for n in (18, 10, 8))
        assert page.context["left_out_notes"] == [
            f"Left out of the comparison: days without data in 5 of 5 stores ({names})."
        ]
        whole = client_of(cast.admin).get(SALES, {"start": ago(6), "end": ago(0), "by": "week"})
        assert "days without data in" in text(whole)  # the week before is the torn one
        near = client_of(cast.admin).get(SALES, {"start": ago(2), "end": ago(0)})
        assert near.context["left_out_notes"] == []
        assert "Left out of" not in text(near)

    @pytest.mark.parametrize("by", ["week", "store", "department", "category", "product"])
    @pytest.mark.parametrize("figures", ["sales", "margin"])
    def test_it_is_the_same_in_every_breakdown(self, cast, client_of, torn, by, figures):
        with tenant(cast.customer):
            cast.product.unit_cost = 1
            cast.product.save()
        query = {"start": ago(13), "end": ago(7), "figures": figures, "format": "csv"}
        key = "Margin change (%)" if figures == "margin" else "Revenue change (%)"
        *_, days = file_rows(client_of(cast.admin).get(SALES, {**query, "by": "day"}))
        *_, total = file_rows(client_of(cast.admin).get(SALES, {**query, "by": by}))
        assert total[key] == days[key]

    def test_movers_are_of_the_same(self, cast, client_of, torn):
        query = {"start": ago(13), "end": ago(7), "by": "movers", "format": "csv"}
        [mover, total] = file_rows(client_of(cast.admin).get(SALES, query))
        expected = 6 * 510 - 101 - 102 - 1400
        assert mover["Revenue difference (USD)"] == f"{expected}.00"
        assert total["Revenue difference (USD)"] == f"{expected}.00"

    def test_it_is_of_the_stores_of_a_person(self, cast, client_of, torn):
        rows = day_rows(client_of, cast.manager)
        assert rows[""]["Revenue change (%)"] == "100.0"
        assert rows[str(ago(10))]["Without data"] == "1 of 1 stores"


class TestGaps:
    def test_a_day_without_data_has_no_figures(self, cast, client_of, torn):
        rows = day_rows(client_of, cast.admin)
        gap, partial = rows[str(ago(10))], rows[str(ago(8))]
        assert (gap["Revenue (USD)"], gap["Units"], gap["Revenue before (USD)"]) == ("", "", "")
        assert gap["Without data"] == "5 of 5 stores"
        assert (partial["Revenue (USD)"], partial["Without data"]) == ("409.00", "1 of 5 stores")

    def test_it_is_drawn_as_a_gap(self, cast, client_of, torn):
        page = client_of(cast.admin).get(SALES, {"start": ago(13), "end": ago(7)})
        chart = page.context["charts"][0]
        values = chart["series"][0]["values"]
        assert [n for n, value in enumerate(values) if value is None] == [3]
        assert [(gap["place"], gap["text"]) for gap in chart["gaps"]] == [
            (3, "no data from 5 of 5 stores")
        ]
        assert "Hatched" in text(page)

    def test_weeks_and_stores_say_how_many_days_they_lack(self, cast, client_of, torn):
        query = {"start": ago(13), "end": ago(7), "format": "csv"}
        stores = file_rows(client_of(cast.admin).get(SALES, {**query, "by": "store"}))
        lacks = {row["Store"]: row["Without data"] for row in stores}
        assert lacks == {
            cast.store.name: "1 day", "N0": "2 days", "N1": "1 day", "N2": "1 day", "N3": "1 day",
            cast.unassigned_store.name: "", "": "",
        }  # fmt: skip
        weeks = file_rows(client_of(cast.admin).get(SALES, {**query, "by": "week"}))
        lacking = [row["Without data"] for row in weeks if row["Without data"]]
        days = next(row["Days"] for row in weeks if row["From"] <= str(ago(10)) <= row["To"])
        assert lacking == [f"1 of {days} day{'s' * (days != '1')}"]

    def test_hours_of_the_week_are_averages_of_the_days_with_data(self, cast, client_of, torn):
        """Of the two such weekdays, one has nothing; on the 8th day ago one store is missing."""
        query = {"start": ago(20), "end": ago(7), "by": "hour", "format": "csv"}
        *rows, total = file_rows(client_of(cast.admin).get(SALES, query))
        assert total["Revenue (USD)"] == f"{6 * 510 - 101 + 50 * 34}.00"
        empty = [row for row in rows if row["Weekday"] == f"{ago(10):%a}"]
        assert {row["Without data"] for row in empty} == {"1 of 2 days"}
        assert sum(Decimal(row["Revenue a day (USD)"]) for row in empty) == 250
        partial = [row for row in rows if row["Weekday"] == f"{ago(8):%a}"]
        assert {row["Without data"] for row in partial} == {""}
        each = sum(Decimal(row["Revenue a day (USD)"]) for row in partial)
        assert each == Decimal(510 - 101 + 250) / 2

    def test_a_store_long_silent_is_a_gap_and_no_zero(self, cast, client_of, shop):
        for back in range(50, 110):
            shop.sell(cast.store, cast.product, ago(back), 1, 10)
        shop.refresh()
        query = {"start": ago(59), "end": ago(0)}
        page = client_of(cast.manager).get(SALES, query)
        assert len(page.context["charts"][0]["gaps"]) == 50
        rows = file_rows(client_of(cast.manager).get(SALES, {**query, "format": "csv"}))
        assert [row["Revenue (USD)"] for row in rows[:-1]] == ["10.00"] * 10 + [""] * 50


class TestProductPage:
    def page(self, client_of, user, product, **query):
        query = {"start": ago(13), "end": ago(7), **query}
        return client_of(user).get(reverse("reports:product", args=[product.pk]), query)

    def panel(self, page) -> dict:
        return next(p for p in page.context["timeline"]["panels"] if p["id"] == "panel-sales")

    def test_a_day_without_data_is_drawn_as_a_gap(self, cast, client_of, torn):
        page = self.page(client_of, cast.admin, cast.product)
        panel = self.panel(page)
        velocity, units = (line["values"] for line in panel["lines"])
        assert units == [5, 5, 5, None, 5, 4, 5]
        assert [n for n, value in enumerate(velocity) if value is None] == [3]
        assert panel["gaps"] == [
            {"place": 3, "text": "no data from 5 of 5 stores", "label": long_date(ago(10))}
        ]
        assert f"Hatched: most stores sent no data ({long_date(ago(10))})" in text(page)

    def test_its_table_has_no_figure_of_it(self, cast, client_of, torn):
        page = self.page(client_of, cast.admin, cast.product, format="csv")
        rows = {row["Business day"]: row for row in file_rows(page)}
        gap, partial = rows[str(ago(10))], rows[str(ago(8))]
        assert (gap["Units sold"], gap["Velocity, 7 days"], gap["Revenue (USD)"]) == ("", "", "")
        assert gap["Without data"] == "5 of 5 stores"
        assert (partial["Units sold"], partial["Without data"]) == ("4", "1 of 5 stores")
        assert rows[""]["Units sold"] == "29"

    def test_it_is_of_the_stores_shown(self, cast, client_of, torn):
        page = self.page(client_of, cast.admin, cast.product, store=torn.stores[1].pk)
        assert [gap["place"] for gap in self.panel(page)["gaps"]] == [3, 5]

    def test_a_product_that_did_not_sell_is_no_gap(self, cast, client_of, torn):
        other = torn.product("OTHER-1")
        torn.sell(cast.store, other, ago(12), 2, 3)
        torn.refresh()
        units = self.panel(self.page(client_of, cast.admin, other))["lines"][1]["values"]
        assert units == [0, 2, 0, None, 0, 0, 0]
        near = self.page(client_of, cast.admin, other, start=ago(2), end=ago(0))
        assert self.panel(near)["gaps"] == []
        assert "Hatched" not in text(near)
