"""Versions of users and customers, and the function that counts those of every table."""

import django.utils.timezone
from django.db import migrations, models
from django.db.migrations import RunSQL

from shelfops.tenancy.operations import versioned_table

# Compared as jsonb, in which 1.5 is 1.50. The argument names columns of no account: stamps of the
# time, and what no form shows.
KEEP_VERSION = """
CREATE OR REPLACE FUNCTION public.keep_version() RETURNS trigger
LANGUAGE plpgsql AS $$
DECLARE
    passed_over text[] := '{version,changed_at,changed_by}'::text[] || TG_ARGV[0]::text[];
BEGIN
    IF to_jsonb(NEW) - passed_over = to_jsonb(OLD) - passed_over THEN
        NEW.version := OLD.version;
        NEW.changed_at := OLD.changed_at;
        NEW.changed_by := OLD.changed_by;
    ELSE
        NEW.version := OLD.version + 1;
        NEW.changed_at := now();
        NEW.changed_by := public.current_user_id();
    END IF;
    RETURN NEW;
END $$;
"""
# Operators read single columns of users.
OPERATOR_READS = "GRANT SELECT (version, changed_at, changed_by) ON users TO shelfops_operator;"


def version_fields(model: str) -> list[migrations.AddField]:
    fields = {
        "version": models.PositiveIntegerField(default=1, editable=False),
        "changed_at": models.DateTimeField(default=django.utils.timezone.now, editable=False),
        "changed_by": models.UUIDField(editable=False, null=True),
    }
    return [migrations.AddField(model, name, field) for name, field in fields.items()]


class Migration(migrations.Migration):
    dependencies = [("tenancy", "0007_acting_ends")]

    operations = [
        RunSQL(KEEP_VERSION, "DROP FUNCTION IF EXISTS public.keep_version();"),
        versioned_table("users", "{last_login,password}"),
        RunSQL(OPERATOR_READS, RunSQL.noop),
        versioned_table("customers"),
        migrations.SeparateDatabaseAndState(
            state_operations=[*version_fields("user"), *version_fields("customer")]
        ),
    ]
