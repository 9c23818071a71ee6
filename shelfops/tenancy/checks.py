"""System checks of the database: is it TimescaleDB Community, and is every tenant row guarded?

They run with `manage.py check --database default`, with `migrate`, and at the start of the web
process, which they stop.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import psycopg
from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, register
from django.db import DatabaseError, connections

from shelfops.tenancy.keys import told_activities, unknown_key
from shelfops.tenancy.walls import Wall

OLDEST_POSTGRES = 16
OLDEST_TIMESCALE = (2, 23)


def rows(alias: str, statement: str, params: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
    with connections[alias].cursor() as cursor:
        cursor.execute(statement, params)
        return list(cursor.fetchall())


@register(Tags.database)
def check_database(
    app_configs: Any = None, databases: Sequence[str] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    """All checks, for the aliases asked for; what cannot be reached is named, not raised."""
    messages: list[CheckMessage] = []
    for alias in databases or ():
        if alias not in connections:
            messages.append(
                Error(
                    f"{settings.ALIASES[alias]} is not set, or withheld from this process.",
                    hint="`manage.py provision_database ADMIN_URL` prints it. Commands need it,"
                    " the web does not.",
                    id="shelfops.E007",
                )
            )
            continue
        try:
            reach(alias)
            messages += engine_errors(alias)
            if alias == "default" and not messages:
                messages += [*powers(alias), *Wall(alias).messages()]
                messages += [*unknown_key(alias), *told_activities(alias)]
        except (DatabaseError, psycopg.Error) as error:
            reason = str(error).strip().splitlines()[0]
            messages.append(
                Error(
                    f"{settings.ALIASES[alias]} cannot be used: {reason}",
                    hint="Start the server, or correct the URL; `manage.py provision_database"
                    " ADMIN_URL` makes database and roles and prints the URLs.",
                    id="shelfops.E007",
                )
            )
    return messages


def reach(alias: str) -> None:
    """Connect past the pool, which would keep the reason of a failure to itself for 30 s."""
    psycopg.connect(**connections[alias].get_connection_params()).close()


def engine_errors(alias: str) -> list[CheckMessage]:
    """TimescaleDB missing (E001), Apache edition (E002), too old (E003, E008)."""
    hint = "Install TimescaleDB Community 2.23 or newer for PostgreSQL 16 to 18."
    [(version, licence, server)] = rows(
        alias,
        "SELECT (SELECT extversion FROM pg_extension WHERE extname = 'timescaledb'),"
        " current_setting('timescaledb.license', true),"
        " current_setting('server_version_num')::int / 10000",
    )
    if server < OLDEST_POSTGRES:
        return [Error(f"PostgreSQL {server} is too old.", hint=hint, id="shelfops.E008")]
    if version is None:
        hint += " Then run `manage.py provision_database ADMIN_URL`."
        return [Error("The database has no TimescaleDB.", hint=hint, id="shelfops.E001")]
    if licence == "apache":
        return [
            Error(
                "The server runs TimescaleDB's Apache edition, which has no columnstore.",
                hint="Set timescaledb.license = timescale in postgresql.conf, with the Community"
                " packages installed, and restart the server.",
                id="shelfops.E002",
            )
        ]
    if tuple(int(part) for part in version.split("-")[0].split(".")[:2]) < OLDEST_TIMESCALE:
        return [Error(f"TimescaleDB {version} is too old.", hint=hint, id="shelfops.E003")]
    return []


def powers(alias: str) -> Iterator[CheckMessage]:
    """What lets the web's log-in go around the policies (E006)."""
    [(name, is_super, bypasses, owner, schema)] = rows(
        alias,
        """
        SELECT rolname, rolsuper, rolbypassrls,
               EXISTS (SELECT FROM pg_roles o
                       WHERE o.rolname IN ('shelfops_owner', 'shelfops_operator')
                         AND pg_has_role(r.rolname, o.oid, 'MEMBER')),
               coalesce(has_schema_privilege(to_regnamespace('timeseries'), 'USAGE'), false)
        FROM pg_roles r WHERE rolname = current_user
        """,
    )
    reasons = {
        "is a superuser": is_super,
        "has BYPASSRLS": bypasses,
        "is a member of shelfops_owner or shelfops_operator": owner,
        "may use schema timeseries": schema,
    }
    for reason, holds in reasons.items():
        if holds:
            yield Error(
                f"DATABASE_URL logs in as {name}, which {reason}.",
                hint="Use the log-in shelfops_app that `manage.py provision_database` makes.",
                id="shelfops.E006",
            )
    yield from reachable_base_tables(alias)


def reachable_base_tables(alias: str) -> Iterator[CheckMessage]:
    """Hypertables, chunks and aggregates that the web's log-in could read or write (E006)."""
    for (name,) in rows(
        alias,
        """
        SELECT c.oid::regclass::text FROM pg_class AS c
        WHERE c.relkind IN ('r', 'v', 'm', 'p', 'f')
          AND c.relnamespace::regnamespace::text
              IN ('timeseries', '_timescaledb_internal')
          AND (has_table_privilege(c.oid, 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE')
               OR has_any_column_privilege(c.oid, 'SELECT, INSERT, UPDATE'))
          AND NOT EXISTS (SELECT FROM pg_depend AS d
                          WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid
                            AND d.deptype = 'e')
        ORDER BY 1
        """,
    ):
        yield Error(
            f"The web's log-in may reach {name} without the tenant view.",
            hint=f"REVOKE ALL ON {name} FROM PUBLIC, shelfops_app.",
            id="shelfops.E006",
        )
