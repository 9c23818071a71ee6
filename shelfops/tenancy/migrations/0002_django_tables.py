"""Put Django's own tables under the tenant rule: sessions and the admin's log."""

from django.db import migrations
from django.db.migrations import RunSQL

from shelfops.tenancy.operations import OWN_ROWS, tenant_table

# A session is seen by its key, which only its browser knows. The owner clears expired ones.
SESSION_BY_KEY = "session_key = (SELECT nullif(current_setting('app.session_key', true), ''))"
SESSIONS = """
DROP POLICY IF EXISTS django_session_expired ON django_session;
CREATE POLICY django_session_expired ON django_session TO shelfops_owner
    USING (expire_date < now());
DROP POLICY IF EXISTS django_session_operator ON django_session;
REVOKE ALL ON django_session FROM shelfops_operator;
"""

# Django writes the log without knowing the column; the default fills it. What an operator
# changes outside any customer is their own to see.
ADMIN_LOG = """
ALTER TABLE django_admin_log
    ADD COLUMN IF NOT EXISTS customer_id uuid DEFAULT current_customer_id() REFERENCES customers;
CREATE INDEX IF NOT EXISTS idx_admin_log_customer ON django_admin_log (customer_id, action_time);
"""
OWN_LOG = f"{OWN_ROWS} OR (customer_id IS NULL AND user_id = (SELECT current_user_id()))"

READ_ONLY = (
    "django_migrations, django_content_type, auth_permission, auth_group, auth_group_permissions"
)


class Migration(migrations.Migration):
    dependencies = [
        ("tenancy", "0001_initial"),
        ("sessions", "0001_initial"),
        ("admin", "0003_logentry_add_action_flag_choices"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
    ]

    operations = [
        tenant_table("django_session", own_rows=SESSION_BY_KEY),
        RunSQL(SESSIONS, "DROP POLICY IF EXISTS django_session_expired ON django_session;"),
        RunSQL(ADMIN_LOG, "ALTER TABLE django_admin_log DROP COLUMN IF EXISTS customer_id;"),
        tenant_table("django_admin_log", "SELECT, INSERT", OWN_LOG),
        RunSQL(
            f"GRANT SELECT ON {READ_ONLY} TO shelfops_app, shelfops_operator;",
            f"REVOKE ALL ON {READ_ONLY} FROM shelfops_app, shelfops_operator;",
        ),
    ]
