"""What of a ledger is in the columnstore, seen by the owner."""

from typing import Any

from django.db import connections
from psycopg import sql

from shelfops.tenancy.models import Customer

COMPRESS = """
SELECT public.compress_chunk(format('%%I.%%I', chunk_schema, chunk_name)::regclass, true)
FROM timescaledb_information.chunks
WHERE hypertable_schema = 'timeseries' AND hypertable_name = %s
"""
COMPRESSED = """
SELECT n.nspname, c.relname FROM timescaledb_information.chunks AS chunk
JOIN _timescaledb_catalog.compression_settings AS settings
  ON settings.relid = format('%%I.%%I', chunk_schema, chunk_name)::regclass
JOIN pg_class AS c ON c.oid = settings.compress_relid JOIN pg_namespace AS n ON n.oid = relnamespace
WHERE hypertable_schema = 'timeseries' AND hypertable_name = %s
"""


def compress(ledger: str) -> None:
    with connections["owner"].cursor() as cursor:
        cursor.execute(COMPRESS, [ledger])


def packed(ledger: str, customer: Customer) -> int:
    """How many of the customer's rows are in its columnstore."""
    with connections["owner"].cursor() as cursor:
        cursor.execute(COMPRESSED, [ledger])
        return sum(rows_in(cursor, chunk, customer) for chunk in cursor.fetchall())


def rows_in(cursor: Any, chunk: tuple[str, str], customer: Customer) -> int:
    counted = "SELECT coalesce(sum(_ts_meta_count), 0) FROM {} WHERE customer_id = %s"
    cursor.execute(sql.SQL(counted).format(sql.Identifier(*chunk)), [customer.pk])
    return int(cursor.fetchone()[0])
