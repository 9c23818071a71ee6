"""Conditions of alerts: silent feeds by the stores' rhythm, whole days for dead stock."""

from importlib import import_module
from pathlib import Path

from django.db import migrations
from django.db.migrations import RunSQL

SQL = Path(__file__).parents[1] / "sql"
BEFORE = import_module("alerts.migrations.0003_evaluation").CONDITIONS


class Migration(migrations.Migration):
    dependencies = [("alerts", "0015_versions"), ("sales", "0008_sales_days")]

    operations = [RunSQL((SQL / "alert_conditions_v2.sql").read_text(), BEFORE)]
