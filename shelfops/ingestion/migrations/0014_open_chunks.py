"""A chunk of the columnstore is opened before an import writes into it, as chunks are made.

The first row that comes into a compressed chunk marks it in TimescaleDB's catalogue, and the mark
locks the chunk's record until the transaction ends. In an import's own transaction nobody else, of
any customer, could add a line to that week meanwhile: 100 lines took 206 seconds beside 500,000.
A chunk that bears the mark already is not locked; so it gets it in a short transaction of its own.
"""

from django.db import migrations
from django.db.migrations import RunSQL

# 1: in the columnstore; 8: with rows beside it. A chunk is open unless it has the first alone.
STATES = """
CREATE OR REPLACE VIEW timeseries.chunk_states AS
SELECT hypertable_name AS ledger, range_start, range_end,
       (_timescaledb_functions.chunk_status(
            format('%I.%I', chunk_schema, chunk_name)::regclass) & 9) <> 1 AS is_open
FROM timescaledb_information.chunks
WHERE hypertable_schema = 'timeseries';
REVOKE ALL ON timeseries.chunk_states FROM PUBLIC, shelfops_app;
"""
FIRST = """
CREATE OR REPLACE FUNCTION public.first_without_chunk(ledger_name text, moments timestamptz[])
RETURNS timestamptz
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT min(moment) FROM unnest(moments) AS moment
    WHERE moment BETWEEN now() - INTERVAL '2 years' AND now() + INTERVAL '15 minutes'
      AND NOT EXISTS (SELECT FROM timeseries.{chunks}
                      WHERE ledger = ledger_name
                        AND moment >= range_start AND moment < range_end);
$$;
"""

# A row of the customer's that comes and goes again. In order of time, so that two who open the
# same chunks wait for each other instead of locking each other out.
OPEN = """
CREATE OR REPLACE FUNCTION public.open_chunks(
    ledger_name text, since timestamptz, until timestamptz) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    customer uuid := public.current_customer_id();
    store    uuid := (SELECT store_id FROM public.stores WHERE customer_id = customer LIMIT 1);
    product  uuid := (SELECT product_id FROM public.products WHERE customer_id = customer LIMIT 1);
    moment   timestamptz;
    added    integer;
BEGIN
    IF store IS NULL OR product IS NULL THEN
        RETURN;  -- nor is there a row to place
    END IF;
    FOR moment IN SELECT range_end - INTERVAL '1 microsecond' FROM timeseries.chunk_states
                  WHERE ledger = ledger_name AND NOT is_open
                    AND range_end > since AND range_start <= until
                  ORDER BY range_end LOOP
        IF ledger_name = 'transactions' THEN
            INSERT INTO timeseries.transactions (customer_id, store_id, product_id, sold_at,
                business_date, receipt, line, quantity, unit_price, total_amount)
            VALUES (customer, store, product, moment, moment::date, '', 0, 0, 0, 0)
            ON CONFLICT DO NOTHING;
            GET DIAGNOSTICS added = ROW_COUNT;
            IF added > 0 THEN
                DELETE FROM timeseries.transactions
                WHERE customer_id = customer AND store_id = store AND sold_at = moment
                  AND receipt = '' AND line = 0;
            END IF;
        ELSIF ledger_name = 'inventory_levels' THEN
            INSERT INTO timeseries.inventory_levels (customer_id, store_id, product_id, timestamp,
                quantity_on_hand)
            VALUES (customer, store, product, moment, 0)
            ON CONFLICT DO NOTHING;
            GET DIAGNOSTICS added = ROW_COUNT;
            IF added > 0 THEN
                DELETE FROM timeseries.inventory_levels AS level
                WHERE customer_id = customer AND store_id = store AND product_id = product
                  AND level.timestamp = moment;
            END IF;
        END IF;
    END LOOP;
END $$;
REVOKE ALL ON FUNCTION public.open_chunks(text, timestamptz, timestamptz)
    FROM PUBLIC, shelfops_operator;
GRANT EXECUTE ON FUNCTION public.open_chunks(text, timestamptz, timestamptz) TO shelfops_app;
"""
DO_NOT_OPEN = "DROP FUNCTION IF EXISTS public.open_chunks(text, timestamptz, timestamptz);"


class Migration(migrations.Migration):
    dependencies = [
        ("ingestion", "0013_days_to_refresh"),
        ("inventory", "0001_initial"),
        ("sales", "0001_initial"),
    ]

    operations = [
        RunSQL(STATES, "DROP VIEW IF EXISTS timeseries.chunk_states;"),
        RunSQL(
            FIRST.format(chunks="chunk_states").replace(
                "ledger_name\n", "ledger_name AND is_open\n"
            ),
            FIRST.format(chunks="ledger_chunks"),
        ),
        RunSQL(OPEN, DO_NOT_OPEN),
    ]
