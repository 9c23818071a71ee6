"""Margins at the catalogue's cost, of what has one, against sums worked out in Python."""

from decimal import ROUND_HALF_UP, Decimal

import pytest

from inventory.models import Product
from shelfops.tenancy.context import tenant
from tests.cast import Cast
from tests.reports.shop import Shop, file_rows, text
from tests.reports.test_sales import URL, ago, get, report

BREAKDOWNS = ["day", "week", "month", "store", "department", "category", "product"]


@pytest.fixture
def shelves(cast: Cast, shop: Shop) -> Shop:
    """Goods with a cost, one sold below it, one without; in two stores, with a return."""
    shelf = {
        "RYE": {"department": "Fresh", "category": "Bakery", "unit_cost": "1.2345"},
        "BUN": {"department": "Fresh", "category": "Bakery", "unit_cost": "0"},
        "PEN": {"department": "Paper", "category": "Writing", "unit_cost": "4"},
        "LOST": {"department": "Paper", "category": "Misc"},
    }
    products = [shop.product(sku, **fields) for sku, fields in shelf.items()]
    for back in range(56):
        for place, product in enumerate(products, 1):
            if (back + place) % 3:
                shop.sell(cast.store, product, ago(back), place, f"{2 * place + back % 5}.37")
    shop.sell(cast.unassigned_store, products[0], ago(5), "0.333", "9.99")
    shop.sell(cast.store, products[2], ago(4), -1, "-7.50")
    shop.refresh()
    with tenant(cast.customer):
        costs = dict(Product.objects.values_list("sku", "unit_cost"))
    for product in products:
        product.unit_cost = costs[product.sku]
    return shop


def cents(amount: Decimal) -> str:
    return str(amount.quantize(Decimal("0.01"), ROUND_HALF_UP))


def expected(shop: Shop, first: int, last: int, **only: object) -> dict[str, str]:
    sales = [
        sale
        for sale in shop.sales
        if ago(first) <= sale.day <= ago(last)
        and only.get("store") in (None, sale.store)
        and all(
            getattr(sale.product, name) == value for name, value in only.items() if name != "store"
        )
    ]
    known = [sale for sale in sales if sale.product.unit_cost is not None]
    revenue = sum((sale.amount for sale in known), Decimal(0))
    cost = sum((sale.units * sale.product.unit_cost for sale in known), Decimal(0))
    everything = sum((sale.amount for sale in sales), Decimal(0))
    return {
        "Cost (USD)": cents(cost) if known else "",
        "Margin (USD)": cents(revenue - cost) if known else "",
        "Margin (%)": rate(revenue - cost, revenue) if known else "",
        "of it with known cost (%)": rate(revenue, everything),
    }


def rate(part: Decimal, whole: Decimal) -> str:
    return str((100 * part / whole).quantize(Decimal("0.1"), ROUND_HALF_UP)) if whole > 0 else ""


def same(row: dict[str, str], figures: dict[str, str]) -> bool:
    return all(
        row[name] == value or (row[name] and value and Decimal(row[name]) == Decimal(value))
        for name, value in figures.items()
    )


def margin(client_of, user, **query) -> list[dict[str, str]]:
    return report(client_of, user, figures="margin", period="28", **query)


@pytest.mark.parametrize("by", BREAKDOWNS)
def test_it_adds_up_in_every_breakdown(cast, client_of, shelves, by):
    *rows, total = margin(client_of, cast.admin, by=by)
    assert same(total, expected(shelves, 27, 0))
    assert total["Margin before (USD)"] == expected(shelves, 55, 28)["Margin (USD)"]
    assert sum(Decimal(row["Revenue (USD)"]) for row in rows) == Decimal(total["Revenue (USD)"])
    exact = sum(Decimal(row["Margin (USD)"] or 0) for row in rows)
    assert abs(exact - Decimal(total["Margin (USD)"])) <= Decimal("0.005") * len(rows)


