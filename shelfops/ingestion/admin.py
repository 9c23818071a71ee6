"""Imports and the rows that they refused: to read, to download, to undo."""

import json
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import OperationalError, connection, transaction
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.html import format_html
from django.utils.http import content_disposition_header
from django.utils.safestring import SafeString
from psycopg.errors import LockNotAvailable
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.decorators import display

from shelfops.admin import ReadOnlyAdmin, store_ids
from shelfops.ingestion import undo
from shelfops.ingestion.feeds import bury
from shelfops.ingestion.imports import KINDS
from shelfops.ingestion.models import ImportBatch, RefusedRow
from shelfops.ingestion.refused import refused_csv, visible_to
from shelfops.tenancy.models import User
from shelfops.timescale.pending import refresh_soon

STATUS = {
    ImportBatch.Status.RUNNING.label: "info",
    ImportBatch.Status.DONE.label: "success",
    ImportBatch.Status.FAILED.label: "danger",
    ImportBatch.Status.UNDONE.label: "warning",
}
# How long a page waits for an import of the same kind to end.
PATIENCE = "SELECT set_config('lock_timeout', '10s', true)"


def may_undo(user: User, batch: ImportBatch) -> bool:
    """Store-bound users undo what concerns their stores alone, or else what they imported."""
    if not user.has_perm("ingestion.undo_importbatch"):
        return False
    allowed = store_ids(user)
    if allowed is None:
        return True
    if "stores" in batch.metadata:
        return set(batch.metadata["stores"]) <= set(map(str, allowed))
    return batch.imported_by == user.email


