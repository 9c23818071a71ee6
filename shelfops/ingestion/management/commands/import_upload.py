"""Imports a file that the upload page has received."""

from argparse import ArgumentParser
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError

from shelfops.ingestion.uploads.running import run
from shelfops.ingestion.uploads.spool import Upload


class Command(BaseCommand):
    help = "Import a file that the upload page has received; the page starts this by itself."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("upload", type=UUID, help="the upload's id")

    def handle(self, *args: Any, **options: Any) -> None:
        upload = Upload(options["upload"])
        if not upload.job():
            raise CommandError("There is no such upload.")
        run(upload)
