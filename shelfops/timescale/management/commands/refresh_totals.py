from typing import Any

from django.core.management.base import BaseCommand

from shelfops.timescale.refresh import refresh_requested


class Command(BaseCommand):
    help = "Bring the totals of the days up to date that imports and undoing have touched."

    def handle(self, *args: Any, **options: Any) -> None:
        refresh_requested()
