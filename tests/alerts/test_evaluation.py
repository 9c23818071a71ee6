"""What an evaluation makes of stock: the system's half of the table of transitions."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, ProgrammingError, connection, connections
from django.utils import timezone

from alerts import transitions
from alerts.evaluation import evaluate
from alerts.models import Alert, AlertEvent, Evaluation
from shelfops.tenancy.context import tenant
from shelfops.tenancy.models import Customer
from tests.alerts.shelves import Shelves
from tests.cast import Cast

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
OPENED = ("opened", "", "", "open")
CLEAR = ("resolved", "clear", "open", "resolved")


@pytest.fixture
def shelves(cast: Cast) -> Shelves:
    return Shelves(cast.customer, cast.store, timezone.now() - 20 * DAY)


def test_it_keeps_one_alert_while_a_condition_holds(cast: Cast, shelves: Shelves) -> None:
    shelves.count(cast.product, 0)
    assert shelves.evaluate().opened == 1
    first = shelves.now
    for _ in range(3):
        shelves.wait(hours=1)
        assert shelves.evaluate().opened == 0
    alert = shelves.alert()
    assert (alert.alert_type, alert.severity, alert.status) == ("stockout", "critical", "open")
    assert (alert.occurrences, alert.created_at, alert.last_seen_at) == (4, first, shelves.now)
    assert (alert.store_id, alert.product_id) == (cast.store.pk, cast.product.pk)
    assert alert.rule["scope"] == "default"
    assert alert.rule["told"] == ["manager", "staff"]
    assert shelves.events(alert) == [OPENED]


def test_it_resolves_what_is_clear(cast: Cast, shelves: Shelves) -> None:
    shelves.count(cast.product, 0)
    shelves.evaluate()
    shelves.wait(hours=1)
    shelves.count(cast.product, 5)
    assert shelves.evaluate().resolved == 1
    alert = shelves.alert()
    assert (alert.status, alert.resolution, alert.resolved_at) == ("resolved", "clear", shelves.now)
    assert shelves.events(alert) == [OPENED, CLEAR]


def test_it_judges_a_moment_once(cast: Cast, shelves: Shelves) -> None:
    shelves.rule("stockout", severity="critical", evaluations_to_open=2, evaluations_to_resolve=2)
    shelves.count(cast.product, 0)
    for _ in range(3):
        assert shelves.evaluate().opened == 0
    shelves.wait(hours=1)
    for opened in (1, 0, 0):
        assert shelves.evaluate().opened == opened
    assert shelves.alert().occurrences == 1
    shelves.wait(hours=1)
    shelves.count(cast.product, 5)
    for _ in range(3):
        assert shelves.evaluate().resolved == 0
    shelves.wait(hours=1)
    assert shelves.evaluate().resolved == 1


def test_it_forgets_a_streak_that_was_broken(cast: Cast, shelves: Shelves) -> None:
    shelves.rule("stockout", evaluations_to_open=2, evaluations_to_resolve=2)
    for on_hand in (0, 5, 0):
        shelves.count(cast.product, on_hand)
        assert shelves.evaluate().opened == 0
        shelves.wait(hours=1)
    assert shelves.evaluate().opened == 1
    for on_hand in (5, 0, 5):
        shelves.wait(hours=1)
        shelves.count(cast.product, on_hand)
        assert shelves.evaluate().resolved == 0


def test_it_brings_back_what_was_resolved_within_7_days(cast: Cast, shelves: Shelves) -> None:
    """Trap: an alert that comes back without its key, so that a second one opens beside it."""
    shelves.count(cast.product, 0)
    shelves.evaluate()
    with tenant(cast.customer):
        seen = {shelves.alert().pk: 1}
        at = shelves.now + HOUR
        transitions.resolve(cast.staff, seen, "reordered", although_it_holds=True, at=at)
    shelves.wait(days=7, hours=1)
    shelves.count(cast.product, 0)
    for opened in (1, 0):
        run = shelves.evaluate()
        assert (run.opened, run.regressed) == (0, opened)
        shelves.wait(hours=1)
    alert = shelves.alert()
    assert (alert.status, alert.is_regressed, alert.resolution) == ("open", True, "")
    assert shelves.events(alert)[1:] == [
        ("resolved", "reordered", "open", "resolved"),
        ("regressed", "", "resolved", "open"),
    ]


def test_it_opens_a_new_alert_later_that_refers_to_the_old(cast: Cast, shelves: Shelves) -> None:
    for on_hand in (0, 5):
        shelves.count(cast.product, on_hand)
        shelves.evaluate()
        shelves.wait(hours=1)
    shelves.wait(days=7)
    shelves.count(cast.product, 0)
    assert shelves.evaluate().opened == 1
    old, new = shelves.alerts()
    assert (old.status, new.status, new.previous_id) == ("resolved", "open", old.pk)
    assert not new.is_regressed


def test_it_hides_low_stock_behind_a_stockout_and_shows_it_again(
    cast: Cast, shelves: Shelves
) -> None:
    """Trap: low items that are listed anew each day."""
    shelves.reorder_at(cast.product, 10)
    course = []
    for on_hand in (10, 0, 4, 11, 11):
        shelves.count(cast.product, on_hand)
        shelves.evaluate()
        course.append(
            {a.alert_type: a.hidden_by or a.status for a in shelves.alerts(resolved_at=None)}
        )
        shelves.wait(hours=1)
    assert course == [
        {"low_stock": "open"},
        {"low_stock": "stockout", "stockout": "open"},
        {"low_stock": "open"},
        {"low_stock": "open"},  # its rule asks for two clear evaluations
        {},
    ]
    low = shelves.alert(alert_type="low_stock")
    assert [kind for kind, *_ in shelves.events(low)] == [
        "opened", "hidden", "shown", "worse", "resolved",
    ]  # fmt: skip


def test_it_opens_no_low_stock_behind_a_stockout(cast: Cast, shelves: Shelves) -> None:
    shelves.reorder_at(cast.product, 10)
    shelves.count(cast.product, 0)
    run = shelves.evaluate()
    assert (run.held, run.opened) == (2, 1)
    assert shelves.alert().alert_type == "stockout"


def test_it_ends_a_snooze_when_its_time_has_come(cast: Cast, shelves: Shelves) -> None:
    shelves.count(cast.product, 0)
    shelves.evaluate()
    snooze(cast, shelves, shelves.now + 5 * HOUR)
    shelves.wait(hours=4)
    assert shelves.evaluate().woken == 0
    shelves.wait(hours=1)
    assert shelves.evaluate().woken == 1
    alert = shelves.alert()
    assert (alert.status, alert.snoozed_until) == ("open", None)
    assert shelves.events(alert)[-1] == ("woken", "time", "snoozed", "open")


def test_it_ends_a_snooze_when_it_gets_worse(cast: Cast, shelves: Shelves) -> None:
    """Trap: a mute that hides an escalation."""
    shelves.reorder_at(cast.product, 12)
    shelves.count(cast.product, 12)
    shelves.evaluate()
    snooze(cast, shelves, None)
    for on_hand, woken in ((7, 0), (6, 1), (6, 0)):
        shelves.wait(hours=1)
        shelves.count(cast.product, on_hand)
        run = shelves.evaluate()
        assert (run.woken, run.worse) == (woken, 0)
    assert shelves.events(shelves.alert())[-1] == ("woken", "worse", "snoozed", "open")


def snooze(cast: Cast, shelves: Shelves, until) -> None:
    with tenant(cast.customer):
        seen = {alert.pk: alert.version for alert in shelves.alerts()}
        assert transitions.snooze(cast.staff, seen, until, at=shelves.now).done


def test_it_says_once_that_it_got_worse(cast: Cast, shelves: Shelves) -> None:
    shelves.reorder_at(cast.product, 12)
    worse = []
    for on_hand in (12, 6, 5, 8, 6, 3):
        shelves.count(cast.product, on_hand)
        worse.append(shelves.evaluate().worse)
        shelves.wait(hours=1)
    assert worse == [0, 1, 0, 0, 0, 1]
    alert = shelves.alert()
    assert (alert.grade, alert.figures["available"]) == (2, 3)
    assert alert.opening_figures["available"] == 12


def test_it_raises_the_severity_when_its_rule_does(cast: Cast, shelves: Shelves) -> None:
    rule = shelves.rule("stockout", severity="info")
    shelves.count(cast.product, 0)
    shelves.evaluate()
    with tenant(cast.customer):
        rule.severity = "critical"
        rule.save()
    shelves.wait(hours=1)
    assert shelves.evaluate().worse == 1
    assert shelves.alert().priority == 3


def test_it_judges_only_the_stores_asked_for(cast: Cast, shelves: Shelves) -> None:
    for store in (cast.store, cast.unassigned_store):
        shelves.count(cast.product, 0, store=store.pk)
    assert shelves.evaluate(stores=[cast.store.pk]).opened == 1
    shelves.wait(hours=1)
    for store in (cast.store, cast.unassigned_store):
        shelves.count(cast.product, 1, store=store.pk)
    assert shelves.evaluate(stores=[cast.unassigned_store.pk]).resolved == 0
    assert shelves.alert().status == "open"
    assert shelves.evaluate(stores=[]).held == 0


def test_it_leaves_switched_off_stores_and_products_alone(cast: Cast, shelves: Shelves) -> None:
    shelves.count(cast.product, 0)
    shelves.evaluate()
    with tenant(cast.customer):
        cast.product.is_active = False
        cast.product.save()
    shelves.wait(hours=1)
    assert shelves.evaluate().resolved == 1


def test_it_sees_no_other_customer(cast: Cast, shelves: Shelves) -> None:
    theirs = Shelves(cast.other_customer, cast.other_store, shelves.now)
    theirs.count(cast.other_product, 0)
    assert shelves.evaluate(stores=[cast.other_store.pk]).held == 0
    assert shelves.evaluate().held == 0
    assert theirs.alerts() == []
    theirs.evaluate()
    shelves.wait(hours=1)
    assert shelves.evaluate().resolved == 0
    assert theirs.alert().status == "open"


def test_it_works_for_nobody_without_a_customer() -> None:
    with pytest.raises(ProgrammingError, match="no customer is set"), connection.cursor() as cursor:
        cursor.execute("SELECT evaluate_alerts('command')")


def test_it_judges_now_by_the_latest_counts(cast: Cast, shelves: Shelves) -> None:
    shelves.count(cast.product, 0)
    assert evaluate(cast.customer).opened == 1
    alert = shelves.alert()
    assert timezone.now() - alert.created_at < timedelta(minutes=1)


@pytest.mark.parametrize("later", [DAY, timedelta(days=-1)])
def test_it_records_a_failure_and_changes_nothing(cast: Cast, shelves: Shelves, later) -> None:
    shelves.now = timezone.now() - HOUR
    shelves.count(cast.product, 0)
    shelves.evaluate()
    run = evaluate(cast.customer, as_of=shelves.now + later)
    assert run.error in (
        "the future cannot be evaluated",
        "a later moment has been evaluated already",
    )
    with tenant(cast.customer):
        assert Evaluation.objects.exclude(error="").get().pk == run.pk
    assert shelves.alert().occurrences == 1


def test_it_goes_on_after_a_customer_whose_evaluation_fails(
    cast: Cast, shelves: Shelves, capsys, only_active
) -> None:
    only_active(cast.customer, cast.other_customer)
    evaluate(cast.customer)
    theirs = Shelves(cast.other_customer, cast.other_store, shelves.now)
    theirs.count(cast.other_product, 0)
    with pytest.raises(CommandError, match="^1 of 2 evaluations failed"):
        call_command("evaluate_alerts", as_of=shelves.now)
    shown = capsys.readouterr()
    assert "Acme Grocers: FAILED: a later moment" in shown.err
    assert "Rival Foods: 1 conditions hold; 1 alerts opened" in shown.out
    assert theirs.alert().status == "open"


@pytest.fixture
def only_active():
    """Leaves these customers active alone, until the test has ended."""
    everyone = Customer.objects.using("operator")
    before = list(everyone.filter(is_active=True).values_list("pk", flat=True))

    def switch(*customers: Customer) -> None:
        everyone.exclude(pk__in=[c.pk for c in customers]).update(is_active=False)

    yield switch
    everyone.filter(pk__in=before).update(is_active=True)


def test_it_runs_as_a_job_for_every_active_customer(
    cast: Cast, shelves: Shelves, only_active
) -> None:
    only_active(cast.customer, cast.other_customer)
    theirs = Shelves(cast.other_customer, cast.other_store, shelves.now)
    shelves.count(cast.product, 0)
    theirs.count(cast.other_product, 0)
    with connections["owner"].cursor() as cursor:
        cursor.execute("CALL timeseries.evaluate_alerts()")
    for each in (shelves, theirs):
        [event] = each.events(each.alert())
        assert event == OPENED
    with tenant(cast.customer):
        assert AlertEvent.objects.get().source == "job"
        assert Evaluation.objects.get().error == ""


def test_it_leaves_the_job_to_the_owner() -> None:
    with pytest.raises(DatabaseError, match="permission denied"), connection.cursor() as cursor:
        cursor.execute("CALL timeseries.evaluate_alerts()")


def test_it_opens_one_alert_for_evaluations_at_once(cast: Cast, shelves: Shelves) -> None:
    for number in range(5):
        shelves.count(shelves.product(f"P{number}"), 0)

    def run(_: int) -> Evaluation:
        try:
            return evaluate(cast.customer)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(4) as pool:
        runs = list(pool.map(run, range(4)))
    assert [run.error for run in runs] == [""] * 4
    assert sorted(run.opened for run in runs) == [0, 0, 0, 5]
    with tenant(cast.customer):
        assert Alert.objects.count() == AlertEvent.objects.count() == 5
        assert set(Alert.objects.values_list("occurrences", flat=True)) == {4}
