"""Attacks on the tenant rule with SQL, as the application's role over its own log-in."""

from collections.abc import Iterator
from uuid import uuid4

import psycopg
import pytest
from django.db import connections
from psycopg import errors, sql

from tests.cast import Cast
from tests.rows import days_ago, fill, refresh_aggregates
from tests.sql import Sql


@pytest.fixture
def app(database_urls) -> Iterator[Sql]:
    with psycopg.connect(database_urls["app"], autocommit=True) as connection:
        yield Sql(connection)


@pytest.fixture
def filled(cast: Cast) -> Cast:
    fill(cast.customer, cast.store, cast.product)
    fill(cast.other_customer, cast.other_store, cast.other_product)
    return cast


def act_as(app: Sql, cast: Cast) -> None:
    """As the customer's admin: some rows are seen by their own user only."""
    app.act_as(cast.customer.pk, cast.admin.pk)


def tenant_relations(app: Sql) -> list[str]:
    """Tables and views of schema public that have a customer_id."""
    rows = app.execute(
        """
        SELECT c.relname FROM pg_class c
        JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'customer_id'
        WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'v') ORDER BY 1
        """
    )
    return [name for (name,) in rows]


def base_of(relation: str) -> str:
    """Where an operator reads every customer's rows of `relation`."""
    with connections["operator"].cursor() as cursor:
        cursor.execute("SELECT to_regclass(%s) IS NOT NULL", [f"timeseries.{relation}"])
        return f"timeseries.{relation}" if cursor.fetchone()[0] else relation


def count(connection, relation: str, condition: str = "true", params: tuple = ()) -> int:
    query = sql.SQL("SELECT count(*) FROM {} WHERE " + condition)
    if isinstance(connection, Sql):
        return connection.execute(query.format(sql.Identifier(relation)), params).fetchone()[0]
    with connection.cursor() as cursor:
        cursor.execute(query.format(sql.Identifier(*relation.split("."))), params)
        return cursor.fetchone()[0]


def test_it_shows_own_rows_of_every_relation_and_no_other(app, filled: Cast) -> None:
    refresh_aggregates()
    act_as(app, filled)
    ours, theirs = filled.customer.pk, filled.other_customer.pk
    seen = {}
    for relation in tenant_relations(app):
        seen[relation] = (
            count(app, relation, "customer_id = %s", (ours,)) > 0,
            count(app, relation, "customer_id IS DISTINCT FROM %s", (ours,)),
        )
        everything = base_of(relation)
        there = count(connections["operator"], everything, "customer_id = %s", (theirs,))
        assert there > 0, f"{relation} has no row of the other customer to be kept from"
    assert len(seen) >= 15
    assert {name for name, (own, others) in seen.items() if not own or others} == set()


def test_it_shows_nothing_without_a_tenant(app, filled: Cast) -> None:
    for customer in (None, filled.customer.pk, None):
        app.act_as(customer)
        if customer is not None:
            continue
        assert {name for name in tenant_relations(app) if count(app, name)} == set()


def test_it_shows_nothing_to_a_customer_that_does_not_exist(app, filled: Cast) -> None:
    app.act_as(uuid4())
    assert {name for name in tenant_relations(app) if count(app, name)} == set()


def test_it_writes_nothing_for_another_customer(app, filled: Cast) -> None:
    """Every writable relation, with the other customer's id spelled out."""
    act_as(app, filled)
    theirs = {
        "customer_id": filled.other_customer.pk,
        "store_id": filled.other_store.pk,
        "product_id": filled.other_product.pk,
    }
    statements = {
        "stores": "INSERT INTO stores (customer_id, code, name) VALUES (%(customer_id)s, 'X', 'X')",
        "products": "INSERT INTO products (customer_id, sku, name)"
        " VALUES (%(customer_id)s, 'X', 'X')",
        "transactions": "INSERT INTO transactions (customer_id, store_id, product_id, sold_at,"
        " business_date, receipt, line, quantity, unit_price, total_amount) VALUES"
        " (%(customer_id)s, %(store_id)s, %(product_id)s, now(), now(), 'X', 1, 1, 1, 1)",
        "inventory_levels": "INSERT INTO inventory_levels (customer_id, store_id, product_id,"
        " timestamp, quantity_on_hand)"
        " VALUES (%(customer_id)s, %(store_id)s, %(product_id)s, now(), 1)",
        "forecasts": "INSERT INTO forecasts (customer_id, store_id, product_id, forecast_for,"
        " issued_at, model, quantity)"
        " VALUES (%(customer_id)s, %(store_id)s, %(product_id)s, now(), now(), 'm', 1)",
        "current_stock": "INSERT INTO current_stock (customer_id, store_id, product_id,"
        " timestamp, quantity_on_hand)"
        " VALUES (%(customer_id)s, %(store_id)s, %(product_id)s, now(), 1)",
        "users": "INSERT INTO users (customer_id, email, name, role, password)"
        " VALUES (%(customer_id)s, 'x@example.com', 'X', 'admin', 'x')",
        "customer_access": "INSERT INTO customer_access (customer_id, operator_email, action,"
        " reason) VALUES (%(customer_id)s, 'x@example.com', 'start', 'x')",
        "django_admin_log": "INSERT INTO django_admin_log (customer_id, action_time,"
        " object_repr, action_flag, change_message, user_id)"
        " SELECT %(customer_id)s, now(), 'x', 1, '', user_id FROM users LIMIT 1",
        "alerts": "INSERT INTO alerts (customer_id, store_id, alert_type, severity, message)"
        " VALUES (%(customer_id)s, %(store_id)s, 'feed_gap', 'info', 'x')",
    }
    for relation, statement in statements.items():
        # Row security answers 42501, a barrier view's check option 44000.
        with pytest.raises((errors.InsufficientPrivilege, errors.WithCheckOptionViolation)):
            app.execute(statement, theirs)
        other = (filled.other_customer.pk,)
        assert count(connections["operator"], base_of(relation), "customer_id = %s", other) < 4


