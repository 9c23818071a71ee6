import time
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand
from django.db import DatabaseError, connections

from alerts.webhooks.deliver import deliver
from shelfops.tenancy.models import Customer


class Command(BaseCommand):
    help = "Send what the events of alerts make due: webhooks."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--every", type=int, default=0, metavar="SECONDS", help="go on, this often"
        )

    def handle(self, *args: Any, every: int, verbosity: int, **options: Any) -> None:
        self.verbosity = verbosity
        self.send()
        while every:
            time.sleep(every)
            try:
                self.send()
            except DatabaseError as error:  # the server may be restarting; the next round tells
                self.stderr.write(f"nothing sent: {str(error).splitlines()[0]}")
            connections.close_all()

    def send(self) -> None:
        """One round over the active customers; one that fails does not stop the others."""
        for customer in Customer.objects.using("operator").filter(is_active=True).order_by("name"):
            sent, failed = deliver(customer)
            if self.verbosity and (sent or failed):
                self.stdout.write(f"{customer}: webhooks {sent} delivered, {failed} not")
