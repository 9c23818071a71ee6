import time
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError, connections

from alerts.notifications.send import notify
from alerts.webhooks.deliver import deliver
from shelfops.tenancy.models import Customer


class Command(BaseCommand):
    help = (
        "Tell people of what is new about their alerts, by e-mail at once or in a daily digest,"
        " and send webhooks. May be run as often as you like: nothing is sent twice."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--every", type=int, default=0, metavar="SECONDS", help="go on, this often"
        )

    def handle(self, *args: Any, every: int, verbosity: int, **options: Any) -> None:
        self.verbosity = verbosity
        failed = self.send()
        while every:
            time.sleep(every)
            try:
                self.send()
            except DatabaseError as error:  # the server may be restarting; the next round tells
                self.stderr.write(f"nothing sent: {first_line(error)}")
            connections.close_all()
        if failed:
            raise CommandError(f"{failed} customers were not served.")

    def send(self) -> int:
        """One round over the active customers; how many failed, which does not stop the others."""
        failed = 0
        for customer in Customer.objects.using("operator").filter(is_active=True).order_by("name"):
            try:
                self.serve(customer)
            except DatabaseError as error:
                failed += 1
                self.stderr.write(f"{customer}: nothing sent: {first_line(error)}")
        return failed

    def serve(self, customer: Customer) -> None:
        told, mails, unsent = notify(customer)
        delivered, failed = deliver(customer)
        if self.verbosity and any((told, mails, unsent, delivered, failed)):
            self.stdout.write(
                f"{customer}: {told} notices; e-mails {mails} sent, {unsent} not;"
                f" webhooks {delivered} delivered, {failed} not"
            )


def first_line(error: Exception) -> str:
    return str(error).splitlines()[0]
