"""Users of a customer, the log of operators' access, and, for operators, the customers."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.options import csrf_protect_m
from django.contrib.admin.utils import unquote
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.db import IntegrityError, models, transaction
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from unfold.admin import TabularInline
from unfold.contrib.filters.admin import BooleanRadioFilter, ChoicesDropdownFilter
from unfold.decorators import display

from inventory.models import StoreAssignment
from shelfops.admin import BackOfficeAdmin, OneRowPerStore, ReadOnlyAdmin, StoreScoped
from shelfops.tenancy.context import set_local
from shelfops.tenancy.forms import (
    CustomerForm,
    RoleAndAddress,
    SetPasswordForm,
    UserAddForm,
)
from shelfops.tenancy.models import Customer, CustomerAccess, User
from shelfops.tenancy.roles import STORE_SCOPED, Role

ROLE_COLOURS = {
    Role.ADMIN.label: "primary",
    Role.MANAGER.label: "info",
    Role.STAFF.label: "success",
    Role.ANALYST.label: "warning",
}


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
class UserAdmin(BackOfficeAdmin, DjangoUserAdmin):
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

    def lookup_allowed(self, lookup: str, value: str, request: Any = None) -> bool:
        return not lookup.startswith("password") and super().lookup_allowed(lookup, value, request)

    def get_form(
        self, request: HttpRequest, obj: User | None = None, change: bool = False, **kwargs: Any
    ) -> type[Any]:
        form = super().get_form(request, obj, change=change, **kwargs)
        form.taken = getattr(request, "taken_address", None)
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


@contextmanager
def own_log(request: HttpRequest) -> Iterator[None]:
    """A transaction that sees the operator's own entries of the admin's log."""
    with transaction.atomic():
        set_local("current_user_id", request.user.pk)
        yield


@admin.register(CustomerAccess)
class CustomerAccessAdmin(ReadOnlyAdmin):
    empty_text = "No platform operator has acted as your company."
    list_display = ("at", "operator_email", "action_label", "reason")
    list_display_links = None
    list_filter = (("action", ChoicesDropdownFilter),)
    search_fields = ("operator_email", "reason")
    search_help_text = "Operator or reason"

    @display(description="Action", label={"Started acting": "warning", "Stopped acting": "success"})
    def action_label(self, access: CustomerAccess) -> str:
        return access.get_action_display()


@admin.register(Customer)
class CustomerAdmin(BackOfficeAdmin):
    """For operators, through the operator's database role, which sees all customers.

    Its pages hold no transaction of the application's role meanwhile (`non_atomic_requests`,
    which TenantMiddleware obeys): the embedded engine runs one transaction at a time, so that
    the second role would wait for the first for ever.
    """

    form = CustomerForm
    list_display = ("name", "currency", "is_active", "created_at", "act")
    list_filter = (("is_active", BooleanRadioFilter),)
    search_fields = ("name",)
    search_help_text = "Name"
    empty_text = "Add the first customer, then act as it to add its first user."

    def get_queryset(self, request: HttpRequest) -> models.QuerySet:
        return Customer.objects.using("operator").order_by("name")

    @transaction.non_atomic_requests
    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> Any:
        return super().changelist_view(request, extra_context)

    @transaction.non_atomic_requests
    def add_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        return super().add_view(request, *args, **kwargs)

    @transaction.non_atomic_requests
    def change_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        return super().change_view(request, *args, **kwargs)

    @transaction.non_atomic_requests
    def delete_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        return super().delete_view(request, *args, **kwargs)

    @transaction.non_atomic_requests
    def history_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> Any:
        """The operator's own changes, which the application's role reads in its transaction."""
        self.get_object(request, unquote(object_id))
        with own_log(request):
            return super().history_view(request, object_id, extra_context).render()

    def get_object(self, request: HttpRequest, object_id: str, from_field: Any = None) -> Any:
        """Read once a request, so that no other transaction is open meanwhile."""
        if not hasattr(request, "found_customer"):
            request.found_customer = super().get_object(request, object_id, from_field)  # type: ignore[attr-defined]
        return request.found_customer  # type: ignore[attr-defined]

    @csrf_protect_m
    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        """Without Django's transaction of the application's role around the operator's."""
        return self._changeform_view(request, *args, **kwargs)

    def save_model(self, request: HttpRequest, obj: Customer, form: Any, change: bool) -> None:
        obj.save(using="operator")
        if not change:
            messages.info(request, f"Now act as {obj} to add its first user.")

    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        with own_log(request):
            return super().log_addition(request, obj, message)

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        with own_log(request):
            return super().log_change(request, obj, message)

    @display(description="Act as")
    def act(self, customer: Customer) -> str:
        url = reverse("start-acting", args=[customer.pk])
        return format_html('<a class="shelf-link" href="{}">Act as {}</a>', url, customer)