def test_it_changes_and_deletes_no_row_of_another_customer(app, filled: Cast) -> None:
    act_as(app, filled)
    other = filled.other_customer.pk
    for table in ("stores", "products", "reorder_points", "alerts", "users"):
        changed = app.execute(
            sql.SQL("UPDATE {} SET created_at = now() WHERE customer_id = %s").format(
                sql.Identifier(table)
            ),
            [other],
        )
        assert changed.rowcount == 0, table
    for table in ("current_stock", "store_assignments"):
        deleted = app.execute(
            sql.SQL("DELETE FROM {} WHERE customer_id = %s").format(sql.Identifier(table)), [other]
        )
        assert deleted.rowcount == 0, table
        assert count(connections["operator"], table, "customer_id = %s", (other,)) == 1


def test_it_moves_no_row_to_another_customer(app, filled: Cast) -> None:
    act_as(app, filled)
    for table in ("stores", "products", "alerts", "users", "reorder_points"):
        with pytest.raises((errors.InsufficientPrivilege, errors.CheckViolation)):
            app.execute(
                sql.SQL("UPDATE {} SET customer_id = %s").format(sql.Identifier(table)),
                [filled.other_customer.pk],
            )


@pytest.mark.parametrize(
    ("statement", "constraint"),
    [
        (
            "INSERT INTO reorder_points (store_id, product_id, reorder_point)"
            " VALUES (%(theirs)s, %(product)s, 1)",
            "reorder_points_customer_id_store_id_fkey",
        ),
        (
            "INSERT INTO current_stock (store_id, product_id, timestamp, quantity_on_hand)"
            " VALUES (%(store)s, %(their_product)s, now(), 1)",
            "current_stock_customer_id_product_id_fkey",
        ),
        (
            "INSERT INTO alerts (store_id, owner_id, alert_type, severity, message)"
            " VALUES (%(store)s, %(their_user)s, 'feed_gap', 'info', 'x')",
            "alerts_customer_id_owner_id_fkey",
        ),
        (
            "INSERT INTO anomalies (store_id, kind, severity) VALUES (%(theirs)s, 'x', 'info')",
            "anomalies_customer_id_store_id_fkey",
        ),
        (
            "INSERT INTO store_assignments (user_id, store_id) VALUES (%(their_user)s, %(store)s)",
            "store_assignments_customer_id_user_id_fkey",
        ),
        (
            "INSERT INTO transactions (store_id, product_id, sold_at, business_date, receipt,"
            " line, quantity, unit_price, total_amount)"
            " VALUES (%(theirs)s, %(product)s, now(), now(), 'X', 1, 1, 1, 1)",
            "transactions_customer_id_store_id_fkey",
        ),
        (
            "INSERT INTO inventory_levels (store_id, product_id, timestamp, quantity_on_hand)"
            " VALUES (%(store)s, %(their_product)s, now(), 1)",
            "inventory_levels_customer_id_product_id_fkey",
        ),
        (
            "INSERT INTO forecasts (store_id, product_id, forecast_for, issued_at, model,"
            " quantity) VALUES (%(theirs)s, %(product)s, now(), now(), 'm', 1)",
            "forecasts_customer_id_store_id_fkey",
        ),
    ],
)
def test_it_refers_to_no_row_of_another_customer(app, cast: Cast, statement, constraint) -> None:
    act_as(app, cast)
    with pytest.raises(errors.ForeignKeyViolation) as refused:
        app.execute(
            statement,
            {
                "store": cast.store.pk,
                "product": cast.product.pk,
                "theirs": cast.other_store.pk,
                "their_product": cast.other_product.pk,
                "their_user": cast.outsider.pk,
            },
        )
    assert constraint in (refused.value.diag.constraint_name or refused.value.diag.message_primary)


