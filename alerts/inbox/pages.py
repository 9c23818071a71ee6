"""What the pages of the inbox share: who may open them, and the alert that an address names."""

from typing import Any
from uuid import UUID

from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import BadRequest, PermissionDenied
from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.views import View

from alerts.inbox import queries
from shelfops.admin import store_ids
from shelfops.reports.sql import Row
from shelfops.tenancy.models import User


class WorkPage(View):
    """A page for those who have the permission, of a customer."""

    permission = "alerts.view_alert"
    user: User
    alert: Row

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not request.user.is_authenticated:
            # What was posted is gone after logging in, so that leads to the list.
            asked = request.get_full_path()
            return redirect_to_login(asked if request.method == "GET" else reverse("alerts:inbox"))
        if not request.user.has_perm(self.permission) or request.customer is None:  # type: ignore[attr-defined]
            raise PermissionDenied
        if "\0" in "".join(f"{key}{value}" for key, value in request.GET.items()):
            raise BadRequest("The address holds a character that no value can have.")
        self.user = request.user
        if "alert_id" in kwargs:
            self.alert = self.find(kwargs["alert_id"])
        return super().dispatch(request, *args, **kwargs)

    def find(self, alert_id: UUID) -> Row:
        """The alert; Http404 if it is another customer's, in another store, or not there."""
        found = queries.alert(alert_id, store_ids(self.user))
        if found is None:
            raise Http404
        return found
