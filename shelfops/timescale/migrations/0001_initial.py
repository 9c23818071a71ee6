"""When `manage.py run_jobs` last ran each TimescaleDB job, for engines without a scheduler."""

from django.db import migrations
from django.db.migrations import RunSQL

JOB_RUNS = """
CREATE TABLE IF NOT EXISTS timeseries.job_runs (
    job_id      integer PRIMARY KEY,
    finished_at timestamptz NOT NULL
);
"""


class Migration(migrations.Migration):
    initial = True

    operations = [RunSQL(JOB_RUNS, "DROP TABLE IF EXISTS timeseries.job_runs;")]
