"""Whether all that the web's log-in can reach keeps to one customer: judged from the catalogue.

Each relation, policy, view, rule, function and schema is looked at, not the names that we know:
what nobody thought of is found, too. What cannot be judged by its form stands in reviewed.py.
"""

import hashlib
import re
from collections.abc import Iterator
from typing import Any

from django.core.checks import CheckMessage, Error, Warning
from django.db import connections, transaction

from shelfops.tenancy.executable import open_routines
from shelfops.tenancy.provision import ROLES, SETTINGS
from shelfops.tenancy.reviewed import EXPRESSIONS, REVIEWED, UNGUARDED

PROVISION = (
    "Run `manage.py provision_database ADMIN_URL` as a superuser: it is the step after a restore"
    " and after an update of TimescaleDB."
)
# As PostgreSQL prints them while nothing but pg_catalog is on the search path.
OWN_ROWS = "(customer_id = ( SELECT public.current_customer_id() AS current_customer_id))"
OWN_ROW = "(customer_id = public.current_customer_id())"
# One relation, no sub-select but the one for the customer, which stands last and is all.
OWN_VIEW = re.compile(
    r" SELECT (?:(?!\bSELECT\b).)*\n   FROM [^\s,]+\n  WHERE "
    f"(?:{re.escape(OWN_ROWS)}|{re.escape(OWN_ROW)});",
    re.DOTALL,
)

# Relations that are ours to judge: all of public, and whatever else the log-in has a right on.
# TimescaleDB's own schemas and timeseries are judged by checks.reachable_base_tables.
RELATIONS = """
SELECT c.oid, c.oid::regclass::text AS name, c.relkind, c.relrowsecurity, c.relforcerowsecurity,
       coalesce(c.reloptions, '{}') AS options,
       CASE WHEN c.relkind = 'v' THEN pg_get_viewdef(c.oid) END AS definition
FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f')
  AND n.nspname !~ '^(pg_|information_schema$|timeseries$|_timescaledb)'
  AND (n.nspname = 'public'
       OR has_table_privilege(c.oid, 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE')
       OR has_any_column_privilege(c.oid, 'SELECT, INSERT, UPDATE'))
  AND NOT EXISTS (SELECT FROM pg_depend AS d
                  WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
ORDER BY 2
"""
# Permissive policies that open a table to the log-in, with what they ask of old and new rows.
POLICIES = """
SELECT p.polname, pg_get_expr(p.polqual, p.polrelid), pg_get_expr(p.polwithcheck, p.polrelid)
FROM pg_policy AS p
WHERE p.polrelid = %s AND p.polpermissive
  AND EXISTS (SELECT FROM unnest(p.polroles) AS role
              WHERE CASE WHEN role = 0 THEN true ELSE pg_has_role(role, 'USAGE') END)
ORDER BY 1
"""
RULES = """
SELECT 'rule ' || quote_ident(rulename) || ' on ' || ev_class::regclass, pg_get_ruledef(oid)
FROM pg_rewrite WHERE rulename <> '_RETURN' AND ev_class = %s
ORDER BY 1
"""
# Functions that run with other rights than the caller's, called or fired by a trigger.
DEFINERS = """
SELECT p.oid::regprocedure::text, p.proowner::regrole || chr(10) || pg_get_functiondef(p.oid)
FROM pg_proc AS p JOIN pg_namespace AS n ON n.oid = p.pronamespace
WHERE p.prosecdef AND n.nspname !~ '^(pg_|information_schema$)'
  AND (has_function_privilege(p.oid, 'EXECUTE') OR p.prorettype = 'trigger'::regtype)
  AND NOT EXISTS (SELECT FROM pg_depend AS d
                  WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e')
ORDER BY 1
"""


