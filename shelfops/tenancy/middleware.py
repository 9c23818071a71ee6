"""The tenant of every request."""

from collections.abc import Callable
from uuid import UUID

from django.contrib import messages
from django.db import transaction
from django.http import (
    HttpRequest,
    HttpResponse,
    HttpResponseRedirect,
    StreamingHttpResponse,
)
from django.http.response import HttpResponseBase
from django.urls import reverse

from shelfops.tenancy import acting
from shelfops.tenancy.context import bound, set_local, stream_as
from shelfops.tenancy.models import Customer, User

# Pages that open transactions of their own, if any: see shelfops/ingestion/uploads/views.py.
OUTSIDE = ("/imports/files/", "/imports/progress/")


class TenantMiddleware:
    """Run each request in one transaction that sees the customer of its user, or nothing.

    The user is read first, under a policy that shows only their own row. Django renders lazy
    template responses inside `get_response`, so nothing escapes; a streamed one is wrapped.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if request.path_info.startswith(OUTSIDE):
            return self.get_response(request)
        with transaction.atomic():
            customer = self.resolve(request)
            request.customer = customer  # type: ignore[attr-defined]
            set_local("current_customer_id", customer.pk if customer else None)
            if customer is None:
                return after_the_hour(request) or self.get_response(request)
            with bound(customer.pk):
                response = self.get_response(request)
            if isinstance(response, StreamingHttpResponse) and not response.is_async:
                chunks = response.streaming_content
                response.streaming_content = stream_as(customer.pk, chunks)  # type: ignore[arg-type]
            return response

    def process_exception(self, request: HttpRequest, exception: Exception) -> None:
        """Undo what the view wrote: its exception becomes a response before it gets here."""
        if transaction.get_connection().in_atomic_block:
            transaction.set_rollback(True)

    def resolve(self, request: HttpRequest) -> Customer | None:
        """The customer of the logged-in user, or the one an operator acts as."""
        user = request.user
        if not isinstance(user, User) or not user.is_authenticated:
            return None
        if not user.is_operator:
            return user.customer
        customer = acting_customer(acting.customer_id(request.session))
        user.acting = customer is not None
        return customer


def after_the_hour(request: HttpRequest) -> HttpResponse | None:
    """Where an operator goes whose acting as a customer has just come to its end."""
    if not (isinstance(request.user, User) and acting.has_ended(request.session)):
        return None
    customer = acting.log_end(request)
    if customer is None:
        return None
    messages.warning(request, f"Acting as {customer} ended after an hour. Say why to go on.")
    again = reverse("start-acting", args=[customer.pk])
    if "HX-Request" in request.headers:
        return HttpResponse(status=204, headers={"HX-Redirect": again})
    return HttpResponseRedirect(again)


def acting_customer(customer_id: UUID | None) -> Customer | None:
    """The customer that an operator's session names, if there still is one."""
    if customer_id is None:
        return None
    set_local("current_customer_id", customer_id)
    return Customer.objects.filter(pk=customer_id).first()
