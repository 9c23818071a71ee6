"""How a session with the database begins, and how it is cleaned before somebody else gets it.

Start-up options win over what a role has been given by ALTER ROLE, which it can do to itself,
and `DISCARD ALL` returns to them. PgBouncer passes none: see compose.yaml.
"""

from collections.abc import Mapping
from typing import Any

import psycopg

# Temporary objects come last, so that none stands in for a table or function of ours.
SESSION = {"search_path": "public,pg_temp", "TimeZone": "UTC"}
# The web's; imports and jobs may take hours. Nobody waits longer at a page, and a request that
# holds a transaction without using it would hold back everybody else.
WEB = {
    "statement_timeout": "60s",
    "lock_timeout": "10s",
    "idle_in_transaction_session_timeout": "60s",
}


def limit(config: dict[str, Any], settings: Mapping[str, str]) -> None:
    """Add start-up options to Django's settings of a database, before it is connected to."""
    given = config["OPTIONS"].get("options", "")
    ours = " ".join(f"-c {name}={value}" for name, value in settings.items())
    config["OPTIONS"] = {**config["OPTIONS"], "options": f"{given} {ours}".strip()}


def clean(connection: psycopg.Connection[Any]) -> None:
    """For the pool: leave nothing of a session in the connection; one that fails is closed."""
    connection.autocommit = True
    connection.execute("DISCARD ALL")
