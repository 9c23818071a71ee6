"""Migration operations for hypertables and continuous aggregates in schema `timeseries`.

Frozen, as migrations depend on what they print; each may be run again without harm.
"""

from django.db.migrations import RunSQL


def hypertable(
    table: str, column: str, *, order_by: str, chunk: str = "7 days", compress_after: str
) -> RunSQL:
    """Turn an empty table into a hypertable with columnstore and two years of retention.

    Segments by customer, so that one tenant's query decompresses nobody else's rows.
    """
    return RunSQL(
        f"""
        SELECT create_hypertable('timeseries.{table}', by_range('{column}', INTERVAL '{chunk}'),
                                 create_default_indexes => false, if_not_exists => true);
        ALTER TABLE timeseries.{table} SET (
            timescaledb.enable_columnstore = true,
            timescaledb.segmentby = 'customer_id',
            timescaledb.orderby = '{order_by}');
        CALL add_columnstore_policy('timeseries.{table}', after => INTERVAL '{compress_after}',
                                    if_not_exists => true);
        SELECT add_retention_policy('timeseries.{table}', INTERVAL '2 years',
                                    if_not_exists => true);
        REVOKE ALL ON timeseries.{table} FROM PUBLIC, shelfops_app;
        GRANT SELECT ON timeseries.{table} TO shelfops_operator;
        """,
        f"""
        SELECT remove_retention_policy('timeseries.{table}', if_exists => true);
        CALL remove_columnstore_policy('timeseries.{table}', if_exists => true);
        """,
    )


def continuous_aggregate(
    name: str, query: str, *, order_by: str, index: str, compress_after: str = "32 days"
) -> RunSQL:
    """An empty real-time aggregate, refreshed hourly from a month back to an hour ago.

    It has the one `index` that its questions want; TimescaleDB would make one for each column
    it groups by, which takes a third of the time of a refresh. Its chunks are weeks, not
    TimescaleDB's ten weeks, and go to the columnstore as soon as the hourly refresh is past
    them: a question for 28 or 90 days then reads little else, and most of it compressed.

    The refresh window ends well inside the retention of the rows below: one that reached past
    it would delete history from the aggregate. Older windows are refreshed on request.
    """
    return RunSQL(
        f"""
        CREATE MATERIALIZED VIEW IF NOT EXISTS timeseries.{name}
        WITH (timescaledb.continuous, timescaledb.materialized_only = false,
              timescaledb.create_group_indexes = false,
              timescaledb.chunk_interval = '7 days') AS
        {query} WITH NO DATA;
        CREATE INDEX IF NOT EXISTS idx_{name} ON timeseries.{name} ({index});
        ALTER MATERIALIZED VIEW timeseries.{name} SET (
            timescaledb.enable_columnstore = true,
            timescaledb.segmentby = 'customer_id',
            timescaledb.orderby = '{order_by}');
        SELECT add_continuous_aggregate_policy('timeseries.{name}',
            start_offset => INTERVAL '1 month', end_offset => INTERVAL '1 hour',
            schedule_interval => INTERVAL '1 hour', if_not_exists => true);
        CALL add_columnstore_policy('timeseries.{name}', after => INTERVAL '{compress_after}',
                                    if_not_exists => true);
        REVOKE ALL ON timeseries.{name} FROM PUBLIC, shelfops_app;
        GRANT SELECT ON timeseries.{name} TO shelfops_operator;
        """,
        f"DROP MATERIALIZED VIEW IF EXISTS timeseries.{name};",
    )
