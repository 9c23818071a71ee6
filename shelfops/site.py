"""The one site that is the shell of the whole product: Django's admin in Unfold's looks."""

from collections.abc import Callable
from functools import update_wrapper
from typing import Any

from django.contrib.admin.apps import AdminConfig
from django.core.exceptions import BadRequest
from django.http import Http404, HttpRequest
from unfold.sites import UnfoldAdminSite


class BackOfficeConfig(AdminConfig):
    """Django's admin app, with BackOffice as `admin.site`."""

    default_site = "shelfops.site.BackOffice"


class BackOffice(UnfoldAdminSite):
    index_title = "Home"

    def get_urls(self) -> list[Any]:
        """Without Django's redirect to any object by its id: nothing here uses it."""
        return [url for url in super().get_urls() if getattr(url, "name", "") != "view_on_site"]

    def admin_view(self, view: Callable, cacheable: bool = False) -> Callable:
        """Answer 400 to a NUL in the query: PostgreSQL has no such text, so no row can match."""
        inner = super().admin_view(view, cacheable)

        def checked(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
            if "%00" in request.META.get("QUERY_STRING", ""):
                raise BadRequest("The address holds a character that no value can have.")
            return inner(request, *args, **kwargs)

        return update_wrapper(checked, inner)

    def search(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        """Unfold's search over page titles: its cache would mix an operator's customers."""
        raise Http404

    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        """Devices that get in are known from then on; guessing passwords is slow."""
        from shelfops.tenancy.throttle import answered

        return answered(request, super().login(request, extra_context))

    def logout(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        """Logging out also ends acting as a customer, and the log says so."""
        from shelfops.tenancy.views import stop_acting_as

        stop_acting_as(request)
        return super().logout(request, extra_context)
