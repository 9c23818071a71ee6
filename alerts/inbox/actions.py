"""What a person does with alerts: a form for each transition, and the report of what it did."""

from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from django import forms
from django.contrib import messages
from django.contrib.admin import site
from django.core.exceptions import BadRequest
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.template.loader import render_to_string
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from alerts import transitions
from alerts.inbox import queries
from alerts.inbox.filters import InboxFilter
from alerts.inbox.pages import WorkPage
from alerts.models import ACTIVE, Alert, Resolution
from alerts.transitions import SNOOZES, Outcome
from shelfops.admin import store_ids
from shelfops.tenancy.models import User

Seen = Mapping[UUID, int | None]
UNTIL_WORSE = "worse"
# So many of the skipped alerts are named; of the others it is said how many and why.
MOST_NAMED = 10


class ActionForm(forms.Form):
    """`title` asks for it, `done` reports it; `do` does it."""

    title: str
    done: str

    def __init__(self, data: QueryDict, *, user: User, seen: Seen) -> None:
        super().__init__(data)
        self.user, self.seen = user, seen

    def do(self, at: datetime) -> Outcome:
        raise NotImplementedError


class Acknowledge(ActionForm):
    title, done = "Acknowledge", "Taken"

    def do(self, at: datetime) -> Outcome:
        return transitions.acknowledge(self.user, self.seen, at=at)


class Assign(ActionForm):
    title, done = "Assign", "Assigned"

    owner = forms.ChoiceField(
        label="To", error_messages={"required": "Choose somebody, or nobody."}
    )

    def __init__(self, data: QueryDict, *, user: User, seen: Seen) -> None:
        super().__init__(data, user=user, seen=seen)
        self.fields["owner"].choices = owner_choices(user)  # type: ignore[attr-defined]

    def do(self, at: datetime) -> Outcome:
        chosen = self.cleaned_data["owner"]
        owner = None if chosen == "nobody" else User.objects.get(pk=chosen)
        return transitions.assign(self.user, self.seen, owner, at=at)


class Snooze(ActionForm):
    title, done = "Snooze", "Snoozed"

    until = forms.ChoiceField(
        label="For",
        choices=[
            *((label, label) for label in SNOOZES),
            (UNTIL_WORSE, "Until it gets worse"),
        ],
        help_text="It comes back sooner if it gets worse.",
        error_messages={"required": "Choose for how long."},
    )

    def do(self, at: datetime) -> Outcome:
        length = SNOOZES.get(self.cleaned_data["until"])
        return transitions.snooze(self.user, self.seen, at + length if length else None, at=at)


class Wake(ActionForm):
    title, done = "End the snooze", "Open again"

    def do(self, at: datetime) -> Outcome:
        return transitions.unsnooze(self.user, self.seen, at=at)


class Resolve(ActionForm):
    title, done = "Resolve", "Resolved"

    resolution = forms.ChoiceField(
        label="Reason",
        choices=[("", "Choose a reason"), *Resolution.choices[1:]],
        error_messages={"required": "Choose a reason."},
    )
    note = forms.CharField(label="Note", required=False, max_length=2000)
    although_it_holds = forms.ChoiceField(
        label="Those that still hold",
        required=False,
        choices=[
            ("yes", "Resolve them too. What still holds then comes back as regressed."),
            ("no", "Leave them as they are."),
        ],
        widget=forms.RadioSelect,
    )

    def clean(self) -> dict[str, Any]:
        """Says first that a condition still holds, and how many do."""
        values = super().clean() or self.cleaned_data
        if values.get("resolution") and not values.get("although_it_holds"):
            holding = Alert.objects.filter(
                pk__in=list(self.seen), clear_count=0, status__in=ACTIVE
            ).count()
            if holding:
                self.add_error("although_it_holds", _still(holding, len(self.seen)))
        return values

    def do(self, at: datetime) -> Outcome:
        values = self.cleaned_data
        return transitions.resolve(
            self.user,
            self.seen,
            values["resolution"],
            values["note"],
            although_it_holds=values["although_it_holds"] == "yes",
            at=at,
        )


def _still(holding: int, chosen: int) -> str:
    if chosen == 1:
        return "The condition still held at the last evaluation."
    return f"Of {chosen:,} conditions {holding:,} still held at the last evaluation."


class Reopen(ActionForm):
    title, done = "Reopen", "Reopened"

    note = forms.CharField(label="Note", required=False, max_length=2000)

    def do(self, at: datetime) -> Outcome:
        return transitions.reopen(self.user, self.seen, self.cleaned_data["note"], at=at)


FORMS: dict[str, type[ActionForm]] = {
    "acknowledge": Acknowledge,
    "assign": Assign,
    "snooze": Snooze,
    "wake": Wake,
    "resolve": Resolve,
    "reopen": Reopen,
}


def owner_choices(user: User, store: UUID | None = None) -> list[tuple[str, str]]:
    people = queries.people(user, store)
    named = [(str(person["user_id"]), person["name"]) for person in people]
    return [("", "Choose"), *named, ("nobody", "Nobody")]


