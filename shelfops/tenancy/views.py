"""A platform operator begins and ends acting as a customer; both are logged for the customer."""

from uuid import UUID

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.views.decorators.http import require_POST

from shelfops.tenancy import acting
from shelfops.tenancy.forms import ActForm
from shelfops.tenancy.models import Customer


def start_acting(request: HttpRequest, customer_id: UUID) -> HttpResponse:
    """Ask for the reason, log it as the customer, and show the back office as its admin does."""
    if not request.user.has_perm("tenancy.act_as_customer"):
        raise PermissionDenied
    customer = get_object_or_404(Customer, pk=customer_id)
    form = ActForm(request.POST or None)
    if request.method != "POST" or not form.is_valid():
        context = {
            **admin.site.each_context(request),
            "title": f"Act as {customer}",
            "form": form,
            "acting_customer": customer,
        }
        return TemplateResponse(request, "tenancy/act.html", context)
    acting.log_start(request, customer, form.cleaned_data["reason"])
    return redirect("admin:index")


def stop_acting_as(request: HttpRequest) -> bool:
    """Log the end and forget the customer; False if nobody was acting."""
    if not getattr(request.user, "acting", False):
        return False
    acting.log_end(request)
    return True


@require_POST
def stop_acting(request: HttpRequest) -> HttpResponse:
    if not stop_acting_as(request):
        raise PermissionDenied
    customer = request.customer  # type: ignore[attr-defined]
    messages.success(request, f"You no longer act as {customer}.")
    return redirect("admin:index")
