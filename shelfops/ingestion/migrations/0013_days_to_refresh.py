"""A customer's own requests for a refresh, so that pages can mark what is still to follow."""

from django.db import migrations
from django.db.migrations import RunSQL

# Of requests from before this nobody knows whose they are; they are worked off within a minute.
WHOSE = """
ALTER TABLE timeseries.refresh_requests ADD COLUMN IF NOT EXISTS asked_for uuid;

CREATE OR REPLACE FUNCTION public.request_refresh(moments timestamptz[]) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    INSERT INTO timeseries.refresh_requests (days, asked_for)
    SELECT unnest(range_agg(tstzrange(day, day + INTERVAL '24 hours'))),
           public.current_customer_id()
    FROM (SELECT DISTINCT date_trunc('day', moment, 'UTC') AS day
          FROM unnest(moments) AS moment WHERE isfinite(moment)) AS touched;
END;

CREATE OR REPLACE FUNCTION public.days_to_refresh(OUT first date, OUT last date)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT (min(lower(days)) AT TIME ZONE 'UTC')::date,
           (max(upper(days)) AT TIME ZONE 'UTC' - INTERVAL '1 day')::date
    FROM timeseries.refresh_requests WHERE asked_for = public.current_customer_id();
END;
REVOKE ALL ON FUNCTION public.days_to_refresh() FROM PUBLIC, shelfops_operator;
GRANT EXECUTE ON FUNCTION public.days_to_refresh() TO shelfops_app;
"""
NOBODYS = """
DROP FUNCTION IF EXISTS public.days_to_refresh();
CREATE OR REPLACE FUNCTION public.request_refresh(moments timestamptz[]) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    INSERT INTO timeseries.refresh_requests (days)
    SELECT unnest(range_agg(tstzrange(day, day + INTERVAL '24 hours')))
    FROM (SELECT DISTINCT date_trunc('day', moment, 'UTC') AS day
          FROM unnest(moments) AS moment WHERE isfinite(moment)) AS touched;
END;
ALTER TABLE timeseries.refresh_requests DROP COLUMN IF EXISTS asked_for;
"""


class Migration(migrations.Migration):
    dependencies = [("ingestion", "0012_kept_since")]

    operations = [RunSQL(WHOSE, NOBODYS)]
