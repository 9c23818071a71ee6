"""Webhooks and their deliveries, for the customer's administrators."""

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import path
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import BooleanRadioFilter, RelatedDropdownFilter
from unfold.decorators import display

from alerts.webhooks.models import WebhookDelivery, WebhookEndpoint
from alerts.webhooks.queries import send_test
from shelfops.admin import BackOfficeAdmin, ReadOnlyAdmin

BOTH_SECRETS_SIGN = timedelta(days=1)
STATUS = {"Delivered": "success", "Waiting": "info", "Retrying": "warning", "Failed": "danger"}


def posted_by(request: HttpRequest, permission: str) -> HttpResponse | None:
    """None for a POST by somebody who may; the refusal otherwise."""
    if not request.user.has_perm(permission):
        raise PermissionDenied
    return None if request.method == "POST" else HttpResponseNotAllowed(["POST"])


@admin.register(WebhookEndpoint)
class WebhookEndpointAdmin(BackOfficeAdmin):
    change_form_outer_before_template = "alerts/webhook_actions.html"
    empty_text = "Add an address, and every event of your alerts is sent there, signed."
    fields = ("url", "is_active")
    list_display = ("url", "is_active", "created_at")
    list_filter = (("is_active", BooleanRadioFilter),)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_urls(self) -> list[Any]:
        own = [
            path(f"<uuid:object_id>/{name}/", view, name=f"alerts_webhookendpoint_{name}")
            for name, view in (
                ("secret", self.admin_site.admin_view(self.secret)),
                ("test", self.admin_site.admin_view(self.test)),
            )
        ]
        return [*own, *super().get_urls()]

    def response_add(self, request: HttpRequest, obj: Any, *args: Any, **kwargs: Any) -> Any:
        messages.info(request, f"{obj} is added. Here is the secret that it verifies us with.")
        return redirect("admin:alerts_webhookendpoint_secret", obj.pk)

    def secret(self, request: HttpRequest, object_id: UUID) -> HttpResponse:
        """Show the secret once; later, make another one and show that."""
        may = request.user.has_perm("alerts.change_webhookendpoint")
        # Whoever acts for a customer does its work, but need not be able to sign as us.
        if not may or getattr(request.user, "acting", False):
            raise PermissionDenied
        endpoint = get_object_or_404(self.get_queryset(request), pk=object_id)
        shown = request.method == "POST"
        if shown:
            reveal(endpoint)
        context = {
            **self.admin_site.each_context(request),
            "title": "Signing secret",
            "endpoint": endpoint,
            "secret": endpoint.secret if shown else None,
        }
        return TemplateResponse(request, "alerts/webhook_secret.html", context)

    def test(self, request: HttpRequest, object_id: UUID) -> HttpResponse:
        refusal = posted_by(request, "alerts.change_webhookendpoint")
        endpoint = get_object_or_404(self.get_queryset(request), pk=object_id)
        if refusal:
            return refusal
        if endpoint.is_active:
            delivery = send_test(endpoint.pk)
            messages.success(request, "A test is on its way: its delivery shows what became of it.")
            return redirect("admin:alerts_webhookdelivery_change", delivery)
        messages.error(request, "Nothing was sent: this webhook is switched off.")
        return redirect("admin:alerts_webhookendpoint_change", object_id)


def reveal(endpoint: WebhookEndpoint) -> None:
    """The first time as it is; after that a new salt, with the old secret signing for a day."""
    now = timezone.now()
    # Two people at once: the second waits, and gets a secret of their own.
    endpoint.refresh_from_db(from_queryset=WebhookEndpoint.objects.select_for_update())
    if endpoint.secret_shown_at:
        endpoint.previous_salt, endpoint.previous_until = endpoint.salt, now + BOTH_SECRETS_SIGN
        endpoint.salt = uuid4()
    endpoint.secret_shown_at = now
    endpoint.save()


@admin.register(WebhookDelivery)
class WebhookDeliveryAdmin(ReadOnlyAdmin):
    change_form_outer_before_template = "alerts/delivery_actions.html"
    empty_text = "Nothing has been sent yet: an event of an alert makes the first delivery."
    fieldsets = (
        (None, {"fields": ("endpoint", ("status_label", "attempts", "events"))}),
        ("Times", {"fields": (("created_at", "attempted_at", "next_attempt_at"),)}),
        ("Answer", {"fields": ("response_status", "response_excerpt", "error")}),
        ("Sent", {"fields": ("content",)}),
    )
    list_display = (
        "created_at",
        "endpoint",
        "status_label",
        "response_status",
        "attempts",
        "next_attempt_at",
        "error",
    )
    list_filter = (("endpoint", RelatedDropdownFilter),)
    list_related = ("endpoint",)
    readonly_fields = ("status_label", "content")

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        """The list shows no bodies, which may be long."""
        rows = super().get_queryset(request)
        match = request.resolver_match
        return rows.defer("body") if str(match and match.url_name).endswith("list") else rows

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view(self.redeliver)
        name = "alerts_webhookdelivery_redeliver"
        return [path("<uuid:object_id>/redeliver/", view, name=name), *super().get_urls()]

    def redeliver(self, request: HttpRequest, object_id: UUID) -> HttpResponse:
        refusal = posted_by(request, "alerts.change_webhookendpoint")
        delivery = get_object_or_404(self.get_queryset(request), pk=object_id)
        if refusal:
            return refusal
        delivery.next_attempt_at = timezone.now()
        delivery.save(update_fields=["next_attempt_at"])
        messages.success(request, "It is sent again within a minute, under the same id.")
        return redirect("admin:alerts_webhookdelivery_change", object_id)

    @display(description="Status", label=STATUS)
    def status_label(self, delivery: WebhookDelivery) -> str:
        return delivery.status

    @display(description="Body")
    def content(self, delivery: WebhookDelivery) -> SafeString:
        return format_html('<pre class="shelf-json">{}</pre>', delivery.body)
