"""An import can be undone: by whom and when, and the span of time in which to look for its rows."""

from django.db import migrations, models
from django.db.migrations import RunSQL

UNDO = """
ALTER TABLE import_batches
    ADD COLUMN IF NOT EXISTS touched_from  timestamptz,
    ADD COLUMN IF NOT EXISTS touched_until timestamptz,
    ADD COLUMN IF NOT EXISTS undone_by     varchar(254) NOT NULL DEFAULT '',
    ADD COLUMN IF NOT EXISTS undone_at     timestamptz,
    DROP CONSTRAINT IF EXISTS import_batches_status_check,
    DROP CONSTRAINT IF EXISTS import_batches_undone_check;
ALTER TABLE import_batches
    ADD CONSTRAINT import_batches_status_check
        CHECK (status IN ('running', 'done', 'failed', 'undone')),
    ADD CONSTRAINT import_batches_undone_check
        CHECK ((status = 'undone') = (undone_at IS NOT NULL));
"""
# The owner is under row-level security, too, and would not see the rows to turn back.
NO_UNDO = """
ALTER TABLE import_batches NO FORCE ROW LEVEL SECURITY;
ALTER TABLE import_batches DROP CONSTRAINT IF EXISTS import_batches_undone_check;
UPDATE import_batches SET status = 'failed', error = 'undone by ' || undone_by
WHERE status = 'undone';
ALTER TABLE import_batches
    DROP CONSTRAINT IF EXISTS import_batches_status_check,
    DROP COLUMN IF EXISTS touched_from,
    DROP COLUMN IF EXISTS touched_until,
    DROP COLUMN IF EXISTS undone_by,
    DROP COLUMN IF EXISTS undone_at;
ALTER TABLE import_batches ADD CONSTRAINT import_batches_status_check
    CHECK (status IN ('running', 'done', 'failed'));
ALTER TABLE import_batches FORCE ROW LEVEL SECURITY;
"""


class Migration(migrations.Migration):
    dependencies = [("ingestion", "0001_initial")]

    operations = [
        RunSQL(UNDO, NO_UNDO),
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.AlterField(
                    model_name="importbatch",
                    name="status",
                    field=models.CharField(
                        choices=[
                            ("running", "Running"),
                            ("done", "Done"),
                            ("failed", "Failed"),
                            ("undone", "Undone"),
                        ],
                        default="running",
                        max_length=16,
                    ),
                ),
                migrations.AddField(
                    model_name="importbatch",
                    name="touched_from",
                    field=models.DateTimeField(blank=True, null=True),
                ),
                migrations.AddField(
                    model_name="importbatch",
                    name="touched_until",
                    field=models.DateTimeField(blank=True, null=True),
                ),
                migrations.AddField(
                    model_name="importbatch",
                    name="undone_by",
                    field=models.CharField(blank=True, default="", max_length=254),
                ),
                migrations.AddField(
                    model_name="importbatch",
                    name="undone_at",
                    field=models.DateTimeField(blank=True, null=True),
                ),
            ]
        ),
    ]
