"""What every page of the back office shares: who sees which rows, and lists without counting."""

from collections.abc import Iterator
from contextlib import suppress
from typing import Any, cast
from uuid import UUID

from django.contrib import admin, messages
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.widgets import RelatedFieldWidgetWrapper
from django.core.exceptions import ValidationError
from django.core.paginator import InvalidPage, Page, Paginator
from django.db import IntegrityError, models
from django.db.models import prefetch_related_objects
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.functional import cached_property
from unfold.admin import ModelAdmin
from unfold.contrib.filters.admin import RelatedDropdownFilter
from unfold.forms import PaginationInlineFormSet
from unfold.views import ChangeList

from inventory.models import Store
from shelfops.tenancy.models import User
from shelfops.tenancy.versions import Stale
from shelfops.versions import VersionedForm, entered


def store_ids(user: User) -> list[UUID] | None:
    """The stores that a store-bound user works in, read once a request; None for all stores."""
    if not user.is_store_scoped:
        return None
    if "_store_ids" not in vars(user):
        ids = Store.objects.visible_to(user).values_list("pk", flat=True)
        vars(user)["_store_ids"] = list(ids)
    return cast("list[UUID]", vars(user)["_store_ids"])


class LookAheadPage(Page):
    has_more = False

    def has_next(self) -> bool:
        return self.has_more and self.number < self.paginator.num_pages


class LookAheadPaginator(Paginator):
    """Pages without count(*): reads one row too many to know whether there is a next page.

    It stops after `max_pages`, since a large OFFSET reads all that it skips.
    """

    max_pages = 200

    @cached_property
    def count(self) -> int:
        return self.per_page * self.max_pages

    def page(self, number: int | str) -> LookAheadPage:
        number = self.validate_number(number)
        first = (number - 1) * self.per_page
        rows = list(self.object_list[first : first + self.per_page + 1])
        page = LookAheadPage(rows[: self.per_page], number, self)
        page.has_more = len(rows) > self.per_page
        return page


class UnusableFilter(Exception):  # noqa: N818  (said to the user, not an error of the code)
    """What the address says that the list cannot do; the text is shown."""


class PagedChangeList(ChangeList):
    """A list that shows one page and whether there are more, whatever the size of the table."""

    def get_filters(self, request: HttpRequest) -> Any:
        """The list's own filters and no other lookup: those reach fields and errors at will."""
        found = super().get_filters(request)
        if unknown := sorted(found[2]):
            raise UnusableFilter(f"This list has no filter {', '.join(unknown)}.")
        return found

    def get_results(self, request: HttpRequest) -> None:
        self.paginator = self.model_admin.get_paginator(request, self.queryset, self.list_per_page)
        try:
            self.page = self.paginator.page(self.page_num)
        except InvalidPage:
            raise IncorrectLookupParameters from None
        self.result_list = self.rows(self.page)
        self.result_count = len(self.result_list)
        self.full_result_count = None
        self.show_full_result_count = self.can_show_all = self.show_admin_actions = False
        self.multi_page = self.page.has_other_pages()
        if self.result_list:
            prefetch_related_objects(self.result_list, *self.model_admin.list_related)
            self.model_admin.complete_page(request, self.result_list)

    def rows(self, page: LookAheadPage) -> list[Any]:
        return list(page.object_list)

    def apply_select_related(self, qs: models.QuerySet) -> models.QuerySet:
        """No joins: what `list_related` names is read by key, for the rows of the page alone.

        A join of two tables under row security is often planned badly.
        """
        return qs


class StoreScoped:
    """For an admin page or an inline: rows, choices and counts of the user's own stores only."""

    # Lookup of the store from the model; empty where a row belongs to no store.
    store_lookup = ""

    def get_queryset(self, request: HttpRequest) -> models.QuerySet:
        rows: models.QuerySet = super().get_queryset(request)  # type: ignore[misc]
        ids = store_ids(request.user) if self.store_lookup else None  # type: ignore[arg-type]
        return rows if ids is None else rows.filter(**{f"{self.store_lookup}__in": ids})

    def formfield_for_foreignkey(
        self, db_field: models.ForeignKey, request: HttpRequest, **kwargs: Any
    ) -> Any:
        """Accept what the related model's own list would show this user, and nothing else."""
        related = self.admin_site._registry.get(db_field.related_model)  # type: ignore[attr-defined]
        if related is not None:
            kwargs.setdefault("queryset", related.get_queryset(request))
        return super().formfield_for_foreignkey(db_field, request, **kwargs)  # type: ignore[misc]

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """Without the buttons that would open the related row in a window of its own."""
        field = super().formfield_for_dbfield(db_field, request, **kwargs)  # type: ignore[misc]
        if isinstance(getattr(field, "widget", None), RelatedFieldWidgetWrapper):
            field.widget = field.widget.widget
        return field


