"""The real year in ShelfOps equals the parquet files, by DuckDB's arithmetic.

Four small stores in three time zones, loaded once for the module.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from io import StringIO

import duckdb
import numpy as np
import pyarrow
import pyarrow.compute as pc
import pytest
from django.contrib.auth import authenticate
from django.core.management import CommandError, call_command

from inventory.models import CurrentStock, StoreAssignment
from sales.complete_journey import catalogue, load, stock, stores
from sales.complete_journey.demo_users import demo_password, ensure_demo_users
from sales.complete_journey.load import load_year, weeks_until
from sales.complete_journey.source import LAST_DAY, data_file, read_catalogue, read_lines
from shelfops.ingestion import feeds
from shelfops.ingestion.models import ImportBatch, RefusedRow
from shelfops.ingestion.progress import silent
from shelfops.tenancy.context import tenant
from shelfops.tenancy.models import Customer, User
from shelfops.timescale.refresh import refresh_requested
from tests.cast import make_customer
from tests.ingestion.feeding import query

# Even numbers are the first customer's: Denver and Los Angeles. The second's: New York and
# Los Angeles, with fuel. Four more of the first's, for a second load: Chicago.
FIRST, SECOND, LATER = (286, 414), (673, 415), (366,)

# The file's times are UTC, and were New York's clock. Fuel is in thousandths of a gallon.
SOLD = f"""
CREATE VIEW sold AS
SELECT store_id, product_id, basket_id, quantity AS raw_quantity,
       CASE WHEN product_type = 'GASOLINE-REG UNLEADED' AND quantity > 1
            THEN quantity / 1000::DECIMAL(14, 3) ELSE quantity END::DECIMAL(14, 3) AS quantity,
       sales_value::DECIMAL(14, 2) AS amount,
       ((transaction_timestamp AT TIME ZONE 'UTC') AT TIME ZONE 'America/New_York') AS clock,
       products.product_id IS NOT NULL AS is_known
