"""What rose and fell most against the period before."""

from decimal import Decimal

import pytest

from inventory.models import Product
from sales import views
from shelfops.tenancy.context import tenant
from tests.cast import Cast
from tests.reports.shop import Shop
from tests.reports.test_sales import ago, get, money, report

# SKU: category, units and revenue of the 7 days, units and revenue of the 7 before.
GOODS = {
    "UP": ("A", 5, "50.00", 1, "10.00"),
    "NEW": ("A", 2, "30.00", 0, ""),
    "STEADY": ("B", 3, "12.00", 3, "12.00"),
    "CHEAPER": ("B", 9, "9.00", 3, "15.00"),
    "GONE": ("", 0, "", 4, "100.00"),
}


@pytest.fixture
def market(cast: Cast, shop: Shop) -> Shop:
    for sku, (category, units, amount, units_before, before) in GOODS.items():
        product = shop.product(sku, category=category)
        if units:
            shop.sell(cast.store, product, ago(2), units, amount)
        if units_before:
            shop.sell(cast.store, product, ago(9), units_before, before)
    shop.sell(cast.unassigned_store, cast.product, ago(1), 1, "1000.00")
    shop.refresh()
    return shop


def movers(client_of, user, **query) -> list[dict[str, str]]:
    return report(client_of, user, by="movers", period="7", **query)


def test_it_lists_products_from_the_largest_rise_to_the_largest_fall(cast, client_of, market):
    *rows, total = movers(client_of, cast.manager)
    assert [(row["SKU"], row["Direction"], row["Revenue difference (USD)"]) for row in rows] == [
        ("UP", "Up", "40.00"),
        ("NEW", "Up", "30.00"),
        ("CHEAPER", "Down", "-6.00"),
        ("GONE", "Down", "-100.00"),
    ]
    assert rows[0]["Units difference"] == "4"
    assert rows[1]["Revenue change (%)"] == ""
    assert total["Revenue (USD)"] == money(Decimal("101.00"))
    assert total["Revenue difference (USD)"] == "-36.00"


def test_it_ranks_by_units(cast, client_of, market):
    rows = movers(client_of, cast.manager, measure="units")[:-1]
    assert [(row["SKU"], row["Units difference"]) for row in rows] == [
        ("CHEAPER", "6"),
        ("UP", "4"),
        ("NEW", "2"),
        ("GONE", "-4"),
    ]


@pytest.mark.parametrize("role", ["admin", "manager"])
def test_it_ranks_categories(cast, client_of, market, role):
    """All stores are read from the aggregate by category, some from the one by product."""
    *rows, total = movers(client_of, getattr(cast, role), of="category")
    assert total["Category"] == ""
    found = [(row["Category"], row["Revenue difference (USD)"]) for row in rows]
    own = [("A", "70.00"), ("B", "-6.00"), ("No category", "-100.00")]
    assert found == ([("Dairy", "1000.00"), *own] if role == "admin" else own)


def test_it_follows_a_product_to_another_category(cast, client_of, market):
    with tenant(cast.customer):
        Product.objects.filter(sku="GONE").update(category="B")
    rows = movers(client_of, cast.admin, of="category")[:-1]
    assert [(row["Category"], row["Revenue difference (USD)"]) for row in rows] == [
        ("Dairy", "1000.00"),
        ("A", "70.00"),
        ("B", "-106.00"),
    ]


def test_it_lists_as_many_of_each_direction(cast, client_of, market, monkeypatch):
    monkeypatch.setattr(views, "MOVERS", 1)
    *rows, total = movers(client_of, cast.manager)
    assert [row["SKU"] for row in rows] == ["UP", "GONE"]
    assert total["Revenue (USD)"] == "101.00"  # of everything that sold


def test_it_narrows_to_a_category(cast, client_of, market):
    rows = movers(client_of, cast.manager, category="A")[:-1]
    assert [row["SKU"] for row in rows] == ["UP", "NEW"]


def test_it_keeps_its_choices_and_draws_them(cast, client_of, market):
    response = get(client_of, cast.manager, by="movers", period="7", of="category", measure="units")
    chosen = [
        one["label"] for links in response.context["movers"] for one in links if one["chosen"]
    ]
    assert chosen == ["Categories", "By units"]
    [chart] = response.context["charts"]
    assert chart["labels"] == ["A", "B", "No category"]
    assert chart["series"][0]["values"] == [6.0, 6.0, -4.0]
