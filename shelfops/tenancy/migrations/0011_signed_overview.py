"""The operator's overview looks at one customer after the other on its owner's word.

It runs with the owner's rights and signs, for the length of each customer's turn, a context of
its own; who is no signed-in operator gets no customer.
"""

from django.db import migrations
from django.db.migrations import RunSQL

WORK_FOR = """
CREATE OR REPLACE FUNCTION private.work_for(customer uuid) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    key     private.context_keys;
    payload text;
BEGIN
    SELECT * INTO STRICT key FROM private.context_keys ORDER BY installed_at DESC LIMIT 1;
    payload := concat_ws('|', key.key_id, 'work', customer, '', '', pg_backend_pid(),
                         (extract(epoch FROM now()) * 1000000)::bigint, '');
    PERFORM set_config('app.context', payload || private.mac(key, payload), true);
END $$;
REVOKE ALL ON FUNCTION private.work_for(uuid) FROM PUBLIC;
"""

# What the caller said holds again at the end; an error takes back its whole statement.
OVERVIEW = """
CREATE OR REPLACE FUNCTION public.customers_overview(most integer)
RETURNS TABLE (customer_id uuid, name text, currency text, is_active boolean, stores bigint,
               users bigint, last_day date, last_import timestamptz, failed_imports bigint,
               open_alerts bigint)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
#variable_conflict use_column
DECLARE
    before text := coalesce(current_setting('app.context', true), '');
BEGIN
    IF NOT coalesce(current_user_is_operator(), false) THEN
        RETURN;
    END IF;
    FOR customer_id, name, currency, is_active IN
        SELECT c.customer_id, c.name, c.currency, c.is_active FROM customers AS c
        ORDER BY c.name, c.customer_id LIMIT most
    LOOP
        PERFORM private.work_for(customers_overview.customer_id);
        SELECT count(*) INTO stores FROM stores AS s WHERE s.is_active;
        SELECT count(*) INTO users FROM users AS u WHERE u.is_active;
        SELECT max(business_date) INTO last_day FROM daily_store_sales
        WHERE day >= now() - INTERVAL '91 days';
        SELECT max(b.started_at) FILTER (WHERE b.status = 'done'),
               count(*) FILTER (WHERE b.status = 'failed'
                                  AND b.started_at >= now() - INTERVAL '7 days')
        INTO last_import, failed_imports FROM import_batches AS b;
        SELECT count(*) INTO open_alerts FROM alerts AS a WHERE a.status = 'open';
        RETURN NEXT;
    END LOOP;
    PERFORM set_config('app.context', before, true);
END $$;
"""
UNSIGNED_OVERVIEW = """
CREATE OR REPLACE FUNCTION public.customers_overview(most integer)
RETURNS TABLE (customer_id uuid, name text, currency text, is_active boolean, stores bigint,
               users bigint, last_day date, last_import timestamptz, failed_imports bigint,
               open_alerts bigint)
LANGUAGE plpgsql VOLATILE SECURITY INVOKER SET search_path = public, pg_temp AS $$
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
"""


class Migration(migrations.Migration):
    dependencies = [("tenancy", "0010_signed_context")]

    operations = [
        RunSQL(WORK_FOR, "DROP FUNCTION IF EXISTS private.work_for(uuid);"),
        RunSQL(OVERVIEW, UNSIGNED_OVERVIEW),
    ]
