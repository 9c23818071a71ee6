"""What a customer's people see: sections of cards and lists, each with the way on."""

from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

from django.contrib.humanize.templatetags.humanize import intcomma
from django.urls import reverse

from alerts.models import AlertType, Severity
from inventory.queries import VELOCITY_DAYS, StockScope
from inventory.queries import stock as stock_rows
from sales.days import is_late, last_day_notes, last_days, left_out_notes, period_end
from shelfops.admin import store_ids
from shelfops.home import queries
from shelfops.reports.period import Period, long_date
from shelfops.reports.sql import Row
from shelfops.reports.table import Kind, rounded, show
from shelfops.tenancy.models import Customer, User
from shelfops.tenancy.roles import Role

MEASURES = (("revenue", "Revenue"), ("units", "Units"), ("baskets", "Baskets"))
NOT_EVALUATED = (
    "Not evaluated yet: alerts appear once the first sales or counts of stock have come in, or"
    " within 15 minutes."
)
SEVERITIES = (Severity.CRITICAL, Severity.WARNING, Severity.INFO)


@dataclass(frozen=True)
class Note:
    """`tone` is up, down, bad, or nothing of note."""

    text: str
    tone: str = ""


@dataclass(frozen=True)
class Card:
    label: str
    value: str
    link: str
    notes: list[Note] = field(default_factory=list)
    tone: str = ""


@dataclass(frozen=True)
class Item:
    """A line of a list: what, where, and how urgent."""

    text: str
    detail: str
    link: str
    tag: str = ""
    tone: str = ""


@dataclass(frozen=True)
class Section:
    title: str
    text: str = ""
    cards: list[Card] = field(default_factory=list)
    items: list[Item] = field(default_factory=list)
    link: str = ""
    link_text: str = ""


def of(user: User, customer: Customer) -> dict[str, Any]:
    """The sections that the user may see; staff, who work the alerts, see these first."""
    stores = store_ids(user)
    days = last_days(stores)
    wanted: list[tuple[str, Callable[[], Section]]] = [
        ("reports.sales", lambda: sales(customer, stores, days)),
        ("alerts.view_alert", lambda: alerts(user, stores)),
        ("reports.stock", lambda: stock(user, stores, days)),
        ("reports.sales", lambda: feeds(user, stores, days)),
    ]
    if user.role == Role.STAFF:
        wanted[0], wanted[1] = wanted[1], wanted[0]
    sections = [build() for permission, build in wanted if user.has_perm(permission)]
    return {"sections": sections, "first_steps": first_steps(user, days)}


def first_steps(user: User, days: Row) -> list[dict[str, str]]:
    """What a new customer does next, until the first sales have come in."""
    if days["last_day"] or not user.has_perm("inventory.add_product"):
        return []
    steps = [
        ("inventory.add_product", "Add products", "admin:inventory_product_changelist"),
        ("ingestion.add_importbatch", "Bring in sales", "imports:upload"),
        (
            "inventory.add_reorderpoint",
            "Set reorder points",
            "admin:inventory_reorderpoint_changelist",
        ),
        ("tenancy.add_user", "Add your people", "admin:tenancy_user_add"),
    ]
    return [{"text": text, "url": reverse(url)} for perm, text, url in steps if user.has_perm(perm)]


def sales(customer: Customer, stores: queries.Stores, days: Row) -> Section:
    day = days["last_day"]
    title = "Sales"
    if not day:
        return Section(title, "No sales have come in yet.")
    found = queries.day_against(stores, day)
    only = {"start": day, "end": day, "by": "store"}
    link = f"{reverse('reports:sales')}?{urlencode(only)}"
    left_out = left_out_notes(found["left_out"], found["stores"], found["missing_on"])
    if is_late(days):
        shown = [f"{long_date(day)}, the last day that has come in.", *last_day_notes(days)[1:]]
    else:
        shown = [f"{long_date(day)}.", *last_day_notes(days)]
    text = " ".join([*shown, *left_out])
    cards = [sales_card(found, key, label, f"{day:%A}", link) for key, label in MEASURES]
    cards[0] = Card(f"Revenue ({customer.currency})", cards[0].value, link, cards[0].notes)
    return Section(title, text, cards, link=link, link_text="By store")


def sales_card(found: Row, key: str, label: str, weekday: str, link: str) -> Card:
    now = found[key]
    weeks = found["weeks"]
    week, average = found[f"{key}_week_before"], found[f"{key}_average"]
    notes = [compared(found[f"{key}_week_now"], week, f"on last {weekday}")]
    if weeks > 1:
        text = f"on the last {weeks} {weekday}s"
        notes.append(compared(found[f"{key}_average_now"], average, text))
    value = show(Kind.MONEY, now) if key == "revenue" else intcomma(rounded(now, Decimal(1)))
    return Card(label, value, link, notes)


def compared(now: Decimal | None, before: Decimal | None, text: str) -> Note:
    if not before or before < 0:
        return Note(f"nothing sold {text}")
    if now is None:
        return Note(f"no store to compare {text}")
    change = (now - before) / before
    return Note(f"{change:+.1%} {text}", "up" if change > 0 else "down" if change < 0 else "")


