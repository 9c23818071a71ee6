"""The list: whose alerts it shows, in which order, and how many."""

from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from alerts.inbox import queries
from alerts.inbox.filters import InboxScope
from alerts.models import Alert
from inventory.models import Product, StoreAssignment
from shelfops.tenancy.context import tenant
from tests.alerts.raising import raised
from tests.cast import Cast

INBOX = "/alerts/"


@pytest.fixture
def busy(cast: Cast) -> Cast:
    """Alerts in both stores of the customer, and one of the other customer's."""
    now = timezone.now()
    with tenant(cast.customer):
        tea = Product.objects.create(sku="TEA-1", name="Tea 100%", department="Drinks")
        raised(cast.store, cast.product, money_at_stake=5, at=now - timedelta(days=9))
        raised(cast.store, tea, severity="warning", alert_type="low_stock", money_at_stake=70)
        raised(cast.store, tea, severity="warning", alert_type="overstock", money_at_stake=90,
               owner=cast.manager)  # fmt: skip
        raised(cast.store, None, alert_type="feed_gap", money_at_stake=1)
        raised(cast.unassigned_store, cast.product, money_at_stake=1000)
    with tenant(cast.other_customer):
        raised(cast.other_store, cast.other_product, money_at_stake=9999)
    return cast


def listing(client, **query):
    """What the list is made of, without the page around it."""
    return client.get(INBOX, {"part": "list", **query}).context


def rows(client, **query) -> list[tuple[str, str]]:
    """Type and store of what is listed."""
    return [(alert["type"], alert["store"]) for alert in listing(client, **query)["alerts"]]


def counts(client, **query) -> dict[str, str]:
    return {tab["label"]: tab["count"] for tab in listing(client, **query)["tabs"]}


def test_it_lists_severity_first_then_money(busy: Cast, client_of) -> None:
    assert rows(client_of(busy.staff)) == [
        ("Stockout", "Main Street"),
        ("Feed gap", "Main Street"),
        ("Overstock", "Main Street"),
        ("Low stock", "Main Street"),
    ]
    assert rows(client_of(busy.admin))[0] == ("Stockout", "Harbour")


def test_it_shows_and_counts_assigned_stores_only(busy: Cast, client_of) -> None:
    for user, shown in ((busy.staff, 4), (busy.manager, 4), (busy.admin, 5), (busy.outsider, 1)):
        client = client_of(user)
        assert len(rows(client)) == shown
        assert counts(client)["Open"] == str(shown)
    # A store of somebody else's is no choice, so the filter is refused.
    response = client_of(busy.staff).get(INBOX, {"store": busy.unassigned_store.pk})
    assert response.context["form"].errors
    assert "Harbour" not in response.content.decode()
    with tenant(busy.customer):
        StoreAssignment.objects.filter(user=busy.staff).delete()
    client = client_of(busy.staff)
    assert rows(client) == []
    assert counts(client)["Open"] == "0"
    assert "No store is assigned to you" in client.get(INBOX).content.decode()


FILTERS = [
    ({"type": "overstock"}, {"Overstock"}),
    ({"severity": "critical"}, {"Stockout", "Feed gap"}),
    ({"department": "Drinks"}, {"Low stock", "Overstock"}),
    ({"owner": "nobody", "severity": "warning"}, {"Low stock"}),
    ({"owner": "me"}, {"Overstock"}),
    ({"age": "7"}, {"Stockout"}),
    ({"age": "0"}, {"Low stock", "Overstock", "Feed gap"}),
    ({"q": "tea-1"}, {"Low stock", "Overstock"}),
    ({"q": "100%"}, {"Low stock", "Overstock"}),
    ({"q": "10_%"}, set()),
    ({"q": "out of st"}, {"Stockout", "Low stock", "Overstock", "Feed gap"}),
    ({"tab": "mine"}, {"Overstock"}),
    ({"tab": "snoozed"}, set()),
]


def test_it_filters(busy: Cast, client_of) -> None:
    client = client_of(busy.manager)
    for query, found in FILTERS:
        context = listing(client, **query)
        assert {alert["type"] for alert in context["alerts"]} == found, query
        [count] = [tab["count"] for tab in context["tabs"] if tab["chosen"]]
        assert count == str(len(found)), query


def test_it_sorts_by_age(busy: Cast, client_of) -> None:
    client = client_of(busy.manager)
    newest = [kind for kind, _ in rows(client, sort="newest")]
    assert newest == ["Feed gap", "Overstock", "Low stock", "Stockout"]
    assert [kind for kind, _ in rows(client, sort="oldest")] == newest[::-1]


def test_it_says_at_the_filter_what_is_wrong(busy: Cast, client_of) -> None:
    client = client_of(busy.staff)
    wrong = {"tab": "x", "owner": "x", "age": "99", "store": "x", "q": "x" * 101}
    for name, value in wrong.items():
        response = client.get(INBOX, {name: value})
        assert response.status_code == 200
        assert set(response.context["form"].errors) == {name}


