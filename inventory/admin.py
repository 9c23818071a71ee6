"""Stores, products with their reorder points, and the ledger of inventory levels."""

from datetime import date, timedelta
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import path, reverse
from django.utils import timezone
from unfold.admin import StackedInline, TabularInline
from unfold.contrib.filters.admin import BooleanRadioFilter, DropdownFilter
from unfold.decorators import display

from inventory.forms import ProductForm, StoreForm
from inventory.models import InventoryLevel, Product, ReorderPoint, Store
from inventory.point_form import Chosen, ReorderPointForm, in_force, start_of, starting_values
from inventory.queries import VELOCITY_DAYS
from inventory.stock_columns import Figures, categories, cover, departments, figures, quantity
from shelfops.admin import BackOfficeAdmin, OneRowPerStore, StoreFilter, StoreScoped, store_ids
from shelfops.ingestion.master.admin import InFiles
from shelfops.ingestion.master.products import PRODUCTS
from shelfops.ingestion.master.reorder_points import REORDER_POINTS
from shelfops.ingestion.master.stores import STORES
from shelfops.ledgers import LedgerAdmin, midnight


@admin.register(Store)
class StoreAdmin(InFiles, BackOfficeAdmin):
    empty_text = "Add your first store, or have one assigned to you by an administrator."
    form = StoreForm
    fields = ("code", "name", "time_zone", "from_tomorrow", "is_active")
    list_display = ("name", "code", "time_zone", "is_active")
    list_filter = (("is_active", BooleanRadioFilter),)
    master = STORES
    search_fields = ("name", "code")
    search_help_text = "Name or code"
    store_lookup = "pk"


class GroupFilter(DropdownFilter):
    def names(self, request: HttpRequest) -> list[str]:
        raise NotImplementedError

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(name, name.capitalize()) for name in self.names(request) if name]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        return queryset.filter(**{self.parameter_name: self.value()}) if self.value() else queryset


class DepartmentFilter(GroupFilter):
    title = "department"
    parameter_name = "department"

    def names(self, request: HttpRequest) -> list[str]:
        return departments()


class CategoryFilter(GroupFilter):
    """Of the chosen department."""

    title = "category"
    parameter_name = "category"

    def names(self, request: HttpRequest) -> list[str]:
        return categories(request.GET.get("department", ""))


def not_over() -> Q:
    """In force, or to come: one that is to come has already closed the one in force."""
    return Q(effective_to=None) | Q(effective_to__gt=timezone.now())


class ReorderPointColumns:
    """Quantities of a reorder point without trailing zeros, and when it was in force."""

    @display(description="Reorder at")
    def at(self, point: ReorderPoint) -> str:
        return quantity(point.reorder_point)

    @display(description="Order up to")
    def up_to(self, point: ReorderPoint) -> str:
        return quantity(point.order_up_to) or "–"

    @display(description="Order multiple")
    def multiple(self, point: ReorderPoint) -> str:
        return quantity(point.order_multiple)

    @display(description="Lead time")
    def lead_time(self, point: ReorderPoint) -> str:
        return "–" if point.lead_time_days is None else f"{point.lead_time_days} days"

    @display(description="In force")
    def in_force(self, point: ReorderPoint) -> str:
        """In the store's days."""
        start = f"{point.effective_from.astimezone(point.store.zone):%-d %b %Y}"
        if point.effective_from > timezone.now():
            return f"from {start}"
        if point.effective_to is None:
            return f"since {start}"
        return f"{start} – {point.effective_to.astimezone(point.store.zone):%-d %b %Y}"


class CurrentReorderPoints(ReorderPointColumns, StoreScoped, TabularInline):
    model = ReorderPoint
    fields = readonly_fields = ("store", "at", "up_to", "multiple", "lead_time", "in_force")
    can_delete = False
    hide_title = True
    per_page = 20
    store_lookup = "store"
    verbose_name_plural = "reorder points in force, or to come"

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        points = super().get_queryset(request).filter(not_over())
        return points.select_related("store").order_by("store__name", "effective_from")

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class NewReorderPoint(StoreScoped, StackedInline):
    model = ReorderPoint
    autocomplete_fields = ("store",)
    fields = (
        "store",
        ("reorder_point", "order_up_to"),
        ("order_multiple", "lead_time_days"),
        "effective_from",
        "based_on",
    )
    can_delete = False
    extra = 0
    form = ReorderPointForm
    formset = OneRowPerStore
    verbose_name = "reorder point"
    verbose_name_plural = "new reorder points: each closes the one in force in its store"

    class Media:
        js = ("inventory/reorder_point.js",)

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        """What is there is shown by the other inline, and never changed."""
        return super().get_queryset(request).none()

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(self.has_add_permission(request, obj))

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Product)
class ProductAdmin(InFiles, BackOfficeAdmin):
    change_form_outer_before_template = "inventory/product_figures.html"
    empty_text = "Import your catalogue, or add the first product by hand."
    fieldsets = (
        (None, {"fields": ("name", "sku", "is_active")}),
        ("Group", {"fields": (("department", "category"), ("brand", "package_size"))}),
        ("Per unit", {"fields": ("unit_price", "unit_cost", "shelf_life_days")}),
    )
    form = ProductForm
    inlines = (NewReorderPoint, CurrentReorderPoints)
    list_display = (
        "name",
        "sku",
        "category",
        "stock_now",
        "units_28",
        "days_of_cover",
        "is_active",
    )
    list_filter = (DepartmentFilter, CategoryFilter, ("is_active", BooleanRadioFilter))
    master = PRODUCTS
    shows_totals = True
    search_fields = ("sku__istartswith", "name")
    search_help_text = "SKU or name"

    def get_inlines(self, request: HttpRequest, obj: Product | None) -> tuple[Any, ...]:
        """Reorder points once there is a product."""
        return self.inlines if obj else ()

    def complete_page(self, request: HttpRequest, rows: list[Product]) -> None:
        found = figures([p.pk for p in rows], store_ids(request.user))  # type: ignore[arg-type]
        for product in rows:
            product.figures = found.get(product.pk, Figures())  # type: ignore[attr-defined]

    @display(description="Stock now")
    def stock_now(self, product: Product) -> str | None:
        return quantity(product.figures.available) or None  # type: ignore[attr-defined]

    @display(description=f"Units, {VELOCITY_DAYS} days")
    def units_28(self, product: Product) -> str:
        return quantity(product.figures.units)  # type: ignore[attr-defined]

    @display(description="Days of cover")
    def days_of_cover(self, product: Product) -> str | None:
        return cover(product.figures) or None  # type: ignore[attr-defined]

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> Any:
        product = self.get_object(request, object_id)
        extra = {"cards": product and self.cards(request, product)}
        return super().change_view(request, object_id, form_url, {**(extra_context or {}), **extra})

    def cards(self, request: HttpRequest, product: Product) -> dict[str, Any]:
        """The figures above a product's form, and the ways on from there."""
        now = figures([product.pk], store_ids(request.user)).get(product.pk, Figures())  # type: ignore[arg-type]
        history = reverse("admin:inventory_reorderpoint_changelist")
        return {
            "figures": {
                "Stock now": quantity(now.available) or "not counted",
                f"Units sold, {VELOCITY_DAYS} days": quantity(now.units),
                "Days of cover": cover(now) or "not counted",
            },
            "report": reverse("reports:product", args=[product.pk]),
            "history": f"{history}?in_force=all&q={product.sku}",
        }


