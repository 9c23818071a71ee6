"""The tenant policies are the application's and the owner's: an operator's role only reads.

A policy for everybody let the operator's role, which may write customers and operators, write
the users of whichever customer it set. Its own policies say what it may write.
"""

from django.db import migrations
from django.db.migrations import RunSQL

CHANGE = """
DO $$
DECLARE
    policy record;
BEGIN
    FOR policy IN SELECT tablename, policyname FROM pg_policies
                  WHERE schemaname = 'public' AND policyname = tablename || '_tenant' LOOP
        EXECUTE format('ALTER POLICY %I ON public.%I TO {}', policy.policyname, policy.tablename);
    END LOOP;
END $$;
"""


class Migration(migrations.Migration):
    dependencies = [("tenancy", "0005_no_temporary")]

    operations = [RunSQL(CHANGE.format("shelfops_app, shelfops_owner"), CHANGE.format("PUBLIC"))]
