"""Anomalies, to read; alerts have pages of their own (alerts/inbox)."""

import json

from django.contrib import admin
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.decorators import display

from alerts.models import Anomaly, Severity, StoreFact
from alerts.notifications.admin import MailAdmin  # noqa: F401
from alerts.rules.admin import AlertRuleAdmin  # noqa: F401
from alerts.webhooks.admin import WebhookDeliveryAdmin, WebhookEndpointAdmin  # noqa: F401
from shelfops.admin import ReadOnlyAdmin, StoreFilter

SEVERITY = {
    Severity.CRITICAL.label: "danger",
    Severity.WARNING.label: "warning",
    Severity.INFO.label: "info",
}


class StoreFactAdmin(ReadOnlyAdmin):
    list_related = ("store", "product")
    search_fields = ("product__sku__istartswith", "product__name")
    search_help_text = "SKU or product"
    store_lookup = "store"

    def get_exclude(self, request: HttpRequest, obj: object = None) -> tuple[str, ...]:
        return ("metadata",)

    @display(description="Severity", ordering="severity", label=SEVERITY)
    def severity_label(self, fact: Anomaly) -> str:
        return fact.get_severity_display()

    @display(description="Details")
    def details(self, fact: StoreFact) -> SafeString | str:
        if not fact.metadata:
            return "–"
        text = json.dumps(fact.metadata, indent=2, sort_keys=True, ensure_ascii=False)
        return format_html('<pre class="shelf-json">{}</pre>', text)


@admin.register(Anomaly)
class AnomalyAdmin(StoreFactAdmin):
    empty_text = "No figure has been found that does not fit its history."
    list_display = ("kind", "severity_label", "store", "product", "detected_at")
    list_filter = (("severity", ChoicesDropdownFilter), ("store", StoreFilter))
    fieldsets = (
        (None, {"fields": (("kind", "severity", "detected_at"), ("store", "product"), "details")}),
    )
    readonly_fields = ("details",)
