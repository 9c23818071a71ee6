"""Starts and stops an embedded TimescaleDB."""

import errno
import fcntl
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Self

import psycopg

from shelfops.embedded import config
from shelfops.embedded.errors import AlreadyRunning, DataFolderError, EngineError, PortOccupied
from shelfops.embedded.install import SERVER, install, node

Provision = Callable[[psycopg.Connection, dict[str, str]], None]

MAJOR_VERSION = "17"
START_SECONDS = 180  # a slow machine recovering a large log
STOP_SECONDS = 20
RESET = "To begin again with an empty database: manage.py embedded reset"


@dataclass(frozen=True)
class Status:
    running: bool
    port: int
    pid: int | None
    directory: Path


class Engine:
    """One embedded engine. As a context manager it lives no longer than this process.

    `directory` keeps state.json, lock, server.log and data/; None means in memory.
    """

    def __init__(
        self,
        directory: Path | None,
        *,
        provision: Provision | None = None,
        environment: dict[str, str] | None = None,
    ) -> None:
        self.in_memory = directory is None
        self.directory = directory or Path(tempfile.mkdtemp(prefix="shelfops-embedded-"))
        self._provision = provision
        self._environment = environment or {}
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def data(self) -> Path:
        return self.directory / "data"

    @property
    def log(self) -> Path:
        return self.directory / "server.log"

    def url(self, role: str = "app") -> str:
        return config.load_state(self.directory).url(role)

    def start(self, port: int | None = None, *, detached: bool = False) -> None:
        """Returns when the engine answers. Detached, it outlives this process."""
        install()
        state = config.load_state(self.directory)
        with self._lock() as lock:
            if not self.in_memory:
                check_data(self.data)
            if port is not None and port != state.port:
                state = config.change_state(self.directory, state, port=port)
            _require_free(state.port)
            self._forget_process()  # an earlier one that has ended by itself
            self._launch(state, lock, detached)
        try:
            self._provision_roles_and_database(state)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> bool:
        """Stops it gracefully. Returns whether it was running."""
        pid = self._running_pid()
        if pid is not None:
            self._end(pid)
        self._forget_process()
        if self.in_memory:
            shutil.rmtree(self.directory, ignore_errors=True)
        return pid is not None

    def status(self) -> Status:
        pid = self._running_pid()
        state = config.load_state(self.directory)
        return Status(pid is not None, state.port, pid, self.directory)

    def reset(self) -> None:
        """Removes every row; the port and the passwords stay."""
        if self._running_pid() is not None:
            raise AlreadyRunning("The embedded engine is running: stop it before a reset.")
        for leftover in (self.data, self.directory / "data.new"):
            shutil.rmtree(leftover, ignore_errors=True)
        try:
            config.load_state(self.directory)
        except DataFolderError:
            (self.directory / "state.json").unlink()

    def wait(self) -> int:
        """Until the engine ends by itself; for a foreground start."""
        if self._process is None:
            raise EngineError("The embedded engine was not started by this process.")
        return self._process.wait()

    # The lock is held through an open file that the server process inherits: exactly as
    # long as that process lives, however it ends.

    def _lock(self) -> IO[str]:
        path = self.directory / "lock"
        file = open(path, "a+", encoding="utf-8", opener=_private)  # noqa: SIM115
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            status = self.status()
            raise AlreadyRunning(
                f"The embedded engine already runs on 127.0.0.1:{status.port} "
                f"(process {status.pid}, {self.directory})."
            ) from None
        return file

    def _running_pid(self) -> int | None:
        path = self.directory / "lock"
        if not path.exists():
            return None
        with path.open("r+", encoding="utf-8") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                text = file.read().strip()
                return int(text) if text else None
        return None

    def _launch(self, state: config.State, lock: IO[str], detached: bool) -> None:
        with open(self.log, "a", encoding="utf-8", opener=_private) as log:
            process = subprocess.Popen(  # noqa: S603 - our own program and arguments
                self._command(state, detached),
                stdin=subprocess.DEVNULL if detached else subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                pass_fds=(lock.fileno(),),
                start_new_session=True,  # Ctrl-C reaches it only through its parent
                env={**os.environ, **self._environment},
                text=True,
            )
        lock.truncate(0)
        lock.write(str(process.pid))
        lock.flush()
        self._process = process
        try:
            self._await_ready(process, state)
        except BaseException:
            process.kill()
            self._forget_process()
            raise
        if detached:
            process.returncode = 0  # it outlives us; nobody is going to wait for it
            self._process = None

    def _command(self, state: config.State, detached: bool) -> list[str]:
        command = [str(node()), str(SERVER / "main.mjs"), "--port", str(state.port)]
        command += ["--state", str(self.directory / "state.json"), "--log", str(self.log)]
        if not self.in_memory:
            command += ["--data-dir", str(self.data)]
        elif not detached:
            command += ["--temporary", str(self.directory)]
        return command if detached else [*command, "--watch-stdin"]

    def _forget_process(self) -> None:
        if self._process is None:
            return
        self._process.wait()
        if self._process.stdin:
            self._process.stdin.close()
        self._process = None

    def _await_ready(self, process: subprocess.Popen[str], state: config.State) -> None:
        assert process.stdout is not None  # noqa: S101 - for the type checker
        with process.stdout as answer:
            readable, _, _ = select.select([answer], [], [], START_SECONDS)
            line = answer.readline() if readable else ""
        told = json.loads(line) if line else {"error": "it ended or gave no answer"}
        if told.get("ready"):
            return
        if told.get("code") == "EADDRINUSE":
            raise _occupied(state.port)
        if not self.in_memory and self.data.exists():
            raise DataFolderError(
                f"The embedded engine could not open {self.data}: {told['error']}. "
                f"{self.log} says more. {RESET}"
            )
        raise EngineError(f"The embedded engine did not start: {told['error']} ({self.log})")

    def _provision_roles_and_database(self, state: config.State) -> None:
        """At each start: what a newer version asks for reaches a data folder that is there."""
        provision = self._provision or _project_provision()
        passwords = {
            key: state.passwords[role] for key, role in config.ROLES.items() if key != "admin"
        }
        with psycopg.connect(state.url("admin"), autocommit=True) as connection:
            provision(connection, passwords)

    def _end(self, pid: int) -> None:
        os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + STOP_SECONDS
        while self._running_pid() == pid:
            if time.monotonic() > deadline:
                os.kill(pid, signal.SIGKILL)  # loses nothing that was committed
                deadline += STOP_SECONDS
            time.sleep(0.02)


def check_data(data: Path) -> None:
    """Refuses a data folder that the engine would fail on, or make worse."""
    if not data.exists():
        return
    required = ["PG_VERSION", "global/pg_control", "base", "pg_wal", "pg_xact"]
    missing = [name for name in required if not (data / name).exists()]
    if missing:
        raise DataFolderError(f"{data} is damaged: {', '.join(missing)} is missing. {RESET}")
    version = (data / "PG_VERSION").read_text(encoding="utf-8").strip()
    if version != MAJOR_VERSION:
        raise DataFolderError(
            f"{data} was written by PostgreSQL {version}, and the embedded engine is "
            f"PostgreSQL {MAJOR_VERSION}. {RESET}"
        )


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _require_free(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            raise _occupied(port) from None


def _occupied(port: int) -> PortOccupied:
    return PortOccupied(
        f"Port {port} of the embedded engine is used by another program. Stop that program, "
        "or choose another port (it is remembered): manage.py embedded start --port NUMBER"
    )


def _project_provision() -> Provision:
    # Imported late: the project's settings import this package.
    from shelfops.tenancy.provision import provision

    return provision
