"""The last day of sales where few stores have reported, and days on which a feed is missing."""

from datetime import date, timedelta

import pytest
from django.urls import reverse

from sales.days import last_days
from shelfops.reports.period import Period
from shelfops.tenancy.context import tenant
from tests.admin.test_home import card, sections
from tests.reports.shop import YESTERDAY, text

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
