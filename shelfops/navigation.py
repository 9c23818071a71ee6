"""The shell's side bar and looks (Unfold's settings)."""

from collections.abc import Callable
from typing import Any, NamedTuple

from django.http import HttpRequest
from django.templatetags.static import static
from django.urls import reverse


class Page(NamedTuple):
    """A page of the side bar and the home page, for those who have the permission."""

    title: str
    icon: str
    url: str
    permission: str
    text: str


HOME = Page("Home", "home", "admin:index", "", "")
GROUPS: dict[str, tuple[Page, ...]] = {
    "Sales": (
        Page(
            "Sales report",
            "monitoring",
            "reports:sales",
            "reports.sales",
            "Revenue, units and baskets by time, store, department, category and product.",
        ),
        Page(
            "Transactions",
            "receipt_long",
            "admin:sales_transaction_changelist",
            "sales.view_transaction",
            "Every line of every receipt, newest first.",
        ),
        Page(
            "Forecasts",
            "trending_up",
            "admin:sales_forecast_changelist",
            "sales.view_forecast",
            "What is expected to sell, by product and day.",
        ),
    ),
    "Stock": (
        Page(
            "Stock now",
            "inventory",
            "reports:stock",
            "reports.stock",
            "Stock, days of cover and what to order, of each product in each store.",
        ),
        Page(
            "Stock as of",
            "history",
            "reports:stock-as-of",
            "reports.stock_analysis",
            "Stock and its value at the close of any day, and how it got there.",
        ),
        Page(
            "ABC classes",
            "sort_by_alpha",
            "reports:abc",
            "reports.stock_analysis",
            "Which products bring the revenue.",
        ),
        Page(
            "Stock turn and GMROI",
            "autorenew",
            "reports:stock-turn",
            "reports.stock_analysis",
            "How often stock was sold, and what it earned.",
        ),
        Page(
            "Sell-through",
            "shopping_cart_checkout",
            "reports:sell-through",
            "reports.stock_analysis",
            "What share of the stock was sold.",
        ),
        Page(
            "Availability",
            "event_available",
            "reports:availability",
            "reports.stock_analysis",
            "How much of the time products were there, and the sales lost meanwhile.",
        ),
        Page(
            "Dead stock",
            "hourglass_disabled",
            "reports:dead-stock",
            "reports.stock_analysis",
            "What lies in the stores and does not sell.",
        ),
        Page(
            "Phantom stock",
            "question_exchange",
            "reports:phantom-stock",
            "reports.stock_analysis",
            "What the counts say is there, while the sales say it is not.",
        ),
        Page(
            "Products",
            "package_2",
            "admin:inventory_product_changelist",
            "inventory.view_product",
            "The catalogue, with stock, sales and reorder points.",
        ),
        Page(
            "Reorder points",
            "low_priority",
            "admin:inventory_reorderpoint_changelist",
            "inventory.view_reorderpoint",
            "When to reorder what, in force and past.",
        ),
        Page(
            "Inventory levels",
            "fact_check",
            "admin:inventory_inventorylevel_changelist",
            "inventory.view_inventorylevel",
            "Every count of stock that came in, newest first.",
        ),
        Page(
            "Stores",
            "storefront",
            "admin:inventory_store_changelist",
            "inventory.view_store",
            "Where you sell, and in which time zone.",
        ),
    ),
    "Attention": (
        Page(
            "Alerts",
            "notifications",
            "alerts:inbox",
            "alerts.view_alert",
            "What needs a person, and why.",
        ),
        Page(
            "Anomalies",
            "query_stats",
            "admin:alerts_anomaly_changelist",
            "alerts.view_anomaly",
            "Figures that do not fit their history.",
        ),
        Page(
            "Alert rules",
            "tune",
            "admin:alerts_alertrule_changelist",
            "alerts.view_alertrule",
            "When alerts open, for which part, and who is told.",
        ),
    ),
    "Imports": (
        Page(
            "Data quality",
            "health_metrics",
            "reports:quality",
            "reports.quality",
            "What is missing in the feeds or wrong with the rows.",
        ),
        Page(
            "Upload a file",
            "cloud_upload",
            "imports:upload",
            "ingestion.add_importbatch",
            "Sales or counts of stock, from your tills and scanners.",
        ),
        Page(
            "Import master data",
            "table_view",
            "master:products",
            "inventory.add_product",
            "Products, stores and reorder points from a spreadsheet, with a preview.",
        ),
        Page(
            "Import batches",
            "upload_file",
            "admin:ingestion_importbatch_changelist",
            "ingestion.view_importbatch",
            "What came in, when, and how many rows.",
        ),
        Page(
            "Refused rows",
            "rule",
            "admin:ingestion_refusedrow_changelist",
            "ingestion.view_refusedrow",
            "Rows that could not be placed, each with its reason.",
        ),
    ),
    "Organisation": (
        Page(
            "Users",
            "group",
            "admin:tenancy_user_changelist",
            "tenancy.view_user",
            "Who may log in, as what, and for which stores.",
        ),
        Page(
            "Log-ins",
            "login",
            "admin:tenancy_login_changelist",
            "tenancy.view_login",
            "Who logged in or failed to, when and from where.",
        ),
        Page(
            "Operator access",
            "admin_panel_settings",
            "admin:tenancy_customeraccess_changelist",
            "tenancy.view_customeraccess",
            "When platform staff acted as your company, and why.",
        ),
        Page(
            "Webhooks",
            "webhook",
            "admin:alerts_webhookendpoint_changelist",
            "alerts.view_webhookendpoint",
            "Where the events of your alerts are sent, signed.",
        ),
        Page(
            "Webhook deliveries",
            "outbox",
            "admin:alerts_webhookdelivery_changelist",
            "alerts.view_webhookdelivery",
            "What was sent, what was answered, and what is tried again.",
        ),
        Page(
            "Notification e-mails",
            "mail",
            "admin:alerts_mail_changelist",
            "alerts.view_mail",
            "Who was told of alerts by e-mail, and what could not be sent.",
        ),
    ),
    "Platform": (
        Page(
            "Customers",
            "domain",
            "admin:tenancy_customer_changelist",
            "tenancy.view_customer",
            "All companies; act as one to see what it sees.",
        ),
    ),
}


