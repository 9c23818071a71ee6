"""Customers with their feeds and counts, for the operator's first page."""

from django.db import migrations
from django.db.migrations import RunSQL

# It runs with the rights of its caller, and asks as one customer after the other, so that it
# shows nothing that acting as each of them would not; who is no operator sees no customer. The
# customer it was called for is set again at the end.
CUSTOMERS_OVERVIEW = """
CREATE OR REPLACE FUNCTION public.customers_overview(most integer)
RETURNS TABLE (customer_id uuid, name text, currency text, is_active boolean, stores bigint,
               users bigint, last_day date, last_import timestamptz, failed_imports bigint,
               open_alerts bigint)
LANGUAGE plpgsql VOLATILE SET search_path = public, pg_temp AS $$
#variable_conflict use_column
DECLARE
    before text := current_setting('app.current_customer_id', true);
BEGIN
    IF NOT coalesce(current_user_is_operator(), false) THEN
        RETURN;
    END IF;
    FOR customer_id, name, currency, is_active IN
        SELECT c.customer_id, c.name, c.currency, c.is_active FROM customers AS c
        ORDER BY c.name, c.customer_id LIMIT most
    LOOP
        PERFORM set_config('app.current_customer_id', customers_overview.customer_id::text, true);
        SELECT count(*) INTO stores FROM stores AS s WHERE s.is_active;
        SELECT count(*) INTO users FROM users AS u
        WHERE u.is_active AND u.customer_id = customers_overview.customer_id;
        SELECT max(business_date) INTO last_day FROM daily_store_sales
        WHERE day >= now() - INTERVAL '91 days';
        SELECT max(b.started_at) FILTER (WHERE b.status = 'done'),
               count(*) FILTER (WHERE b.status = 'failed'
                                  AND b.started_at >= now() - INTERVAL '7 days')
        INTO last_import, failed_imports FROM import_batches AS b;
        SELECT count(*) INTO open_alerts FROM alerts AS a WHERE a.status = 'open';
        RETURN NEXT;
    END LOOP;
    PERFORM set_config('app.current_customer_id', coalesce(before, ''), true);
END $$;
REVOKE ALL ON FUNCTION public.customers_overview(integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION public.customers_overview(integer) TO shelfops_app;
"""


class Migration(migrations.Migration):
    dependencies = [("tenancy", "0002_django_tables")]

    operations = [
        RunSQL(CUSTOMERS_OVERVIEW, "DROP FUNCTION IF EXISTS public.customers_overview(integer);")
    ]
