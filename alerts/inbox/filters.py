"""Filters of the inbox: all of it is in the URL."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from functools import cached_property
from typing import Any
from uuid import UUID

import django_filters
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from alerts.inbox.queries import people
from alerts.models import AlertType, Severity
from inventory.models import Store
from inventory.queries import departments
from shelfops.reports.filters import StoreFilter, names

# Tabs in their order; the values that are no status are put together from several.
TABS = {
    "open": "Open",
    "mine": "Mine",
    "acknowledged": "Acknowledged",
    "snoozed": "Snoozed",
    "resolved": "Resolved",
}
AGES = {
    "0": "Today",
    "1": "Over a day",
    "3": "Over 3 days",
    "7": "Over a week",
    "30": "Over 30 days",
}
SORTS = {"": "Severity and money", "newest": "Newest first", "oldest": "Oldest first"}


@dataclass(frozen=True)
class InboxScope:
    """Which alerts are asked for; what is empty does not narrow it."""

    user: UUID
    stores: list[UUID] | None
    tab: str = "open"
    alert_type: str = ""
    severity: str = ""
    department: str = ""
    owner: UUID | None = None
    unowned: bool = False
    opened_before: datetime | None = None
    opened_after: datetime | None = None
    search: str = ""
    hidden: bool = False
    sort: str = ""

    @property
    def is_plain(self) -> bool:
        """Nothing narrows it but the tab and the user's stores."""
        return not any(
            (
                self.alert_type,
                self.severity,
                self.department,
                self.owner,
                self.unowned,
                self.opened_before,
                self.opened_after,
                self.search,
            )
        )

    def params(self) -> dict[str, Any]:
        escaped = self.search.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
        return {**vars(self), "search": f"%{escaped}%" if self.search else ""}


@dataclass(frozen=True)
class Cursor:
    """The last row of a page: the next one begins after it."""

    first: int | datetime
    second: Decimal | None
    alert_id: UUID

    @classmethod
    def of(cls, row: dict[str, Any], sort: str, tab: str) -> "Cursor":
        if tab == "resolved" or sort:
            time = "resolved_at" if tab == "resolved" else "opened_at"
            return cls(row[time], None, row["alert_id"])
        return cls(row["priority"], row["money_at_stake"], row["alert_id"])

    @classmethod
    def parse(cls, text: str, sort: str, tab: str) -> "Cursor | None":
        """None for what is no cursor of this order: the list then begins at the top."""
        parts = text.split("_")
        try:
            alert_id = UUID(parts[-1])
            if tab == "resolved" or sort:
                moment = parse_datetime(parts[0])
                return cls(moment, None, alert_id) if moment and moment.tzinfo else None
            money = Decimal(parts[1]).quantize(Decimal("0.01"))
            return cls(int(parts[0]) % 10, money, alert_id) if money.is_finite() else None
        except (ValueError, IndexError, InvalidOperation):
            return None

    def __str__(self) -> str:
        first = self.first.isoformat() if isinstance(self.first, datetime) else self.first
        middle = f"_{self.second}" if self.second is not None else ""
        return f"{first}{middle}_{self.alert_id}"


class InboxFilter(StoreFilter):
    tab = django_filters.ChoiceFilter(
        label="Status", method="unchanged", choices=list(TABS.items()), empty_label=None
    )
    type = django_filters.ChoiceFilter(
        label="Type", method="unchanged", choices=AlertType.choices, empty_label="All types"
    )
    severity = django_filters.ChoiceFilter(
        label="Severity",
        method="unchanged",
        choices=list(reversed(Severity.choices)),
        empty_label="All severities",
    )
    department = django_filters.ChoiceFilter(
        label="Department", method="unchanged", choices=[], empty_label="All departments"
    )
    owner = django_filters.ChoiceFilter(
        label="Owner", method="unchanged", choices=[], empty_label="Anybody"
    )
    age = django_filters.ChoiceFilter(
        label="Open since", method="unchanged", choices=list(AGES.items()), empty_label="Any time"
    )
    q = django_filters.CharFilter(label="SKU, product or text", method="unchanged", max_length=100)
    sort = django_filters.ChoiceFilter(
        label="Order", method="unchanged", choices=list(SORTS.items())[1:], empty_label=SORTS[""]
    )
    hidden = django_filters.ChoiceFilter(
        label="Hidden", method="unchanged", choices=[("1", "Shown")], empty_label="Left out"
    )

    def __init__(self, data: Any = None, *, request: HttpRequest, **kwargs: Any) -> None:
        super().__init__(data, request=request, **kwargs)

    def unchanged(self, stores: QuerySet[Store], name: str, value: Any) -> QuerySet[Store]:
        return stores

    @cached_property
    def people(self) -> list[dict[str, Any]]:
        return people(self.request.user)

    @cached_property
    def form(self) -> Any:
        form = super().form
        form.fields["department"].choices = names(department for department, _ in departments())
        form.fields["owner"].choices = [
            ("me", "Me"),
            ("nobody", "Nobody"),
            *((str(person["user_id"]), person["name"]) for person in self.people),
        ]
        return form

    @property
    def scope(self) -> InboxScope:
        values = self.form.cleaned_data
        user = self.request.user
        owner = user.pk if values["owner"] == "me" else values["owner"]
        return InboxScope(
            user=user.pk,
            stores=self.stores,
            tab=values["tab"] or "open",
            alert_type=values["type"],
            severity=values["severity"],
            department=values["department"],
            owner=None if values["owner"] in ("", "nobody") else UUID(str(owner)),
            unowned=values["owner"] == "nobody",
            search=values["q"].strip(),
            hidden=bool(values["hidden"]),
            sort=values["sort"],
            **_opened(values["age"]),
        )


def _opened(age: str) -> dict[str, datetime]:
    """0 is the last 24 hours, another number of days is longer ago than that."""
    if not age:
        return {}
    if age == "0":
        return {"opened_after": timezone.now() - timedelta(days=1)}
    return {"opened_before": timezone.now() - timedelta(days=int(age))}