class Wall:
    """Asks as the log-in `alias`, with names printed in full."""

    def __init__(self, alias: str) -> None:
        self.alias = alias

    def rows(self, statement: Any, params: list[Any] | None = None) -> list[tuple[Any, ...]]:
        with transaction.atomic(using=self.alias), connections[self.alias].cursor() as cursor:
            cursor.execute("SELECT set_config('search_path', 'pg_catalog', true)")
            cursor.execute(statement, params)
            return list(cursor.fetchall())

    def messages(self) -> Iterator[CheckMessage]:
        for oid, name, kind, secured, forced, options, definition in self.rows(RELATIONS):
            if kind in "rp":
                yield from self.table(oid, name, secured, forced)
            elif not (kind == "v" and is_own_view(options, definition)):
                yield unguarded(name, "view" if kind in "vm" else "foreign table")
            yield from self.reviewed(self.rows(RULES, [oid]))
        yield from self.reviewed(self.rows(DEFINERS))
        yield from self.executable()
        yield from self.doors()
        yield from self.settings()

    def table(self, oid: int, name: str, secured: bool, forced: bool) -> Iterator[CheckMessage]:
        if name in UNGUARDED:
            return
        policies = self.rows(POLICIES, [oid]) if secured else []
        if not policies:
            yield unguarded(name, "table")
            return
        if not forced:
            yield Error(
                f"Row-level security of {name} does not bind its owner.",
                hint=f"ALTER TABLE {name} FORCE ROW LEVEL SECURITY.",
                id="shelfops.E005",
            )
        for policy, old, new in policies:
            for expression in {old, new} - {None}:
                if not is_own(expression) and expression not in EXPRESSIONS.get(policy, ()):
                    yield Error(
                        f"The policy {policy} on {name} lets more through than the customer's own"
                        f" rows: {expression}",
                        hint=f"A permissive policy asks {OWN_ROWS}, and more only with AND. If"
                        " this one has to ask something else, review it and add it to EXPRESSIONS"
                        " in shelfops/tenancy/reviewed.py.",
                        id="shelfops.E012",
                    )

    def reviewed(self, found: list[tuple[str, str]]) -> Iterator[CheckMessage]:
        """Rules and functions with others' rights, each as somebody has read it (E013)."""
        for name, definition in found:
            if fingerprint(definition) not in REVIEWED.get(name, "").split():
                yield Error(
                    f"{name} works with the rights of its owner, and nobody has reviewed it as it"
                    " is.",
                    hint="It must give and change rows of current_customer_id() alone. Then add"
                    f' "{name}": "{fingerprint(definition)}" to REVIEWED in'
                    " shelfops/tenancy/reviewed.py, with why.",
                    id="shelfops.E013",
                )

    def executable(self) -> Iterator[CheckMessage]:
        """Functions that act on others and that everybody may execute (E014)."""
        names = [name for (name,) in self.rows(open_routines().as_string())]
        if names:
            more = f" and {len(names) - 3} more" if len(names) > 3 else ""
            yield Error(
                f"The web's log-in may execute {', '.join(names[:3])}{more}.",
                hint=PROVISION,
                id="shelfops.E014",
            )

    def doors(self) -> Iterator[CheckMessage]:
        """What everybody may do in this database (E015), and which others are open (W001)."""
        for what in (what for what, is_open in self.rows(DOORS) if is_open):
            yield Error(f"Everybody may {what}.", hint=PROVISION, id="shelfops.E015")
        if others := [name for (name,) in self.rows(OTHER_DATABASES)]:
            yield Warning(
                f"The web's log-in may enter {', '.join(others)} on the same server, and end the"
                " web's sessions from there.",
                hint="REVOKE CONNECT ON DATABASE ... FROM PUBLIC, or a server of ShelfOps's own.",
                id="shelfops.W001",
            )

    def settings(self) -> Iterator[CheckMessage]:
        """What a role has set for all its sessions to come, which it may by itself (E016)."""
        expected = {
            (ROLES[key], f"{name}={value}")
            for key, settings in SETTINGS.items()
            for name, value in settings.items()
        }
        stands = {(role, setting) for role, setting in self.rows(ROLE_SETTINGS)}
        for role, setting in sorted(stands ^ expected):
            is_there = (role, setting) in stands
            yield Error(
                f"ALTER ROLE {role} SET {setting} {'stands' if is_there else 'is missing'} in the"
                " database, and provisioning says otherwise.",
                hint=PROVISION,
                id="shelfops.E016",
            )


DOORS = """
SELECT what, is_open FROM (VALUES
    ('log in to this database', has_database_privilege('public', current_database(), 'CONNECT')),
    ('make temporary tables', has_database_privilege('public', current_database(), 'TEMPORARY'))
) AS door (what, is_open)
UNION ALL
SELECT 'use schema ' || nspname, has_schema_privilege('public', oid, 'USAGE, CREATE')
FROM pg_namespace WHERE nspname IN ('public', 'timeseries', 'private')
"""
# Provisioning takes the means from everybody in postgres and template1, which are always there.
OTHER_DATABASES = """
SELECT datname FROM pg_database
WHERE datallowconn AND datname NOT IN (current_database(), 'postgres', 'template1')
  AND datdba <> 'shelfops_owner'::regrole AND has_database_privilege(oid, 'CONNECT')
ORDER BY 1
"""
ROLE_SETTINGS = """
SELECT setrole::regrole::text, unnest(setconfig)
FROM pg_db_role_setting
WHERE setrole IN (SELECT oid FROM pg_roles WHERE rolname LIKE 'shelfops\\_%')
  AND setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
"""


def is_own(expression: str) -> bool:
    """OWN_ROWS alone, or as the first of conditions that must all hold.

    PostgreSQL prints each AND and OR with brackets around, so the beginning tells.
    """
    return expression in (OWN_ROWS, OWN_ROW) or expression.startswith(f"({OWN_ROWS} AND ")


def is_own_view(options: list[str], definition: str) -> bool:
    """A barrier over one relation's rows of the customer; or a view with the caller's rights."""
    if {"security_invoker=true", "security_invoker=on"} & set(options):
        return True
    return "security_barrier=true" in options and bool(OWN_VIEW.fullmatch(definition))


def fingerprint(definition: str) -> str:
    return hashlib.sha256(definition.encode()).hexdigest()[:16]


def unguarded(name: str, what: str) -> Error:
    return Error(
        f"The {what} {name} is guarded by no policy and is no known exception.",
        hint="Use tenant_table() or tenant_view() in its migration. If it holds nothing of a"
        " customer, add it to UNGUARDED in shelfops/tenancy/reviewed.py with the reason.",
        id="shelfops.E004",
    )
