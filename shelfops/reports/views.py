"""The page every report is."""

from typing import Any

from django.contrib import admin
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.views import View

from shelfops.reports import export
from shelfops.reports.filters import PeriodFilter, StoreFilter
from shelfops.reports.period import PRESETS, Period
from shelfops.reports.table import Table
from shelfops.saved_views.page import SavedViews


class Report(SavedViews, View):
    """A report in the shell of the admin; the URL holds its filters.

    A report names its permission, filters and template, and builds its content. The content has
    a `table` and whatever else the template shows. `?format=csv`, or xlsx, is the table as a file.
    Its filters can be saved as views of the user's own.
    """

    title: str
    permission: str
    template_name: str
    filter_class: type[StoreFilter]

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not request.user.is_authenticated:
            return redirect_to_login(request.get_full_path())
        if not request.user.has_perm(self.permission) or request.customer is None:  # type: ignore[attr-defined]
            raise PermissionDenied
        return super().dispatch(request, *args, **kwargs)

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        filters = self.filter_class(request.GET, request=request)
        kind = request.GET.get("format", "")
        wants_file = kind in export.KINDS
        if not filters.is_valid():
            return self.page(filters, {}, status=400 if wants_file else 200)
        if wants_file:
            return export.response(self.table(filters), self.file_name(filters), kind)
        return self.page(filters, self.build(filters))

    def build(self, filters: Any) -> dict[str, Any]:
        """What the template shows."""
        raise NotImplementedError

    def table(self, filters: Any) -> Table:
        """What the file holds: the table of the page, or all of it where the page shows a part."""
        table: Table = self.build(filters)["table"]
        return table

    def file_name(self, filters: Any) -> str:
        return self.title.lower().replace(" ", "-")

    @property
    def currency(self) -> str:
        return str(self.request.customer.currency)  # type: ignore[attr-defined]

    def url_with(self, **changes: str | int | None) -> str:
        """This page with other filters; None leaves one out. A change goes to the first page."""
        query = self.request.GET.copy()
        for name, value in {"page": None, **changes}.items():
            query.pop(name, None)
            if value is not None:
                query[name] = str(value)
        return f"?{query.urlencode()}"

    def presets(self, filters: PeriodFilter, period: Period) -> list[dict[str, Any]]:
        """What reports/period.html offers: periods that end with the last day of sales."""
        custom = filters.form.cleaned_data["start"]
        return [
            {
                "days": days,
                "label": f"{days} days",
                "url": self.url_with(period=days, start=None, end=None),
                "chosen": not custom and period.days == days,
            }
            for days in PRESETS
        ]

    def page(
        self, filters: StoreFilter, content: dict[str, Any], status: int = 200
    ) -> HttpResponse:
        context = {
            **admin.site.each_context(self.request),
            "title": self.title,
            "filters": filters,
            "form": filters.form,
            "currency": self.currency,
            "saved_views": self.saved_views,
            "files": {kind.upper(): self.url_with(format=kind) for kind in export.KINDS},
            **content,
        }
        return render(self.request, self.template_name, context, status=status)
