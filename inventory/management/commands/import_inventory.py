"""Imports a file of counts of stock."""

from shelfops.ingestion.command import ImportCommand
from shelfops.ingestion.imports import KINDS


class Command(ImportCommand):
    help = (
        "Import counts of stock from a file, whole or not at all; the latest of each store and"
        " product is its current stock. Counts that are there already are left as they are; rows"
        " that cannot be placed are kept with the reason."
    )
    kind = KINDS["inventory_levels"]
