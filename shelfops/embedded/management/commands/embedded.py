"""manage.py embedded: start, stop and look after the embedded database engine."""

import os
import shutil
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from shelfops.embedded.config import embedded_directory
from shelfops.embedded.engine import Engine
from shelfops.embedded.errors import EngineError

ROLES = ["owner", "app", "operator"]


class Command(BaseCommand):
    help = "Start, stop and look after the embedded database engine."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True)
        start = actions.add_parser("start", help="start it, in the background")
        start.add_argument("--foreground", action="store_true", help="stay until Ctrl-C")
        start.add_argument("--port", type=int, help="another port from now on")
        actions.add_parser("stop", help="stop it")
        actions.add_parser("status", help="say whether it runs, and where")
        url = actions.add_parser("url", help="print an address with its password")
        url.add_argument("--role", choices=ROLES, default="app")
        reset = actions.add_parser("reset", help="remove all its data")
        reset.add_argument("--yes", action="store_true", help="do not ask")
        psql = actions.add_parser("psql", help="open psql on it")
        psql.add_argument("--role", choices=ROLES, default="app")

    def handle(self, *args: Any, action: str, **options: Any) -> None:
        engine = Engine(embedded_directory(Path(settings.BASE_DIR)))
        try:
            getattr(self, action)(engine, **options)
        except EngineError as error:
            raise CommandError(str(error)) from error

    def start(self, engine: Engine, *, foreground: bool, port: int | None, **_: Any) -> None:
        engine.start(port, detached=not foreground)
        self.status(engine)
        if foreground:
            try:
                engine.wait()
            except KeyboardInterrupt:
                engine.stop()

    def stop(self, engine: Engine, **_: Any) -> None:
        self.stdout.write("Stopped." if engine.stop() else "It was not running.")

    def status(self, engine: Engine, **_: Any) -> None:
        status = engine.status()
        where = f"127.0.0.1:{status.port} ({status.directory})"
        if status.running:
            self.stdout.write(f"Running on {where}, process {status.pid}.")
        else:
            self.stdout.write(f"Not running; its address is {where}.")

    def url(self, engine: Engine, *, role: str, **_: Any) -> None:
        self.stdout.write(engine.url(role))

    def reset(self, engine: Engine, *, yes: bool, **_: Any) -> None:
        question = f"Remove all data in {engine.data}? [y/N] "
        if not yes and input(question).strip().lower() != "y":
            self.stdout.write("Nothing was removed.")
            return
        engine.reset()
        self.stdout.write("Removed. The next start makes an empty database.")

    def psql(self, engine: Engine, *, role: str, **_: Any) -> None:
        program = shutil.which("psql")
        if program is None:
            raise CommandError(
                "psql is not on the PATH. `manage.py embedded url` prints the address."
            )
        os.execv(program, [program, engine.url(role)])  # noqa: S606 - no shell is wanted
