"""Make the database, the extension and the three roles that ShelfOps runs with.

Knows nothing of Django: the embedded engine calls it before settings exist.
"""

import hmac

from psycopg import Connection, sql

ROLES = {"owner": "shelfops_owner", "app": "shelfops_app", "operator": "shelfops_operator"}

AVAILABLE = "SELECT 1 FROM pg_available_extensions WHERE name = 'timescaledb'"

# Keeps two provisioning runs on one server from altering the same roles at once.
LOCK = 7_305_114_521


class ProvisionError(RuntimeError):
    """The server cannot be used as it is; the text says what to do."""


def derive_passwords(secret: str, host: str, port: int) -> dict[str, str]:
    """The roles' passwords for one server: always the same for the same secret."""
    return {
        key: hmac.digest(secret.encode(), f"{host}:{port}:{role}".encode(), "sha256").hex()[:40]
        for key, role in ROLES.items()
    }


def provision(connection: Connection, passwords: dict[str, str]) -> None:
    """Roles, extension, schemas and grants in the connected database; may be run again.

    `connection` is a superuser's in autocommit mode; `passwords` maps owner, app and operator.
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


def provision_roles(connection: Connection, passwords: dict[str, str]) -> None:
    """The three log-ins: none a superuser, none above row-level security, none in another."""
    with connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
        for key, role in ROLES.items():
            exists = connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [role])
            verb = sql.SQL("ALTER" if exists.fetchone() else "CREATE")
            connection.execute(
                sql.SQL(
                    "{verb} ROLE {role} LOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE"
                    " NOREPLICATION PASSWORD {password};"
                    "ALTER ROLE {role} SET search_path = public, pg_temp"
                ).format(verb=verb, role=sql.Identifier(role), password=passwords[key])
            )
        # What one session asks is nobody else's to read, also not its parameters.
        connection.execute("ALTER ROLE shelfops_app SET track_activities = off")


def create_database(connection: Connection, name: str) -> None:
    """The database `name`, the owner role's, if the server has none of that name."""
    if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone():
        connection.execute(
            sql.SQL(
                "CREATE DATABASE {} OWNER shelfops_owner TEMPLATE template0 ENCODING 'UTF8'"
            ).format(sql.Identifier(name))
        )


def provision_database(connection: Connection) -> None:
    """Extension, schemas and grants of the connected database."""
    connection.execute("CREATE EXTENSION IF NOT EXISTS timescaledb")
    name = connection.info.dbname
    # For every role and job: TimescaleDB's parallel plans lose rows (shelfops.E009).
    connection.execute(
        sql.SQL("ALTER DATABASE {} SET max_parallel_workers_per_gather = 0").format(
            sql.Identifier(name)
        )
    )
    connection.execute(
        sql.SQL(
            """
            REVOKE ALL ON DATABASE {database} FROM PUBLIC;
            GRANT CONNECT, CREATE, TEMPORARY ON DATABASE {database} TO shelfops_owner;
            GRANT CONNECT, TEMPORARY ON DATABASE {database} TO shelfops_app, shelfops_operator;
            ALTER SCHEMA public OWNER TO shelfops_owner;
            REVOKE ALL ON SCHEMA public FROM PUBLIC;
            GRANT USAGE ON SCHEMA public TO shelfops_app, shelfops_operator;
            CREATE SCHEMA IF NOT EXISTS timeseries AUTHORIZATION shelfops_owner;
            REVOKE ALL ON SCHEMA timeseries FROM PUBLIC, shelfops_app;
            GRANT USAGE ON SCHEMA timeseries TO shelfops_operator;
            """
        ).format(database=sql.Identifier(name))
    )
