import time
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError, connections

from shelfops.timescale.jobs import run_due_jobs


class Command(BaseCommand):
    help = (
        "Run the TimescaleDB jobs that are due (refreshes, compression, retention). A server with"
        " a scheduler does so by itself, and then none is due here."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--every", type=int, default=0, metavar="SECONDS", help="go on, this often"
        )

    def handle(self, *args: Any, every: int, verbosity: int, **options: Any) -> None:
        self.verbosity = verbosity
        failed = self.run_once()
        while every:
            time.sleep(every)
            try:
                self.run_once()
            except DatabaseError as error:  # the server may be restarting; the next round tells
                self.stderr.write(f"jobs not run: {str(error).splitlines()[0]}")
            connections["owner"].close()
        if failed:
            raise CommandError(f"{failed} of the jobs failed.")

    def run_once(self) -> int:
        """How many failed."""
        failed = 0
        for run in run_due_jobs():
            failed += bool(run.error)
            outcome = f"FAILED: {run.error}" if run.error else "ok"
            line = f"job {run.job_id} {run.procedure} on {run.subject}: {outcome}"
            if run.error or self.verbosity:
                self.stdout.write(f"{line} ({run.seconds:.1f} s)")
        return failed