def test_it_is_of_each_day_category_store_and_product(cast, client_of, shelves):
    days = margin(client_of, cast.admin, by="day")[:-1]
    assert all(same(row, expected(shelves, 27 - n, 27 - n)) for n, row in enumerate(days))
    for row in margin(client_of, cast.admin, by="category")[:-1]:
        assert same(row, expected(shelves, 27, 0, category=row["Category"]))
    for row in margin(client_of, cast.admin, by="product")[:-1]:
        assert same(row, expected(shelves, 27, 0, sku=row["SKU"]))
    stores = {row["Store"]: row for row in margin(client_of, cast.admin, by="store")[:-1]}
    for store in (cast.store, cast.unassigned_store):
        assert same(stores[store.name], expected(shelves, 27, 0, store=store))


def test_it_ranks_products_by_margin_and_adds_up_the_others(cast, client_of, shelves, monkeypatch):
    monkeypatch.setattr("sales.filters.SalesFilter.top_products", 2)
    *best, others, total = margin(client_of, cast.admin, by="product")
    skus = [sale.product.sku for sale in shelves.sales]
    ranked = sorted(
        set(skus) - {"LOST"},
        key=lambda sku: -Decimal(expected(shelves, 27, 0, sku=sku)["Margin (USD)"]),
    )
    assert [row["SKU"] for row in best] == ranked[:2]
    assert others["Product"] == "All other products"
    parts = (*best, others)
    revenue = sum(Decimal(row["Revenue (USD)"]) for row in parts)
    assert revenue == Decimal(total["Revenue (USD)"])


def test_it_follows_filters_and_the_stores_of_a_manager(cast, client_of, shelves):
    total = margin(client_of, cast.admin, by="week", department="Fresh")[-1]
    assert same(total, expected(shelves, 27, 0, department="Fresh"))
    total = margin(client_of, cast.manager, by="month", category="Bakery")[-1]
    assert same(total, expected(shelves, 27, 0, category="Bakery", store=cast.store))


def test_it_follows_the_catalogues_cost_at_once(cast, client_of, shelves):
    with tenant(cast.customer):
        Product.objects.filter(sku="LOST").update(unit_cost="1")
    for sale in shelves.sales:
        if sale.product.sku == "LOST":
            sale.product.unit_cost = Decimal(1)
    total = margin(client_of, cast.admin, by="day")[-1]
    assert same(total, expected(shelves, 27, 0))
    assert total["of it with known cost (%)"] == "100"


def test_it_says_what_to_do_where_no_cost_is_known(cast, client_of, shelves):
    with tenant(cast.customer):
        Product.objects.update(unit_cost=None)
    page = text(get(client_of, cast.admin, figures="margin"))
    assert "Nothing that was sold has a known cost" in page
    assert "import them" in page
    assert "A manager can enter unit costs" in text(get(client_of, cast.analyst, figures="margin"))


@pytest.mark.parametrize("by", ["hour", "movers"])
def test_it_has_no_margins_of_some_breakdowns(cast, client_of, shelves, by):
    response = get(client_of, cast.admin, figures="margin", by=by)
    assert list(response.context["form"].errors) == ["by"]
    links = [
        one["label"] for one in get(client_of, cast.admin, figures="margin").context["breakdowns"]
    ]
    assert "Movers" not in links
    assert "Hour of the week" not in links


def test_it_says_whose_cost_it_is(cast, client_of, shelves):
    response = get(client_of, cast.admin, figures="margin", by="store", period="28")
    assert "Cost is what the catalogue says today" in text(response)
    assert [card["label"] for card in response.context["cards"]] == [
        "Margin",
        "Revenue",
        "Margin rate",
        "Revenue with known cost",
    ]
    files = client_of(cast.admin).get(f"{URL}?figures=margin&by=store&format=csv")
    assert files["Content-Disposition"] == 'attachment; filename="margin-by-store.csv"'
    assert len(file_rows(files)) == 3
