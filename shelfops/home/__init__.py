"""The first page: what needs attention today, for each role what that role works with."""

from typing import Any

from django.http import HttpRequest

from inventory.models import Store
from shelfops.home import platform, sections
from shelfops.navigation import pages_of
from shelfops.tenancy.models import Customer


def home(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Unfold's callback for the index page. Its number of queries is constant."""
    customer: Customer | None = request.customer  # type: ignore[attr-defined]
    context["groups"] = pages_of(request)
    context["title"] = str(customer or "Platform")
    if customer is None:
        return {**context, **platform.overview()}
    user: Any = request.user
    if not Store.objects.visible_to(user).exists():
        return {**context, "no_stores": True}
    return {**context, **sections.of(user, customer)}
