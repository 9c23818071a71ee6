"""One limit for how old a row may be, and no request that is passed over.

Rows between two years ago to the second and the limit of the totals were placed, but never summed
up, and could not be undone. And a request for the present day was deleted unread, so that a late
line, or one that was undone, stayed out of totals, or in them, until the hourly refresh.
"""

from django.db import migrations
from django.db.migrations import RunSQL

# What is older may be dropped before its totals are right, and a refresh would then delete them.
# A day's grace on either side: for the refresh to come, and for the day that is being dropped.
KEPT_SINCE = """
CREATE OR REPLACE FUNCTION public.kept_since() RETURNS timestamptz
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT date_trunc('day', now() - INTERVAL '2 years', 'UTC') + INTERVAL '2 days';
END;
REVOKE ALL ON FUNCTION public.kept_since() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION public.kept_since() TO shelfops_app;
"""

# An aggregate reads what lies above its watermark from the rows themselves. Below it, up to where
# the hourly refresh goes, whole buckets are refreshed. The procedure commits, so it can have no SET
# search_path; its names are qualified instead.
# Requests are deleted last: what an interruption leaves behind is refreshed again, at no cost.
REFRESH = """
CREATE OR REPLACE PROCEDURE timeseries.refresh_requested(
    job_id integer DEFAULT NULL, config jsonb DEFAULT NULL)
LANGUAGE plpgsql AS $$
DECLARE
    requests  bigint[];
    allowed   tstzrange := pg_catalog.tstzrange({since}, {until});
    memory    text := pg_catalog.current_setting('work_mem');
    touched   tstzrange;
    aggregate regclass;
    known     timestamptz;
BEGIN
    -- A year's groups in memory: half the time. For the session, as a refresh commits within.
    PERFORM pg_catalog.set_config('work_mem', '64MB', false);
    SELECT pg_catalog.array_agg(request_id) INTO requests FROM timeseries.refresh_requests;
    FOR touched IN
        SELECT pg_catalog.unnest(pg_catalog.range_agg(days * allowed))
        FROM timeseries.refresh_requests WHERE request_id = ANY (requests) AND days && allowed
    LOOP
        FOR aggregate, known IN  -- one that is built on another comes after it
            SELECT pg_catalog.format('%I.%I', user_view_schema, user_view_name)::regclass, {known}
            FROM _timescaledb_catalog.continuous_agg
            JOIN _timescaledb_catalog.continuous_aggs_bucket_function USING (mat_hypertable_id)
            WHERE user_view_schema = 'timeseries'
            ORDER BY mat_hypertable_id
        LOOP
            IF pg_catalog.lower(touched) < known THEN
                CALL public.refresh_continuous_aggregate(
                    aggregate, pg_catalog.lower(touched),
                    LEAST(pg_catalog.upper(touched), known));
            END IF;
            COMMIT;
        END LOOP;
    END LOOP;
    DELETE FROM timeseries.refresh_requests WHERE request_id = ANY (requests);
    COMMIT;
    PERFORM pg_catalog.set_config('work_mem', memory, false);
END $$;
REVOKE ALL ON PROCEDURE timeseries.refresh_requested(integer, jsonb) FROM PUBLIC;
"""
NOW = REFRESH.format(
    since="public.kept_since() - INTERVAL '24 hours'",
    until="NULL",
    known="""public.time_bucket(bucket_width::interval, GREATEST(
                       pg_catalog.now() - INTERVAL '1 hour',
                       _timescaledb_functions.to_timestamp(
                           _timescaledb_functions.cagg_watermark(mat_hypertable_id))))""",
)
BEFORE = REFRESH.format(
    since="""pg_catalog.date_trunc('day', pg_catalog.now() - INTERVAL '2 years', 'UTC')
        + INTERVAL '24 hours'""",
    until="pg_catalog.date_trunc('day', pg_catalog.now(), 'UTC')",
    known="'infinity'::timestamptz",
)


class Migration(migrations.Migration):
    dependencies = [("ingestion", "0011_chunks_beforehand")]

    operations = [
        RunSQL(KEPT_SINCE, "DROP FUNCTION IF EXISTS public.kept_since();"),
        RunSQL(NOW, BEFORE),
    ]
