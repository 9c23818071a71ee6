"""The home page: figures against DuckDB over the plain rows, and what each role sees of them."""

from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from io import StringIO

import pytest
from django.core.management import call_command
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from alerts.evaluation import evaluate
from alerts.models import Evaluation
from inventory.models import StoreAssignment
from sales.management.commands import load_complete_journey
from shelfops.tenancy.context import set_local, tenant
from shelfops.tenancy.roles import Role
from tests.alerts import raising
from tests.cast import make_customer, make_user
from tests.reports.independent import answer, rows_of
from tests.reports.shop import YESTERDAY, Shop, shop_of

LONG_AGO = datetime.now(UTC) - timedelta(days=200)


@pytest.fixture
def shop(cast) -> Shop:
    return shop_of(cast)


def ago(days: int):
    return YESTERDAY - timedelta(days=days)


def sections(client_of, user) -> dict[str, object]:
    return {section.title: section for section in page(client_of, user).context["sections"]}


def page(client_of, user):
    return client_of(user).get("/")


def card(section, label: str):
    [found] = [card for card in section.cards if card.label.startswith(label)]
    return found


def values(section) -> dict[str, str]:
    return {card.label: card.value for card in section.cards}


DAY = """
WITH mine AS (SELECT * FROM sales WHERE $store IS NULL OR store = $store),
days AS (SELECT n, $day - 7 * n AS day FROM unnest([0, 1, 2, 3, 4]) AS weeks(n)),
sums AS (SELECT n, sum(amount) AS revenue, sum(units) AS units,
                count(DISTINCT (store, receipt)) AS baskets
         FROM mine JOIN days USING (day) GROUP BY n)
SELECT (SELECT revenue FROM sums WHERE n = 0) AS revenue,
       (SELECT units FROM sums WHERE n = 0) AS units,
       (SELECT baskets FROM sums WHERE n = 0) AS baskets,
       (SELECT revenue FROM sums WHERE n = 1) AS week_before,
       (SELECT avg(revenue) FROM sums WHERE n > 0) AS average,
       (SELECT count(*) FROM sums WHERE n > 0) AS weeks
"""


@pytest.fixture
def trade(cast, shop):
    """A weekday of five weeks in three zones, without the third; returns, and shared receipts."""
    island = shop.store("Island", time_zone="Pacific/Kiritimati")
    for week, amount in ((0, 20), (1, 31), (2, 7), (4, 44)):
        day = ago(7 * week)
        shop.sell(cast.store, cast.product, day, 2, amount, clock="00:05", receipt="A")
        shop.sell(cast.store, cast.product, day, 1, "1.50", clock="23:55", receipt="A")
        shop.sell(cast.store, cast.product, day, -1, "-3.00", clock="12:00")
        shop.sell(island, cast.product, day, "0.5", amount + week, clock="00:01", receipt="A")
        shop.sell(island, cast.product, day - timedelta(days=1), 9, 99, clock="23:59")
        shop.sell(island, cast.product, day - timedelta(days=2), 9, 99)
    shop.refresh()
    return shop


@pytest.mark.parametrize("role", ["admin", "manager", "analyst"])
def test_it_compares_the_last_day_with_the_same_weekday(cast, client_of, trade, role):
    user = getattr(cast, role)
    store = str(cast.store.pk) if role == "manager" else None
    [expected] = answer(rows_of(cast.customer), DAY, day=YESTERDAY, store=store)
    found = sections(client_of, user)["Sales"]
    assert values(found) == {
        "Revenue (USD)": f"{expected['revenue']:,.2f}",
        "Units": f"{Decimal(expected['units']).quantize(Decimal(1), ROUND_HALF_UP)}",
        "Baskets": f"{expected['baskets']}",
    }
    revenue, week, average = (expected[key] for key in ("revenue", "week_before", "average"))
    weekday = f"{YESTERDAY:%A}"
    assert expected["weeks"] == 3
    assert [note.text for note in card(found, "Revenue").notes] == [
        f"{revenue / week - 1:+.1%} on last {weekday}",
        f"{revenue / average - 1:+.1%} on the last 3 {weekday}s",
    ]


