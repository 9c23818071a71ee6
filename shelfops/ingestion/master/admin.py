"""What a list needs whose rows go out to files and come in from them."""

from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import path, reverse

from shelfops.admin import UnusableFilter
from shelfops.ingestion.master import export
from shelfops.ingestion.master.kinds import Kind


class InFiles:
    """For an admin list: exports what its search and filters leave, and leads to the import."""

    master: Kind
    list_before_template = "ingestion/list_files.html"

    def get_urls(self) -> list[Any]:
        own = [
            path(
                f"export/{file_type}/",
                self.admin_site.admin_view(self.export),  # type: ignore[attr-defined]
                {"file_type": file_type},
                name=self.export_name(file_type),
            )
            for file_type in export.WRITERS
        ]
        return own + super().get_urls()  # type: ignore[misc,no-any-return]

    def export_name(self, file_type: str) -> str:
        options = self.opts  # type: ignore[attr-defined]
        return f"{options.app_label}_{options.model_name}_export_{file_type}"

    def export(self, request: HttpRequest, file_type: str) -> HttpResponseBase:
        """The rows of the list as a file."""
        if not self.has_view_permission(request):  # type: ignore[attr-defined]
            raise PermissionDenied
        try:
            rows = self.get_changelist_instance(request).queryset  # type: ignore[attr-defined]
        except UnusableFilter as problem:
            return self.unusable(request, problem)  # type: ignore[attr-defined,no-any-return]
        return export.response(self.master, rows, file_type)

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        may_import = self.master.may_import(request.user)
        extra = {
            "exports": self.exports(request),
            "import_url": reverse(f"master:{self.master.name}") if may_import else "",
            **(extra_context or {}),
        }
        return super().changelist_view(request, extra)  # type: ignore[misc,no-any-return]

    def exports(self, request: HttpRequest) -> dict[str, str]:
        """The address of each type of file, for the rows that the list now shows all pages of."""
        query = request.GET.copy()
        query.pop("p", None)
        return {
            file_type.upper(): f"{reverse(f'admin:{self.export_name(file_type)}')}"
            f"?{query.urlencode()}"
            for file_type in export.WRITERS
        }
