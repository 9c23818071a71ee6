"""A manager's first minutes: log in, correct a product, read a report."""

import pytest
from playwright.sync_api import Page, expect

from inventory.models import Product, ReorderPoint
from shelfops.tenancy.context import tenant
from tests.cast import PASSWORD, Cast
from tests.rows import days_ago, fill, refresh_aggregates


def log_in(page: Page, email: str) -> None:
    page.goto("/")
    page.fill("input[name=username]", email)
    page.fill("input[name=password]", PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url(lambda url: "login" not in url)


@pytest.fixture
def stocked(cast: Cast) -> Cast:
    fill(cast.customer, cast.store, cast.product)
    fill(cast.customer, cast.unassigned_store, cast.product, days_ago(9))
    refresh_aggregates()
    refresh_aggregates(days_ago(9))
    return cast


def test_it_lets_a_manager_edit_a_product(page: Page, stocked: Cast) -> None:
    log_in(page, stocked.manager.email)
    page.goto("/inventory/product/")
    page.get_by_role("link", name="Milk 1 l").first.click()
    page.fill("input[name=name]", "Milk, whole, 1 l")
    page.get_by_role("button", name="Save", exact=True).first.click()
    expect(page.get_by_text("was changed successfully").first).to_be_visible()
    with tenant(stocked.customer):
        assert Product.objects.get(pk=stocked.product.pk).name == "Milk, whole, 1 l"
        assert ReorderPoint.objects.count() == 2


def test_it_shows_a_wrong_value_at_its_field(page: Page, stocked: Cast) -> None:
    log_in(page, stocked.manager.email)
    page.goto(f"/inventory/product/{stocked.product.pk}/change/")
    page.fill("input[name=unit_price]", "-1")
    page.get_by_role("button", name="Save", exact=True).first.click()
    expect(page.get_by_text("greater than or equal to 0").first).to_be_visible()
    with tenant(stocked.customer):
        assert Product.objects.get(pk=stocked.product.pk).unit_price is None


def drawn(page: Page) -> int:
    """How many pixels of the first chart are not empty."""
    page.wait_for_selector("canvas")
    page.wait_for_timeout(1200)  # Chart.js animates for a second
    return page.evaluate(
        """() => {
            const canvas = document.querySelector('canvas')
            const pixels = canvas.getContext('2d')
                .getImageData(0, 0, canvas.width, canvas.height).data
            return pixels.filter((value, index) => index % 4 === 3 && value > 0).length
        }"""
    )


@pytest.mark.parametrize("report", ["sales", "product"])
def test_it_draws_a_report(page: Page, stocked: Cast, report: str) -> None:
    log_in(page, stocked.admin.email)
    path = {"sales": "/reports/sales/", "product": f"/reports/products/{stocked.product.pk}/"}
    page.goto(path[report])
    assert drawn(page) > 500


@pytest.mark.parametrize("path", ["/", "/inventory/product/", "/reports/sales/", "/reports/stock/"])
@pytest.mark.parametrize("width", [390, 1280])
def test_it_fits_the_screen(page: Page, stocked: Cast, path: str, width: int) -> None:
    """Tables may scroll in their own box; the page itself never scrolls sideways."""
    page.set_viewport_size({"width": width, "height": 844})
    log_in(page, stocked.manager.email)
    page.goto(path)
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_it_works_without_a_mouse(page: Page, stocked: Cast) -> None:
    page.goto("/")
    page.focus("input[name=username]")
    page.keyboard.type(stocked.staff.email)
    page.keyboard.press("Tab")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url(lambda url: "login" not in url)
    expect(page.get_by_role("link", name="Products").first).to_be_attached()
