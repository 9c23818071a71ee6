"""Every migration runs forward, back to zero, forward again, and twice, also over rows."""

from importlib import import_module

import pytest
from django.apps import apps
from django.core.management import call_command
from django.db import connections
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.operations.base import Operation

from tests.cast import make_cast
from tests.rows import days_ago, fill

OWN = ("tenancy", "timescale", "ingestion", "inventory", "sales", "alerts", "saved_views")


def catalog() -> list[tuple]:
    """Everything that migrations make: columns, constraints, indexes, policies, grants, jobs."""
    with connections["owner"].cursor() as cursor:
        cursor.execute(
            """
            SELECT table_schema, table_name, column_name || ' ' || data_type || ' ' || is_nullable
            FROM information_schema.columns WHERE table_schema IN ('public', 'timeseries')
            UNION ALL
            SELECT 'constraint', conrelid::regclass::text, conname || pg_get_constraintdef(oid)
            FROM pg_constraint
            WHERE connamespace IN ('public'::regnamespace, 'timeseries'::regnamespace)
            UNION ALL
            SELECT 'index', tablename, indexdef FROM pg_indexes
            WHERE schemaname IN ('public', 'timeseries')
            UNION ALL
            SELECT 'policy', tablename, policyname || cmd || coalesce(qual, '')
            FROM pg_policies WHERE schemaname = 'public'
            UNION ALL
            SELECT 'grant', c.relname, c.relacl::text FROM pg_class c
            WHERE c.relnamespace IN ('public'::regnamespace, 'timeseries'::regnamespace)
              AND c.relkind IN ('r', 'v')
            UNION ALL
            SELECT 'rls', relname, relrowsecurity || ' ' || relforcerowsecurity FROM pg_class
            WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'
            UNION ALL
            SELECT 'function', proname, prosrc FROM pg_proc p
            WHERE pronamespace IN ('public'::regnamespace, 'timeseries'::regnamespace)
              AND proowner = 'shelfops_owner'::regrole
            UNION ALL
            SELECT 'job', coalesce(hypertable_name, ''), proc_name || schedule_interval
            FROM timescaledb_information.jobs WHERE owner = 'shelfops_owner'::regrole
            ORDER BY 1, 2, 3
            """
        )
        return cursor.fetchall()


def migrate_to_zero() -> None:
    executor = MigrationExecutor(connections["owner"])
    executor.migrate([(label, None) for label in sorted(executor.loader.migrated_apps)])


def leftovers() -> list[tuple]:
    """What a database at zero still has of ours."""
    with connections["owner"].cursor() as cursor:
        cursor.execute(
            """
            SELECT 'relation', relname FROM pg_class
            WHERE relnamespace IN ('public'::regnamespace, 'timeseries'::regnamespace)
              AND relowner = 'shelfops_owner'::regrole AND relname NOT LIKE 'django_migrations%%'
            UNION ALL
            SELECT 'function', proname FROM pg_proc WHERE proowner = 'shelfops_owner'::regrole
            UNION ALL
            SELECT 'job', proc_name FROM timescaledb_information.jobs
            WHERE owner = 'shelfops_owner'::regrole
            """
        )
        return cursor.fetchall()


@pytest.fixture
def restored():
    yield
    call_command("migrate", verbosity=0)


def test_it_goes_back_to_zero_and_forward_again_over_rows(restored) -> None:
    cast = make_cast()
    fill(cast.customer, cast.store, cast.product)
    fill(cast.customer, cast.unassigned_store, cast.product, days_ago(100))
    before = catalog()
    assert len(before) > 200
    migrate_to_zero()
    assert leftovers() == []
    call_command("migrate", verbosity=0)
    assert catalog() == before


def own_operations() -> list[tuple[str, Operation]]:
    loader = MigrationLoader(connections["owner"])
    plan = loader.graph.forwards_plan  # each app's newest, with all that it needs before it
    seen: dict[tuple[str, str], None] = {}
    for label in OWN:
        for leaf in loader.graph.leaf_nodes(label):
            seen.update(dict.fromkeys(node for node in plan(leaf) if node[0] in OWN))
    return [
        (f"{label}.{name}", operation)
        for label, name in seen
        for operation in import_module(
            f"{apps.get_app_config(label).module.__name__}.migrations.{name}"
        ).Migration.operations
    ]


def test_it_runs_twice_without_harm() -> None:
    """The seed asks for idempotence: over rows, with nothing lost and nothing doubled."""
    cast = make_cast()
    fill(cast.customer, cast.store, cast.product)
    before = catalog()
    operations = own_operations()
    assert len(operations) > 30
    with connections["owner"].cursor() as cursor:
        for _name, operation in operations:
            if sql := getattr(operation, "sql", None):
                cursor.execute(sql)
    assert catalog() == before
    with connections["operator"].cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM timeseries.transactions WHERE customer_id = %s",
            [cast.customer.pk],
        )
        assert cursor.fetchone() == (3,)


def test_it_can_be_reversed_everywhere() -> None:
    assert [name for name, operation in own_operations() if not operation.reversible] == []


def test_it_misses_no_migration() -> None:
    call_command("makemigrations", check=True, dry_run=True, verbosity=0)
