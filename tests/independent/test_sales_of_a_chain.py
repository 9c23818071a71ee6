"""Every sales figure of a chain of stores, against the books."""

from datetime import date, timedelta

import pytest
from django.test import Client

from sales import views
from tests.cast import Cast, make_cast
from tests.conftest import logged_in
from tests.independent.books import KEYS, Asked, Books
from tests.independent.chain import TODAY, Chain, chain_of, changes_of_clocks
from tests.independent.comparing import differences, mover_differences

BREAKDOWNS = [by for by in KEYS if by != "total"]


@pytest.fixture(scope="module")
def chain() -> Chain:
    return chain_of(make_cast())


@pytest.fixture(scope="module")
def books(chain: Chain) -> Books:
    return Books(chain.cast.customer)


@pytest.fixture(scope="module")
def cast(chain: Chain) -> Cast:
    return chain.cast


@pytest.fixture(scope="module")
def admin(cast: Cast) -> Client:
    return logged_in(cast.admin)


@pytest.fixture(scope="module")
def manager(cast: Cast) -> Client:
    return logged_in(cast.manager)


def ago(days: int) -> date:
    return TODAY - timedelta(days=days)


def weeks_of_clock_changes() -> list[tuple[date, date]]:
    autumn, spring = sorted(change.date() for change in changes_of_clocks("Europe/Berlin"))
    return [(day - timedelta(days=10), day + timedelta(days=12)) for day in (autumn, spring)]


def test_it_has_the_nasty_rows(books):
    """The fixture is what it says; else the other tests would prove nothing."""

    def count(condition: str) -> int:
        return books.db.execute(f"SELECT count(*) FROM sold WHERE {condition}").fetchone()[0]

    assert count("quantity < 0 AND amount < 0") > 20
    assert count("quantity = 0") > 20
    assert count("quantity <> round(quantity)") > 50
    assert count("category = ''") > 20
    assert count("unit_cost IS NULL") > 100
    assert count("unit_cost IS NOT NULL AND quantity < 0") > 10
    assert count("store = 'OLD'") > 50
    assert count("sold_at >= current_date") > 0
    assert count("day <> sold_at::date") > 100
    twice = """
    (store_id, receipt) IN (SELECT (store_id, receipt) FROM sold GROUP BY ALL
                            HAVING count(DISTINCT day) > 1)
    """
    assert count(twice) > 100
    zones = books.db.execute("SELECT count(DISTINCT time_zone) FROM sold").fetchone()
    assert zones == (5,)


@pytest.mark.parametrize("by", BREAKDOWNS)
def test_it_is_right_for_all_stores(chain, books, admin, by):
    for asked in (
        Asked(by, ago(27), ago(0)),  # with today, which no aggregate holds yet
        Asked(by, ago(28), ago(1), "year"),
        Asked(by, ago(365), ago(1)),
        *(Asked(by, *days) for days in weeks_of_clock_changes()),
    ):
        assert differences(admin, books, asked) == [], asked


@pytest.mark.parametrize("by", BREAKDOWNS)
def test_it_is_right_for_the_stores_of_a_manager(chain, books, manager, by):
    own = chain.assigned()
    one = Asked(by, ago(40), ago(1), only=(("store", str(own[1].pk)),))
    for asked in (Asked(by, ago(365), ago(1)), Asked(by, ago(28), ago(1), "year"), one):
        assert differences(manager, books, asked, own) == [], asked


@pytest.mark.parametrize("narrow", ["department", "category", "product"])
def test_it_is_right_for_some_products(chain, books, admin, manager, narrow):
    value = {
        "department": "Food",
        "category": "Bakery",
        "product": str(chain.product("AWAY").pk),
    }[narrow]
    for by in ("day", "store", "category", "product"):
        asked = Asked(by, ago(200), ago(1), only=((narrow, value),))
        assert differences(admin, books, asked) == [], asked
        assert differences(manager, books, asked, chain.assigned()) == [], asked


@pytest.mark.parametrize("by", ["day", "month", "store", "department", "category", "product"])
def test_it_is_right_about_margins(chain, books, admin, manager, by, monkeypatch):
    """Products without a cost, sold below it, for nothing, and brought back."""
    monkeypatch.setattr("sales.filters.SalesFilter.top_products", 4)
    food = (("department", "Food"),)
    for asked in (
        Asked(by, ago(27), ago(0), figures="margin"),
        Asked(by, ago(60), ago(1), "year", only=food, figures="margin"),
    ):
        assert differences(admin, books, asked) == [], asked
        assert differences(manager, books, asked, chain.assigned()) == [], asked


@pytest.mark.parametrize("of", ["product", "category"])
@pytest.mark.parametrize("measure", ["revenue", "units"])
def test_it_is_right_about_movers(chain, books, admin, manager, of, measure, monkeypatch):
    for most, asked in (
        (15, Asked(of, ago(27), ago(0))),
        (2, Asked(of, ago(28), ago(1), "year")),
        (15, Asked(of, ago(50), ago(1), only=(("department", "Food"),))),
    ):
        monkeypatch.setattr(views, "MOVERS", most)
        assert mover_differences(admin, books, asked, measure, most) == [], asked
        own = chain.assigned()
        assert mover_differences(manager, books, asked, measure, most, own) == [], asked
