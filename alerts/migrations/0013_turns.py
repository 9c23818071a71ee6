"""Evaluations wait for each other by the customer's own locks."""

from django.db import migrations
from django.db.migrations import RunSQL

# Only the two lines that take the lock change in functions of hundreds of lines.
OLD = "pg_advisory_xact_lock(hashtextextended(''{} '' || current_customer_id(), 0))"
NEW = "public.take_turn(''{}'')"
REPLACE = """
DO $do$ BEGIN
    EXECUTE replace(pg_get_functiondef('public.{function}'::regproc), '{before}', '{after}');
END $do$;
"""


def replace(function: str, topic: str) -> RunSQL:
    before, after = OLD.format(topic), NEW.format(topic)
    return RunSQL(
        REPLACE.format(function=function, before=before, after=after),
        REPLACE.format(function=function, before=after, after=before),
    )


class Migration(migrations.Migration):
    dependencies = [("alerts", "0012_notifications"), ("tenancy", "0004_turns")]

    operations = [
        replace("apply_alert_conditions", "alerts"),
        replace("evaluate_alerts", "evaluate alerts"),
    ]
