"""Queries do not run in parallel: TimescaleDB would lose rows of them (see shelfops.E009).

A database made before provisioning said so gets the setting here, if it is the owner role's, as
`provision_database` makes it. Another is left to the check, which says what to do. New
connections have it.
"""

from django.db import migrations
from django.db.migrations import RunSQL

SWITCH_OFF = """
DO $$
BEGIN
    IF (SELECT pg_has_role(datdba, 'USAGE') FROM pg_database WHERE datname = current_database())
    THEN
        EXECUTE format('ALTER DATABASE %I SET max_parallel_workers_per_gather = 0',
                       current_database());
    END IF;
END $$;
"""


class Migration(migrations.Migration):
    dependencies = [("timescale", "0001_initial")]

    # Taking it back would bring the wrong figures back, and undo what provisioning has set.
    operations = [RunSQL(SWITCH_OFF, RunSQL.noop)]