FROM '{data_file("transactions.parquet")}'
LEFT JOIN '{data_file("products.parquet")}' AS products USING (product_id)
"""
PLACED = "is_known AND NOT (quantity = 0 AND amount = 0)"


@dataclass(frozen=True)
class Loaded:
    customers: list[Customer]
    batches: list[ImportBatch]
    weeks: int

    @property
    def shift(self) -> timedelta:
        return timedelta(weeks=self.weeks)


@pytest.fixture(scope="module")
def files() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    connection.execute(SOLD)
    return connection


def load_stores(customers: list[Customer], *numbers: tuple[int, ...]) -> list[ImportBatch]:
    """Load these stores of each customer, with the part of the catalogue that they sell."""
    lines, raw = read_lines(), read_catalogue()
    sold = np.unique(lines.product[np.isin(lines.store, [*FIRST, *SECOND, *LATER])])
    part = raw.filter(pc.is_in(raw["product_id"], pyarrow.array(sold.astype(np.int64))))
    with pytest.MonkeyPatch.context() as patch, silent() as steps:
        patch.setattr(catalogue, "read_catalogue", lambda: part)
        patch.setattr(stores, "busiest", lambda store, index, limit: np.array(numbers[index]))
        return load_year(customers, [None, None], steps)


@pytest.fixture(scope="module")
def loaded(migrated: None, django_db_blocker) -> Iterator[Loaded]:
    with django_db_blocker.unblock():
        customers = [make_customer("Even"), make_customer("Odd")]
        batches = load_stores(customers, FIRST, SECOND)
        refresh_requested()
    return Loaded(customers, batches, batches[0].metadata["weeks"])


def by_store_and_day(files: duckdb.DuckDBPyConnection, numbers: tuple[int, ...], loaded: Loaded):
    """Store, trading day, lines, units and revenue, by DuckDB from the files."""
    return files.execute(
        f"""
        SELECT store_id::VARCHAR, clock::DATE + ?::INTEGER, count(*), sum(quantity), sum(amount)
        FROM sold WHERE list_contains(?, store_id) AND {PLACED}
        GROUP BY ALL ORDER BY ALL
        """,
        [loaded.weeks * 7, list(numbers)],
    ).fetchall()


@pytest.mark.parametrize(("index", "numbers"), [(0, FIRST), (1, SECOND)])
@pytest.mark.parametrize(
    "source",
    [
        "SELECT *, quantity AS units, total_amount AS amount, 1 AS rows FROM transactions",
        "SELECT *, quantity_sold AS units, revenue AS amount, lines AS rows FROM daily_sales",
        "SELECT *, quantity_sold AS units, revenue AS amount, lines AS rows FROM daily_store_sales",
    ],
)
def test_it_loads_every_store_and_day_as_in_the_files(
    loaded: Loaded, files: duckdb.DuckDBPyConnection, index: int, numbers: tuple[int, ...], source
) -> None:
    found = query(
        loaded.customers[index],
        f"""
        SELECT code, business_date, sum(rows)::bigint, sum(units), sum(amount)
        FROM ({source}) AS sales JOIN stores USING (store_id)
        GROUP BY code, business_date ORDER BY code, business_date
        """,
    )
    assert found == by_store_and_day(files, numbers, loaded)


def test_it_keeps_every_line_that_it_refuses(
    loaded: Loaded, files: duckdb.DuckDBPyConnection
) -> None:
    expected = files.execute(
        f"""
        SELECT CASE WHEN is_known THEN 'quantity 0 without value' ELSE 'unknown product' END AS why,
               count(*)
        FROM sold WHERE list_contains(?, store_id) AND NOT ({PLACED}) GROUP BY ALL ORDER BY ALL
        """,
        [[*FIRST, *SECOND]],
    ).fetchall()
    counts: dict[str, int] = {}
    for customer in loaded.customers:
        for reason, count in query(
            customer, "SELECT reason, count(*) FROM refused_rows GROUP BY 1"
        ):
            counts[reason] = counts.get(reason, 0) + count
    assert sorted(counts.items()) == expected
    with tenant(loaded.customers[0]):
        row = RefusedRow.objects.filter(field="product").first()
    [source] = files.execute(
        f"""
        SELECT product_id::VARCHAR, basket_id::VARCHAR FROM (
            SELECT *, row_number() OVER () AS line
            FROM '{data_file("transactions.parquet")}') WHERE line = ?
        """,
        [row.line_number],
    ).fetchall()
    assert (row.content["product"], row.content["receipt"]) == source


def test_it_counts_what_it_did(loaded: Loaded) -> None:
    for batch in loaded.batches:
        assert batch.status == "done"
        assert batch.rows_present == 0
        assert batch.rows_read == batch.rows_inserted + batch.rows_refused
    kinds = [batch.kind for batch in loaded.batches[:5]]
    assert kinds == [
        *("stores", "products", "transactions", "reorder_points"),
        "inventory_levels",
    ]


def test_it_numbers_receipts_and_lines_as_the_basket_has_them(
    loaded: Loaded, files: duckdb.DuckDBPyConnection
) -> None:
    expected = files.execute(
        f"""
        SELECT * FROM (
            SELECT basket_id::VARCHAR, product_id::VARCHAR, is_known AND {PLACED} AS placed,
                   row_number() OVER (PARTITION BY basket_id ORDER BY product_id) AS line
            FROM sold WHERE store_id = 286)
        WHERE placed ORDER BY ALL
        """
    ).fetchall()
    found = query(
        loaded.customers[0],
        """
        SELECT receipt, sku, true, line FROM transactions
        JOIN products USING (product_id) JOIN stores USING (store_id)
        WHERE code = '286' ORDER BY receipt COLLATE "C", sku COLLATE "C", line
        """,
    )
    assert found == expected


def test_it_keeps_the_clock_of_each_store(loaded: Loaded, files: duckdb.DuckDBPyConnection) -> None:
    """What a store's clock shows is what New York's showed, whatever the zone."""
    for index, number in ((0, 286), (1, 673)):
        [expected] = files.execute(
            f"SELECT min(clock), max(clock) FROM sold WHERE store_id = ? AND {PLACED}", [number]
        ).fetchall()
        [found] = query(
            loaded.customers[index],
            """
            SELECT min(sold_at AT TIME ZONE time_zone), max(sold_at AT TIME ZONE time_zone)
            FROM transactions JOIN stores USING (store_id) WHERE code = %s
            """,
            [str(number)],
        )
        assert found == tuple(clock + loaded.shift for clock in expected)


def test_it_shows_each_customer_only_its_own_stores(loaded: Loaded) -> None:
    for customer, numbers in zip(loaded.customers, (FIRST, SECOND), strict=True):
        codes = query(
            customer, "SELECT DISTINCT code FROM transactions JOIN stores USING (store_id)"
        )
        assert sorted(int(code) for (code,) in codes) == sorted(numbers)
        [(stray,)] = query(
            customer,
            "SELECT count(*) FROM daily_sales WHERE store_id NOT IN (SELECT store_id FROM stores)",
        )
        assert stray == 0


def test_it_simulates_stock_and_says_so(loaded: Loaded) -> None:
    for customer in loaded.customers:
        [(sources, lowest, empty)] = query(
            customer,
            """
            SELECT array_agg(DISTINCT source), min(quantity_on_hand),
                   count(*) FILTER (WHERE quantity_on_hand = 0)
            FROM inventory_levels
            """,
        )
        assert sources == ["simulated"]
        assert lowest == 0
        assert empty > 0


def test_it_leaves_the_latest_snapshot_as_current_stock(loaded: Loaded) -> None:
    for customer in loaded.customers:
        latest = query(
            customer,
            """
            SELECT DISTINCT ON (store_id, product_id)
                   store_id, product_id, timestamp, quantity_on_hand, source
            FROM inventory_levels ORDER BY store_id, product_id, timestamp DESC
            """,
        )
        with tenant(customer):
            current = CurrentStock.objects.order_by("store_id", "product_id").values_list(
                "store_id", "product_id", "timestamp", "quantity_on_hand", "source"
            )
            assert list(current) == latest
        assert len(latest) > 0


def test_it_gives_every_simulated_product_a_reorder_point(loaded: Loaded) -> None:
    [(missing, wrong)] = query(
        loaded.customers[0],
        """
        SELECT count(*) FILTER (WHERE reorder_point IS NULL),
               count(*) FILTER (WHERE order_up_to <= reorder_point)
        FROM current_stock LEFT JOIN reorder_points USING (store_id, product_id)
        """,
    )
    assert (missing, wrong) == (0, 0)


COUNTS = """
SELECT (SELECT count(*) FROM stores), (SELECT count(*) FROM products),
       (SELECT count(*) FROM transactions), (SELECT count(*) FROM refused_rows),
       (SELECT count(*) FROM inventory_levels), (SELECT count(*) FROM current_stock),
       (SELECT count(*) FROM reorder_points), (SELECT sum(lines) FROM daily_sales)
