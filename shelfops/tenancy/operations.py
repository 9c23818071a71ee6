"""Migration operations that put a table or view under the tenant rule.

Migrations depend on what these print, so they are frozen: add a new one instead of changing
one. Everything they run may be run again without harm.
"""

from collections.abc import Mapping

from django.db.migrations import RunSQL

# An uncorrelated sub-select is worked out once per statement, not once per row.
OWN_ROWS = "customer_id = (SELECT current_customer_id())"


def tenant_table(
    table: str, privileges: str = "SELECT, INSERT, UPDATE, DELETE", own_rows: str = OWN_ROWS
) -> RunSQL:
    """Row-level security for an ordinary table of schema public.

    `privileges` are the application's; the operator may read. FORCE puts the owner under the
    policy too, so that a view or function of the owner's cannot become a way around it. (The
    policy was for everybody once; 0006_operators_read changes it where it was made so.)
    """
    return RunSQL(
        f"""
        ALTER TABLE {table} ENABLE ROW LEVEL SECURITY;
        ALTER TABLE {table} FORCE ROW LEVEL SECURITY;
        DROP POLICY IF EXISTS {table}_tenant ON {table};
        CREATE POLICY {table}_tenant ON {table} TO shelfops_app, shelfops_owner
            USING ({own_rows}) WITH CHECK ({own_rows});
        DROP POLICY IF EXISTS {table}_operator ON {table};
        CREATE POLICY {table}_operator ON {table} FOR SELECT TO shelfops_operator USING (true);
        REVOKE ALL ON {table} FROM PUBLIC, shelfops_app, shelfops_operator;
        GRANT {privileges} ON {table} TO shelfops_app;
        GRANT SELECT ON {table} TO shelfops_operator;
        """,
        f"""
        REVOKE ALL ON {table} FROM shelfops_app, shelfops_operator;
        DROP POLICY IF EXISTS {table}_operator ON {table};
        DROP POLICY IF EXISTS {table}_tenant ON {table};
        ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY;
        ALTER TABLE {table} DISABLE ROW LEVEL SECURITY;
        """,
    )


def tenant_view(view: str, select: str, privileges: str = "SELECT") -> RunSQL:
    """A barrier view in public over the `timeseries` table or aggregate of the same name.

    `select` ends before the WHERE. The sub-select makes the customer an InitPlan, which the
    columnstore needs to prune segments. Views that are written through keep WITH CHECK OPTION.
    """
    check = "WITH CASCADED CHECK OPTION" if "INSERT" in privileges else ""
    return RunSQL(
        f"""
        CREATE OR REPLACE VIEW public.{view} WITH (security_barrier = true) AS
        {select} WHERE {OWN_ROWS} {check};
        REVOKE ALL ON public.{view} FROM PUBLIC, shelfops_app, shelfops_operator;
        GRANT {privileges} ON public.{view} TO shelfops_app;
        GRANT SELECT ON public.{view} TO shelfops_operator;
        """,
        f"DROP VIEW IF EXISTS public.{view};",
    )


def ledger_writes(
    view: str,
    columns: str,
    returning: str,
    defaults: Mapping[str, str] | None = None,
    key: str = "",
) -> RunSQL:
    """New rows of a ledger, through its view: the writer cannot say whose they are.

    The view's own INSERT would look at keys, and into the columnstore, before it checks the
    customer: ON CONFLICT DO NOTHING then tells whether another customer has a row. Here the
    customer is the transaction's, worked out once per statement; the application may name
    `columns` and no others. A row that is there already is left as it is, and not returned.
    `returning` gives the columns of the view; `defaults` those that a writer may leave out. With
    `key`, the columns of the ledger's key in brackets, the columnstore looks for it by its bloom
    filters instead of unpacking every batch of that time.
    """
    new = ", ".join(f"NEW.{column.strip()}" for column in columns.split(","))
    default = f"ALTER VIEW public.{view} ALTER COLUMN"
    set_defaults = "".join(f"{default} {c} SET DEFAULT {v};" for c, v in (defaults or {}).items())
    drop_defaults = "".join(f"{default} {column} DROP DEFAULT;" for column in defaults or {})
    return RunSQL(
        f"""
        CREATE OR REPLACE RULE {view}_insert AS ON INSERT TO public.{view} DO INSTEAD
        INSERT INTO timeseries.{view} (customer_id, {columns})
        VALUES ((SELECT current_customer_id()), {new})
        ON CONFLICT {key} DO NOTHING
        RETURNING {returning};
        {set_defaults}
        REVOKE INSERT ON public.{view} FROM shelfops_app;
        GRANT INSERT ({columns}) ON public.{view} TO shelfops_app;
        """,
        f"""
        REVOKE INSERT ({columns}) ON public.{view} FROM shelfops_app;
        GRANT INSERT ON public.{view} TO shelfops_app;
        {drop_defaults}
        DROP RULE IF EXISTS {view}_insert ON public.{view};
        """,
    )


def versioned_table(table: str, passed_over: str = "{}") -> RunSQL:
    """A version for each row of an ordinary table, which keep_version() of tenancy counts.

    Changes of the columns `passed_over` alone, an array, make no new version.
    """
    return RunSQL(
        f"""
        ALTER TABLE {table}
            ADD COLUMN IF NOT EXISTS version integer NOT NULL DEFAULT 1,
            ADD COLUMN IF NOT EXISTS changed_at timestamptz NOT NULL DEFAULT now(),
            ADD COLUMN IF NOT EXISTS changed_by uuid;
        CREATE OR REPLACE TRIGGER {table}_version BEFORE UPDATE ON {table}
            FOR EACH ROW EXECUTE FUNCTION keep_version('{passed_over}');
        """,
        f"""
        DROP TRIGGER IF EXISTS {table}_version ON {table};
        ALTER TABLE {table}
            DROP COLUMN IF EXISTS version,
            DROP COLUMN IF EXISTS changed_at,
            DROP COLUMN IF EXISTS changed_by;
        """,
    )
