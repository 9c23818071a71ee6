"""Alerts are evaluated as the owner, who may make the temporary table that this needs.

The same policies hold for the owner, and the customer is the transaction's. The function can be
trusted with it since the application can make no temporary table that would stand in its way.
"""

from django.db import migrations
from django.db.migrations import RunSQL

AS = "ALTER FUNCTION public.evaluate_alerts(text, timestamptz, uuid[]) SECURITY {};"


class Migration(migrations.Migration):
    dependencies = [
        ("alerts", "0013_turns"),
        ("tenancy", "0005_no_temporary"),
    ]

    operations = [RunSQL(AS.format("DEFINER"), AS.format("INVOKER"))]
