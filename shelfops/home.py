"""The first page: what each role may do, with the few figures that are cheap to read."""

from decimal import Decimal
from typing import Any

from django.contrib.humanize.templatetags.humanize import intcomma
from django.db.models import Count, Q
from django.http import HttpRequest
from django.urls import reverse

from alerts.models import Alert, Severity, Status
from inventory.models import Store
from sales.queries import last_business_day
from shelfops.admin import store_ids
from shelfops.navigation import pages_of
from shelfops.reports.period import Period
from shelfops.reports.sql import row
from shelfops.tenancy.models import Customer, User

# Reads the aggregate by store and day: a row or two a store and day, whatever the feed's size.
# The bounds on `day` exclude chunks; they reach a day further than the business days.
TWO_WEEKS = """
SELECT coalesce(sum(revenue) FILTER (WHERE business_date >= %(start)s), 0) AS this_week,
       coalesce(sum(revenue) FILTER (WHERE business_date < %(start)s), 0) AS week_before
FROM daily_store_sales
WHERE day >= %(before_since)s AND day < %(until)s
  AND business_date BETWEEN %(before_start)s AND %(end)s
  AND (%(stores)s::uuid[] IS NULL OR store_id = ANY(%(stores)s))
"""


def home(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Unfold's callback for the index page."""
    customer: Customer | None = request.customer  # type: ignore[attr-defined]
    context["groups"] = pages_of(request)
    context["title"] = str(customer or "Platform")
    if customer is None:
        customers = Customer.objects.order_by("name")
        return {**context, "customers": list(customers[:100])}
    user: Any = request.user
    context["figures"] = [figure(user, customer) for figure in figures_of(user)]
    context["has_stores"] = Store.objects.visible_to(user).exists()
    return context


def figures_of(user: User) -> list[Any]:
    wanted = {
        "reports.sales": revenue,
        "alerts.view_alert": alerts,
        "inventory.view_store": stores,
        "tenancy.view_user": users,
    }
    return [figure for permission, figure in wanted.items() if user.has_perm(permission)]


def revenue(user: User, customer: Customer) -> dict[str, Any]:
    """Revenue of the last 7 business days that have sales, against the 7 before."""
    stores = store_ids(user)
    week = Period.ending(last_business_day(stores), 7)
    params = {"stores": stores, **week.params_against(week.before)}
    found = row(TWO_WEEKS, params)
    return {
        "label": f"Revenue, 7 days to {week.end:%-d %b}",
        "value": f"{customer.currency} {round(found['this_week']):,}",
        "note": change(found["this_week"], found["week_before"]),
        "link": reverse("reports:sales"),
    }


def change(now: Decimal, before: Decimal) -> str:
    if not before:
        return "nothing sold the week before"
    return f"{(now - before) / before:+.1%} on the week before"


def alerts(user: User, customer: Customer) -> dict[str, Any]:
    ids = store_ids(user)
    rows = Alert.objects.filter(status=Status.OPEN)
    rows = rows if ids is None else rows.filter(store__in=ids)
    # Counts the partial index of open alerts.
    counts = rows.aggregate(
        all=Count("pk"), critical=Count("pk", filter=Q(severity=Severity.CRITICAL))
    )
    return {
        "label": "Open alerts",
        "value": intcomma(counts["all"]),
        "note": f"{intcomma(counts['critical'])} critical" if counts["all"] else "All quiet",
        "link": reverse("admin:alerts_alert_changelist") + "?status__exact=open",
    }


def stores(user: User, customer: Customer) -> dict[str, Any]:
    counts = Store.objects.visible_to(user).aggregate(
        all=Count("pk"), active=Count("pk", filter=Q(is_active=True))
    )
    return {
        "label": "Your stores" if user.is_store_scoped else "Stores",
        "value": intcomma(counts["active"]),
        "note": f"{off} switched off"
        if (off := counts["all"] - counts["active"])
        else "all active",
        "link": reverse("admin:inventory_store_changelist"),
    }


def users(user: User, customer: Customer) -> dict[str, Any]:
    people = User.objects.filter(customer=customer, is_active=True)
    return {
        "label": "Users",
        "value": intcomma(people.count()),
        "note": "may log in",
        "link": reverse("admin:tenancy_user_changelist"),
    }
