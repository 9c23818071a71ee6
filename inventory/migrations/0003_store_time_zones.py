"""A store that has sales or counts keeps its old days when its time zone changes.

Times of a file are the store's own clock, and a line is known by its moment: read in another zone,
the same file brought every line a second time. So the days until now keep the zone they had, also
for files that come later; the new zone is that of the days to come.
"""

from django.db import migrations
from django.db.migrations import RunSQL

from shelfops.tenancy.operations import tenant_table

# The store's days before `until` are of this zone, down to those of the row before.
TABLE = """
CREATE TABLE IF NOT EXISTS store_time_zones (
    customer_id uuid NOT NULL DEFAULT current_customer_id(),
    store_id    uuid NOT NULL,
    until       date NOT NULL,
    time_zone   varchar(64) NOT NULL,
    PRIMARY KEY (customer_id, store_id, until),
    FOREIGN KEY (customer_id, store_id) REFERENCES stores ON DELETE CASCADE
);
"""
# The new zone begins tomorrow, by whichever clock is ahead: nothing can be there yet of a day to
# come. A store without history has nothing to keep. As the owner, who is bound by the same
# policies: the application neither writes the table nor reads the ledgers past their views.
KEEP = """
CREATE OR REPLACE FUNCTION public.store_has_history(store uuid) RETURNS boolean
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    customer uuid := public.current_customer_id();
BEGIN
    RETURN EXISTS (SELECT FROM timeseries.transactions
                   WHERE customer_id = customer AND store_id = store)
        OR EXISTS (SELECT FROM timeseries.inventory_levels
                   WHERE customer_id = customer AND store_id = store);
END $$;
REVOKE ALL ON FUNCTION public.store_has_history(uuid) FROM PUBLIC, shelfops_operator;
GRANT EXECUTE ON FUNCTION public.store_has_history(uuid) TO shelfops_app;

CREATE OR REPLACE FUNCTION public.keep_time_zone() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF public.store_has_history(NEW.store_id) THEN
        INSERT INTO public.store_time_zones (customer_id, store_id, until, time_zone)
        VALUES (NEW.customer_id, NEW.store_id,
                greatest((now() AT TIME ZONE OLD.time_zone)::date,
                         (now() AT TIME ZONE NEW.time_zone)::date) + 1,
                OLD.time_zone)
        ON CONFLICT DO NOTHING;  -- the zone of tomorrow is changed once more
    ELSE
        DELETE FROM public.store_time_zones
        WHERE customer_id = NEW.customer_id AND store_id = NEW.store_id;
    END IF;
    RETURN NULL;
END $$;
REVOKE ALL ON FUNCTION public.keep_time_zone() FROM PUBLIC;
CREATE OR REPLACE TRIGGER stores_keep_time_zone AFTER UPDATE OF time_zone ON stores
    FOR EACH ROW WHEN (OLD.time_zone IS DISTINCT FROM NEW.time_zone)
    EXECUTE FUNCTION keep_time_zone();
"""
DO_NOT_KEEP = """
DROP TRIGGER IF EXISTS stores_keep_time_zone ON stores;
DROP FUNCTION IF EXISTS public.keep_time_zone();
DROP FUNCTION IF EXISTS public.store_has_history(uuid);
"""


class Migration(migrations.Migration):
    dependencies = [
        ("inventory", "0002_ledger_writes"),
        ("sales", "0006_ledger_writes"),
    ]

    operations = [
        RunSQL(TABLE, "DROP TABLE IF EXISTS store_time_zones;"),
        tenant_table("store_time_zones", "SELECT"),
        RunSQL(KEEP, DO_NOT_KEEP),
    ]
