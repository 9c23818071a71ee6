"""Imports and the rows that they refused, to read."""

import json

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.decorators import display

from inventory.models import Store
from shelfops.admin import ReadOnlyAdmin, store_ids
from shelfops.ingestion.models import ImportBatch, RefusedRow

STATUS = {
    ImportBatch.Status.RUNNING.label: "info",
    ImportBatch.Status.DONE.label: "success",
    ImportBatch.Status.FAILED.label: "danger",
    ImportBatch.Status.UNDONE.label: "warning",
}


@admin.register(ImportBatch)
class ImportBatchAdmin(ReadOnlyAdmin):
    empty_text = "Nothing has been imported yet."
    list_display = (
        "source",
        "kind",
        "status_label",
        "read",
        "inserted",
        "present",
        "refused",
        "started_at",
        "finished_at",
    )
    list_filter = (("status", ChoicesDropdownFilter),)
    search_fields = ("source", "kind")
    search_help_text = "File or kind"
    fieldsets = (
        (None, {"fields": (("source", "kind", "status"), "error")}),
        ("Rows", {"fields": (("read", "inserted", "present", "refused"),)}),
        ("Origin", {"fields": (("imported_by", "started_at", "finished_at"), "source_hash")}),
        ("Undone", {"fields": (("undone_by", "undone_at"),)}),
    )
    readonly_fields = ("read", "inserted", "present", "refused")

    @display(description="Rows read")
    def read(self, batch: ImportBatch) -> str:
        return f"{batch.rows_read:,}"

    @display(description="Inserted")
    def inserted(self, batch: ImportBatch) -> str:
        return f"{batch.rows_inserted:,}"

    @display(description="Already there")
    def present(self, batch: ImportBatch) -> str:
        return f"{batch.rows_present:,}"

    @display(description="Refused")
    def refused(self, batch: ImportBatch) -> str:
        return f"{batch.rows_refused:,}"

    @display(description="Status", ordering="status", label=STATUS)
    def status_label(self, batch: ImportBatch) -> str:
        return batch.get_status_display()


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
        """A row knows its store only by the code that the file gives."""
        rows: QuerySet = super().get_queryset(request)
        if store_ids(request.user) is None:  # type: ignore[arg-type]
            return rows
        codes = Store.objects.visible_to(request.user).values_list("code", flat=True)  # type: ignore[arg-type]
        return rows.filter(content__store__in=list(codes))

    @display(description="Store's code")
    def store(self, refused: RefusedRow) -> str:
        return str(refused.content.get("store", "–"))

    @display(description="The row as it came")
    def row(self, refused: RefusedRow) -> SafeString:
        text = json.dumps(refused.content, indent=2, ensure_ascii=False)
        return format_html('<pre class="shelf-json">{}</pre>', text)
