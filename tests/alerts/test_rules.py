"""Which rule wins, what a change shows before it is saved, and who may change what."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.core.exceptions import ValidationError
from django.urls import reverse
from django.utils import timezone

from alerts.models import AlertRule
from alerts.rules.queries import rules_in_force, tried
from shelfops.tenancy.context import tenant
from tests.alerts.shelves import Shelves
from tests.cast import Cast

ADD = reverse("admin:alerts_alertrule_add")
WHICH = reverse("admin:alerts_alertrule_which")


@pytest.fixture
def shelves(cast: Cast) -> Shelves:
    with tenant(cast.customer):
        cast.product.department = "Food"
        cast.product.save()
    return Shelves(cast.customer, cast.store, timezone.now() - timedelta(days=20))


def test_it_lets_the_narrowest_rule_win(cast: Cast, shelves: Shelves) -> None:
    """Each rule is narrower than those before it, and the others never fit."""
    other = shelves.product("OTHER")
    shelves.rule("stockout", threshold=900, product=other)
    shelves.rule("stockout", threshold=901, category="Bakery")
    shelves.rule("stockout", threshold=902, store=cast.unassigned_store)
    with tenant(cast.customer):
        [default, *_] = rules_in_force(cast.product.pk, cast.store.pk)
    assert (default["rule_id"], default["threshold"]) == (None, 0)
    parts = [
        {},
        {"store": cast.store},
        {"department": "Food"},
        {"department": "Food", "store": cast.store},
        {"category": "Dairy"},
        {"category": "Dairy", "store": cast.store},
        {"product": cast.product},
        {"product": cast.product, "store": cast.store},
    ]
    shelves.count(cast.product, 50)
    for number, part in enumerate(parts, 100):
        rule = shelves.rule("stockout", threshold=number, **part)
        with tenant(cast.customer):
            [found, *_] = rules_in_force(cast.product.pk, cast.store.pk)
        assert (found["rule_id"], found["threshold"]) == (rule.pk, number)
        shelves.wait(hours=1)
        shelves.evaluate()
        alert = shelves.alert(alert_type="stockout")
        assert (alert.rule["rule_id"], alert.rule["threshold"]) == (str(rule.pk), number)


def test_it_has_no_alerts_where_a_rule_is_switched_off(cast: Cast, shelves: Shelves) -> None:
    shelves.rule("stockout", is_enabled=False, category="Dairy")
    bread = shelves.product("BREAD", category="Bakery")
    for product in (cast.product, bread):
        shelves.count(product, 0)
    shelves.evaluate()
    assert shelves.alert().product_id == bread.pk


def sent(cast: Cast, **changes: object) -> dict:
    return {
        "alert_type": "low_stock",
        "threshold": "50",
        "is_enabled": "on",
        "severity": "warning",
        "evaluations_to_open": "1",
        "evaluations_to_resolve": "2",
        "tells_managers": "on",
        **changes,
    }


def rules(cast: Cast) -> list[AlertRule]:
    with tenant(cast.customer):
        return list(AlertRule.objects.all())


def test_it_shows_what_a_rule_would_have_done_before_it_saves_it(
    cast: Cast, shelves: Shelves, client_of
) -> None:
    shelves.reorder_at(cast.product, 10)
    for days_ago, on_hand in enumerate((20, 0, 3, 10, 20)):
        shelves.count(cast.product, on_hand, timedelta(days=days_ago))
    client = client_of(cast.admin)
    first = client.post(ADD, sent(cast))
    assert rules(cast) == []
    form = first.context["adminform"].form
    assert form.trial.before == {
        "variant": "before", "alerts": 1, "stockouts": 1, "caught": 1, "missed": 0,
        "days_early": Decimal("2.0"),
    }  # fmt: skip
    assert form.trial.after["days_early"] == Decimal("1.0")
    assert (form.trial.pairs, form.trial.share) == (1, 1)
    again = client.post(ADD, sent(cast, threshold="60", tried=form["tried"].value()))
    assert rules(cast) == []
    tried_now = again.context["adminform"].form["tried"].value()
    assert client.post(ADD, sent(cast, threshold="60", tried=tried_now)).status_code == 302
    [rule] = rules(cast)
    assert (rule.threshold, rule.tells_managers, rule.tells_staff) == (60, True, False)
    # Who is told needs no trial.
    change = reverse("admin:alerts_alertrule_change", args=[rule.pk])
    assert (
        client.post(change, sent(cast, threshold="60", tells_staff="on", _version=1)).status_code
        == 302
    )
    assert rules(cast)[0].tells_staff


def test_it_counts_missed_stockouts(cast: Cast, shelves: Shelves) -> None:
    shelves.reorder_at(cast.product, 10)
    for days_ago, on_hand in enumerate((20, 0, 20)):
        shelves.count(cast.product, on_hand, timedelta(days=days_ago))
    with tenant(cast.customer):
        trial = tried(AlertRule(alert_type="low_stock", threshold=100))
    assert (trial.before["stockouts"], trial.before["caught"], trial.before["missed"]) == (1, 0, 1)


def test_it_tries_feed_gaps_on_the_silences_that_there_were(cast: Cast, shelves: Shelves) -> None:
    """Daily sales but for three days, the first of which was over 48 hours before it sold again.

    Since the last of them the store has been silent for 20 days.
    """
    shelves.sell(cast.product, [*range(1, 20), *range(23, 60)])
    with tenant(cast.customer):
        trials = {
            hours: tried(AlertRule(alert_type="feed_gap", threshold=hours, severity="critical"))
            for hours in (47, 48, 24 * 30)
        }
    assert {hours: trial.after["alerts"] for hours, trial in trials.items()} == {
        47: 2,
        48: 1,
        24 * 30: 0,
    }


def test_it_tries_a_rule_only_where_no_narrower_one_applies(cast: Cast, shelves: Shelves) -> None:
    shelves.count(cast.product, 0)
    shelves.rule("stockout", category="Dairy")
    with tenant(cast.customer):
        assert tried(AlertRule(alert_type="stockout", threshold=3)).pairs == 0
        narrow = AlertRule(alert_type="stockout", threshold=3, product=cast.product)
        assert tried(narrow).pairs == 1
    with tenant(cast.other_customer):
        assert tried(AlertRule(alert_type="stockout", threshold=3)).pairs == 0


@pytest.mark.parametrize(
    ("changes", "field", "error"),
    [
        ({"category": "Dairy", "department": "Food"}, "department", "Choose this or a category"),
        ({"alert_type": "feed_gap", "category": "Dairy"}, "category", "A feed is a whole store"),
        ({"alert_type": "dead_stock", "threshold": "366"}, "threshold", "At most 365 days."),
        ({"threshold": "-1"}, "threshold", "greater than or equal to 0"),
        ({"evaluations_to_open": "101"}, "evaluations_to_open", "less than or equal to 100"),
        ({"alert_type": "stockout"}, "alert_type", "There is a rule for this part already."),
    ],
)
def test_it_says_at_the_field_what_is_wrong(
    cast: Cast, shelves: Shelves, client_of, changes, field, error
) -> None:
    shelves.rule("stockout")
    answer = client_of(cast.admin).post(ADD, sent(cast, **changes))
    assert error in str(answer.context["adminform"].form.errors[field])
    assert len(rules(cast)) == 1


def test_it_keeps_managers_to_their_stores(cast: Cast, shelves: Shelves, client_of) -> None:
    general = shelves.rule("stockout")
    own = shelves.rule("stockout", store=cast.store)
    foreign = shelves.rule("stockout", store=cast.unassigned_store)
    client = client_of(cast.manager)
    for rule, read, changed in ((general, 200, 403), (own, 200, 200), (foreign, 404, 404)):
        url = reverse("admin:alerts_alertrule_change", args=[rule.pk])
        assert client.get(url).status_code == read
        assert client.post(url, sent(cast, alert_type="stockout")).status_code == changed
        delete = reverse("admin:alerts_alertrule_delete", args=[rule.pk])
        allowed = {200: 302}.get(changed, changed)
        if rule is not own:
            assert client.post(delete, {"post": "yes"}).status_code == allowed
    for store in ("", cast.unassigned_store.pk):
        answer = client.post(ADD, sent(cast, store=store))
        assert "store" in answer.context["adminform"].form.errors
    assert len(rules(cast)) == 3


def test_it_shows_which_rule_applies(cast: Cast, shelves: Shelves, client_of) -> None:
    shelves.rule("stockout", threshold=4, category="Dairy")
    page = client_of(cast.manager).get(WHICH, {"store": cast.store.pk, "sku": "MILK-1"})
    text = page.content.decode()
    assert "at most 4 available" in text
    assert "Dairy in all stores" in text
    assert "no sale for 60 days" in text
    for query in ({"store": cast.unassigned_store.pk, "sku": "MILK-1"}, {"sku": "MILK-1"}):
        page = client_of(cast.manager).get(WHICH, query)
        assert "at most" not in page.content.decode()
    page = client_of(cast.admin).get(WHICH, {"store": cast.store.pk, "sku": "RIVAL"})
    assert "No product has this SKU." in page.content.decode()


def test_it_refuses_two_rules_for_one_part(cast: Cast, shelves: Shelves) -> None:
    shelves.rule("stockout")
    with tenant(cast.customer), pytest.raises(ValidationError):
        AlertRule(alert_type="stockout", threshold=0, severity="info").full_clean()
