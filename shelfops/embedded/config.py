"""The remembered port and passwords of an embedded engine, and the URLs made of them.

Importable from settings: starts nothing and does not import Django.
"""

import json
import os
import secrets
import socket
import tempfile
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from urllib.parse import quote

from shelfops.embedded.errors import DataFolderError

DATABASE = "shelfops"
ADMIN = "postgres"
ROLES = {
    "owner": "shelfops_owner",
    "app": "shelfops_app",
    "operator": "shelfops_operator",
    "admin": ADMIN,
}


@dataclass(frozen=True)
class State:
    port: int
    passwords: dict[str, str]
    """By role name."""

    def url(self, role: str) -> str:
        """The address for one of ROLES' keys."""
        name = ROLES[role]
        password = quote(self.passwords[name], safe="")
        return f"postgresql://{name}:{password}@127.0.0.1:{self.port}/{DATABASE}"


def embedded_directory(base_dir: Path) -> Path:
    return Path(base_dir) / ".shelfops" / "embedded"


def database_urls(base_dir: Path) -> dict[str, str]:
    """What settings use when DATABASE_URL is unset."""
    state = load_state(embedded_directory(base_dir))
    return {
        "DATABASE_URL": state.url("app"),
        "DATABASE_OWNER_URL": state.url("owner"),
        "DATABASE_OPERATOR_URL": state.url("operator"),
    }


def load_state(directory: Path) -> State:
    """The state kept in the directory; made there on the first call."""
    path = directory / "state.json"
    if not path.exists():
        _create(path, _new_state())
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
        return State(kept["port"], kept["passwords"])
    except (ValueError, TypeError, KeyError) as error:
        raise DataFolderError(
            f"{path} cannot be read ({error}). Remove it, or run: manage.py embedded reset"
        ) from error


def change_state(directory: Path, state: State, **changes: object) -> State:
    changed = replace(state, **changes)  # type: ignore[arg-type]
    partial = _written(directory, changed)
    partial.replace(directory / "state.json")
    return changed


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def _new_state() -> State:
    return State(free_port(), {name: secrets.token_urlsafe(24) for name in ROLES.values()})


def _create(path: Path, state: State) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    partial = _written(path.parent, state)
    try:
        os.link(partial, path)  # unlike a rename, leaves another process's state alone
    except FileExistsError:
        pass
    finally:
        partial.unlink()


def _written(directory: Path, state: State) -> Path:
    handle, name = tempfile.mkstemp(dir=directory, prefix="state-")  # mode 0600
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        json.dump(asdict(state), file)
    return Path(name)