def test_it_begins_at_the_top_where_the_page_is_none(busy: Cast, client_of) -> None:
    client = client_of(busy.staff)
    for page in ("x", "_", "1_2_3", "1_nan_" + "0" * 32, "1_1e99_" + "0" * 32):
        assert len(listing(client, page=page)["alerts"]) in (3, 4), page
    assert client.get(INBOX, {"q": "\0"}).status_code == 400


@pytest.mark.parametrize("query", [{}, {"sort": "newest"}, {"sort": "oldest"}, {"tab": "resolved"}])
def test_it_pages_through_all_without_gap_or_repeat(
    busy: Cast, client_of, query: dict, monkeypatch
) -> None:
    """Also where figures and times are equal."""
    monkeypatch.setattr(queries, "PAGE", 2)
    at = timezone.now()
    with tenant(busy.customer):
        for n in range(5):
            raised(busy.store, Product.objects.create(sku=str(n), name=str(n)), at=at)
        if query.get("tab"):
            Alert.objects.update(status="resolved", resolved_at=at, resolution="clear")
    client, found, url = client_of(busy.staff), [], INBOX + "?view="
    url += "".join(f"&{name}={value}" for name, value in query.items())
    while url:
        context = client.get(url).context
        found += [alert["alert_id"] for alert in context["alerts"]]
        url = context["next_url"] and INBOX + context["next_url"]
    assert len(found) == len(set(found)) == 9


def test_it_leaves_out_what_is_hidden_and_says_how_many(busy: Cast, client_of) -> None:
    with tenant(busy.customer):
        Alert.objects.filter(alert_type="low_stock").update(hidden_by="stockout")
    client = client_of(busy.staff)
    assert "Low stock" not in {kind for kind, _ in rows(client)}
    assert counts(client)["Open"] == "3"
    html = client.get(INBOX).content.decode()
    assert "1 more is hidden" in html
    assert [kind for kind, _ in rows(client, hidden="1")] == ["Low stock"]
    with tenant(busy.customer):
        Alert.objects.filter(alert_type="low_stock").update(
            status="resolved", resolved_at=timezone.now(), resolution="accepted"
        )
    assert [kind for kind, _ in rows(client, tab="resolved")] == ["Low stock"]


def test_it_counts_no_further_than_a_thousand(busy: Cast, client_of, monkeypatch) -> None:
    monkeypatch.setattr(queries, "MOST_COUNTED", 3)
    assert counts(client_of(busy.staff))["Open"] == "3+"


def test_it_renews_itself_only_when_something_changed(busy: Cast, client_of) -> None:
    client = client_of(busy.staff)
    seen = client.get(INBOX).context["version"]
    part = {"part": "list", "seen": seen}
    assert client.get(INBOX, part).status_code == 204
    with tenant(busy.customer):
        Alert.objects.filter(alert_type="overstock").update(version=2)
    response = client.get(INBOX, part)
    assert response.status_code == 200
    html = response.content.decode()
    assert "<html" not in html
    assert f"seen={seen}" not in html
    assert client_of(busy.analyst).get(INBOX, part).status_code == 403


def test_it_asks_as_much_for_many_alerts_as_for_few(busy: Cast, client_of) -> None:
    client = client_of(busy.staff)
    client.get(INBOX)
    with connection.execute_wrapper(count := Queries()):
        client.get(INBOX)
    few = count.number
    with tenant(busy.customer):
        for n in range(20):
            raised(busy.store, Product.objects.create(sku=str(n), name=str(n)))
    with connection.execute_wrapper(count := Queries()):
        client.get(INBOX)
    assert count.number == few


class Queries:
    number = 0

    def __call__(self, execute, sql, params, many, context):
        self.number += 1
        return execute(sql, params, many, context)


def plan(scope: InboxScope, statement: str) -> str:
    with connection.cursor() as cursor:
        # So few rows are best sorted; the question is what can be read in order.
        for way in ("seqscan", "bitmapscan", "sort"):
            cursor.execute(f"SET LOCAL enable_{way} = off")
        cursor.execute("EXPLAIN " + statement, {**scope.params(), "limit": 51, "most": 1001})
        return "\n".join(line for (line,) in cursor.fetchall())


def test_it_reads_a_page_in_the_order_of_its_index(busy: Cast) -> None:
    """A top page is read from the index as it is: nothing is sorted but the page itself."""
    for sort, tab, index in (
        ("", "open", "idx_alerts_shown"),
        ("newest", "open", "idx_alerts_shown_opened"),
        ("", "resolved", "idx_alerts_resolved_at"),
    ):
        scope = InboxScope(user=busy.admin.pk, stores=None, tab=tab, sort=sort)
        statement = queries._statement(queries.IDS, scope, order=queries._order(scope)[0])
        with tenant(busy.customer):
            found = plan(scope, statement)
        assert f"using {index} " in found
        assert "->  Sort" not in found