class TestFeeds:
    def feed(self, client_of, user):
        return card(sections(client_of, user)["Feeds"], "Silent")

    def test_it_knows_each_stores_rhythm(self, cast, client_of, shop):
        """Closed on one weekday is no gap; a missing day on which it usually sells is one."""
        closed = ago(0).weekday()
        late = shop.store("Late", time_zone="UTC")
        for back in range(30):
            if ago(back).weekday() != closed:
                shop.sell(cast.store, cast.product, ago(back), 1, 1)
            if back > 2:
                shop.sell(late, cast.product, ago(back), 1, 1)
        shop.refresh()
        found = self.feed(client_of, cast.admin)
        assert found.value == "1 of 3"
        assert [note.text for note in found.notes] == [
            "Late",
            "1 without sales in the last 13 weeks",
        ]
        found = self.feed(client_of, cast.manager)
        assert found.value == "0 of 1"
        assert found.notes[0].text.startswith("sales came in on every day")

    def test_it_tells_of_imports_and_what_they_refused(self, cast, client_of, trade):
        with tenant(cast.customer), connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO import_batches (kind, source, source_hash, imported_by, status,"
                " rows_read, rows_refused, started_at, finished_at)"
                " SELECT 'transactions', 'a.csv', n::text, 'x', status, 3, 3,"
                "        now() - days, now() - days"
                " FROM (VALUES (1, 'done', INTERVAL '1 day'), (2, 'done', INTERVAL '9 days'),"
                "              (3, 'failed', INTERVAL '2 days')) AS v (n, status, days)"
            )
        found = sections(client_of, cast.manager)["Feeds"]
        assert card(found, "Refused").value == "3"
        assert [note.text for note in card(found, "Last import").notes][1:] == [
            "1 failed in the last 7 days"
        ]
        assert len(sections(client_of, cast.analyst)["Feeds"].cards) == 1


class TestStock:
    @pytest.fixture
    def shelves(self, cast, shop):
        """Milk lasts 2 days and is to be reordered, bread is out, tea lasts 7 days."""
        bread, tea = shop.product("BREAD"), shop.product("TEA")
        shop.count(cast.store, cast.product, 5)
        shop.count(cast.store, bread, 0)
        shop.count(cast.unassigned_store, tea, 28)
        shop.rule(cast.store, cast.product, 9, LONG_AGO)
        shop.sell(cast.store, cast.product, ago(0), 20, 20)
        shop.sell(cast.store, cast.product, ago(7), 800, 800)
        shop.sell(cast.unassigned_store, tea, ago(6), 28, 28)
        shop.sell(cast.unassigned_store, cast.product, ago(3), 999, 999)
        shop.refresh()
        return shop

    def test_it_counts_what_runs_out(self, cast, client_of, shelves):
        found = sections(client_of, cast.admin)["Stock"]
        assert found.text == "3 products in stores"
        assert values(found) == {
            "To reorder": "1",
            "Nothing available": "1",
            "Out within 7 days": "1",
        }
        assert found.items == []

    def test_it_lists_what_staff_order_next(self, cast, client_of, shelves):
        found = sections(client_of, cast.staff)["Stock"]
        assert found.text == "2 products in your stores"
        [milk] = found.items
        assert (milk.text, milk.detail) == (
            "Milk 1 l",
            "Main Street: 5 available, reorder at 9",
        )


class TestAlerts:
    @pytest.fixture
    def raised(self, cast, shop):
        with tenant(cast.customer):
            raising.raised(cast.store, cast.product, message="Nothing left")
            raising.raised(
                cast.store, severity="warning", alert_type="feed_gap", message="No sales today"
            )
            raising.raised(cast.unassigned_store, cast.product, message="Not yours")
            raising.raised(
                cast.store,
                cast.product,
                alert_type="low_stock",
                hidden_by="stockout",
                message="Hidden",
            )

    def test_it_counts_open_alerts_by_severity(self, cast, client_of, raised):
        found = sections(client_of, cast.admin)["Alerts"]
        assert values(found) == {"Critical": "2", "Warning": "1", "Info": "0"}
        assert "Hidden" not in page(client_of, cast.admin).content.decode()

    def test_it_shows_staff_the_alerts_of_their_stores_first(self, cast, client_of, raised):
        response = page(client_of, cast.staff)
        found = response.context["sections"]
        assert [section.title for section in found] == ["Alerts", "Stock"]
        assert values(found[0]) == {"Critical": "1", "Warning": "1", "Info": "0"}
        assert [item.text for item in found[0].items] == [
            "Milk 1 l: Nothing left",
            "Feed gap: No sales today",
        ]
        assert "Not yours" not in response.content.decode()

    def test_it_shows_analysts_none(self, cast, client_of, raised):
        assert list(sections(client_of, cast.analyst)) == ["Sales", "Stock", "Feeds"]

    def test_it_says_that_an_evaluation_failed(self, cast, client_of):
        with tenant(cast.customer), connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO alert_evaluations (source, as_of, started_at, error)"
                " VALUES ('job', now(), now(), 'division by zero')"
            )
        [item] = sections(client_of, cast.admin)["Feeds"].items
        assert "could not be evaluated" in item.text
        assert "division by zero" not in page(client_of, cast.staff).content.decode()