def pages_of(request: HttpRequest) -> dict[str, list[Page]]:
    """The groups with the pages that the user may open."""
    may = request.user.has_perm
    return {
        title: allowed
        for title, pages in GROUPS.items()
        if (allowed := [page for page in pages if may(page.permission)])
    }


def side_bar(request: HttpRequest) -> list[dict[str, Any]]:
    groups = {"": [HOME], **pages_of(request)}
    here = open_page(request.path)
    return [
        {"title": title, "items": [_item(page, page == here) for page in pages]}
        for title, pages in groups.items()
    ]


def open_page(path: str) -> Page | None:
    """The page that is open, or whose list the open object is in; the longest address wins.

    One page's address may lie within another's, as all lists of alerts do in the inbox's.
    """
    if path == reverse(HOME.url):
        return HOME
    pages = [page for group in GROUPS.values() for page in group]
    within = [page for page in pages if path.startswith(reverse(page.url))]
    return max(within, key=lambda page: len(reverse(page.url)), default=None)


def _item(page: Page, active: bool) -> dict[str, Any]:
    return {"title": page.title, "icon": page.icon, "link": reverse(page.url), "active": active}


def environment(request: HttpRequest) -> list[str] | None:
    """The label in every page's header while an operator acts as a customer."""
    return ["Acting", "warning"] if getattr(request.user, "acting", False) else None


def subheader(request: HttpRequest) -> str:
    """Whose rows these are, under the product's name."""
    return str(getattr(request, "customer", None) or "Platform")


def _static(path: str) -> Callable[[HttpRequest], str]:
    return lambda request: static(path)


# Teal; 600 is dark enough for white text on it (5.5:1).
PRIMARY = {
    "50": "oklch(98.4% .014 180.720)",
    "100": "oklch(95.3% .051 180.801)",
    "200": "oklch(91.0% .096 180.426)",
    "300": "oklch(85.5% .138 181.071)",
    "400": "oklch(77.7% .152 181.912)",
    "500": "oklch(70.4% .140 182.503)",
    "600": "oklch(51.1% .096 186.391)",
    "700": "oklch(43.7% .078 188.216)",
    "800": "oklch(38.6% .063 188.416)",
    "900": "oklch(32.0% .052 189.000)",
    "950": "oklch(27.7% .046 192.524)",
}

UNFOLD = {
    "SITE_TITLE": "ShelfOps",
    "SITE_HEADER": "ShelfOps",
    "SITE_SUBHEADER": subheader,
    "SITE_URL": None,
    "SITE_ICON": _static("shelfops/icon.svg"),
    "SITE_FAVICONS": [
        {"rel": "icon", "type": "image/svg+xml", "href": _static("shelfops/icon.svg")}
    ],
    "STYLES": [_static("shelfops/shelfops.css")],
    "COLORS": {"primary": PRIMARY},
    "ENVIRONMENT": environment,
    "DASHBOARD_CALLBACK": "shelfops.home.home",
    "LOGIN": {"form": "shelfops.tenancy.forms.LoginForm"},
    "SIDEBAR": {"navigation": side_bar},
}
