"""The data quality report: what it finds, what it leaves alone, and who sees which of it."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from inventory.models import CurrentStock, StoreAssignment
from shelfops.quality import queries
from shelfops.reports.period import Period
from shelfops.tenancy.context import tenant
from tests.reports.independent import answer, rows_of
from tests.reports.shop import YESTERDAY, file_rows, sheet_rows, text
from tests.reports.test_plans import chunks_of, plan

URL = reverse("reports:quality")


def ago(days: int) -> date:
    return YESTERDAY - timedelta(days=days)


def get(client_of, user, show, **query):
    return client_of(user).get(URL, {"show": show, **query})


def table(client_of, user, show, **query) -> list[dict[str, str]]:
    return file_rows(get(client_of, user, show, format="csv", **query))


GAPS = """
WITH span AS (SELECT unnest(generate_series($end - 83, $end, INTERVAL 1 DAY))::date AS day),
fed AS (SELECT DISTINCT store, day FROM sales WHERE day BETWEEN $end - 83 AND $end),
known AS (SELECT store, min(day) AS first, max(day) AS last FROM fed GROUP BY store),
rhythm AS (
  SELECT known.store, isodow(span.day) AS weekday
  FROM known JOIN span ON span.day BETWEEN first AND last
  LEFT JOIN fed ON fed.store = known.store AND fed.day = span.day
  GROUP BY ALL HAVING count(fed.day) >= 3 AND count(fed.day) > count(*) / 2)
SELECT name, count(*) FILTER (WHERE weekday IS NOT NULL AND day >= first AND day NOT IN
         (SELECT fed.day FROM fed WHERE fed.store = stores.store)) AS gaps,
       (SELECT count(*) FROM sales WHERE sales.store = stores.store
        AND sales.day BETWEEN $end - 27 AND $end) AS lines
