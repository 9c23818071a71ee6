"""Customers that each have the whole real year, for benchmarks.

The first is loaded as the demonstration is. The others are copied from it within the database,
under keys of their own: every UUID of a row is put through the same function, so that references
stay whole. Aggregates are refreshed and chunks compressed as after any load.
"""

from collections.abc import Iterator
from graphlib import TopologicalSorter

from django.db import connections, transaction
from psycopg import sql

from sales.complete_journey.load import is_loaded, load_year
from shelfops.ingestion.progress import Steps
from shelfops.tenancy.context import set_local
from shelfops.tenancy.models import Customer
from shelfops.timescale import refresh

NAME = "Benchmark"

# What holds customers' rows: tables under row security, and hypertables. Tables that triggers
# fill are in neither; people are not copied.
TABLES = """
SELECT c.oid::regclass::text FROM pg_class c
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'customer_id'
WHERE c.relkind = 'r' AND c.oid NOT IN ('users'::regclass, 'customers'::regclass)
  AND (c.relnamespace = 'public'::regnamespace AND c.relrowsecurity
       OR EXISTS (SELECT FROM timescaledb_information.hypertables h
                  WHERE h.hypertable_schema = 'timeseries' AND h.hypertable_name = c.relname
                    AND c.relnamespace = 'timeseries'::regnamespace))
"""
REFERENCES = """
SELECT conrelid::regclass::text, confrelid::regclass::text FROM pg_constraint
WHERE contype = 'f' AND conrelid <> confrelid
"""
COLUMNS = """
SELECT attname, atttypid = 'uuid'::regtype FROM pg_attribute
WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped
  AND attgenerated = '' AND attidentity = ''
ORDER BY attnum
"""
# Rows that come to a chunk in the columnstore leave bloated indexes behind, which would be
# measured too; a feed brings what is new, not a year of ten companies at once.
DECOMPRESS = """
SELECT decompress_chunk(chunk, true)
FROM timescaledb_information.hypertables
CROSS JOIN LATERAL show_chunks(format('%I.%I', hypertable_schema, hypertable_name)::regclass) chunk
WHERE hypertable_schema = 'timeseries'
UNION ALL
SELECT decompress_chunk(chunk, true)
FROM timescaledb_information.continuous_aggregates
CROSS JOIN LATERAL show_chunks(format('%I.%I', view_schema, view_name)::regclass) chunk
WHERE view_schema = 'timeseries'
"""
REQUEST_REFRESH = """
INSERT INTO timeseries.refresh_requests (days)
SELECT tstzrange(date_trunc('day', min(sold_at), 'UTC'), now()) FROM timeseries.transactions
"""


def customers() -> list[Customer]:
    """Those that are loaded, the first first; whatever else the database holds is an error."""
    found = list(Customer.objects.using("operator").order_by("created_at"))
    if any(not customer.name.startswith(f"{NAME} ") for customer in found):
        raise SystemExit("This database has customers of its own. Give the benchmark an empty one.")
    return found


def grow(count: int, steps: Steps) -> None:
    """Load and copy until there are `count` customers; then do what TimescaleDB's jobs do."""
    found = customers()
    if not found or not is_loaded(found[0]):
        first = found[0] if found else new_customer(1)
        load_year([first, first], [None, None], steps)  # each half of the stores
        found = [first]
    if 0 < len(found) < count:
        with steps("Chunks out of the columnstore", 0), refresh.owner_cursor() as cursor:
            cursor.execute(DECOMPRESS)
    for number in range(len(found) + 1, count + 1):
        with steps(f"Copy {number} of {count}", 0):
            copy(found[0], new_customer(number))
    with steps("Aggregates", 0):
        with refresh.owner_cursor() as cursor:
            cursor.execute(REQUEST_REFRESH)
        refresh.refresh_requested()
    with steps("Columnstore", 0):
        refresh.compress_old_chunks()
    with steps("Statistics", 0):
        refresh.update_statistics()


def new_customer(number: int) -> Customer:
    return Customer.objects.using("operator").create(name=f"{NAME} {number}")


def copy(source: Customer, target: Customer) -> None:
    """All rows of `source`, as rows of `target`, in one transaction."""
    with transaction.atomic(using="owner"), connections["owner"].cursor() as cursor:
        for table in in_order(cursor):
            cursor.execute(COLUMNS, [table])
            columns = cursor.fetchall()
            names = sql.SQL(", ").join(sql.Identifier(name) for name, _ in columns)
            values = sql.SQL(", ").join(value(name, is_key) for name, is_key in columns)
            relation = sql.Identifier(*table.split("."))
            ids = {"source": source.pk, "target": target.pk}
            # Row security shows the owner one customer at a time.
            set_local("current_customer_id", source.pk, "owner")
            cursor.execute(
                sql.SQL(
                    "CREATE TEMP TABLE copied ON COMMIT DROP AS"
                    " SELECT {} FROM {} WHERE customer_id = %(source)s"
                ).format(values, relation),
                ids,
            )
            set_local("current_customer_id", target.pk, "owner")
            cursor.execute(
                sql.SQL("INSERT INTO {} ({}) SELECT * FROM copied").format(relation, names)
            )
            cursor.execute("DROP TABLE copied")


def in_order(cursor: object) -> Iterator[str]:
    """The tables, each after those it refers to."""
    cursor.execute(TABLES)
    tables = {name for (name,) in cursor.fetchall()}
    cursor.execute(REFERENCES)
    order: TopologicalSorter[str] = TopologicalSorter(dict.fromkeys(tables, ()))
    for table, other in cursor.fetchall():
        if table in tables and other in tables:
            order.add(table, other)
    return order.static_order()


def value(name: str, is_key: bool) -> sql.Composable:
    if name == "customer_id":
        return sql.SQL("%(target)s::uuid AS customer_id")
    column = sql.Identifier(name)
    if not is_key:
        return column
    return sql.SQL("md5(%(target)s::text || {})::uuid AS {}").format(column, column)


def remove() -> None:
    """Empty everything that `grow` has filled."""
    with refresh.owner_cursor() as cursor:
        cursor.execute(
            "SELECT format('%I.%I', view_schema, view_name)"
            " FROM timescaledb_information.continuous_aggregates"
        )
        aggregates = [name for (name,) in cursor.fetchall()]
        tables = list(in_order(cursor))
        cursor.execute(f"TRUNCATE {', '.join(tables)}, users, customers CASCADE")
        for aggregate in aggregates:
            cursor.execute(f"TRUNCATE {aggregate}")
