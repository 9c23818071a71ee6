"""Users of a customer, the log of operators' access, and, for operators, the customers."""

from typing import Any

from django.contrib import admin, messages
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group
from django.db import IntegrityError, models
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from unfold.admin import TabularInline
from unfold.contrib.filters.admin import BooleanRadioFilter, ChoicesDropdownFilter
from unfold.decorators import display

from inventory.models import StoreAssignment
from shelfops.admin import BackOfficeAdmin, OneRowPerStore, ReadOnlyAdmin, StoreScoped
from shelfops.tenancy.forms import (
    CustomerForm,
    RoleAndAddress,
    SetPasswordForm,
    UserAddForm,
)
from shelfops.tenancy.models import Customer, CustomerAccess, LogIn, User
from shelfops.tenancy.roles import STORE_SCOPED, Role

ROLE_COLOURS = {
    Role.ADMIN.label: "primary",
    Role.MANAGER.label: "info",
    Role.STAFF.label: "success",
    Role.ANALYST.label: "warning",
}

# Roles are fixed (see roles.py), so Django's groups of permissions have no page.
admin.site.unregister(Group)


class AssignedStores(StoreScoped, TabularInline):
    model = StoreAssignment
    formset = OneRowPerStore
    fields = ("store",)
    autocomplete_fields = ("store",)
    extra = 0
    hide_title = True
    verbose_name = "store"
    verbose_name_plural = "stores (of store managers and staff; the others see all)"

    def get_queryset(self, request: HttpRequest) -> models.QuerySet:
        return super().get_queryset(request).select_related("store")


@admin.register(User)
class UserAdmin(BackOfficeAdmin, DjangoUserAdmin):  # type: ignore[misc]
    add_form = UserAddForm
    add_fieldsets = (
        (None, {"fields": ("name", "email", "role", "is_active")}),
        ("Password", {"fields": ("password1", "password2")}),
    )
    add_form_template = None
    change_password_form = SetPasswordForm
    fieldsets = ((None, {"fields": ("name", "email", "role", "is_active", "last_login")}),)
    filter_horizontal = ()
    form = RoleAndAddress
    inlines = (AssignedStores,)
    list_display = ("name", "email", "role_label", "stores_assigned", "is_active", "last_login")
    list_filter = (("role", ChoicesDropdownFilter), ("is_active", BooleanRadioFilter))
    ordering = ("name",)
    readonly_fields = ("last_login",)
    search_fields = ("name", "email")
    search_help_text = "Name or e-mail"

    def get_queryset(self, request: HttpRequest) -> models.QuerySet:
        """The customer's own: an acting operator's row is visible to them, but not one of these."""
        users = super().get_queryset(request)
        return users.filter(customer=request.customer)  # type: ignore[attr-defined]

    def complete_page(self, request: HttpRequest, rows: list[User]) -> None:
        """One query for the number of stores of the users on the page."""
        counts = dict(
            StoreAssignment.objects.filter(user__in=rows)
            .values_list("user")
            .annotate(models.Count("pk"))
        )
        for user in rows:
            user.store_count = counts.get(user.pk, 0)  # type: ignore[attr-defined]

    @display(description="Role", ordering="role", label=ROLE_COLOURS)
    def role_label(self, user: User) -> str:
        return user.get_role_display()

    @display(description="Stores")
    def stores_assigned(self, user: User) -> str:
        return str(user.store_count) if user.role in STORE_SCOPED else "All"  # type: ignore[attr-defined]

    def get_form(
        self, request: HttpRequest, obj: User | None = None, change: bool = False, **kwargs: Any
    ) -> Any:
        form: Any = super().get_form(request, obj, change=change, **kwargs)
        form.taken = getattr(request, "taken_address", None)
        form.customer = request.customer  # type: ignore[attr-defined]
        return form

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        """Nobody can lock themselves out."""
        own = obj is not None and obj.pk == request.user.pk
        return (*self.readonly_fields, "role", "is_active") if own else self.readonly_fields

    def conflict(
        self, request: HttpRequest, error: IntegrityError, *args: Any, **kwargs: Any
    ) -> Any:
        """Show an address that only the database knows to be taken at its field.

        Row security hides other customers' users, so that the form could not see it.
        """
        if _constraint(error) != "users_email_key":
            return super().conflict(request, error, *args, **kwargs)
        request.taken_address = request.POST["email"].strip().lower()  # type: ignore[attr-defined]
        return self.changeform_view(request, *args, **kwargs)

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:
        if not change:
            obj.customer = request.customer  # type: ignore[attr-defined]
        super().save_model(request, obj, form, change)

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        super().save_related(request, form, formsets, change)
        user = form.instance
        if user.is_store_scoped and not user.assignments.exists():
            messages.warning(request, f"{user} sees no rows yet: assign a store below.")


def _constraint(error: IntegrityError) -> str | None:
    return getattr(getattr(error.__cause__, "diag", None), "constraint_name", None)


@admin.register(LogIn)
class LogInAdmin(ReadOnlyAdmin):
    empty_text = "Nobody has logged in yet."
    list_display = ("at", "user", "outcome_label", "address", "is_known")
    list_display_links = None
    list_filter = (("outcome", ChoicesDropdownFilter), ("is_known", BooleanRadioFilter))
    list_related = ("user",)
    search_fields = ("user__name", "user__email")
    search_help_text = "Name or e-mail"

    def get_queryset(self, request: HttpRequest) -> models.QuerySet:
        """The customer's own: an acting operator's are visible to them, but not among these."""
        rows = super().get_queryset(request)
        return rows.filter(customer=request.customer)  # type: ignore[attr-defined]

    @display(description="What", label={"Logged in": "success", "Failed": "warning"})
    def outcome_label(self, log_in: LogIn) -> str:
        return log_in.get_outcome_display()


@admin.register(CustomerAccess)
class CustomerAccessAdmin(ReadOnlyAdmin):
    empty_text = "No platform operator has acted as your company."
    list_display = ("at", "operator_email", "action_label", "ends_at", "reason")
    list_display_links = None
    list_filter = (("action", ChoicesDropdownFilter),)
    search_fields = ("operator_email", "reason")
    search_help_text = "Operator or reason"

    @display(description="Action", label={"Started acting": "warning", "Stopped acting": "success"})
    def action_label(self, access: CustomerAccess) -> str:
        return access.get_action_display()


@admin.register(Customer)
class CustomerAdmin(BackOfficeAdmin):
    """For operators, whose own row of `users` opens all customers to them (tenancy/0001)."""

    form = CustomerForm
    list_display = ("name", "currency", "is_active", "created_at", "act")
    list_filter = (("is_active", BooleanRadioFilter),)
    search_fields = ("name",)
    search_help_text = "Name"
    empty_text = "Add the first customer, then act as it to add its first user."

    def get_queryset(self, request: HttpRequest) -> models.QuerySet:
        return super().get_queryset(request).order_by("name")

    def save_model(self, request: HttpRequest, obj: Customer, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        if not change:
            messages.info(request, f"Now act as {obj} to add its first user.")

    @display(description="Act as")
    def act(self, customer: Customer) -> str:
        url = reverse("start-acting", args=[customer.pk])
        return format_html('<a class="shelf-link" href="{}">Act as {}</a>', url, customer)
