"""A staff member's morning: what fired overnight, why, and what is done about it."""

from datetime import timedelta

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.utils import timezone
from playwright.sync_api import Page, expect

from alerts.models import Alert
from alerts.notifications.send import notify
from inventory.models import Product
from shelfops.tenancy.context import tenant
from tests.alerts.raising import raised
from tests.browser.test_manager import log_in
from tests.cast import Cast
from tests.rows import days_ago


@pytest.fixture
def night(cast: Cast) -> Cast:
    """Five stockouts, two of them warnings, and one that is low."""
    figures = {"measure": 0, "limit": 0, "available": 0, "velocity": 3.2}
    rule = {"scope": "default", "threshold": 0, "told": ["manager", "staff"]}
    with tenant(cast.customer):
        for number in range(5):
            product = Product.objects.create(sku=f"P{number}", name=f"Product {number}")
            raised(
                cast.store,
                product,
                severity="critical" if number < 3 else "warning",
                message="Nothing available; sells 3.2 a day",
                money_at_stake=100 - number,
                figures=figures,
                opening_figures=figures,
                rule=rule,
                at=timezone.now() - timedelta(hours=number + 1),
            )
        raised(cast.store, cast.product, alert_type="low_stock", severity="warning")
        raised(cast.unassigned_store, cast.product)
    notify(cast.customer)
    return cast


def tab(page: Page, name: str, count: int) -> None:
    link = page.get_by_role("navigation", name="Status").get_by_role("link", name=name)
    expect(link).to_have_text(f"{name} {count}")


def faults(page: Page) -> list[tuple]:
    """What axe finds serious."""
    violations = Axe().run(page).response["violations"]
    return [
        (each["id"], node["html"][:200])
        for each in violations
        if each["impact"] in ("serious", "critical")
        for node in each["nodes"]
    ]


def test_it_gets_staff_through_their_morning(page: Page, night: Cast) -> None:
    log_in(page, night.staff.email)
    page.get_by_role("link", name="Notifications, 6 unread").click()
    expect(page.get_by_role("button", name="Product 0")).to_be_visible()
    assert faults(page) == []

    page.goto("/alerts/")
    tab(page, "Open", 6)
    page.get_by_text("Filters", exact=True).click()
    page.get_by_label("Severity").select_option("critical")
    page.get_by_role("button", name="Show", exact=True).click()
    tab(page, "Open", 3)
    assert faults(page) == []

    page.get_by_role("link", name="Product 0").click()
    expect(page.get_by_text("at most 0 units available")).to_be_visible()
    assert faults(page) == []
    page.get_by_role("button", name="Acknowledge").click()
    expect(page.get_by_text("Taken: Product 0, Main Street.")).to_be_visible()
    expect(page.get_by_text("Taken by Staff")).to_be_visible()

    page.goto("/alerts/")
    tab(page, "Open", 5)
    tab(page, "Mine", 1)
    page.get_by_role("link", name="Product 1").click()
    page.get_by_label("Snooze for").select_option("1 day")
    page.get_by_role("button", name="Snooze", exact=True).click()
    expect(page.get_by_text("Snoozed: Product 1, Main Street.")).to_be_visible()

    page.goto("/alerts/")
    tab(page, "Open", 4)
    tab(page, "Snoozed", 1)
    page.get_by_role("link", name="Product 2").focus()
    for key in "xjxjx":  # choose, next, choose, next, choose
        page.keyboard.press(key)
    expect(page.get_by_text("3 chosen")).to_be_visible()
    page.locator("summary", has_text="Resolve").click()
    page.get_by_label("Reason").select_option("restocked")
    page.get_by_label("Those that still hold, too").check()
    page.get_by_role("button", name="Resolve").click()
    expect(page.get_by_text("Resolved: 3 alerts.")).to_be_visible()
    tab(page, "Open", 1)
    tab(page, "Resolved", 3)
    with tenant(night.customer):
        assert Alert.objects.filter(status="resolved", resolution="restocked").count() == 3
        assert Alert.objects.filter(status="open").count() == 2

    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_text("Undone: 3 alerts.")).to_be_visible()
    tab(page, "Open", 4)


def test_it_renews_the_list_and_keeps_what_was_chosen(page: Page, night: Cast) -> None:
    log_in(page, night.staff.email)
    page.goto("/alerts/")
    page.get_by_role("checkbox", name="Choose Stockout, Product 1").check()
    page.get_by_role("link", name="Product 1").focus()
    with tenant(night.customer):
        raised(night.store, None, alert_type="feed_gap", message="No sales", at=days_ago(0))
    page.evaluate("htmx.trigger('#inbox-list', 'refresh')")
    expect(page.get_by_role("link", name="Main Street", exact=True)).to_be_visible()
    tab(page, "Open", 7)
    expect(page.get_by_role("checkbox", name="Choose Stockout, Product 1")).to_be_checked()
    expect(page.get_by_role("link", name="Product 1")).to_be_focused()
    expect(page.get_by_text("1 chosen")).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_a_phone_and_everybodys_eyes(page: Page, night: Cast, scheme: str) -> None:
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": 375, "height": 800})
    log_in(page, night.staff.email)
    with tenant(night.customer):
        alert = Alert.objects.filter(store=night.store).first()
    for path in ("/alerts/", f"/alerts/{alert.pk}/", "/alerts/notifications/",
                 "/alerts/notifications/settings/"):  # fmt: skip
        page.goto(path)
        assert page.evaluate("document.documentElement.scrollWidth") <= 375, path
        assert faults(page) == [], path
