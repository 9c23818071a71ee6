"""`make run`: everything from an empty folder to a served back office, in one command."""

import os
import signal
import socket
import subprocess
import sys
from argparse import ArgumentParser
from collections.abc import Sequence
from contextlib import ExitStack, closing
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError

from sales.complete_journey.demo_users import log_ins
from shelfops.embedded.errors import EngineError
from shelfops.embedded.serve import serving

HOST = "127.0.0.1"
# Log-ins that a child process does not need are withheld from it.
OWNER, OPERATOR = "DATABASE_OWNER_URL", "DATABASE_OPERATOR_URL"


class Command(BaseCommand):
    help = "Start the database if it is the embedded one, migrate, load real data, and serve."
    requires_system_checks: list[str] = []  # the database may not be there yet

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--port", type=int, default=8000)

    def handle(self, *args: Any, port: int, **options: Any) -> None:
        refuse_occupied(port)
        # One clean way to stop, whoever asks: Ctrl-C, kill, or the terminal that is closed.
        for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(name, signal.default_int_handler)
        try:
            with serving(settings.BASE_DIR, settings.DATABASE_URLS):
                self.prepare()
                self.serve(port)
        except EngineError as error:
            raise CommandError(str(error)) from error
        except KeyboardInterrupt:
            self.stdout.write("\nStopped.")

    def prepare(self) -> None:
        """Schema, static files, and, into an empty database, a slice of real sales."""
        self.check(databases=["owner"])
        call_command("migrate", verbosity=0)
        self.check(databases=["default", "owner", "operator"])
        call_command("collectstatic", interactive=False, verbosity=0)
        call_command("load_complete_journey", if_empty=True)

    def serve(self, port: int) -> None:
        """Serve, run due jobs and send what is due, each in a process of its own, until Ctrl-C."""
        # Links in e-mails lead here, unless a setting says where people come from.
        os.environ.setdefault("SITE_URL", f"http://{HOST}:{port}")
        manage = [sys.executable, str(settings.BASE_DIR / "manage.py")]
        with ExitStack() as stack:
            jobs = [*manage, "run_jobs", "--every", "60", "--verbosity", "0"]
            mails = [*manage, "send_notifications", "--every", "30", "--verbosity", "0"]
            stack.enter_context(stopping(jobs, without=[OPERATOR]))
            stack.enter_context(stopping(mails, without=[OWNER]))
            web = stack.enter_context(stopping(web_command(port), without=[OWNER, OPERATOR]))
            wait_until_served(port, web)
            self.stdout.write(welcome(port))
            if web.wait():
                raise CommandError("The web server stopped; its messages are above.")


def web_command(port: int) -> list[str]:
    """What serves the pages; the rest of how it does is in gunicorn.conf.py."""
    config = str(settings.BASE_DIR / "gunicorn.conf.py")
    gunicorn = [sys.executable, "-m", "gunicorn", "--config", config]
    return [*gunicorn, "--bind", f"{HOST}:{port}", "shelfops.wsgi"]


def refuse_occupied(port: int) -> None:
    with closing(socket.socket()) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except (OSError, OverflowError) as error:
            raise CommandError(
                f"Port {port} cannot be used ({error}). Stop the program that has it, or choose"
                f" another: make run PORT={port + 1 if port < 65535 else 8001}"
            ) from error


class stopping:  # noqa: N801  (reads as a verb where it is used)
    """A child process for the length of a block: asked to end at its end, and waited for."""

    def __init__(self, command: list[str], without: Sequence[str] = ()) -> None:
        self.command = command
        empty = {name: "" for variable in without for name in (variable, f"{variable}_FILE")}
        self.environment = {**os.environ, **empty}

    def __enter__(self) -> "subprocess.Popen[bytes]":
        # A session of its own: Ctrl-C reaches this process alone, which then stops the child.
        self.child = subprocess.Popen(  # noqa: S603
            self.command, env=self.environment, start_new_session=True
        )
        return self.child

    def __exit__(self, *exc: object) -> None:
        self.child.terminate()
        try:
            self.child.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()


def wait_until_served(port: int, web: "subprocess.Popen[bytes]") -> None:
    while web.poll() is None:
        with closing(socket.socket()) as probe:
            if probe.connect_ex((HOST, port)) == 0:
                return
        try:
            web.wait(timeout=0.1)
        except subprocess.TimeoutExpired:
            continue


def welcome(port: int) -> str:
    """The address, and the demonstration's log-ins by role."""
    lines = ["", f"ShelfOps is at http://{HOST}:{port}/   (Ctrl-C stops it)", ""]
    return "\n".join([*lines, *log_ins(), ""])
