"""Requests for a refresh are of a customer, of days that are kept, and bounded in number.

Whoever has the application's log-in could write them without end, and each is read by the job.
"""

from importlib import import_module

from django.db import migrations
from django.db.migrations import RunSQL

before = import_module("shelfops.ingestion.migrations.0013_days_to_refresh")

# Days that this transaction has asked for are not written again. Those of others are: the job may
# be reading them now, before this transaction's rows can be seen, and deletes them afterwards.
REQUEST = """
CREATE INDEX IF NOT EXISTS idx_refresh_requests_asked_for
    ON timeseries.refresh_requests (asked_for);

CREATE OR REPLACE FUNCTION public.request_refresh(moments timestamptz[]) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    customer uuid := public.current_customer_id();
    kept     tstzmultirange := tstzmultirange(tstzrange(
        public.kept_since() - INTERVAL '2 days', now() + INTERVAL '2 days'));
    touched  tstzmultirange := (
        SELECT range_agg(tstzrange(day, day + INTERVAL '24 hours'))
        FROM (SELECT DISTINCT date_trunc('day', moment, 'UTC') AS day
              FROM unnest(moments) AS moment WHERE isfinite(moment)) AS days);
BEGIN
    IF customer IS NULL OR touched IS NULL THEN
        RETURN;
    END IF;
    IF (SELECT count(*) FROM timeseries.refresh_requests WHERE asked_for = customer) >= 10000 THEN
        RAISE EXCEPTION 'Totals are still to be refreshed for 10,000 earlier requests.'
            USING ERRCODE = 'configuration_limit_exceeded',
                  HINT = 'Try again when refresh_requested has run.';
    END IF;
    touched := touched * kept - coalesce(
        (SELECT range_agg(days) FROM timeseries.refresh_requests
         WHERE asked_for = customer AND xmin = pg_current_xact_id()::xid), '{}');
    INSERT INTO timeseries.refresh_requests (days, asked_for)
    SELECT days, customer FROM unnest(touched) AS days;
END $$;
"""


class Migration(migrations.Migration):
    dependencies = [("ingestion", "0015_signed_batch"), ("tenancy", "0010_signed_context")]

    operations = [
        RunSQL(
            REQUEST,
            before.WHOSE + "DROP INDEX IF EXISTS timeseries.idx_refresh_requests_asked_for;",
        )
    ]