"""


def test_it_adds_only_what_is_missing_when_loaded_again_on_a_later_day(
    loaded: Loaded, files: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    customers = loaded.customers
    before = [query(customer, COUNTS) for customer in customers]
    monkeypatch.setattr(load, "yesterday", lambda: date.today() + timedelta(days=13))  # noqa: DTZ011
    batches = load_stores(customers, FIRST, SECOND)
    refresh_requested()
    assert [batch.rows_inserted for batch in batches] == [0] * 10
    assert [query(customer, COUNTS) for customer in customers] == before

    stages = load_stores(customers, (*FIRST, *LATER), SECOND)
    refresh_requested()
    [(added,)] = files.execute(
        f"SELECT count(*) FROM sold WHERE store_id = 366 AND {PLACED}"
    ).fetchall()
    assert [batch.rows_inserted for batch in stages if batch.kind == "transactions"] == [added, 0]
    [[after]] = [query(customers[0], COUNTS)]
    assert after[2] == before[0][0][2] + added
    assert after[7] == before[0][0][7] + added
    assert query(customers[1], COUNTS) == before[1]


def test_it_completes_a_load_that_was_cut_short(
    files: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    customers = [make_customer("Cut short"), make_customer("Not begun")]
    real = feeds.place
    calls: list[str] = []

    def power_cut(cursor, feed, *args):
        calls.append(feed.kind)
        if calls.count("transactions") == 2:
            raise KeyboardInterrupt
        return real(cursor, feed, *args)

    with monkeypatch.context() as patch:
        patch.setattr(feeds, "BLOCK_ROWS", 1000)
        patch.setattr(load, "BLOCK_ROWS", 1000)
        patch.setattr(feeds, "place", power_cut)
        with pytest.raises(KeyboardInterrupt):
            load_stores(customers, LATER, (673,))
    with tenant(customers[0]):
        failed = ImportBatch.objects.get(kind="transactions")
    assert (failed.status, failed.rows_read) == ("failed", 1000)
    batches = load_stores(customers, LATER, (673,))
    sales = [batch for batch in batches if batch.kind == "transactions"]
    for batch, number in zip(sales, (366, 673), strict=True):
        [(placed,)] = files.execute(
            f"SELECT count(*) FROM sold WHERE store_id = ? AND {PLACED}", [number]
        ).fetchall()
        assert batch.rows_inserted + batch.rows_present == placed
    assert sales[0].rows_present == failed.rows_inserted


@pytest.mark.parametrize("days", range(14))
def test_it_shifts_by_whole_weeks_to_the_last_day_that_fits(days: int) -> None:
    yesterday = date(2026, 11, 21) + timedelta(days=days)
    last = LAST_DAY.item() + timedelta(weeks=weeks_until(yesterday))
    assert last.weekday() == LAST_DAY.item().weekday()
    assert timedelta(0) <= yesterday - last < timedelta(days=7)


def test_it_ends_no_later_than_yesterday_in_every_store(loaded: Loaded) -> None:
    [(last,)] = query(loaded.customers[0], "SELECT max(business_date) FROM transactions")
    assert timedelta(days=1) <= datetime.now(UTC).date() - last <= timedelta(days=8)


def test_it_splits_all_stores_and_gives_them_zones() -> None:
    lines = read_lines()
    first = stores.busiest(lines.store, 0, None)
    second = stores.busiest(lines.store, 1, None)
    assert (len(first), len(second)) == (239, 218)
    assert not set(first) & set(second)
    few = [stores.busiest(lines.store, index, 6) for index in (0, 1)]
    assert [list(numbers) for numbers in few] == [list(first[:6]), list(second[:6])]
    described = [stores.describe(int(number)) for number in [*few[0], *few[1]]]
    assert len({store["time_zone"] for store in described}) >= 3
    assert len({store["name"] for store in described}) == 12


def test_it_makes_the_whole_catalogue_readable() -> None:
    products = catalogue.records()
    assert products.num_rows == 92_331
    assert pc.count_distinct(products["sku"]).as_py() == 92_331
    rows = {
        row["sku"]: row
        for row in products.filter(
            pc.is_in(products["sku"], pyarrow.array(["26190", "26081", "25671"]))
        ).to_pylist()
    }
    assert rows["26190"] | {"line_number": 0} == {
        "line_number": 0,
        "sku": "26190",
        "name": "Apple Sauce, 50 oz",
        "department": "Grocery",
        "category": "Fruit - Shelf Stable",
        "brand": "Private",
        "package_size": "50 oz",
        "unit_price": rows["26190"]["unit_price"],
        "unit_cost": rows["26190"]["unit_cost"],
    }
    assert rows["26081"]["name"] == "Miscellaneous"
    for column, longest in (("name", 255), ("department", 100), ("package_size", 50)):
        lengths = pc.utf8_length(products[column])
        assert pc.max(lengths).as_py() <= longest
    assert not pc.any(pc.match_substring_regex(products["name"], r"\s\s|^\s|\s$|^$")).as_py()


def test_it_takes_the_median_price_before_discounts(files: duckdb.DuckDBPyConnection) -> None:
    [(expected,)] = files.execute(
        f"""
        SELECT quantile_disc((sales_value + retail_disc + coupon_match_disc) / quantity, 0.5)
        FROM '{data_file("transactions.parquet")}' WHERE product_id = 1029743 AND quantity > 0
        """
    ).fetchall()
    products = catalogue.records()
    [price] = products.filter(pc.equal(products["sku"], "1029743"))["unit_price"].to_pylist()
    assert price == pytest.approx(expected, abs=1e-4)


def test_it_makes_up_costs_below_the_price_for_nine_products_in_ten() -> None:
    found = [catalogue.cost(number, 10.0) for number in (97, 1096, 100, 17)]
    assert found == [None, 6.23, 5.58, None]
    assert catalogue.cost(100, None) is None
    costs = [catalogue.cost(number, 1.0) for number in range(1000)]
    assert costs.count(None) == 100
    assert 0.55 <= min(filter(None, costs)) <= max(filter(None, costs)) <= 0.79


def test_it_orders_up_to_a_level_after_the_lead_time() -> None:
    units = np.zeros((1, stock.DAYS))
    units[0, :] = 1
    demand = stock.Demand(np.array([1]), np.array([4]), units)  # a lead time of two days
    assert demand.reorder_point.tolist() == [2]
    assert demand.order_up_to.tolist() == [9]
    shelf = stock.on_hand_at_close(demand)[0]
    assert shelf[:10].tolist() == [8, 7, 6, 5, 4, 3, 2, 1, 7, 6]


def test_it_makes_people_once_and_gives_them_stores(loaded: Loaded) -> None:
    operator = f"operator-{loaded.customers[0].pk}@shelfops.example"
    for customer in loaded.customers:
        customer.name = f"{customer.name} {customer.pk}"  # e-mail addresses are unique
    people = ensure_demo_users("correct horse", loaded.customers, operator)
    assert ensure_demo_users("another password", loaded.customers, operator) == people
    assert [role for role, _, _ in people] == [
        "Platform operator",
        *("Customer admin", "Store manager", "Staff", "Analyst") * 2,
    ]
    for _, _, email in people:
        assert authenticate(username=email, password="correct horse") is not None
    with tenant(loaded.customers[0]):
        manager = User.objects.get(role="manager")
        assigned = StoreAssignment.objects.filter(user=manager).values_list("store", flat=True)
        busiest = "SELECT store_id FROM transactions GROUP BY 1 ORDER BY count(*) DESC LIMIT 3"
        assert {(store,) for store in assigned} == set(query(loaded.customers[0], busiest))


def test_it_makes_log_ins_of_all_stores_too_and_says_so(monkeypatch) -> None:
    command = "sales.management.commands.load_complete_journey"
    monkeypatch.setattr(f"{command}.load_year", lambda *asked: [])
    monkeypatch.setattr(f"{command}.compress_old_chunks", lambda: None)
    output = StringIO()
    call_command("load_complete_journey", all=True, stdout=output)
    assert f"Log in with the password {demo_password()} as" in output.getvalue()
    for email in ("admin@marigold-markets.example", "staff@harbor-pine-grocers.example"):
        assert email in output.getvalue()
        assert authenticate(username=email, password=demo_password()) is not None


def test_it_refuses_too_few_stores() -> None:
    with pytest.raises(CommandError, match="2 or more"):
        call_command("load_complete_journey", stores=1)


def test_it_loads_nothing_where_customers_are(loaded: Loaded) -> None:
    output = StringIO()
    call_command("load_complete_journey", if_empty=True, stdout=output)
    assert output.getvalue() == "There are customers already; nothing loaded.\n"
