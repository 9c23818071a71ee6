"""The application makes no temporary tables.

One called `users` stands before the real one for every later request on the same connection.
"""

from django.db import migrations
from django.db.migrations import RunSQL

CHANGE = """
DO $$ BEGIN
    EXECUTE format('{} TEMPORARY ON DATABASE %I {} shelfops_app, shelfops_operator',
                   current_database());
END $$;
"""


class Migration(migrations.Migration):
    dependencies = [("tenancy", "0004_log_ins"), ("tenancy", "0004_turns")]

    operations = [RunSQL(CHANGE.format("REVOKE", "FROM"), CHANGE.format("GRANT", "TO"))]
