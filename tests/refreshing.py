"""Aggregates in a database that many tests share."""

from datetime import UTC, datetime, timedelta

from shelfops.timescale.refresh import owner_cursor, refresh_requested

# Rows at and above an aggregate's watermark are read from the lines themselves. Other tests, or
# the hourly policies, may have moved it into the present day, which an import does not refresh.
PAST_MIDNIGHT = """
SELECT format('%%I.%%I', user_view_schema, user_view_name)
FROM _timescaledb_catalog.continuous_agg
WHERE user_view_schema = 'timeseries' AND raw_hypertable_id = (
          SELECT id FROM _timescaledb_catalog.hypertable
          WHERE schema_name = 'timeseries' AND table_name = 'transactions')
  AND _timescaledb_functions.cagg_watermark(mat_hypertable_id)
      > _timescaledb_functions.to_unix_microseconds(%s)
"""


def midnight() -> datetime:
    return datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def past_midnight() -> set[str]:
    """The aggregates over sales whose watermark lies in the present UTC day, or after it."""
    with owner_cursor() as cursor:
        cursor.execute(PAST_MIDNIGHT, [midnight()])
        return {aggregate for (aggregate,) in cursor.fetchall()}


def refresh_all() -> None:
    """What an import does after loading; and the present day, where that is not read directly."""
    refresh_requested()
    window = [midnight(), midnight() + timedelta(days=2)]
    aggregates = past_midnight()
    with owner_cursor() as cursor:
        for aggregate in sorted(aggregates):
            cursor.execute(f"CALL refresh_continuous_aggregate('{aggregate}', %s, %s)", window)