def test_it_reveals_nothing_by_a_key_that_another_customer_has(app, cast: Cast) -> None:
    """Taking another customer's code, SKU or even UUID succeeds as if it were free."""
    act_as(app, cast)
    app.execute("INSERT INTO products (sku, name) VALUES ('THEIRS', 'x')")
    for table, key, value in (
        ("stores", "store_id", cast.other_store.pk),
        ("products", "product_id", cast.other_product.pk),
    ):
        other = {"stores": "code", "products": "sku"}[table]
        query = sql.SQL("INSERT INTO {} ({}, {}, name) VALUES (%s, 'NEW', 'x')")
        names = (sql.Identifier(name) for name in (table, key, other))
        assert app.execute(query.format(*names), [value]).rowcount == 1


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT 1 FROM timeseries.transactions",
        "SELECT 1 FROM timeseries.inventory_levels",
        "SELECT 1 FROM timeseries.forecasts",
        "SELECT 1 FROM timeseries.daily_sales",
        "SELECT 1 FROM timeseries.daily_store_sales",
        "SELECT 1 FROM timeseries.job_runs",
        "INSERT INTO timeseries.transactions SELECT * FROM timeseries.transactions",
        "DELETE FROM timeseries.transactions",
        "TRUNCATE timeseries.transactions",
        "TRUNCATE products",
        "DELETE FROM transactions",
        "UPDATE transactions SET quantity = 0",
        "DELETE FROM inventory_levels",
        "DELETE FROM customer_access",
        "UPDATE customer_access SET reason = 'nothing'",
        "DELETE FROM stores",
        "DELETE FROM products",
        "DELETE FROM users",
        "INSERT INTO customers (name) VALUES ('x')",
        "DELETE FROM customers",
        "DELETE FROM django_admin_log",
        "ALTER TABLE products DISABLE ROW LEVEL SECURITY",
        "ALTER TABLE products NO FORCE ROW LEVEL SECURITY",
        "DROP POLICY products_tenant ON products",
        "CREATE POLICY mine ON products USING (true)",
        "ALTER VIEW transactions SET (security_barrier = false)",
        "CREATE OR REPLACE VIEW transactions AS SELECT 1 AS x",
        "CREATE TABLE public.mine (x int)",
        "CREATE FUNCTION public.current_setting(text, boolean) RETURNS text LANGUAGE sql"
        " AS $$SELECT ''$$",
        "CREATE SCHEMA mine",
        "SET ROLE shelfops_owner",
        "SET ROLE shelfops_operator",
        "SET SESSION AUTHORIZATION shelfops_owner",
        "ALTER ROLE shelfops_app BYPASSRLS",
        "ALTER ROLE shelfops_app SUPERUSER",
        "GRANT shelfops_owner TO shelfops_app",
        "DO $$BEGIN EXECUTE 'SET ROLE ' || 'shelfops_owner'; END$$",
        "SELECT drop_chunks('timeseries.transactions', older_than => now())",
        "SELECT set_config('role', 'shelfops_owner', false)",
        "CALL refresh_continuous_aggregate('timeseries.daily_sales', NULL, NULL)",
        "COPY products FROM PROGRAM 'true'",
        "COPY (SELECT 1) TO '/tmp/out'",
        "SELECT pg_read_file('PG_VERSION')",
        "SELECT 1 FROM pg_authid",
    ],
)
def test_it_refuses_the_way_around(app, filled: Cast, statement: str) -> None:
    """Reads and writes that would pass the views and policies, and changes of the rules."""
    act_as(app, filled)
    with pytest.raises((errors.InsufficientPrivilege, errors.FeatureNotSupported)) as refused:
        app.execute(statement)
    assert refused.value.diag.sqlstate == "42501" or "PROGRAM" in statement
    assert app.execute("SELECT current_user, session_user").fetchone() == ("shelfops_app",) * 2