class Act(WorkPage):
    """Does an action with chosen alerts or all that match; asks where something is missing."""

    permission = transitions.PERMISSION
    http_method_names = ["post", "options"]

    def post(self, request: HttpRequest) -> HttpResponse:
        form_class = FORMS.get(request.POST.get("action", ""))
        if form_class is None:
            raise BadRequest("The form names no action.")
        seen = chosen(request)
        if not seen:
            messages.error(request, "Nothing was changed: choose alerts first.")
            return HttpResponseRedirect(back(request))
        form = form_class(request.POST, user=self.user, seen=seen)
        if not form.is_valid():
            return self.ask(form)
        at = timezone.now()
        report(request, form.do(at), form.done, at)
        if len(seen) == queries.MOST_AT_ONCE:
            most = f"{queries.MOST_AT_ONCE:,}"
            messages.info(request, f"These were the first {most}. Do it again for those left.")
        return HttpResponseRedirect(back(request))

    def ask(self, form: ActionForm) -> HttpResponse:
        """The form once more, with what is wrong at its fields."""
        stores = store_ids(self.user)
        some = dict(list(form.seen.items())[:MOST_NAMED])
        context = {
            **site.each_context(self.request),
            "title": f"{form.title} {len(form.seen):,} alert{'s' if len(form.seen) > 1 else ''}",
            "form": form,
            "named": list(queries.names(list(some), stores).values()),
            "others": len(form.seen) - len(some),
            "back": back(self.request),
            "posted": self.request.POST,
            "chosen": self.request.POST.getlist("alert"),
        }
        return TemplateResponse(self.request, "alerts/act.html", context)


class Undo(WorkPage):
    """Takes back what the user did in one go, where nothing has happened since."""

    permission = transitions.PERMISSION
    http_method_names = ["post", "options"]

    def post(self, request: HttpRequest) -> HttpResponse:
        try:
            at = parse_datetime(request.POST.get("at", ""))
        except ValueError:
            at = None
        if at is None or at.tzinfo is None:
            raise BadRequest("The form names no moment.")
        seen = queries.done_at(at, self.user.pk)
        outcome = transitions.undo(self.user, seen)
        report(request, outcome, "Undone", None)
        return HttpResponseRedirect(back(request))


def chosen(request: HttpRequest) -> Seen:
    """The alerts with the versions that the person saw; or those that match the filters now."""
    if request.POST.get("matching"):
        filters = InboxFilter(QueryDict(request.POST.get("query", "")), request=request)
        if not filters.is_valid():
            raise BadRequest("The form holds no filters.")
        return queries.matching(filters.scope)
    try:
        pairs = [value.split(":") for value in request.POST.getlist("alert")]
        return {UUID(alert_id): int(version) for alert_id, version in pairs}
    except ValueError as error:
        raise BadRequest("The form names no alerts.") from error


def back(request: HttpRequest) -> str:
    """Where the person was, if that is a page of the inbox."""
    parts = urlsplit(request.POST.get("next", ""))
    inbox = reverse("alerts:inbox")
    if parts.scheme or parts.netloc or not parts.path.startswith(inbox):
        return inbox
    return f"{parts.path}?{parts.query}" if parts.query else parts.path


def report(request: HttpRequest, outcome: Outcome, done: str, undo: datetime | None) -> None:
    """Say what was done, with a way to take it back, and what was skipped and why."""
    user: Any = request.user
    skipped = outcome.skipped[:MOST_NAMED]
    wanted = [*outcome.done[:1], *(each.alert_id for each in skipped)]
    names = queries.names(wanted, store_ids(user))
    rest = Counter(each.why for each in outcome.skipped[MOST_NAMED:])
    context = {
        "done": done,
        "count": len(outcome.done),
        "only": names.get(outcome.done[0]) if len(outcome.done) == 1 else None,
        "undo": undo.isoformat() if undo and outcome.done else "",
        "next": back(request),
        "skipped": [(names.get(each.alert_id), each.why) for each in skipped],
        "all_skipped": len(outcome.skipped),
        "rest": rest.most_common(),
    }
    if outcome.done:
        messages.success(request, render_to_string("alerts/done.html", context, request))
    if outcome.skipped:
        messages.warning(request, render_to_string("alerts/skipped.html", context, request))
    if not outcome.done and not outcome.skipped:
        messages.error(request, "Nothing was changed.")


class Comment(WorkPage):
    """Adds to what is said about an alert."""

    permission = transitions.PERMISSION
    http_method_names = ["post", "options"]

    def post(self, request: HttpRequest, alert_id: UUID) -> HttpResponse:
        page = reverse("alerts:alert", args=[alert_id])
        text = request.POST.get("text", "").strip()
        if not text or len(text) > 2000 or "\0" in text:
            messages.error(request, "Nothing was added: a comment has 1 to 2,000 characters.")
        else:
            transitions.comment(self.user, alert_id, text)
            messages.success(request, "Your comment is added.")
        return HttpResponseRedirect(f"{page}#course")
