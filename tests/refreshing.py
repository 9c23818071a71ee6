"""Aggregates in a database that many tests share."""

from datetime import datetime

from shelfops.timescale.refresh import owner_cursor

# Rows at and above an aggregate's watermark are read from the lines themselves.
WATERMARKS = """
SELECT format('%I.%I', user_view_schema, user_view_name),
       greatest('2000-01-01', _timescaledb_functions.to_timestamp(
                    _timescaledb_functions.cagg_watermark(mat_hypertable_id)))  -- empty: 4714 BC
FROM _timescaledb_catalog.continuous_agg WHERE user_view_schema = 'timeseries'
ORDER BY mat_hypertable_id
"""


def watermarks() -> dict[str, datetime]:
    """By aggregate; one that is built on another comes after it."""
    with owner_cursor() as cursor:
        cursor.execute(WATERMARKS)
        return dict(cursor.fetchall())
