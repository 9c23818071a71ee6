"""Imports a file of point-of-sale lines."""

from shelfops.ingestion.command import ImportCommand
from shelfops.ingestion.imports import KINDS


class Command(ImportCommand):
    help = (
        "Import point-of-sale lines from a file, whole or not at all. Lines that are there already"
        " are left as they are; rows that cannot be placed are kept with the reason."
    )
    kind = KINDS["transactions"]
