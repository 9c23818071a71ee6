"""The list, and the page of an alert."""

from hashlib import sha256
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.contrib.admin import site
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.safestring import SafeString, mark_safe

from alerts import transitions
from alerts.inbox import charts, queries, words
from alerts.inbox.actions import Resolve, Snooze, owner_choices
from alerts.inbox.filters import TABS, Cursor, InboxFilter
from alerts.inbox.pages import WorkPage
from alerts.models import AlertType, Resolution, Severity, Status
from shelfops.admin import store_ids
from shelfops.reports.sql import Row
from shelfops.saved_views.page import SavedViews

EMPTY = {
    "open": "Nothing is open. New alerts appear here by themselves.",
    "mine": "You own no alert. Acknowledge one, and it is yours.",
    "acknowledged": "Nobody is working on an alert.",
    "snoozed": "No alert is snoozed.",
    "resolved": "Nothing has been resolved yet.",
}

# Filters that the page folds away.
FOLDED = ("type", "severity", "store", "department", "owner", "age", "sort", "hidden")


class Inbox(SavedViews, WorkPage):
    """The alerts of the user's stores, by tab; `?part=list` is what the page refreshes itself with.

    A refresh that would change nothing is answered with 204.
    """

    def get(self, request: HttpRequest) -> HttpResponseBase:
        filters = InboxFilter(request.GET, request=request)
        context: dict[str, Any] = {"filters": filters, "form": filters.form, "title": "Alerts"}
        if filters.is_valid():
            context |= self.content(filters)
        if request.GET.get("part") == "list":
            return self.part(context)
        context |= {
            **site.each_context(request),
            "saved_views": self.saved_views,
            "may_work": self.user.has_perm(transitions.PERMISSION),
            "snooze": Snooze.base_fields["until"].choices,  # type: ignore[attr-defined]
            "reasons": Resolve.base_fields["resolution"].choices,  # type: ignore[attr-defined]
            "owners": owner_choices(self.user),
            "narrowed_by": sum(bool(request.GET.get(name)) for name in FOLDED),
        }
        if not filters.form.errors:
            context["list"], context["version"] = self.list(context)
        return render(request, "alerts/inbox.html", context)

    def part(self, context: dict[str, Any]) -> HttpResponse:
        if context["form"].errors:
            return HttpResponse(status=204)
        text, version = self.list(context)
        if version == self.request.GET.get("seen"):
            return HttpResponse(status=204)
        return HttpResponse(text)

    def list(self, context: dict[str, Any]) -> tuple[SafeString, str]:
        """The list as HTML, and what tells this version of it from others."""
        may_work = self.user.has_perm(transitions.PERMISSION)
        text = render_to_string("alerts/list.html", {**context, "may_work": may_work}, self.request)
        version = sha256(text.encode()).hexdigest()[:16]
        return mark_safe(text.replace("SEEN-VERSION", version)), version  # noqa: S308

    def content(self, filters: InboxFilter) -> dict[str, Any]:
        scope = filters.scope
        after = Cursor.parse(self.request.GET.get("page", ""), scope.sort, scope.tab)
        found = queries.alerts(scope, after)
        shown = found[: queries.PAGE]
        counts = queries.counts(scope)
        more = len(found) > queries.PAGE
        last = Cursor.of(shown[-1], scope.sort, scope.tab) if more else None
        return {
            "alerts": [listed(alert) for alert in shown],
            "tabs": [self.tab(name, label, scope.tab, counts) for name, label in TABS.items()],
            "tab": scope.tab,
            "matching": words.capped(counts[scope.tab], queries.MOST_COUNTED)
            if not scope.hidden
            else "",
            "hidden": words.capped(counts["hidden"], queries.MOST_COUNTED)
            if counts["hidden"] and scope.tab != "resolved"
            else "",
            "shows_hidden": scope.hidden,
            "hidden_url": self.url_with(hidden=None if scope.hidden else 1),
            "first_url": self.url_with() if after else "",
            "next_url": self.url_with(page=str(last)) if last else "",
            "narrowed": not scope.is_plain or bool(filters.form.cleaned_data["store"]),
            "empty_text": EMPTY[scope.tab],
            "has_stores": bool(filters.options),
            "query": self.query(part=None, seen=None),
            "poll_url": "?" + self.query(part="list", seen="SEEN-VERSION"),
        }

    def tab(self, name: str, label: str, shown: str, counts: Row) -> dict[str, Any]:
        return {
            "label": label,
            "count": words.capped(counts[name], queries.MOST_COUNTED),
            "url": self.url_with(tab=name),
            "chosen": name == shown,
        }

    def query(self, **changes: str | int | None) -> str:
        """The address's query with changes; None leaves a name out."""
        query = self.request.GET.copy()
        for name, value in changes.items():
            query.pop(name, None)
            if value is not None:
                query[name] = str(value)
        return query.urlencode()

    def url_with(self, **changes: str | int | None) -> str:
        """This page with other filters, from its top unless a page is named."""
        return "?" + self.query(**{"page": None, "part": None, "seen": None, **changes})