class InForceFilter(DropdownFilter):
    title = "validity"
    parameter_name = "in_force"
    all_option = None

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("now", "In force"), ("later", "To come"), ("past", "Past"), ("all", "All")]

    def value(self) -> str:
        return super().value() or "now"

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        now = timezone.now()
        wanted = {
            "later": Q(effective_from__gt=now),
            "past": Q(effective_to__lte=now),
            "all": Q(),
        }
        return queryset.filter(wanted.get(self.value(), not_over() & Q(effective_from__lte=now)))


@admin.register(ReorderPoint)
class ReorderPointAdmin(ReorderPointColumns, InFiles, BackOfficeAdmin):
    autocomplete_fields = ("store", "product")
    empty_text = "Add a reorder point here, or on a product's page."
    fieldsets = (
        (None, {"fields": ("based_on", ("store", "product"))}),
        (
            "Order",
            {"fields": (("reorder_point", "order_up_to"), ("order_multiple", "lead_time_days"))},
        ),
        ("Start", {"fields": ("effective_from",)}),
    )
    form = ReorderPointForm
    list_display = ("product", "store", "at", "up_to", "multiple", "lead_time", "in_force")
    list_filter = (InForceFilter, ("store", StoreFilter))
    list_related = ("product", "store")
    master = REORDER_POINTS
    # Along the index of history, so that a page of a long table is read without sorting it.
    ordering = ("store_id", "product_id", "-effective_from")
    search_fields = ("product__sku__istartswith", "product__name")
    search_help_text = "SKU or product"
    sortable_by = ()
    store_lookup = "store"

    class Media:
        js = ("inventory/reorder_point.js",)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """What is in force or past stays as it was; what is to come can still be corrected."""
        changeable = obj is None or obj.is_to_come
        return changeable and bool(super().has_change_permission(request, obj))

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return ("store", "product") if obj else ()

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """For a store and product that the address names, what is in force there."""
        data = super().get_changeform_initial_data(request)
        store, product = data.get("store"), data.get("product")
        return data | start_of(store, in_force(store.pk, product.pk)) if store and product else data

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view(self.start)
        return [path("start/", view, name="inventory_reorderpoint_start"), *super().get_urls()]

    def start(self, request: HttpRequest) -> HttpResponse:
        """What a form becomes when a store is chosen in it; nothing for what one may not see."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        query = Chosen(request.GET, Store.objects.visible_to(request.user))  # type: ignore[arg-type]
        if not query.is_valid():
            return JsonResponse({})
        store, product = query.cleaned_data["store"], query.cleaned_data["product"]
        return JsonResponse(starting_values(store, product.pk if product else None))


@admin.register(InventoryLevel)
class InventoryLevelAdmin(LedgerAdmin):
    list_display = (
        "counted_at",
        "store",
        "product",
        "sku",
        "on_hand",
        "allocated",
        "available",
        "source",
    )
    ordering = ("-timestamp",)

    def days(self, first: date, last: date) -> Q:
        return Q(timestamp__gte=midnight(first), timestamp__lt=midnight(last + timedelta(days=1)))

    @display(description="Counted at")
    def counted_at(self, level: InventoryLevel) -> str:
        return f"{level.timestamp.astimezone(level.store.zone):%-d %b %Y %H:%M %Z}"

    @display(description="SKU")
    def sku(self, level: InventoryLevel) -> str:
        return level.product.sku

    @display(description="On hand")
    def on_hand(self, level: InventoryLevel) -> str:
        return quantity(level.quantity_on_hand)

    @display(description="Allocated")
    def allocated(self, level: InventoryLevel) -> str:
        return quantity(level.quantity_allocated)

    @display(description="Available")
    def available(self, level: InventoryLevel) -> str:
        return quantity(level.quantity_available)
