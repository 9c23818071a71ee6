"""Locks that wait for others of the same customer, with keys that no other customer can name."""

from django.db import migrations
from django.db.migrations import RunSQL

# Provisioning takes PostgreSQL's own advisory locks from everybody: their keys are plain numbers,
# which anybody could hold. Here the key is made from the current customer and what is waited for,
# with a hash for which no second text can be found. Without a customer there is no lock.
TURNS = """
CREATE OR REPLACE FUNCTION public.turn_key(topic text) RETURNS bigint
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF public.current_customer_id() IS NULL THEN
        RAISE EXCEPTION 'no customer is set';
    END IF;
    RETURN ('x' || left(encode(sha256(convert_to(
        public.current_customer_id() || ' ' || topic, 'UTF8')), 'hex'), 16))::bit(64)::bigint;
END $$;

-- Wait until nobody else holds the customer's `topic`, or only others who share it.
CREATE OR REPLACE FUNCTION public.take_turn(topic text, shared boolean DEFAULT false) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF shared THEN
        PERFORM pg_advisory_xact_lock_shared(public.turn_key(topic));
    ELSE
        PERFORM pg_advisory_xact_lock(public.turn_key(topic));
    END IF;
END $$;

-- Take it if it is free, and say whether it was.
CREATE OR REPLACE FUNCTION public.try_turn(topic text) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN pg_try_advisory_xact_lock(public.turn_key(topic));
END $$;

REVOKE ALL ON FUNCTION public.take_turn(text, boolean), public.try_turn(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION public.take_turn(text, boolean), public.try_turn(text) TO shelfops_app;
"""
NO_TURNS = """
DROP FUNCTION IF EXISTS public.try_turn(text);
DROP FUNCTION IF EXISTS public.take_turn(text, boolean);
DROP FUNCTION IF EXISTS public.turn_key(text);
"""


class Migration(migrations.Migration):
    dependencies = [("tenancy", "0003_customers_overview")]

    operations = [RunSQL(TURNS, NO_TURNS)]