def listed(alert: Row) -> Row:
    """A row of the list, in words."""
    return {
        **alert,
        "type": AlertType(alert["alert_type"]).label,
        "severity_label": Severity(alert["severity"]).label,
        "age": words.since(alert["opened_at"]),
        "state": state(alert),
    }


def state(alert: Row) -> str:
    """What has become of it: who has it, until when it sleeps, how it ended."""
    owner = alert["owner"]
    if alert["status"] == Status.RESOLVED:
        how = Resolution(alert["resolution"]).label if alert["resolution"] else "Resolved"
        return f"{how}, {words.since(alert['resolved_at'])} ago"
    if alert["status"] == Status.SNOOZED:
        until = f"Snoozed until {alert['snoozed_until']:%-d %b, %H:%M} UTC"
        return f"{until}, {owner}" if owner else until
    if alert["status"] == Status.ACKNOWLEDGED:
        return f"Taken by {owner}" if owner else "Taken"
    return f"For {owner}" if owner else ""


class AlertPage(WorkPage):
    """Why an alert fired, what became of it, and what can be done."""

    def get(self, request: HttpRequest, alert_id: UUID) -> HttpResponseBase:
        zone = ZoneInfo(self.alert["time_zone"])
        with timezone.override(zone):
            return render(request, "alerts/alert.html", self.context(self.alert, zone))

    def context(self, alert: Row, zone: ZoneInfo) -> dict[str, Any]:
        user, stores = self.user, store_ids(self.user)
        events = queries.events(alert["alert_id"])
        is_active = alert["status"] != Status.RESOLVED
        return {
            **site.each_context(self.request),
            "title": title(alert),
            "alert": listed(alert),
            "status_label": Status(alert["status"]).label,
            "zone": zone.key,
            "figures": list(words.figures(alert)),
            "rule": words.rule(alert),
            "rule_id": words.decoded(alert["rule"]).get("rule_id"),
            "charts": [chart.data() for chart in charts.of(alert, self.currency)],
            "currency": self.currency,
            "course": [
                {**event, "text": words.event(event), "who": words.who(event)} for event in events
            ],
            "most_events": queries.MOST_EVENTS,
            "others": {
                name: [listed_other(other) for other in found]
                for name, found in queries.others(alert, stores).items()
            },
            "may_work": user.has_perm(transitions.PERMISSION),
            "is_active": is_active,
            "still_holds": is_active and not alert["clear_count"],
            "may_reopen": not is_active
            and alert["resolved_at"] >= timezone.now() - transitions.REGRESSION,
            "undo": undoable(events, user.pk),
            "seen": f"{alert['alert_id']}:{alert['version']}",
            "owners": owner_choices(user, alert["store_id"]),
            "snooze": Snooze.base_fields["until"].choices,  # type: ignore[attr-defined]
            "reasons": Resolve.base_fields["resolution"].choices,  # type: ignore[attr-defined]
            "hidden_by": AlertType(alert["hidden_by"]).label if alert["hidden_by"] else "",
        }

    @property
    def currency(self) -> str:
        return str(self.request.customer.currency)  # type: ignore[attr-defined]


def title(alert: Row) -> str:
    return f"{AlertType(alert['alert_type']).label}: {alert['product'] or alert['store']}"


def listed_other(other: Row) -> Row:
    return {
        **other,
        "type": AlertType(other["alert_type"]).label,
        "severity_label": Severity(other["severity"]).label,
        "age": words.since(other["opened_at"]),
    }


def undoable(events: list[Row], user: UUID) -> str:
    """The moment of the user's own last action, if it was the last thing that happened."""
    last = next((event for event in events if event["kind"] != "comment"), None)
    if last is None or last["actor_id"] != user or last["kind"] in ("undone", "opened"):
        return ""
    return str(last["at"].isoformat())
