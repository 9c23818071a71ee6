"""What a page with saved views inherits, and what its menu shows."""

from functools import cached_property
from typing import Any

from django.http import HttpRequest, HttpResponseRedirect, QueryDict
from django.http.response import HttpResponseBase

from shelfops.saved_views.models import SavedView

# What a page's address holds besides its filters.
NOT_FILTERS = {"page", "format", "view"}


def filters_of(query: QueryDict) -> str:
    """The filters of an address: without what is empty, and without the page of a long list."""
    kept = QueryDict(mutable=True)
    for name, values in query.lists():
        given = [value for value in values if value]
        if given and name not in NOT_FILTERS:
            kept.setlist(name, given)
    return kept.urlencode()


class Menu:
    """The user's views of a page; `query` is what is shown now."""

    def __init__(self, request: HttpRequest) -> None:
        self.path = request.path
        self.page = request.resolver_match.view_name  # type: ignore[union-attr]
        self.query = filters_of(request.GET)
        # Reads saved_views_name_key, in its order.
        self.views = list(SavedView.objects.filter(user=request.user.pk, page=self.page))

    @property
    def current(self) -> SavedView | None:
        """The view whose filters are those that are shown, in whatever order."""
        shown = sorted(self.query.split("&"))
        return next((view for view in self.views if sorted(view.query.split("&")) == shown), None)

    @property
    def default(self) -> SavedView | None:
        return next((view for view in self.views if view.is_default), None)


class SavedViews:
    """For a class-based view: its saved views, and its default in place of a bare address."""

    request: HttpRequest

    @cached_property
    def saved_views(self) -> Menu | None:
        """None for an operator who acts as a customer: they have no views there."""
        user: Any = self.request.user
        return None if user.is_anonymous or user.is_operator else Menu(self.request)

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if request.method == "GET" and not request.META.get("QUERY_STRING"):
            default = self.saved_views and self.saved_views.default
            if default and default.query:
                return HttpResponseRedirect(f"{request.path}?{default.query}")
        response: HttpResponseBase = super().dispatch(request, *args, **kwargs)  # type: ignore[misc]
        return response
