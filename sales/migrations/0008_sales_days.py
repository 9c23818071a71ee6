"""Which days of a feed are missing: one definition, for pages, reports and alerts."""

from pathlib import Path

from django.db import migrations
from django.db.migrations import RunSQL

SQL = Path(__file__).parents[1] / "sql"


class Migration(migrations.Migration):
    dependencies = [("sales", "0007_ledger_keys")]

    operations = [
        RunSQL(
            (SQL / "feed_gaps_v1.sql").read_text(),
            "DROP FUNCTION IF EXISTS feed_gaps(uuid[], date[], date, date);",
        ),
        RunSQL(
            (SQL / "sales_days_v1.sql").read_text(),
            "DROP FUNCTION IF EXISTS sales_days(timestamptz, date, date, uuid[]);",
        ),
    ]
