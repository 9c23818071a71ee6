"""From stores to categories to products to days, by the links of the report's own tables."""

from decimal import Decimal

import pytest

from tests.cast import Cast
from tests.reports.shop import Shop, file_rows, text
from tests.reports.test_sales import BREAKDOWNS, URL, ago, get, money, report


@pytest.fixture
def aisles(cast: Cast, shop: Shop) -> Shop:
    """Four products in two departments and three categories, and one in none."""
    shelves = {
        "RYE": {"department": "Fresh", "category": "Bakery"},
        "BUN": {"department": "Fresh", "category": "Bakery"},
        "BRIE": {"department": "Fresh", "category": "Cheese"},
        "PEN": {"department": "Paper", "category": "Writing"},
        "LOST": {},
    }
    products = [shop.product(sku, **fields) for sku, fields in shelves.items()]
    for back in range(56):
        for place, product in enumerate(products, 1):
            shop.sell(cast.store, product, ago(back), place, 10 * place + back)
            if back % 2:
                shop.sell(cast.unassigned_store, product, ago(back), 1, "3.50")
    shop.refresh()
    return shop


def amount(shop: Shop, first: int, last: int, store=None, **fields: object) -> Decimal:
    """Of the days from `first` ago to `last` ago, and of products with the fields."""
    return sum(
        (
            sale.amount
            for sale in shop.sales
            if ago(first) <= sale.day <= ago(last)
            and store in (None, sale.store)
            and all(getattr(sale.product, name) == value for name, value in fields.items())
        ),
        Decimal(0),
    )


def test_it_adds_up_each_department(cast, client_of, aisles):
    *rows, total = report(client_of, cast.admin, by="department", period="28")
    assert {row["Department"]: row["Revenue (USD)"] for row in rows} == {
        name or "No department": money(amount(aisles, 27, 0, department=name))
        for name in ("Fresh", "Paper", "")
    }
    for row in rows[:-1]:
        name = row["Department"].replace("No department", "")
        assert row["Revenue before (USD)"] == money(amount(aisles, 55, 28, department=name))
    assert total["Revenue (USD)"] == money(amount(aisles, 27, 0))


def links(response) -> dict[str, str]:
    return {
        cells[0].text: cells[0].href for cells in response.context["table"].body() if cells[0].href
    }


def test_it_leads_from_store_to_category_to_product_to_day(cast, client_of, aisles):
    client = client_of(cast.admin)
    stores = client.get(URL, {"by": "store", "period": "28", "compare": "year"})
    categories = client.get(URL + links(stores)[cast.store.name])
    products = client.get(URL + links(categories)["Bakery"])
    assert set(links(products)) == {"RYE", "BUN"}
    query = links(products)["RYE"]
    page = text(client.get(URL + query))
    assert "Category: Bakery" in page
    assert "Product: RYE" in page
    *days, total = file_rows(client.get(f"{URL}{query}&format=csv"))
    assert len(days) == 28
    assert "Revenue last year (USD)" in total
    rye = aisles.sales[0].product
    for n, row in enumerate(reversed(days)):
        expected = amount(aisles, n, n, cast.store, pk=rye.pk)
        assert row["Revenue (USD)"] == money(expected)
    assert total["Revenue (USD)"] == money(amount(aisles, 27, 0, cast.store, pk=rye.pk))


def test_it_leads_from_department_to_its_categories(cast, client_of, aisles):
    client = client_of(cast.admin)
    departments = client.get(URL, {"by": "department", "period": "28"})
    assert set(links(departments)) == {"Fresh", "Paper"}
    *rows, total = file_rows(client.get(f"{URL}{links(departments)['Fresh']}&format=csv"))
    assert {row["Category"] for row in rows} == {"Bakery", "Cheese"}
    assert total["Revenue (USD)"] == money(amount(aisles, 27, 0, department="Fresh"))


@pytest.mark.parametrize("by", [by for by in BREAKDOWNS if by != "hour"])
@pytest.mark.parametrize("store", [False, True])
def test_its_narrowed_breakdowns_agree(cast, client_of, aisles, by, store):
    query = {"store": cast.store.pk} if store else {}
    *rows, total = report(
        client_of, cast.admin, by=by, period="28", department="Fresh", category="Bakery", **query
    )
    for label in ("Revenue (USD)", "Revenue before (USD)", "Units", "Units before"):
        assert sum(Decimal(row[label]) for row in rows) == Decimal(total[label])
    only = {"store": cast.store if store else None, "category": "Bakery"}
    assert total["Revenue (USD)"] == money(amount(aisles, 27, 0, **only))
    assert total["Revenue before (USD)"] == money(amount(aisles, 55, 28, **only))
    assert "Baskets" not in total


def test_it_narrows_a_manager_to_the_assigned_stores(cast, client_of, aisles):
    total = report(client_of, cast.manager, period="28", category="Bakery")[-1]
    expected = amount(aisles, 27, 0, cast.store, category="Bakery")
    assert total["Revenue (USD)"] == money(expected)


def test_it_offers_hours_for_all_products_only(cast, client_of, aisles):
    def offered(**query) -> list[str]:
        return [link["label"] for link in get(client_of, cast.admin, **query).context["breakdowns"]]

    assert "Hour of the week" in offered()
    assert "Hour of the week" not in offered(category="Bakery")


def test_it_says_how_to_widen_what_is_narrowed(cast, client_of, aisles):
    response = get(client_of, cast.admin, category="Bakery", department="Fresh", by="product")
    assert [(one["label"], one["url"]) for one in response.context["narrowed"]] == [
        ("Department: Fresh", "?category=Bakery&by=product"),
        ("Category: Bakery", "?department=Fresh&by=product"),
    ]


def test_it_knows_no_product_of_another_customer(cast, client_of, aisles):
    response = get(client_of, cast.admin, product=cast.other_product.pk)
    assert list(response.context["form"].errors) == ["product"]
    assert "Rival" not in text(response)


def test_it_keeps_the_filters_when_the_form_is_sent(cast, client_of, aisles):
    rye = aisles.sales[0].product
    page = text(get(client_of, cast.admin, product=rye.pk, category="Bakery", compare="year"))
    assert f'<input type="hidden" name="product" value="{rye.pk}"' in page
    assert '<option value="Bakery" selected>' in page
    assert '<option value="year" selected>' in page
