"""Two people in two browsers edit the same product, and somebody goes Back to a ticked list."""

from playwright.sync_api import Browser, Page, expect

from inventory.models import Product
from shelfops.tenancy.context import tenant
from tests.browser.test_manager import log_in
from tests.browser.test_morning import faults, night  # noqa: F401
from tests.cast import Cast


def test_the_second_sees_both_values_and_chooses_with_the_keyboard(
    page: Page, browser: Browser, site: str, cast: Cast
) -> None:
    other = browser.new_context(base_url=site).new_page()
    address = f"/inventory/product/{cast.product.pk}/change/"
    for each, user in ((page, cast.admin), (other, cast.manager)):
        log_in(each, user.email)
        each.goto(address)
    other.fill("input[name=unit_price]", "3.00")
    other.fill("input[name=brand]", "Own")
    other.keyboard.press("Enter")
    expect(other.get_by_text("was changed successfully").first).to_be_visible()
    page.fill("input[name=unit_price]", "2.80")
    page.fill("input[name=name]", "Fresh milk")
    page.keyboard.press("Enter")

    conflict = page.get_by_role("alert").filter(has_text="Somebody else saved this")
    expect(conflict).to_contain_text("Saved by Manager")
    price = conflict.get_by_role("group", name="Unit price")
    expect(price.get_by_role("radio", checked=True)).to_have_count(0)
    expect(
        conflict.get_by_role("group", name="Brand").get_by_label("Saved meanwhile")
    ).to_be_checked()
    assert faults(page) == []
    page.set_viewport_size({"width": 390, "height": 844})
    wide = page.evaluate("document.documentElement.scrollWidth")
    assert wide <= 390
    price.get_by_label("Yours").focus()
    page.keyboard.press("ArrowDown")
    expect(price.get_by_label("Saved meanwhile")).to_be_checked()
    page.keyboard.press("Enter")
    page.wait_for_url(lambda url: "change" not in url)
    with tenant(cast.customer):
        product = Product.objects.get(pk=cast.product.pk)
    assert (product.name, product.brand, product.unit_price) == ("Fresh milk", "Own", 3)
    other.context.close()


def test_after_back_it_counts_what_is_ticked(page: Page, night: Cast) -> None:  # noqa: F811
    log_in(page, night.staff.email)
    page.goto("/alerts/")
    page.locator("input[name=alert]").first.check()
    page.locator("input[name=alert]").nth(2).check()
    chosen = page.locator("[data-chosen]")
    expect(chosen).to_have_text("2 chosen")
    page.locator(".alerts-title").nth(1).click()
    page.wait_for_url(lambda url: "/alerts/" in url and not url.endswith("/alerts/"))
    page.go_back()
    page.wait_for_url(lambda url: url.endswith("/alerts/"))
    expect(page.locator("input[name=alert]")).to_have_count(6)
    ticked = page.locator("input[name=alert]:checked").count()
    expect(chosen).to_have_text(f"{ticked} chosen")
    button = page.locator("[data-bulk] button").first
    expect(button).to_be_enabled() if ticked else expect(button).to_be_disabled()
