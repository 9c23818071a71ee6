"""Make the database, the extension and the three roles that ShelfOps runs with.

Knows nothing of Django: the embedded engine calls it before settings exist.
"""

import secrets

from psycopg import Connection, sql

from shelfops.tenancy.executable import close

ROLES = {"owner": "shelfops_owner", "app": "shelfops_app", "operator": "shelfops_operator"}

# What `ALTER ROLE ... SET` says of each role, and nothing else: a role may change most of its own
# settings for all its sessions to come, so a check finds whatever is not from here.
PATH = {"search_path": "public, pg_temp"}
SETTINGS: dict[str, dict[str, str]] = {
    "owner": PATH,
    # What one session asks is nobody else's to read, also not its parameters.
    "app": {**PATH, "track_activities": "off"},
    "operator": PATH,
}

AVAILABLE = "SELECT 1 FROM pg_available_extensions WHERE name = 'timescaledb'"

# Keeps two provisioning runs on one server from altering the same roles at once.
LOCK = 7_305_114_521


class ProvisionError(RuntimeError):
    """The server cannot be used as it is; the text says what to do."""


def provision(connection: Connection, passwords: dict[str, str]) -> None:
    """Roles, extension, schemas and grants in the connected database; may be run again.

    `connection` is a superuser's in autocommit mode; `passwords` has ROLES' keys.
    """
    require_timescaledb(connection)
    provision_roles(connection, passwords)
    provision_database(connection)


def require_timescaledb(connection: Connection) -> None:
    """ProvisionError before anything is made, if the server cannot do."""
    if not connection.execute(AVAILABLE).fetchone():
        raise ProvisionError(
            "This server has no TimescaleDB. Install TimescaleDB Community 2.23 or newer for its"
            " PostgreSQL version, and add timescaledb to shared_preload_libraries."
        )


def provision_roles(
    connection: Connection, passwords: dict[str, str] | None = None
) -> dict[str, str]:
    """The three log-ins: none a superuser, none above row-level security, none in another.

    Roles belong to the whole server: without `passwords`, those that are there keep theirs, and
    the new ones get random ones. Returns the passwords that were set.
    """
    with connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
        there = connection.execute("SELECT rolname FROM pg_roles").fetchall()
        missing = {key for key, role in ROLES.items() if (role,) not in there}
        if passwords is None:
            passwords = {key: secrets.token_urlsafe(32) for key in missing}
        for key, role in ROLES.items():
            verb = sql.SQL("CREATE" if key in missing else "ALTER")
            word = (
                sql.SQL("PASSWORD {}").format(passwords[key]) if key in passwords else sql.SQL("")
            )
            connection.execute(
                sql.SQL(
                    "{verb} ROLE {role} LOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE"
                    " NOREPLICATION {word}"
                ).format(verb=verb, role=sql.Identifier(role), word=word)
            )
            set_role(connection, role, SETTINGS[key])
    return passwords


def set_role(connection: Connection, role: str, settings: dict[str, str]) -> None:
    """The role's settings in all databases: these, and no others."""
    name = sql.Identifier(role)
    connection.execute(sql.SQL("ALTER ROLE {} RESET ALL").format(name))
    for setting, value in settings.items():
        connection.execute(
            sql.SQL("ALTER ROLE {} SET {} = {}").format(
                name, sql.Identifier(setting), sql.SQL(value)
            )
        )


# Every server has them and lets everybody in: from there, too, a role could end its sessions here.
NEIGHBOURS = ("postgres", "template1")


def keep_signals(connection: Connection) -> None:
    """Leave ending others' work in the connected database to those who are made for it."""
    with connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
        connection.execute(
            """
            REVOKE EXECUTE ON FUNCTION pg_terminate_backend(integer, bigint),
                pg_cancel_backend(integer) FROM PUBLIC;
            GRANT EXECUTE ON FUNCTION pg_terminate_backend(integer, bigint),
                pg_cancel_backend(integer) TO pg_signal_backend;
            """
        )


def create_database(connection: Connection, name: str) -> None:
    """The database `name`, the owner role's, if the server has none of that name."""
    if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone():
        connection.execute(
            sql.SQL(
                "CREATE DATABASE {} OWNER shelfops_owner TEMPLATE template0 ENCODING 'UTF8'"
            ).format(sql.Identifier(name))
        )


def provision_database(connection: Connection) -> None:
    """Extension, schemas and grants of the connected database.

    Also what puts a restored one, or one whose extension has been updated, right again.
    """
    connection.execute("CREATE EXTENSION IF NOT EXISTS timescaledb")
    name = connection.info.dbname
    # For every role and job: TimescaleDB's parallel plans lose rows (shelfops.E009).
    connection.execute(
        sql.SQL("ALTER DATABASE {} SET max_parallel_workers_per_gather = 0").format(
            sql.Identifier(name)
        )
    )
    for role in ROLES.values():
        connection.execute(
            sql.SQL("ALTER ROLE {} IN DATABASE {} RESET ALL").format(
                sql.Identifier(role), sql.Identifier(name)
            )
        )
    connection.execute(
        sql.SQL(
            """
            REVOKE ALL ON DATABASE {database} FROM PUBLIC;
            GRANT CONNECT, CREATE, TEMPORARY ON DATABASE {database} TO shelfops_owner;
            REVOKE ALL ON DATABASE {database} FROM shelfops_app, shelfops_operator;
            GRANT CONNECT ON DATABASE {database} TO shelfops_app, shelfops_operator;
            ALTER SCHEMA public OWNER TO shelfops_owner;
            REVOKE ALL ON SCHEMA public FROM PUBLIC;
            GRANT USAGE ON SCHEMA public TO shelfops_app, shelfops_operator;
            CREATE SCHEMA IF NOT EXISTS timeseries AUTHORIZATION shelfops_owner;
            REVOKE ALL ON SCHEMA timeseries FROM PUBLIC, shelfops_app;
            GRANT USAGE ON SCHEMA timeseries TO shelfops_operator;
            """
        ).format(database=sql.Identifier(name))
    )
    close(connection)
