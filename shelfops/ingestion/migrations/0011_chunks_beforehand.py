"""Chunks are made before an import needs them, in a transaction of their own.

A new chunk refers to stores and products, and making the reference locks both tables against
every change, of all customers, until the transaction ends. In an import's own transaction that
would be minutes in which nobody could edit a product or start another import.
"""

from django.db import migrations
from django.db.migrations import RunSQL

# Both work on the two ledgers that are imported, and only on times that an import may place; the
# application can neither name another table nor make chunks without bound: 106 at most.
LEDGERS = """
CREATE OR REPLACE VIEW timeseries.ledger_chunks AS
SELECT hypertable_name AS ledger, range_start, range_end FROM timescaledb_information.chunks
WHERE hypertable_schema = 'timeseries';
REVOKE ALL ON timeseries.ledger_chunks FROM PUBLIC, shelfops_app;

CREATE OR REPLACE FUNCTION public.first_without_chunk(ledger_name text, moments timestamptz[])
RETURNS timestamptz
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT min(moment) FROM unnest(moments) AS moment
    WHERE moment BETWEEN now() - INTERVAL '2 years' AND now() + INTERVAL '15 minutes'
      AND NOT EXISTS (SELECT FROM timeseries.ledger_chunks
                      WHERE ledger = ledger_name
                        AND moment >= range_start AND moment < range_end);
END;
REVOKE ALL ON FUNCTION public.first_without_chunk(text, timestamptz[])
    FROM PUBLIC, shelfops_operator;
GRANT EXECUTE ON FUNCTION public.first_without_chunk(text, timestamptz[]) TO shelfops_app;

-- From `since` until now, so that a file in order of time asks once.
CREATE OR REPLACE FUNCTION public.make_chunks(ledger_name text, since timestamptz) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    hypertable   regclass;
    time_column  name;
    seconds      bigint;
    first        bigint;
BEGIN
    hypertable := CASE ledger_name
        WHEN 'transactions' THEN 'timeseries.transactions'::regclass
        WHEN 'inventory_levels' THEN 'timeseries.inventory_levels'::regclass END;
    IF hypertable IS NULL THEN
        RAISE EXCEPTION 'there is no ledger of this name';
    END IF;
    SELECT column_name, extract(epoch FROM time_interval) INTO time_column, seconds
    FROM timescaledb_information.dimensions
    WHERE hypertable_schema = 'timeseries' AND hypertable_name = ledger_name;
    first := floor(extract(epoch FROM greatest(since, now() - INTERVAL '2 years')) / seconds);
    FOR number IN first .. floor(extract(epoch FROM now() + INTERVAL '15 minutes') / seconds) LOOP
        IF NOT EXISTS (SELECT FROM timeseries.ledger_chunks
                       WHERE ledger = ledger_name
                         AND range_start < to_timestamp((number + 1) * seconds)
                         AND range_end > to_timestamp(number * seconds)) THEN
            PERFORM _timescaledb_functions.create_chunk(hypertable, jsonb_build_object(
                time_column, jsonb_build_array(number * seconds * 1000000,
                                               (number + 1) * seconds * 1000000)));
        END IF;
    END LOOP;
END $$;
REVOKE ALL ON FUNCTION public.make_chunks(text, timestamptz) FROM PUBLIC, shelfops_operator;
GRANT EXECUTE ON FUNCTION public.make_chunks(text, timestamptz) TO shelfops_app;
"""
NO_LEDGERS = """
DROP FUNCTION IF EXISTS public.make_chunks(text, timestamptz);
DROP FUNCTION IF EXISTS public.first_without_chunk(text, timestamptz[]);
DROP VIEW IF EXISTS timeseries.ledger_chunks;
"""


class Migration(migrations.Migration):
    dependencies = [("ingestion", "0010_import_drafts")]

    operations = [RunSQL(LEDGERS, NO_LEDGERS)]