FROM stores CROSS JOIN span LEFT JOIN known USING (store)
LEFT JOIN rhythm ON rhythm.store = stores.store AND weekday = isodow(span.day)
WHERE day > $end - 28 GROUP BY ALL
"""


class TestFeeds:
    @pytest.fixture
    def feeds(self, cast, shop):
        """One is closed on Sundays, one missed three days, one is silent, one new, one rare."""
        late, silent, new, rare, never = (
            shop.store(name, time_zone=zone)
            for name, zone in [
                ("Late", "Asia/Kolkata"),
                ("Silent", "Pacific/Auckland"),
                ("New", "UTC"),
                ("Rare", "UTC"),
                ("Never", "UTC"),
            ]
        )
        for back in range(45):
            if ago(back).isoweekday() != 7:
                shop.sell(cast.store, cast.product, ago(back), 1, 1, clock="23:50")
            if back not in (1, 2, 9):
                shop.sell(late, cast.product, ago(back), 1, 1, clock="00:10")
            if back > 11:
                shop.sell(silent, cast.product, ago(back), 1, 1)
            if back < 4:
                shop.sell(new, cast.product, ago(back), 1, 1)
            if back in (3, 40):
                shop.sell(rare, cast.product, ago(back), 1, 1)
        shop.refresh()
        return never

    def test_it_finds_the_gaps_that_duckdb_finds(self, cast, client_of, feeds):
        expected = answer(rows_of(cast.customer), GAPS, end=YESTERDAY)
        rows = {row["Store"]: row for row in table(client_of, cast.admin, "feeds", period="28")}
        assert {
            name: (int(row["Gaps (days)"]), int(row["Lines"])) for name, row in rows.items()
        } == {row["name"]: (row["gaps"], row["lines"]) for row in expected}
        gaps = {name: int(row["Gaps (days)"]) for name, row in rows.items()}
        assert gaps == {
            "Main Street": 0,
            "Harbour": 0,
            "Never": 0,
            "New": 0,
            "Rare": 0,
            "Late": 3,
            "Silent": 12,
        }
        assert rows["Late"]["Missing days"] == ", ".join(f"{ago(n):%-d %b}" for n in (9, 2, 1))
        assert rows["Main Street"]["Usual weekdays"] == "6"
        assert rows["Never"]["Last sales"] == ""

    def test_it_draws_what_the_table_says(self, cast, client_of, feeds):
        response = get(client_of, cast.admin, "feeds", period="90")
        grid = response.context["grid"]
        assert (len(grid.days), grid.lines[0].label) == (31, "Silent")
        assert [cell.sign for cell in grid.lines[0].cells] == [""] * 19 + ["×"] * 12
        assert "15 gaps in the sales of 7 active stores" in response.context["answer"].text

    def test_it_checks_counts_of_stock_alike(self, cast, client_of, shop):
        for back in range(0, 35):
            if back not in (6, 8):
                shop.snapshot(cast.store, cast.product, ago(back), 5)
        # The presets end with the last sale.
        shop.sell(cast.store, cast.product, ago(0), 1, 1)
        shop.refresh()
        [row] = table(client_of, cast.manager, "feeds", feed="counts")
        assert (row["Gaps (days)"], row["Counts"]) == ("2", "26")

    def test_it_shows_a_manager_the_assigned_stores_only(self, cast, client_of, feeds):
        response = get(client_of, cast.manager, "feeds")
        assert [row["name"] for row in response.context["table"].rows] == ["Main Street"]
        assert "0 gaps in the sales of 1 active store." in response.context["answer"].text
        assert "Silent" not in text(response)


@pytest.fixture
def imports(cast):
    """Refused rows of two stores in three imports, of which the last was undone."""
    with tenant(cast.customer), connection.cursor() as cursor:
        cursor.execute(
            """
            WITH batches AS (
                INSERT INTO import_batches (kind, source, source_hash, imported_by, status,
                                            rows_read, rows_refused, started_at, finished_at,
                                            undone_at)
                SELECT 'transactions', n || '.csv', n::text, 'x@example.com', status, 9, 9,
                       now() - age, now(), CASE WHEN status = 'undone' THEN now() END
                FROM (VALUES (1, 'done', INTERVAL '2 hours'), (2, 'done', INTERVAL '200 days'),
                             (3, 'undone', INTERVAL '1 hour')) AS b (n, status, age)
                RETURNING batch_id, source_hash
            )
            INSERT INTO refused_rows (batch_id, kind, source_hash, line_number, field, reason,
                                      content)
            SELECT batch_id, 'transactions', source_hash, line, field, reason, content::jsonb
            FROM batches CROSS JOIN (VALUES
                (2, 'product', 'unknown product',
                 '{"store": "S1", "product": "=X", "quantity": 2, "total_amount": 3.5}'),
                (3, 'product', 'unknown product',
                 '{"store": "S2", "product": "=X", "quantity": -1, "total_amount": null}'),
                (4, 'product', 'unknown product',
                 '{"store": "S2", "product": "MILK-1", "quantity": "many"}'),
                (5, 'store', 'unknown store', '{"store": "S9", "product": "MILK-1"}')
            ) AS r (line, field, reason, content)
            """
        )
    return cast


class TestRefused:
    def test_it_counts_by_reason_and_import(self, imports, client_of):
        rows = table(client_of, imports.admin, "refused")
        assert [
            (row["Reason"], row["Rows"], row["File"], row["First in line"]) for row in rows
        ] == [
            ("unknown product", "3", "1.csv", "2"),
            ("unknown store", "1", "1.csv", "5"),
        ]
        page = text(get(client_of, imports.admin, "refused"))
        assert "4 rows could not be placed" in page
        assert "/ingestion/importbatch/" in page

    def test_it_takes_imports_of_other_days(self, imports, client_of):
        days = {"start": ago(300), "end": ago(100)}
        rows = table(client_of, imports.admin, "refused", **days)
        assert {row["File"] for row in rows} == {"2.csv"}

    def test_it_shows_a_manager_rows_of_the_assigned_stores(self, imports, client_of):
        [row] = table(client_of, imports.manager, "refused")
        assert (row["Reason"], row["Rows"]) == ("unknown product", "1")

    def test_it_lists_products_that_the_catalogue_lacks(self, imports, client_of):
        unknown, known = table(client_of, imports.admin, "unknown")
        assert (unknown["SKU"], unknown["Refused rows"], unknown["Stores"]) == ("'=X", "2", "2")
        assert (unknown["Units"], unknown["Amount (USD)"]) == ("1", "3.50")
        assert unknown["In the catalogue now"] == "no"
        assert known["SKU"] == "MILK-1"
        assert known["In the catalogue now"].startswith("yes")
        assert known["Units"] == ""
        page = text(get(client_of, imports.admin, "unknown"))
        assert reverse("admin:inventory_product_add") + "?sku=%3DX" in page

    @pytest.mark.parametrize("show", ["refused", "unknown"])
    def test_it_keeps_rows_of_files_from_those_who_may_not_read_them(
        self, imports, client_of, show
    ):
        assert get(client_of, imports.analyst, show).status_code == 403
        assert get(client_of, imports.analyst, show, format="csv").status_code == 403
        assert "Refused rows" not in text(get(client_of, imports.analyst, "feeds"))

    @pytest.mark.parametrize("show", ["refused", "unknown"])
    def test_it_says_that_all_was_placed(self, cast, client_of, show):
        assert "Nothing to complain about" in text(get(client_of, cast.admin, show))


BELOW = """
WITH days AS (SELECT product, store, day, sum(units) AS units, sum(amount) AS revenue
              FROM sales WHERE day BETWEEN $end - 27 AND $end GROUP BY ALL)