@admin.register(ImportBatch)
class ImportBatchAdmin(ReadOnlyAdmin):
    empty_text = "Nothing has been imported yet."
    change_form_outer_before_template = "ingestion/bulk_batch.html"
    list_before_template = "ingestion/bulk_list.html"
    list_display = (
        "source",
        "holds",
        "status_label",
        "read",
        "inserted",
        "changed",
        "present",
        "refused",
        "imported_by",
        "started_at",
    )
    list_filter = (("status", ChoicesDropdownFilter),)
    search_fields = ("source", "kind", "imported_by")
    search_help_text = "File, kind or person"
    readonly_fields = ("holds", "read", "inserted", "changed", "present", "refused", "repeated")

    def get_fieldsets(self, request: HttpRequest, obj: ImportBatch | None = None) -> Any:
        """What there is to say of the import, and no empty fields."""
        what: list[Any] = [("source", "holds", "status")]
        rows: list[Any] = [("read", "refused"), ("inserted", "changed", "present")]
        sections = [(None, {"fields": what}), ("Rows", {"fields": rows})]
        if obj is not None and obj.error:
            what.append("error")
        if obj is not None and obj.repeated_times:
            rows.append("repeated")
        if obj is not None and obj.undone_at:
            sections.append(("Undone", {"fields": [("undone_by", "undone_at")]}))
        times = ("imported_by", "started_at", "finished_at")
        return [*sections, ("Origin", {"fields": [times, "source_hash"]})]

    @display(description="Holds", ordering="kind")
    def holds(self, batch: ImportBatch) -> str:
        known = KINDS.get(batch.kind)
        return known.title if known else batch.kind.replace("_", " ").capitalize()

    @display(description="Rows read")
    def read(self, batch: ImportBatch) -> str:
        return f"{batch.rows_read:,}"

    @display(description="Inserted")
    def inserted(self, batch: ImportBatch) -> str:
        return f"{batch.rows_inserted:,}"

    @display(description="Changed")
    def changed(self, batch: ImportBatch) -> str:
        return f"{batch.rows_changed:,}"

    @display(description="Already there")
    def present(self, batch: ImportBatch) -> str:
        return f"{batch.rows_present:,}"

    @display(description="Refused")
    def refused(self, batch: ImportBatch) -> str:
        if not batch.rows_refused:
            return "0"
        unkept = batch.refused_unkept
        return format_html(
            '<a class="shelf-link" href="{}" title="Download the refused rows of {}">{}</a>{}',
            reverse("admin:ingestion_importbatch_refused", args=[batch.pk]),
            batch.source,
            f"{batch.rows_refused:,}",
            f", of which the last {unkept:,} are counted only" if unkept else "",
        )

    @display(description="Times that came twice")
    def repeated(self, batch: ImportBatch) -> str:
        return f"{batch.repeated_times:,}, as the clocks were put back; the first was taken"

    @display(description="Status", ordering="status", label=STATUS)
    def status_label(self, batch: ImportBatch) -> str:
        return batch.get_status_display()

    def get_urls(self) -> list[Any]:
        own = [
            path(
                f"<uuid:object_id>/{name}/",
                self.admin_site.admin_view(view),
                name=f"ingestion_importbatch_{name}",
            )
            for name, view in (("refused", self.refused_view), ("undo", self.undo_view))
        ]
        return [*own, *super().get_urls()]

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> Any:
        bury(list(KINDS))
        return super().changelist_view(request, extra_context)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> Any:
        bury(list(KINDS))
        batch = self.get_object(request, object_id)
        extra: dict[str, Any] = {"may_undo": False}
        if batch is not None and batch.has_effect and may_undo(request.user, batch):  # type: ignore[arg-type]
            reasons = undo.obstacles(batch)
            extra = {"may_undo": not reasons, "reasons": reasons}
        return super().change_view(request, object_id, form_url, {**extra, **(extra_context or {})})

    def found(self, request: HttpRequest, object_id: object) -> ImportBatch:
        """The batch, for who may read it; 404 if this customer has none of that id."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        batch: ImportBatch | None = self.get_object(request, str(object_id))
        if batch is None:
            raise Http404
        return batch

    def refused_view(self, request: HttpRequest, object_id: object) -> StreamingHttpResponse:
        batch = self.found(request, object_id)
        response = StreamingHttpResponse(
            refused_csv(batch, request.user),  # type: ignore[arg-type]
            content_type="text/csv; charset=utf-8",
        )
        name = f"refused-{batch.source.rpartition('.')[0] or batch.source}.csv"
        response["Content-Disposition"] = content_disposition_header(True, name) or "attachment"
        response["Cache-Control"] = "no-store"
        return response

    def undo_view(self, request: HttpRequest, object_id: object) -> HttpResponse:
        """Say what undoing means; do it when it is confirmed."""
        batch = self.found(request, object_id)
        if not may_undo(request.user, batch):  # type: ignore[arg-type]
            raise PermissionDenied
        if request.method == "POST":
            self.undo(request, batch)
            return redirect("admin:ingestion_importbatch_change", batch.pk)
        reasons = undo.obstacles(batch)
        context = {
            **self.admin_site.each_context(request),
            "title": f"Undo the import of {batch.source}",
            "batch": batch,
            "holds": self.holds(batch),
            "reasons": reasons,
            "warnings": [] if reasons else undo.KINDS[batch.kind].warnings(batch),
        }
        return TemplateResponse(request, "ingestion/bulk_undo.html", context)

    def undo(self, request: HttpRequest, batch: ImportBatch) -> None:
        try:
            with transaction.atomic():
                with connection.cursor() as cursor:
                    cursor.execute(PATIENCE)
                rows = undo.undo(request.customer, batch, request.user.email)  # type: ignore[attr-defined, union-attr]
        except undo.CannotUndo as error:
            messages.error(request, f"Nothing was undone. {error}")
        except OperationalError as error:
            if not isinstance(error.__cause__, LockNotAvailable):
                raise
            messages.error(
                request,
                "Nothing was undone: an import of this kind is under way. Try again afterwards.",
            )
        else:
            refresh_soon()
            messages.success(
                request,
                f"{rows:,} rows of {batch.source} were taken back. The totals of their days follow"
                " within a minute or two.",
            )


@admin.register(RefusedRow)
class RefusedRowAdmin(ReadOnlyAdmin):
    empty_text = "Every row of every import was placed."
    exclude = ("content",)
    fields = (("batch", "kind", "line_number"), ("field", "reason"), "row")
    list_display = ("line_number", "field", "reason", "store", "kind", "batch")
    list_related = ("batch",)
    readonly_fields = ("row",)
    search_fields = ("reason", "field")
    search_help_text = "Reason or field"

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        return visible_to(request.user, super().get_queryset(request))  # type: ignore[arg-type]

    @display(description="Store's code")
    def store(self, refused: RefusedRow) -> str:
        return str(refused.content.get("store", "–"))

    @display(description="The row as it came")
    def row(self, refused: RefusedRow) -> SafeString:
        text = json.dumps(refused.content, indent=2, ensure_ascii=False)
        return format_html('<pre class="shelf-json">{}</pre>', text)
