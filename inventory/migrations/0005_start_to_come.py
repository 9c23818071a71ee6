"""The start of a reorder point to come can be corrected: the one before it ends then."""

from django.db import migrations
from django.db.migrations import RunSQL

# The CHECK of the one before refuses a start that is not after its own.
MOVE_START = """
CREATE OR REPLACE FUNCTION public.move_reorder_point() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    UPDATE public.reorder_points SET effective_to = NEW.effective_from
    WHERE customer_id = NEW.customer_id AND store_id = NEW.store_id
      AND product_id = NEW.product_id AND effective_to = OLD.effective_from;
    RETURN NEW;
END $$;
CREATE OR REPLACE TRIGGER reorder_points_move_start BEFORE UPDATE ON reorder_points
    FOR EACH ROW WHEN (NEW.effective_from IS DISTINCT FROM OLD.effective_from)
    EXECUTE FUNCTION move_reorder_point();
"""
KEEP_START = """
DROP TRIGGER IF EXISTS reorder_points_move_start ON reorder_points;
DROP FUNCTION IF EXISTS public.move_reorder_point();
"""


class Migration(migrations.Migration):
    dependencies = [("inventory", "0004_versions")]

    operations = [RunSQL(MOVE_START, KEEP_START)]