def alerts(user: User, stores: queries.Stores) -> Section:
    counts = queries.alert_counts(stores)
    inbox = reverse("alerts:inbox")
    link = f"{inbox}?tab=open"
    if not counts["all"]:
        text = "All quiet: no alert is open." if queries.is_evaluated() else NOT_EVALUATED
        return Section("Alerts", text, link=inbox, link_text="All alerts")
    cards = [
        Card(severity.label, intcomma(counts[severity.value]), f"{link}&severity={severity}",
             tone=severity.value if counts[severity.value] else "")
        for severity in SEVERITIES
    ]  # fmt: skip
    text = f"{intcomma(counts['all'])} open" + (" in your stores" if user.is_store_scoped else "")
    items = [alert_item(alert) for alert in queries.alerts(stores)]
    return Section("Alerts", text, cards, items, link, "All open alerts")


def alert_item(alert: Row) -> Item:
    about = alert["product"] or AlertType(alert["alert_type"]).label
    return Item(
        f"{about}: {alert['message']}",
        f"{alert['store']}, since {alert['opened_at']:%-d %b}",
        reverse("alerts:alert", args=[alert["alert_id"]]),
        Severity(alert["severity"]).label,
        alert["severity"],
    )


def stock(user: User, stores: queries.Stores, days: Row) -> Section:
    last_day = period_end(days)
    found = queries.stock(stores, Period.ending(last_day, 7))
    url = reverse("reports:stock")
    if not found["rows"]:
        return Section("Stock", "No stock has been counted yet.", link=url, link_text="Stock now")
    cards = [
        Card("To reorder", intcomma(found["below"]), f"{url}?status=reorder",
             [Note("at or below the reorder point")], "warning" if found["below"] else ""),
        Card("Nothing available", intcomma(found["empty"]), f"{url}?status=empty",
             [Note("out of stock now")], "critical" if found["empty"] else ""),
        Card("Out within 7 days", intcomma(found["soon"]), url,
             [Note("at the velocity of the last 7 days")], "warning" if found["soon"] else ""),
    ]  # fmt: skip
    text = f"{intcomma(found['rows'])} products in " + (
        "your stores" if user.is_store_scoped else "stores"
    )
    return Section(
        "Stock",
        text,
        cards,
        to_reorder(user, stores, Period.ending(last_day, VELOCITY_DAYS)),
        url,
        "Stock now",
    )


def to_reorder(user: User, stores: queries.Stores, period: Period) -> list[Item]:
    """What staff order next: the shortest cover of what is to be reordered in their stores."""
    if not user.is_store_scoped:
        return []
    scope = StockScope(stores=stores, status="reorder")
    return [
        Item(
            row["product"],
            f"{row['store']}: {show(Kind.UNITS, row['quantity_available'])} available,"
            f" reorder at {show(Kind.UNITS, row['reorder_point'])}",
            reverse("reports:product", args=[row["product_id"]]),
            f"Order {show(Kind.UNITS, row['order_quantity'])}",
        )
        for row in stock_rows(scope, period, limit=queries.MOST)
    ]


def feeds(user: User, stores: queries.Stores, days: Row) -> Section:
    """Whether sales come in from every store, and what became of the last imports."""
    cards = [feed_card(queries.feeds(stores))]
    items: list[Item] = []
    if user.has_perm("ingestion.view_importbatch"):
        found = queries.imports()
        cards += import_cards(found)
    if user.has_perm("alerts.view_alert") and (failed := queries.failed_evaluation()):
        text = f"The alerts' rules could not be evaluated on {failed['as_of']:%-d %b at %H:%M} UTC."
        items.append(Item(text, failed["error"][:200], reverse("alerts:inbox"),
                          "Failed", "critical"))  # fmt: skip
    return Section("Feeds", "", cards, items, reverse("reports:quality"), "Data quality")


def feed_card(found: Row) -> Card:
    link = reverse("reports:quality")
    notes = []
    if found["silent"]:
        names = ", ".join(found["names"])
        more = found["silent"] - len(found["names"])
        notes.append(Note(f"{names} and {intcomma(more)} more" if more else names))
    if found["never"]:
        notes.append(Note(f"{intcomma(found['never'])} without sales in the last 13 weeks"))
    if not notes:
        notes.append(Note("sales came in on every day on which they usually do"))
    value = f"{intcomma(found['silent'])} of {intcomma(found['stores'])}"
    return Card("Silent stores", value, link, notes, "critical" if found["silent"] else "")


def import_cards(found: Row) -> list[Card]:
    batches = reverse("admin:ingestion_importbatch_changelist")
    last, failed, refused = found["last_done"], found["failed"], found["refused"]
    notes = [Note(f"{failed} failed in the last 7 days" if failed else "none failed in 7 days",
                  "bad" if failed else "")]  # fmt: skip
    if last:
        notes.insert(0, Note(f"at {last:%H:%M} UTC"))
    if found["running"]:
        notes.append(Note(f"{found['running']} running"))
    value = f"{last:%-d %b}" if last else "None yet"
    return [
        Card("Last import", value, batches, notes, "critical" if failed else ""),
        Card("Refused rows", intcomma(refused), f"{reverse('reports:quality')}?show=refused",
             [Note("in the last 7 days")], "warning" if refused else ""),
    ]  # fmt: skip
