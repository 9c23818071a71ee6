"""What every table and function has to keep to, read from the catalogue: none can be forgotten."""

import pytest
from django.db import connections

OURS = "('public'::regnamespace, 'timeseries'::regnamespace)"
# What belongs to TimescaleDB is not ours.
NOT_OF_AN_EXTENSION = """
NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = {}.oid AND d.deptype = 'e')
"""
TENANT = """
EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = {} AND a.attname = 'customer_id'
          AND NOT a.attisdropped)
"""
# Django's own log refers to people by their random ids, and numbers its rows across customers.
LOG_REFERENCE, LOG_KEY = (
    "django_admin_log_user_id_c564eba6_fk_users_user_id",
    "django_admin_log_pkey",
)
# The position of customer_id in a key of columns.
CUSTOMER_OF = """
(SELECT array_position({key}, a.attnum) FROM pg_attribute a
 WHERE a.attrelid = {table} AND a.attname = 'customer_id')
"""


def found(statement: str) -> list[str]:
    with connections["owner"].cursor() as cursor:
        cursor.execute(statement)
        return [name for (name,) in cursor.fetchall()]


def test_its_references_between_customers_rows_carry_the_customer() -> None:
    """PostgreSQL checks a foreign key past row security."""
    ours = CUSTOMER_OF.format(key="c.conkey", table="c.conrelid")
    theirs = CUSTOMER_OF.format(key="c.confkey", table="c.confrelid")
    tenants = f"{TENANT.format('c.conrelid')} AND {TENANT.format('c.confrelid')}"
    statement = f"""
    SELECT {{}} FROM pg_constraint c
    WHERE c.contype = 'f' AND c.connamespace IN {OURS} AND {tenants}
    """
    wrong = f"AND ({ours} IS NULL OR {ours} IS DISTINCT FROM {theirs})"
    assert len(found(statement.format("conname"))) > 20
    assert found(statement.format("conname") + wrong) == [LOG_REFERENCE]


# People log in by their e-mail alone; their ids are random.
GLOBAL_KEYS = {"users_pkey", LOG_KEY}


def test_its_unique_keys_tell_nobody_what_another_customer_has() -> None:
    start = CUSTOMER_OF.format(key="i.indkey::smallint[]", table="i.indrelid")
    keys = found(
        f"""
        SELECT i.indexrelid::regclass::text FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid
        WHERE i.indisunique AND c.relkind = 'r' AND c.relnamespace IN {OURS}
          AND {TENANT.format("c.oid")} AND {start} IS DISTINCT FROM 0
        """
    )
    assert set(keys) == GLOBAL_KEYS


def test_its_functions_with_the_owners_rights_cannot_be_led_astray() -> None:
    functions = f"""
    SELECT p.oid::regprocedure::text FROM pg_proc p
    WHERE p.pronamespace IN {OURS} AND p.prosecdef AND {NOT_OF_AN_EXTENSION.format("p")}
    """
    assert len(found(functions)) >= 3
    unpinned = """
    AND NOT EXISTS (SELECT FROM unnest(p.proconfig) AS setting
                    WHERE setting LIKE 'search_path=%' AND setting NOT LIKE '%$user%')
    """
    assert found(functions + unpinned) == []
    for_all = "AND has_function_privilege('public', p.oid, 'EXECUTE')"
    assert found(functions + for_all) == []
    dynamic = "AND p.prosrc ~* '\\mexecute\\M'"
    assert found(functions + dynamic) == []


@pytest.mark.parametrize("privilege", ["TRUNCATE", "REFERENCES", "TRIGGER"])
def test_the_application_has_no_right_over_tables_themselves(privilege: str) -> None:
    tables = f"""
    SELECT oid::regclass::text FROM pg_class
    WHERE relnamespace IN {OURS} AND relkind IN ('r', 'v', 'm')
      AND has_table_privilege('shelfops_app', oid, '{privilege}')
    """
    assert found(tables) == []