class TestBeginning:
    def test_it_tells_a_new_customers_admin_where_to_start(self, client_of):
        customer = make_customer("Brand New")
        with tenant(customer):
            admin, analyst = make_user(Role.ADMIN, customer), make_user(Role.ANALYST, customer)
        assert "Add your first store" in page(client_of, admin).content.decode()
        assert "An administrator can add them" in page(client_of, analyst).content.decode()

    def test_it_tells_a_manager_without_a_store_whom_to_ask(self, cast, client_of):
        with tenant(cast.customer):
            StoreAssignment.objects.filter(user=cast.manager).delete()
        found = page(client_of, cast.manager).content.decode()
        assert "No store is assigned to you yet" in found

    def test_it_says_what_to_do_until_the_first_sales(self, cast, client_of):
        found = page(client_of, cast.admin)
        assert [step["text"] for step in found.context["first_steps"]] == [
            "Add products",
            "Bring in sales",
            "Set reorder points",
            "Add your people",
        ]
        assert "No sales have come in yet" in found.content.decode()
        assert page(client_of, cast.analyst).context["first_steps"] == []


class TestPlatform:
    def overview(self) -> list[tuple]:
        with connection.cursor() as cursor:
            cursor.execute("SELECT * FROM customers_overview(1000)")
            return cursor.fetchall()

    def test_it_shows_operators_every_customer(self, cast, client_of, trade):
        """A customer of 3 stores and 4 users, beside all others, and the way to act as it."""
        with transaction.atomic():
            set_local("current_user_id", cast.operator.pk)
            found = {row[0]: row for row in self.overview()}
            with connection.cursor() as cursor:
                cursor.execute("SELECT current_customer_id(), count(*) FROM stores")
                assert cursor.fetchone() == (None, 0)
        assert found[cast.customer.pk][4:7] == (3, 4, YESTERDAY)
        assert found[cast.other_customer.pk][4:7] == (1, 1, None)
        response = page(client_of, cast.operator)
        assert response.context["customers"]
        first = response.context["customers"][0]["customer_id"]
        assert reverse("start-acting", args=[first]) in response.content.decode()

    def test_it_shows_nobody_else_a_customer(self, cast, trade):
        for user in (cast.admin, cast.staff, None):
            with tenant(cast.customer):
                set_local("current_user_id", user and user.pk)
                assert self.overview() == []
                with connection.cursor() as cursor:
                    cursor.execute("SELECT current_customer_id()")
                    assert cursor.fetchone() == (cast.customer.pk,)


@pytest.mark.parametrize("role", ["admin", "staff"])
def test_its_number_of_queries_is_constant(cast, client_of, trade, role):
    def queries() -> int:
        client = client_of(getattr(cast, role))
        with CaptureQueriesContext(connection) as captured:
            client.get("/")
        return len(captured)

    with tenant(cast.customer):
        raising.raised(cast.store, cast.product)
    trade.count(cast.store, cast.product, 1)
    trade.rule(cast.store, cast.product, 9, LONG_AGO)
    few = queries()
    for n in range(7):
        store, product = trade.store(f"N{n}"), trade.product(f"P{n}")
        with tenant(cast.customer):
            StoreAssignment.objects.create(user=cast.staff, store=store)
            raising.raised(store, product)
        trade.count(store, product, 1)
        trade.rule(store, product, 9, LONG_AGO)
    assert queries() == few
    assert few < 30


@pytest.mark.parametrize("role", ["admin", "staff"])
def test_it_is_not_quiet_before_anything_was_evaluated(cast, client_of, role):
    user = getattr(cast, role)
    assert sections(client_of, user)["Alerts"].text.startswith("Not evaluated yet")
    assert "All quiet" not in page(client_of, user).content.decode()
    evaluate(cast.customer)
    assert sections(client_of, user)["Alerts"].text == "All quiet: no alert is open."
    assert sections(client_of, cast.outsider)["Alerts"].text.startswith("Not evaluated yet")


def test_loading_the_demonstration_evaluates_at_once(cast, monkeypatch):
    monkeypatch.setattr(load_complete_journey, "demo_customers", lambda: [cast.customer])
    monkeypatch.setattr(load_complete_journey, "load_year", lambda *args: [])
    monkeypatch.setattr(load_complete_journey, "is_wanted", lambda: True)
    for step in ("refresh_requested", "compress_old_chunks", "update_statistics"):
        monkeypatch.setattr(load_complete_journey, step, lambda: None)
    call_command("load_complete_journey", if_empty=True, stdout=StringIO())
    with tenant(cast.customer):
        assert [(run.source, run.error) for run in Evaluation.objects.all()] == [("command", "")]
