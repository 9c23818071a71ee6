"""The rules of alerts: the customer's own, over the defaults."""

from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import path, reverse
from unfold.contrib.filters.admin import BooleanRadioFilter, ChoicesDropdownFilter
from unfold.decorators import display

from alerts.models import AlertRule, AlertType
from alerts.rules.forms import AlertRuleForm, WhichForm
from alerts.rules.queries import TRIED_DAYS, rules_in_force
from alerts.rules.words import part, reading
from inventory.models import Product, Store
from shelfops.admin import BackOfficeAdmin, StoreFilter, store_ids
from shelfops.reports.sql import Row


@admin.register(AlertRule)
class AlertRuleAdmin(BackOfficeAdmin):
    """Who is bound to stores changes the rules of these alone, and reads the general ones."""

    autocomplete_fields = ("store", "product")
    change_form_before_template = "alerts/rules/trial.html"
    list_before_template = "alerts/rules/which_link.html"
    empty_text = "The defaults apply to everything. Add a rule where they do not fit."
    fieldsets = (
        (None, {"fields": ("tried", "alert_type", "is_enabled", "threshold", "severity")}),
        (
            "For which part (the narrowest wins: product, category, department, then store)",
            {"fields": (("store", "product"), ("category", "department"))},
        ),
        (
            "How many evaluations in a row",
            {"fields": (("evaluations_to_open", "evaluations_to_resolve"),)},
        ),
        ("Who is told", {"fields": (("tells_admins", "tells_managers", "tells_staff"),)}),
    )
    form = AlertRuleForm
    list_display = ("alert_type", "part", "store", "condition", "severity", "is_enabled")
    list_filter = (
        ("alert_type", ChoicesDropdownFilter),
        ("is_enabled", BooleanRadioFilter),
        ("store", StoreFilter),
    )
    list_related = ("store", "product")
    search_fields = ("product__sku__istartswith", "department", "category")
    search_help_text = "SKU, department or category"

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        rules = super().get_queryset(request)
        ids = store_ids(request.user)  # type: ignore[arg-type]
        return rules if ids is None else rules.filter(Q(store=None) | Q(store__in=ids))

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._is_own(request, obj) and super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._is_own(request, obj) and super().has_delete_permission(request, obj)

    def _is_own(self, request: HttpRequest, rule: AlertRule | None) -> bool:
        ids = store_ids(request.user)  # type: ignore[arg-type]
        return ids is None or rule is None or rule.store_id in ids

    def get_form(self, request: HttpRequest, obj: Any = None, **kwargs: Any) -> Any:
        form: Any = super().get_form(request, obj, **kwargs)
        form.needs_store = request.user.is_store_scoped  # type: ignore[union-attr]
        return form

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        """A rule stays with its type, which says what its threshold means."""
        return ("alert_type",) if obj else ()

    def get_urls(self) -> list[Any]:
        which = path(
            "which/", self.admin_site.admin_view(self.which), name="alerts_alertrule_which"
        )
        return [which, *super().get_urls()]

    def which(self, request: HttpRequest) -> HttpResponse:
        """The rules that apply to a product in a store, and where each comes from."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        stores = Store.objects.visible_to(request.user)  # type: ignore[arg-type]
        form = WhichForm(request.GET or None, stores)
        product, found = None, []
        if form.is_valid():
            product = Product.objects.filter(sku=form.cleaned_data["sku"].strip()).first()
            if product is None:
                form.add_error("sku", "No product has this SKU.")
            else:
                in_force = rules_in_force(product.pk, form.cleaned_data["store"].pk)
                found = [shown(rule, product, form.cleaned_data["store"]) for rule in in_force]
        context = {
            **self.admin_site.each_context(request),
            "title": "Which rule applies?",
            "opts": self.opts,
            "form": form,
            "product": product,
            "rules": found,
        }
        return TemplateResponse(request, "alerts/rules/which.html", context)

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> Any:
        context = {"tried_days": TRIED_DAYS, **(extra_context or {})}
        return super().changeform_view(request, object_id, form_url, context)

    @display(description="For")
    def part(self, rule: AlertRule) -> str:
        return str(rule.product or part(rule.department, rule.category))

    @display(description="Holds at", ordering="threshold")
    def condition(self, rule: AlertRule) -> str:
        return reading(rule.alert_type, rule.threshold)


def shown(rule: Row, product: Product, store: Store) -> dict[str, Any]:
    """A rule in force as the page shows it: what it says, and where it comes from."""
    own = rule["rule_id"]
    where = str(product) if rule["product_id"] else part(rule["department"], rule["category"])
    return {
        "type": AlertType(rule["alert_type"]).label,
        "condition": reading(rule["alert_type"], rule["threshold"])
        if rule["is_enabled"]
        else "switched off",
        "severity": rule["severity"],
        "source": f"{where} in {store if rule['store_id'] else 'all stores'}"
        if own
        else "The default",
        "url": reverse("admin:alerts_alertrule_change", args=[own]) if own else "",
    }
