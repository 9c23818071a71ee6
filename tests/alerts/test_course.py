"""Random courses of alerts against a plain model of the table of transitions.

A product in a store is counted, evaluated and worked on by a person while the clock goes on.
After each step the database holds what the model says: the same alerts in the same states, and
the same events for each.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from math import floor, log2

import hypothesis.strategies as st
from django.utils import timezone
from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from hypothesis.stateful import run_state_machine_as_test as run_machine

from alerts import transitions
from alerts.models import Alert, AlertEvent
from alerts.transitions import LONGEST_SNOOZE, REGRESSION
from inventory.models import Product, Store
from shelfops.tenancy.context import tenant
from shelfops.tenancy.roles import Role
from tests.alerts.shelves import Shelves
from tests.cast import make_customer, make_user

REORDER_POINT = 10
TO_OPEN = {"stockout": 1, "low_stock": 2}
TO_RESOLVE = {"stockout": 1, "low_stock": 2}
ALLOWED = {
    ("", "open"),
    ("open", "acknowledged"),
    ("open", "snoozed"),
    ("acknowledged", "snoozed"),
    ("snoozed", "snoozed"),
    ("snoozed", "open"),
    ("open", "resolved"),
    ("acknowledged", "resolved"),
    ("snoozed", "resolved"),
    ("resolved", "open"),
}
# Only undoing goes from one state to another that the table does not lead to.
UNDONE = {
    ("acknowledged", "open"),
    ("resolved", "acknowledged"),
    ("resolved", "snoozed"),
    ("snoozed", "acknowledged"),
    ("open", "snoozed"),
    ("open", "resolved"),
}
PERSONS = {"acknowledged", "snoozed", "woken by hand", "resolved by hand", "reopened"}


@dataclass
class Modelled:
    """An alert as the table has it."""

    opened_at: datetime
    grade: int
    worst: int
    status: str = "open"
    hidden_by: str = ""
    clear: int = 0
    regressed: bool = False
    until: datetime | None = None
    snoozed_grade: int | None = None
    resolved_at: datetime | None = None
    courses: list[str] = field(default_factory=list)
    before: dict = field(default_factory=dict)

    @property
    def is_active(self) -> bool:
        return self.status != "resolved"

    def happens(self, kind: str, **changes: object) -> None:
        kept = ("status", "until", "snoozed_grade", "resolved_at", "opened_at")
        self.before = {name: getattr(self, name) for name in kept}
        for name, value in changes.items():
            setattr(self, name, value)
        self.courses.append(kind)


AWAKE = {"until": None, "snoozed_grade": None}


class Courses(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.customer = make_customer("Random Grocers")
        with tenant(self.customer):
            self.user = make_user(Role.ADMIN, self.customer)
            store = Store.objects.create(code="S1", name="Main Street")
            self.product = Product.objects.create(sku="MILK-1", name="Milk 1 l")
        self.shelves = Shelves(self.customer, store, timezone.now() - timedelta(days=100))
        self.shelves.reorder_at(self.product, REORDER_POINT)
        self.shelves.rule(
            "low_stock", threshold=100, evaluations_to_open=2, evaluations_to_resolve=2
        )
        self.on_hand = 20
        self.known: dict[str, list[Modelled]] = {"stockout": [], "low_stock": []}
        self.streak = 0

    def active(self, kind: str) -> Modelled | None:
        return next((alert for alert in self.known[kind] if alert.is_active), None)

    # What may happen

    @rule(hours=st.sampled_from([1, 5, 26, 90]))
    def wait(self, hours: int) -> None:
        self.shelves.wait(hours=hours)

    @rule(on_hand=st.sampled_from([0, 1, 2, 5, 9, 10, 11, 20]))
    def sell_or_restock(self, on_hand: int) -> None:
        self.on_hand = on_hand

    @rule(twice=st.booleans())
    def evaluate(self, twice: bool) -> None:
        self.shelves.wait(minutes=1)
        self.shelves.count(self.product, self.on_hand)
        for _ in range(2 if twice else 1):
            self.shelves.evaluate()
        self.model_evaluation(self.shelves.now)

    @precondition(lambda self: any(self.known.values()))
    @rule(
        kind=st.sampled_from(["stockout", "low_stock"]),
        action=st.sampled_from(
            ["acknowledge", "snooze", "mute", "unsnooze", "resolve", "reopen", "undo"]
        ),
        hours=st.sampled_from([4, 24, 96]),
        stale=st.sampled_from([0, 0, 0, 1]),
    )
    def act(self, kind: str, action: str, hours: int, stale: int) -> None:
        if not self.known[kind]:
            return
        modelled = self.known[kind][-1]
        self.shelves.wait(minutes=1)
        now = self.shelves.now
        with tenant(self.customer):
            alert = Alert.objects.filter(alert_type=kind).order_by("-created_at")[0]
            seen = {alert.pk: alert.version - stale}
            until = None if action == "mute" else now + timedelta(hours=hours)
            outcome = {
                "acknowledge": lambda: transitions.acknowledge(self.user, seen, at=now),
                "snooze": lambda: transitions.snooze(self.user, seen, until, at=now),
                "mute": lambda: transitions.snooze(self.user, seen, None, at=now),
                "unsnooze": lambda: transitions.unsnooze(self.user, seen, at=now),
                "resolve": lambda: transitions.resolve(
                    self.user, seen, "accepted", although_it_holds=True, at=now
                ),
                "reopen": lambda: transitions.reopen(self.user, seen, at=now),
                "undo": lambda: transitions.undo(self.user, seen, at=now),
            }[action]()
        done = not stale and self.model_action(modelled, action, until, now)
        assert outcome.done == ([alert.pk] if done else [])
        assert len(outcome.skipped) == (0 if done else 1)

    # What the table says

    def model_evaluation(self, now: datetime) -> None:
        found = {}
        if self.on_hand <= 0:
            stockout = self.active("stockout")
            days = (now - stockout.opened_at) / timedelta(days=1) if stockout else 1
            found["stockout"] = floor(log2(max(days, 1)))
        if self.on_hand <= REORDER_POINT:
            found["low_stock"] = floor(log2(REORDER_POINT / self.on_hand)) if self.on_hand else 0
        hidden = {"low_stock": "stockout"} if "stockout" in found else {}
        is_streak = "low_stock" in found and not self.active("low_stock")
        self.streak = self.streak + 1 if is_streak else 0
        for kind in self.known:
            self.model_condition(kind, found.get(kind), hidden.get(kind, ""), now)
        if self.streak >= TO_OPEN["low_stock"]:
            self.streak = 0

    def model_condition(self, kind: str, grade: int | None, hidden: str, now: datetime) -> None:
        alert = self.active(kind)
        if alert is None:
            ready = TO_OPEN[kind] == 1 or self.streak >= TO_OPEN[kind]
            if grade is not None and not hidden and ready:
                self.model_opening(kind, grade, now)
            return
        hidden = hidden if grade is not None else ""
        if alert.hidden_by != hidden:
            alert.happens("hidden" if hidden else "shown", hidden_by=hidden)
        if alert.status == "snoozed" and alert.until <= now:
            alert.happens("woken", status="open", **AWAKE)
            alert.worst = max(alert.worst, grade or 0)
        elif alert.status == "snoozed" and grade is not None and grade > alert.snoozed_grade:
            alert.happens("woken", status="open", **AWAKE)
            alert.worst = max(alert.worst, grade)
        elif alert.status != "snoozed" and grade is not None and grade > alert.worst:
            alert.happens("worse", worst=grade)
        if grade is not None:
            alert.grade, alert.clear, alert.worst = grade, 0, max(alert.worst, grade)
            return
        alert.clear += 1
        if alert.clear >= TO_RESOLVE[kind]:
            alert.happens("resolved", status="resolved", resolved_at=now, hidden_by="", **AWAKE)

    def model_opening(self, kind: str, grade: int, now: datetime) -> None:
        past = self.known[kind][-1] if self.known[kind] else None
        if past and past.resolved_at >= now - REGRESSION:
            past.happens("regressed", status="open", resolved_at=None, opened_at=now)
            past.regressed, past.clear, past.grade, past.worst = True, 0, grade, grade
        else:
            self.known[kind].append(Modelled(now, grade, grade, courses=["opened"]))

    def model_action(
        self, alert: Modelled, action: str, until: datetime | None, now: datetime
    ) -> bool:
        is_recent = not alert.resolved_at or alert.resolved_at >= now - REGRESSION
        if action == "acknowledge" and alert.status == "open":
            alert.happens("acknowledged", status="acknowledged")
        elif action in ("snooze", "mute") and alert.is_active:
            until = until or now + LONGEST_SNOOZE
            alert.happens("snoozed", status="snoozed", until=until, snoozed_grade=alert.grade)
        elif action == "unsnooze" and alert.status == "snoozed":
            alert.happens("woken by hand", status="open", **AWAKE)
        elif action == "resolve" and alert.is_active:
            changes = {"status": "resolved", "resolved_at": now, "hidden_by": "", **AWAKE}
            alert.happens("resolved by hand", **changes)
        elif action == "reopen" and not alert.is_active and is_recent:
            alert.happens("reopened", status="open", resolved_at=None, opened_at=now, clear=0)
        elif action == "undo" and alert.courses[-1] in PERSONS and is_recent:
            before = dict(alert.before)
            if before["until"] and before["until"] <= now:
                before |= {"status": "open", **AWAKE}
            alert.happens("undone", **before)
        else:
            return False
        return True

    # What holds after each step

    @invariant()
    def the_database_agrees(self) -> None:
        with tenant(self.customer):
            for kind, modelled in self.known.items():
                alerts = list(Alert.objects.filter(alert_type=kind).order_by("created_at"))
                assert [state_of(alert) for alert in alerts] == [expected(m) for m in modelled]
                for alert, model in zip(alerts, modelled, strict=True):
                    check_events(alert, model)


def expected(alert: Modelled) -> tuple:
    return (
        alert.status, len(alert.courses), alert.hidden_by, alert.clear, alert.worst,
        alert.regressed, alert.until, alert.snoozed_grade, alert.resolved_at, alert.opened_at,
    )  # fmt: skip


def state_of(alert: Alert) -> tuple:
    return (
        alert.status, alert.version, alert.hidden_by, alert.clear_count, alert.worst_grade,
        alert.is_regressed, alert.snoozed_until, alert.snoozed_grade, alert.resolved_at,
        alert.opened_at,
    )  # fmt: skip


def check_events(alert: Alert, modelled: Modelled) -> None:
    events = list(AlertEvent.objects.filter(alert=alert))
    assert [event.version for event in events] == list(range(1, alert.version + 1))
    assert [event.kind for event in events] == [kind.split()[0] for kind in modelled.courses]
    assert events[-1].to_status == alert.status
    for previous, event in zip([None, *events], events, strict=False):
        step = (event.from_status, event.to_status)
        assert event.from_status == (previous.to_status if previous else "")
        allowed = ALLOWED | UNDONE if event.kind == "undone" else ALLOWED
        assert step in allowed or step[0] == step[1]


def test_it_follows_the_table_whatever_happens() -> None:
    run_machine(
        Courses,
        settings=settings(
            max_examples=4,
            stateful_step_count=20,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
