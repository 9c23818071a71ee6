"""Engines of these tests' own; nothing here needs Django's database."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from shelfops.embedded import config
from shelfops.embedded.engine import Engine

GUESTS = ["alice", "bob"]


@pytest.fixture(scope="session", autouse=True)
def migrated() -> None:
    """The project's own database is not wanted here."""


@pytest.fixture(scope="module", autouse=True)
def nothing_to_refresh() -> None:
    """Nor are its aggregates."""


@pytest.fixture(autouse=True)
def no_leftovers() -> None:
    """Nor are its connections."""


def provision(connection: psycopg.Connection, passwords: dict[str, str]) -> None:
    if connection.execute("SELECT 1 FROM pg_roles WHERE rolname = 'shelfops_app'").fetchone():
        return
    connection.execute("CREATE EXTENSION IF NOT EXISTS timescaledb")
    for key in passwords:
        connection.execute(f"CREATE ROLE {config.ROLES[key]} LOGIN")
    for guest in GUESTS:
        connection.execute(f"CREATE ROLE {guest} LOGIN")
        connection.execute(f"CREATE SCHEMA {guest} AUTHORIZATION {guest}")
    connection.execute("GRANT CREATE ON SCHEMA public TO shelfops_owner")


def admit_guests(engine: Engine) -> None:
    """Let the guests log in: the server reads the passwords at every log-in."""
    state = config.load_state(engine.directory)
    guests = {guest: f"{guest}'s secret" for guest in GUESTS}
    config.change_state(engine.directory, state, passwords=state.passwords | guests)


@dataclass
class Server:
    engine: Engine

    def url(self, role: str) -> str:
        if role in config.ROLES:
            return self.engine.url(role)
        port = config.load_state(self.engine.directory).port
        return f"postgresql://{role}:{role}'s%20secret@127.0.0.1:{port}/shelfops"

    def connect(self, role: str = "app", **options) -> psycopg.Connection:
        return psycopg.connect(self.url(role), **{"autocommit": True, **options})


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """An engine in memory that these tests share."""
    with Engine(None, provision=provision) as engine:
        admit_guests(engine)
        yield Server(engine)


@pytest.fixture
def connect(server: Server) -> Iterator[Callable[..., psycopg.Connection]]:
    opened: list[psycopg.Connection] = []

    def open_connection(role: str = "app", **options) -> psycopg.Connection:
        opened.append(server.connect(role, **options))
        return opened[-1]

    yield open_connection
    for connection in opened:
        connection.close()


@pytest.fixture
def start_engine(tmp_path: Path) -> Iterator[Callable[..., Engine]]:
    """Starts engines that end with the test, in `tmp_path` unless told otherwise."""
    started: list[Engine] = []

    def start(directory: Path | None = tmp_path, **options) -> Engine:
        engine = Engine(directory, provision=provision, **options)
        started.append(engine)
        engine.start()
        return engine

    yield start
    for engine in started:
        engine.stop()
