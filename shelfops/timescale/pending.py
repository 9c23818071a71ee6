"""Totals that have still to follow their rows: which days, and a refresh of them at once."""

import subprocess
import sys
from collections.abc import Callable
from datetime import date
from threading import Thread
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.http import HttpRequest


def days_to_refresh() -> tuple[date, date] | None:
    """The first and last day (UTC) of which the customer's totals are still to follow."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT first, last FROM days_to_refresh()")
        first, last = cursor.fetchone()
    return (first, last) if first else None


def to_refresh(request: HttpRequest) -> dict[str, Callable[[], Any]]:
    """For templates; pages that do not show it ask nothing."""
    return {"days_to_refresh": days_to_refresh}


def refresh_soon() -> None:
    """Refresh in a process of its own once this transaction is done.

    Where it cannot be, the owner's job does it within a minute.
    """
    transaction.on_commit(start_refresh)


def start_refresh() -> None:
    child = subprocess.Popen(  # noqa: S603
        [sys.executable, str(settings.BASE_DIR / "manage.py"), "refresh_totals"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    Thread(target=child.wait, daemon=True).start()  # leaves no zombie behind
