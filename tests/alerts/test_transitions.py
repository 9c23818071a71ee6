"""What people may do with alerts, and what is said where they may not."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.core.exceptions import PermissionDenied
from django.db import DatabaseError
from django.utils import timezone

from alerts import transitions
from alerts.models import Alert, AlertEvent
from alerts.transitions import LONGEST_SNOOZE
from shelfops.tenancy.context import tenant
from shelfops.tenancy.models import User
from tests.alerts.raising import raised
from tests.cast import Cast


@pytest.fixture
def alert(cast: Cast) -> Alert:
    with tenant(cast.customer):
        return raised(cast.store, cast.product)


def seen(*alerts: Alert) -> dict:
    for alert in alerts:
        alert.refresh_from_db()
    return {alert.pk: alert.version for alert in alerts}


def do(name: str, cast: Cast, alert: Alert, *args, user: User | None = None, **options):
    """One action on the alert as it is now; the outcome, with the alert read anew."""
    with tenant(cast.customer):
        action = getattr(transitions, name)
        outcome = action(user or cast.staff, seen(alert), *args, **options)
        alert.refresh_from_db()
        return outcome


def events(cast: Cast, alert: Alert) -> list[tuple]:
    with tenant(cast.customer):
        found = AlertEvent.objects.filter(alert=alert)
        return list(found.values_list("version", "kind", "from_status", "to_status"))


def test_it_goes_through_its_course_with_an_event_for_each_step(cast: Cast, alert: Alert) -> None:
    now = timezone.now()
    do("acknowledge", cast, alert)
    assert (alert.status, alert.owner_id, alert.version) == ("acknowledged", cast.staff.pk, 2)
    do("snooze", cast, alert, now + timedelta(days=1))
    assert (alert.status, alert.snoozed_until) == ("snoozed", now + timedelta(days=1))
    do("unsnooze", cast, alert)
    assert (alert.status, alert.snoozed_until, alert.snoozed_grade) == ("open", None, None)
    do("resolve", cast, alert, "restocked", "Two cases", although_it_holds=True)
    assert (alert.status, alert.resolution) == ("resolved", "restocked")
    do("reopen", cast, alert)
    assert (alert.status, alert.resolved_at, alert.resolution) == ("open", None, "")
    assert events(cast, alert) == [
        (1, "opened", "", "open"),
        (2, "acknowledged", "open", "acknowledged"),
        (3, "snoozed", "acknowledged", "snoozed"),
        (4, "woken", "snoozed", "open"),
        (5, "resolved", "open", "resolved"),
        (6, "reopened", "resolved", "open"),
    ]
    with tenant(cast.customer):
        event = AlertEvent.objects.get(alert=alert, kind="resolved")
    assert (event.actor, event.actor_id, event.source) == ("Staff", cast.staff.pk, "person")
    assert (event.reason, event.note, event.figures) == ("restocked", "Two cases", {"available": 0})


def test_it_tells_the_second_person_what_the_first_did(cast: Cast, alert: Alert) -> None:
    as_seen = {alert.pk: alert.version}
    with tenant(cast.customer):
        assert transitions.acknowledge(cast.manager, as_seen).done == [alert.pk]
        outcome = transitions.resolve(cast.staff, as_seen, "accepted", although_it_holds=True)
        alert.refresh_from_db()
    assert outcome.done == []
    assert outcome.skipped[0].why.startswith("Since you looked: taken by Manager, ")
    assert (alert.status, alert.owner_id) == ("acknowledged", cast.manager.pk)


def test_it_does_what_it_can_of_many_and_says_what_it_skipped(cast: Cast) -> None:
    with tenant(cast.customer):
        mine = [raised(cast.store, cast.product, alert_type=kind) for kind in ("stockout",)]
        taken = raised(cast.store, cast.product, alert_type="dead_stock")
        elsewhere = raised(cast.unassigned_store, cast.product)
        transitions.acknowledge(cast.manager, {taken.pk: 1})
        stranger = uuid4()
        asked = {**seen(*mine, taken, elsewhere), stranger: 1}
        outcome = transitions.acknowledge(cast.staff, asked)
        elsewhere.refresh_from_db()
    assert outcome.done == [mine[0].pk]
    why = {skipped.alert_id: skipped.why for skipped in outcome.skipped}
    assert why.pop(taken.pk).startswith("It is acknowledged already: taken by Manager, ")
    assert why == dict.fromkeys(
        [elsewhere.pk, stranger], "It does not exist, or not in your stores."
    )
    assert elsewhere.status == "open"


def test_it_touches_no_alert_of_another_customer(cast: Cast) -> None:
    with tenant(cast.other_customer):
        theirs = raised(cast.other_store, cast.other_product)
    with tenant(cast.customer):
        assert transitions.acknowledge(cast.admin, {theirs.pk: 1}).done == []
        assert not transitions.comment(cast.admin, theirs.pk, "hello")
    assert events(Cast(**{**vars(cast), "customer": cast.other_customer}), theirs) == [
        (1, "opened", "", "open")
    ]


def test_it_lets_nobody_act_who_may_not(cast: Cast, alert: Alert) -> None:
    for user in (cast.analyst, cast.operator):
        with pytest.raises(PermissionDenied), tenant(cast.customer):
            transitions.acknowledge(user, {alert.pk: 1})
        with pytest.raises(PermissionDenied), tenant(cast.customer):
            transitions.comment(user, alert.pk, "hello")
    assert len(events(cast, alert)) == 1


def test_it_lets_an_acting_operator_act_but_not_own(cast: Cast, alert: Alert) -> None:
    cast.operator.acting = True
    do("acknowledge", cast, alert, user=cast.operator)
    assert (alert.status, alert.owner_id) == ("acknowledged", None)


def test_it_says_first_that_what_is_resolved_still_holds(cast: Cast, alert: Alert) -> None:
    outcome = do("resolve", cast, alert, "reordered")
    assert outcome.skipped[0].why == "It still holds, and would come back at the next evaluation."
    with tenant(cast.customer):
        Alert.objects.filter(pk=alert.pk).update(clear_count=1)
    assert do("resolve", cast, alert, "reordered").done == [alert.pk]


def test_it_snoozes_for_ever_never(cast: Cast, alert: Alert) -> None:
    at = timezone.now()
    do("snooze", cast, alert, None, at=at)
    assert alert.snoozed_until == at + LONGEST_SNOOZE
    for until in (at, at + LONGEST_SNOOZE + timedelta(seconds=1)):
        with pytest.raises(ValueError, match="at most 90 days"):
            do("snooze", cast, alert, until, at=at)


def test_it_assigns_to_those_who_work_in_the_store(cast: Cast) -> None:
    with tenant(cast.customer):
        here, there = raised(cast.store), raised(cast.unassigned_store)
        outcome = transitions.assign(cast.admin, seen(here, there), cast.staff)
        assert outcome.done == [here.pk]
        [skipped] = outcome.skipped
        assert skipped.why == "Its new owner does not work in this store."
        assert transitions.assign(cast.admin, seen(here), cast.staff).done == []
        assert transitions.assign(cast.admin, seen(here), None).done == [here.pk]


@pytest.mark.parametrize(
    ("action", "args"),
    [
        ("acknowledge", ()),
        ("snooze", (None,)),
        ("resolve", ("false_alarm", "Counted twice")),
    ],
)
def test_it_takes_back_the_last_action(cast: Cast, alert: Alert, action: str, args: tuple) -> None:
    before = vars(alert).copy()
    options = {"although_it_holds": True} if action == "resolve" else {}
    do(action, cast, alert, *args, **options)
    assert do("undo", cast, alert).done == [alert.pk]
    kept = ("status", "owner_id", "snoozed_until", "snoozed_grade", "resolved_at", "resolution")
    assert {name: vars(alert)[name] for name in kept} == {name: before[name] for name in kept}
    assert [kind for _, kind, *_ in events(cast, alert)][1:] == [
        f"{action.rstrip('e')}ed",
        "undone",
    ]
    [skipped] = do("undo", cast, alert).skipped
    assert skipped.why.startswith("The last change was not an action of yours: undone by Staff")


def test_it_takes_back_nothing_of_others(cast: Cast, alert: Alert) -> None:
    do("acknowledge", cast, alert, user=cast.manager)
    [skipped] = do("undo", cast, alert).skipped
    assert skipped.why.startswith("The last change was not an action of yours: taken by Manager")
    assert alert.status == "acknowledged"


def test_it_does_not_restore_a_snooze_whose_time_has_come(cast: Cast, alert: Alert) -> None:
    at = timezone.now()
    do("snooze", cast, alert, at + timedelta(hours=4), at=at)
    do("resolve", cast, alert, "accepted", although_it_holds=True, at=at + timedelta(hours=1))
    do("undo", cast, alert, at=at + timedelta(hours=5))
    assert (alert.status, alert.snoozed_until) == ("open", None)


def test_it_reopens_nothing_whose_key_is_taken_or_that_is_old(cast: Cast, alert: Alert) -> None:
    at = timezone.now()
    do("resolve", cast, alert, "accepted", although_it_holds=True, at=at)
    later = at + timedelta(days=7, seconds=1)
    for action in ("reopen", "undo"):
        [skipped] = do(action, cast, alert, at=later).skipped
        assert skipped.why.startswith("It was resolved more than 7 days ago.")
    with tenant(cast.customer):
        raised(cast.store, cast.product)
    for action in ("reopen", "undo"):
        [skipped] = do(action, cast, alert).skipped
        assert skipped.why == "A newer alert is active for the same condition."
    assert alert.status == "resolved"


def test_it_keeps_comments_out_of_the_versions(cast: Cast, alert: Alert) -> None:
    with tenant(cast.customer):
        assert transitions.comment(cast.staff, alert.pk, "Looked behind the shelf")
        assert transitions.comment(cast.manager, alert.pk, "Thanks")
        assert transitions.acknowledge(cast.staff, {alert.pk: 1}).done == [alert.pk]
        notes = AlertEvent.objects.filter(alert=alert, kind="comment").values_list("note", "actor")
        assert list(notes) == [("Looked behind the shelf", "Staff"), ("Thanks", "Manager")]


@pytest.mark.parametrize("change", [{"note": "forged"}, None])
def test_it_lets_nobody_change_what_has_happened(cast: Cast, alert: Alert, change) -> None:
    with pytest.raises(DatabaseError, match="permission denied"), tenant(cast.customer):
        rows = AlertEvent.objects.filter(alert=alert)
        rows.update(**change) if change else rows._raw_delete("default")
