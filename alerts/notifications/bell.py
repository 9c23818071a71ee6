"""The number beside the bell, in the header of every page."""

from typing import Any

from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

from alerts.inbox.words import capped
from alerts.notifications.queries import MOST_COUNTED, unread


def bell(request: HttpRequest) -> dict[str, Any]:
    """`bell` for those who are told of alerts; it is counted where a page shows it."""
    user: Any = getattr(request, "user", None)
    if user is None or not user.is_authenticated or user.is_operator:
        return {}
    if getattr(request, "customer", None) is None or not user.has_perm("alerts.view_alert"):
        return {}
    return {"bell": SimpleLazyObject(lambda: capped(unread(user), MOST_COUNTED))}
