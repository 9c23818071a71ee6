"""What was mailed to whom, for the customer's administrators."""

from django.contrib import admin
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.decorators import display

from alerts.notifications.models import Mail
from shelfops.admin import ReadOnlyAdmin

STATUS = {"Sent": "success", "Waiting": "info", "Retrying": "warning", "Not sent": "danger"}


@admin.register(Mail)
class MailAdmin(ReadOnlyAdmin):
    empty_text = "Nothing has been mailed yet."
    fields = ("user", "kind", "status_label", "attempts", "created_at", "sent_at",
              "next_attempt_at", "error")  # fmt: skip
    list_display = ("created_at", "user", "kind", "status_label", "attempts", "sent_at", "error")
    list_display_links = None
    list_filter = (("kind", ChoicesDropdownFilter),)
    list_related = ("user",)
    readonly_fields = ("status_label",)

    @display(description="Status", label=STATUS)
    def status_label(self, mail: Mail) -> str:
        return mail.status