class BackOfficeAdmin(StoreScoped, ModelAdmin):
    actions = None
    empty_value_display = "–"
    form = VersionedForm
    list_filter_submit = True
    list_per_page = 50
    paginator = LookAheadPaginator
    show_facets = admin.ShowFacets.NEVER
    show_full_result_count = False
    # Foreign keys that the list shows.
    list_related: tuple[str, ...] = ()
    # What a list without a single row tells the user to do.
    empty_text = "There is nothing here yet."

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return PagedChangeList

    def lookup_allowed(self, lookup: str, value: str, request: Any = None) -> bool:
        """Asked before the filters take what is theirs; PagedChangeList refuses all the rest."""
        return True

    def get_changelist_instance(self, request: HttpRequest) -> ChangeList:
        try:
            return super().get_changelist_instance(request)
        except IncorrectLookupParameters as error:
            raise UnusableFilter(
                "A filter has a value that it cannot use, or there is no such page."
            ) from error

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        try:
            return super().changelist_view(request, extra_context)  # type: ignore[no-any-return]
        except UnusableFilter as problem:
            return self.unusable(request, problem)

    def unusable(self, request: HttpRequest, problem: UnusableFilter) -> HttpResponse:
        options = self.model._meta
        context = {
            **self.admin_site.each_context(request),
            "title": str(options.verbose_name_plural).capitalize(),
            "problem": str(problem),
            "list_url": reverse(f"admin:{options.app_label}_{options.model_name}_changelist"),
        }
        return TemplateResponse(request, "admin/unusable_filter.html", context, status=400)

    def get_paginator(
        self, request: HttpRequest, queryset: Any, per_page: int, *args: Any, **kwargs: Any
    ) -> Any:
        """Without counting, but for the short history of one row."""
        if queryset.model is not self.model:
            return Paginator(queryset, per_page)
        return super().get_paginator(request, queryset, per_page, *args, **kwargs)

    def complete_page(self, request: HttpRequest, rows: list[Any]) -> None:
        """Add to the rows of one page, at least one, what is too dear to work out for all."""

    def _get_obj_does_not_exist_redirect(
        self, request: HttpRequest, opts: Any, object_id: str
    ) -> HttpResponse:
        """Another customer's row, another store's, and none at all look the same."""
        if request.method != "POST" or not self.has_change_permission(request):
            raise Http404
        context = {
            **self.admin_site.each_context(request),
            "title": f"This {opts.verbose_name} is not there any more",
            "opts": opts,
            "entered": entered(self.get_form(request)(request.POST)),
        }
        return TemplateResponse(request, "admin/gone.html", context, status=404)

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """What the address fills in, of what the form itself would accept."""
        fields = self.get_form(request).base_fields
        accepted = {}
        for name, value in super().get_changeform_initial_data(request).items():
            with suppress(KeyError, ValidationError):
                accepted[name] = fields[name].clean(value)
        return accepted

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> Any:
        try:
            return super().changeform_view(request, object_id, form_url, extra_context)
        except Stale:  # now the form sees the version that came in between, or that there is none
            return super().changeform_view(request, object_id, form_url, extra_context)
        except IntegrityError as error:  # Django's savepoint has undone everything
            return self.conflict(request, error, object_id, form_url, extra_context)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        if not change:
            super().save_model(request, obj, form, change)
        elif form.changed_data:
            obj.save_unless_changed()

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        """A form that was saved as it was has changed nothing."""
        return super().log_change(request, obj, message) if message else None

    def conflict(
        self, request: HttpRequest, error: IntegrityError, *args: Any, **kwargs: Any
    ) -> Any:
        """Answer what only the database could see, such as two people saving at once.

        Asked once more, the form sees it too and says it at the field.
        """
        if not getattr(request, "is_second_try", False):
            request.is_second_try = True  # type: ignore[attr-defined]
            return self.changeform_view(request, *args, **kwargs)
        messages.error(
            request,
            "Nothing was saved: somebody else changed the same thing at the same time."
            " Look at what is there now and try again.",
        )
        return HttpResponseRedirect(request.get_full_path())


class ReadOnlyAdmin(BackOfficeAdmin):
    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class StoreFilter(RelatedDropdownFilter):
    """By store, offering the user's own."""

    def field_choices(self, field: Any, request: HttpRequest, model_admin: Any) -> list[Any]:
        stores = Store.objects.visible_to(request.user)  # type: ignore[arg-type]
        return [(pk, name) for pk, name in stores.values_list("pk", "name")]


class OneRowPerStore(PaginationInlineFormSet):
    """Refuses a store that is entered twice, at its field."""

    def clean(self) -> None:
        super().clean()
        seen = set()
        for form in self.kept_forms():
            store = form.cleaned_data.get("store")
            if store in seen:
                form.add_error("store", "This store is entered twice.")
            seen.add(store)

    def kept_forms(self) -> Iterator[Any]:
        for form in self.forms:
            data = getattr(form, "cleaned_data", None)
            if data and data.get("store") and not data.get("DELETE"):
                yield form