def test_it_lets_operators_alone_see_and_change_customers(app, cast: Cast) -> None:
    """By the id of an operator who is logged in; anybody else's id opens nothing."""
    both = [cast.customer.pk, cast.other_customer.pk]
    seen = "SELECT count(*) FROM customers WHERE customer_id = ANY(%s)"
    change = "UPDATE customers SET currency = 'EUR' WHERE customer_id = ANY(%s)"
    add = "INSERT INTO customers (name) VALUES ('New')"
    for user_id in (cast.admin.pk, cast.outsider.pk, uuid4(), None):
        app.act_as(cast.customer.pk, user_id)
        assert app.execute(seen, [both]).fetchone() == (1,)
        assert app.execute(change, [both]).rowcount == 0
        with pytest.raises(errors.InsufficientPrivilege):
            app.execute(add)
    app.act_as(cast.customer.pk, cast.operator.pk)
    assert app.execute(seen, [both]).fetchone() == (2,)
    assert app.execute(change, [both]).rowcount == 2
    assert app.execute(add).rowcount == 1


def test_it_cannot_read_chunks_or_what_the_aggregates_keep(app, filled: Cast) -> None:
    act_as(app, filled)
    chunks = app.execute(
        """
        SELECT c.oid::regclass::text FROM pg_class c
        WHERE c.relnamespace = '_timescaledb_internal'::regnamespace
          AND c.relkind IN ('r', 'v', 'm')
        """
    ).fetchall()
    readable = []
    for (name,) in chunks:
        try:
            app.execute(f"SELECT 1 FROM {name} LIMIT 1")
        except (errors.InsufficientPrivilege, errors.InternalError_):
            continue  # refused; TimescaleDB itself fails on what is left of some dropped chunks
        readable.append(name)
    ours = app.execute(
        """
        SELECT c.oid::regclass::text FROM pg_class c
        JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'customer_id'
        WHERE c.relnamespace = '_timescaledb_internal'::regnamespace
        """
    ).fetchall()
    assert len(ours) >= 6
    assert set(readable) & {name for (name,) in ours} == set()


@pytest.fixture
def leaky() -> Iterator[None]:
    """A cheap function that tells what it sees; the application can make none by itself."""
    with connections["owner"].cursor() as cursor:
        cursor.execute(
            """
            CREATE FUNCTION leak(uuid) RETURNS boolean LANGUAGE plpgsql COST 0.0000001 AS
            $$ BEGIN
                IF $1 <> current_customer_id() THEN
                    RAISE EXCEPTION 'leaked %', $1;
                END IF;
                RETURN true;
            END $$
            """
        )
        yield
        cursor.execute("DROP FUNCTION leak(uuid)")


def test_it_lets_no_leaky_function_see_another_customers_rows(app, filled: Cast, leaky) -> None:
    """It must not run before the tenant's condition does."""
    act_as(app, filled)
    for relation in tenant_relations(app):
        app.execute(
            sql.SQL("SELECT count(*) FROM {} WHERE leak(customer_id)").format(
                sql.Identifier(relation)
            )
        )


def test_it_holds_over_compressed_chunks_and_refreshed_aggregates(app, cast: Cast) -> None:
    """The heart of the matter: columnstore and materialised rows, two tenants in each chunk."""
    old = days_ago(80)
    fill(cast.customer, cast.store, cast.product, old)
    fill(cast.other_customer, cast.other_store, cast.other_product, old)
    refresh_aggregates(old)
    with connections["owner"].cursor() as cursor:
        for table in ("transactions", "inventory_levels", "daily_sales", "daily_store_sales"):
            cursor.execute(
                "SELECT compress_chunk(c, true) FROM show_chunks(%s::regclass) c"
                " JOIN timescaledb_information.chunks i"
                " ON c = format('%%I.%%I', i.chunk_schema, i.chunk_name)::regclass"
                " WHERE %s >= i.range_start AND %s < i.range_end",
                [f"timeseries.{table}", old, old],
            )
            assert cursor.rowcount > 0, table
    act_as(app, cast)
    expected = {
        "transactions": (3, [cast.customer.pk]),
        "inventory_levels": (1, [cast.customer.pk]),
        "daily_sales": (1, [cast.customer.pk]),
        "daily_store_sales": (1, [cast.customer.pk]),
    }
    for relation, (rows, customers) in expected.items():
        found = app.execute(
            sql.SQL("SELECT count(*), array_agg(DISTINCT customer_id) FROM {}").format(
                sql.Identifier(relation)
            )
        ).fetchone()
        assert found == (rows, customers), relation
    revenue = app.execute("SELECT sum(revenue), sum(quantity_sold) FROM daily_sales").fetchone()
    assert revenue == (9, 6)


def test_it_forgets_the_tenant_when_the_connection_returns_to_the_pool(cast: Cast) -> None:
    from inventory.models import Product
    from shelfops.tenancy.context import tenant

    for _ in range(5):
        with tenant(cast.customer):
            assert Product.objects.count() == 1
        connections["default"].close()  # gives it back
        assert Product.objects.count() == 0
        with tenant(cast.other_customer):
            assert [p.name for p in Product.objects.all()] == ["Rival milk"]
