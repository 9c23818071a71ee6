"""Imports and the rows that they refused, to read."""

import json

from django.contrib import admin
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.decorators import display

from shelfops.admin import ReadOnlyAdmin
from shelfops.ingestion.models import ImportBatch, RefusedRow

STATUS = {
    ImportBatch.Status.RUNNING.label: "info",
    ImportBatch.Status.DONE.label: "success",
    ImportBatch.Status.FAILED.label: "danger",
}


@admin.register(ImportBatch)
class ImportBatchAdmin(ReadOnlyAdmin):
    empty_text = "Nothing has been imported yet."
    list_display = (
        "source",
        "kind",
        "status_label",
        "rows_read",
        "rows_inserted",
        "rows_present",
        "rows_refused",
        "started_at",
        "finished_at",
    )
    list_filter = (("status", ChoicesDropdownFilter),)
    search_fields = ("source", "kind")
    search_help_text = "File or kind"
    fieldsets = (
        (None, {"fields": (("source", "kind", "status"), "error")}),
        ("Rows", {"fields": (("rows_read", "rows_inserted", "rows_present", "rows_refused"),)}),
        ("Origin", {"fields": (("imported_by", "started_at", "finished_at"), "source_hash")}),
    )

    @display(description="Status", ordering="status", label=STATUS)
    def status_label(self, batch: ImportBatch) -> str:
        return batch.get_status_display()


@admin.register(RefusedRow)
class RefusedRowAdmin(ReadOnlyAdmin):
    empty_text = "Every row of every import was placed."
    exclude = ("content",)
    fields = (("batch", "kind", "line_number"), ("field", "reason"), "row")
    list_display = ("line_number", "field", "reason", "kind", "batch")
    list_related = ("batch",)
    readonly_fields = ("row",)
    search_fields = ("reason", "field")
    search_help_text = "Reason or field"

    @display(description="The row as it came")
    def row(self, refused: RefusedRow) -> SafeString:
        text = json.dumps(refused.content, indent=2, ensure_ascii=False)
        return format_html('<pre class="shelf-json">{}</pre>', text)