SELECT sku, sum(units) AS units, sum(revenue) AS revenue, sum(units * cost) - sum(revenue) AS loss,
       count(DISTINCT store) AS stores, count(DISTINCT day) AS days
FROM days JOIN products USING (product)
WHERE units > 0 AND revenue < units * cost GROUP BY sku ORDER BY loss DESC
"""


@pytest.fixture
def prices(cast, shop):
    """Milk below cost on some days in one store, bread always, tea never, salt of unknown cost."""
    bread = shop.product("BREAD", unit_cost="2.00", unit_price="3", category="Bakery")
    tea = shop.product("TEA", unit_cost="1.00", category="Drinks")
    salt = shop.product("SALT", unit_price="1")
    with tenant(cast.customer):
        cast.product.unit_cost = Decimal("1.1111")
        cast.product.save()
    for back, units, amount in ((1, 3, "3.00"), (2, 3, "9.00"), (3, -2, "-9.00"), (40, 9, "1")):
        shop.sell(cast.store, cast.product, ago(back), units, amount)
    shop.sell(cast.store, cast.product, ago(1), -1, "-0.50", clock="23:55")
    shop.sell(cast.store, bread, ago(1), 5, "6.00")
    shop.sell(cast.unassigned_store, bread, ago(1), 10, "6.00", clock="00:05")
    shop.sell(cast.store, tea, ago(1), 5, "6.00")
    shop.sell(cast.store, salt, ago(1), 5, "0.01")
    shop.refresh()
    return shop


class TestProducts:
    @pytest.mark.parametrize("period", ["28", "7"])
    def test_it_finds_what_was_sold_below_cost(self, cast, client_of, prices, period):
        expected = answer(rows_of(cast.customer), BELOW, end=ago(1))
        rows = table(client_of, cast.analyst, "margins", period=period)
        assert [row["SKU"] for row in rows] == [row["sku"] for row in expected] == ["BREAD"]
        assert Decimal(rows[0]["Loss (USD)"]) == Decimal(str(expected[0]["loss"])) == 18
        assert (rows[0]["Units"], rows[0]["Stores"], rows[0]["Days"]) == ("15", "2", "1")

    def test_it_counts_the_days_below_cost_only(self, cast, client_of, prices):
        with tenant(cast.customer):
            cast.product.unit_cost = Decimal("2.0001")
            cast.product.save()
        expected = answer(rows_of(cast.customer), BELOW, end=ago(1))
        rows = {row["SKU"]: row for row in table(client_of, cast.manager, "margins")}
        assert set(rows) == {"BREAD", "MILK-1"}
        [milk] = [row for row in expected if row["sku"] == "MILK-1"]
        assert float(rows["MILK-1"]["Loss (USD)"]) == pytest.approx(milk["loss"], abs=0.0051)
        assert rows["MILK-1"]["Units"] == "2"
        assert rows["BREAD"]["Loss (USD)"] == "4.00"

    def test_it_says_what_it_could_not_check(self, cast, client_of, shop):
        assert "could not be checked" in text(get(client_of, cast.admin, "margins"))
        shop.product("TEA", unit_cost="1.00")
        assert "of the 1 product with a unit cost" in text(get(client_of, cast.admin, "margins"))

    def test_it_lists_products_that_lack_something(self, cast, client_of, prices):
        rows = table(client_of, cast.admin, "catalogue")
        assert {row["SKU"]: row["Missing"] for row in rows} == {
            "MILK-1": "price",
            "TEA": "price",
            "SALT": "cost, category",
        }
        lead = get(client_of, cast.admin, "catalogue").context["answer"].text
        assert "1 have no unit cost, 2 no regular price and 1 no category" in lead


class TestStale:
    @pytest.fixture
    def counts(self, cast, shop):
        old = shop.product("OLD")
        for store, product, days in (
            (cast.store, cast.product, 2),
            (cast.store, old, 20),
            (cast.unassigned_store, old, 9),
        ):
            with tenant(cast.customer):
                CurrentStock.objects.create(
                    store=store,
                    product=product,
                    timestamp=datetime.now(UTC) - timedelta(days=days),
                    quantity_on_hand=1,
                    source="count",
                )

    @pytest.mark.parametrize(
        ("days", "stale"),
        [("", {"Main Street": "1", "Harbour": "1"}), ("10", {"Main Street": "1"}), ("30", {})],
    )
    def test_it_counts_what_is_older(self, cast, client_of, counts, days, stale):
        rows = table(client_of, cast.admin, "stale", older=days)
        assert {row["Store"]: row[f"Older than {days or 7} days"] for row in rows} == stale

    def test_it_says_what_it_has_checked(self, cast, client_of, counts):
        page = text(get(client_of, cast.manager, "stale", older="30"))
        assert "The 2 products in 1 store were counted within 30 days" in page


def test_it_shows_nothing_without_a_store(cast, client_of, imports):
    with tenant(cast.customer):
        StoreAssignment.objects.filter(user=cast.manager).delete()
    for show in ("feeds", "refused", "unknown", "margins", "catalogue", "stale"):
        assert table(client_of, cast.manager, show) == []
        assert "No store is assigned to you" in text(get(client_of, cast.manager, show))


@pytest.mark.parametrize(
    ("field", "query"),
    [
        ("show", {"show": "x"}),
        ("feed", {"feed": "x"}),
        ("older", {"show": "stale", "older": "0"}),
        ("older", {"show": "stale", "older": "99999999999999999999"}),
        ("store", {"store": "x"}),
    ],
)
def test_it_shows_a_wrong_filter_at_its_field(cast, client_of, field, query):
    response = client_of(cast.admin).get(URL, query)
    assert response.status_code == 200
    assert list(response.context["form"].errors) == [field]


def test_its_xlsx_file_holds_the_table(imports, client_of):
    rows = sheet_rows(get(client_of, imports.admin, "unknown", format="xlsx"))
    assert [(row["SKU"], row["Refused rows"]) for row in rows] == [("=X", 2), ("MILK-1", 1)]


def test_its_number_of_queries_is_constant(imports, client_of, prices):
    def counts() -> dict[str, int]:
        client, found = client_of(imports.admin), {}
        for show in ("feeds", "refused", "unknown", "margins", "catalogue", "stale"):
            with CaptureQueriesContext(connection) as captured:
                client.get(URL, {"show": show})
            found[show] = len(captured)
        return found

    few = counts()
    for n in range(5):
        product = prices.product(f"N{n}", unit_cost=9)
        prices.sell(prices.store(f"N{n}"), product, ago(1), 1, 1)
    prices.refresh()
    assert counts() == few


@pytest.mark.parametrize("statement", [queries.FEEDS["sales"], queries.MARGINS, queries.CATALOGUE])
def test_it_reads_few_chunks_and_aggregates(cast, shop, statement):
    for back in range(0, 360, 40):
        shop.sell(cast.store, cast.product, ago(back), 1, 1)
    shop.refresh()

    def explain(period: Period) -> str:
        early = Period(period.start - queries.RHYTHM, period.end)
        more = {"rhythm_start": early.start, "rhythm_since": early.since, "weeks": 3}
        more["grid_start"] = period.start
        return plan(cast, statement, {**queries._params(None, period, 9), **more})

    few, many = explain(Period.ending(ago(30), 7)), explain(Period.ending(ago(30), 300))
    assert 0 < len(chunks_of(few)) < len(chunks_of(many))
    assert " on transactions" not in few
