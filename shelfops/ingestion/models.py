"""The record of every import, and the rows that it could not place."""

from datetime import timedelta
from uuid import uuid4

from django.db import models
from django.utils import timezone

from shelfops.tenancy.models import TenantModel, User

DRAFT_LIFE = timedelta(days=1)

# In a batch's metadata: how many of its times the clocks showed twice.
REPEATED_TIMES = "repeated_times"
# There, too: how many refused rows are kept, and their bytes.
KEPT = "refused_kept"


class ImportBatch(TenantModel):
    """One import of one file: `rows_read` = inserted + changed + already there + refused.

    The counts grow with every block that is committed, so they are right for a batch that
    failed half-way, too. They stay when it is undone. `touched_from` and `touched_until` are
    the first and last moment of the rows that it inserted into a ledger.
    """

    class Status(models.TextChoices):
        RUNNING = "running", "Running"
        DONE = "done", "Done"
        FAILED = "failed", "Failed"
        UNDONE = "undone", "Undone"

    batch_id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    kind = models.CharField(max_length=32, help_text="What its rows are, such as transactions.")
    source = models.CharField(max_length=255, help_text="The file's name.")
    source_hash = models.CharField(max_length=64, help_text="SHA-256 of the file.")
    imported_by = models.CharField(max_length=254, help_text="E-mail of a person, or a command.")
    status = models.CharField(max_length=16, choices=Status, default=Status.RUNNING)
    rows_read = models.BigIntegerField(default=0)
    rows_inserted = models.BigIntegerField("inserted", default=0)
    rows_changed = models.BigIntegerField("changed", default=0)
    rows_present = models.BigIntegerField("already there", default=0)
    rows_refused = models.BigIntegerField("refused", default=0)
    error = models.TextField(blank=True, default="")
    metadata = models.JSONField(default=dict, blank=True)
    started_at = models.DateTimeField(default=timezone.now)
    finished_at = models.DateTimeField(null=True, blank=True)
    touched_from = models.DateTimeField(null=True, blank=True)
    touched_until = models.DateTimeField(null=True, blank=True)
    undone_by = models.CharField(max_length=254, blank=True, default="")
    undone_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "import_batches"
        ordering = ["-started_at"]
        verbose_name_plural = "import batches"

    def __str__(self) -> str:
        return f"{self.kind} from {self.source}"

    @property
    def has_effect(self) -> bool:
        """Whether there is anything to undo."""
        return self.rows_inserted + self.rows_changed > 0

    @property
    def repeated_times(self) -> int:
        """Rows whose time the clocks showed twice; the first of the two was taken."""
        return int(self.metadata.get(REPEATED_TIMES, 0))

    @property
    def refused_unkept(self) -> int:
        """Refused rows beyond what is kept of an import: counted, and no more."""
        kept = self.metadata.get(KEPT)
        return self.rows_refused - int(kept["rows"]) if kept else 0


class RefusedRow(TenantModel):
    """A row of a file that was not placed, and why.

    A row is known by its file and line: importing a file again moves its refused rows to the
    newer batch instead of keeping them twice.
    """

    refused_row_id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    batch = models.ForeignKey(
        ImportBatch, models.PROTECT, related_name="refused", db_constraint=False
    )
    kind = models.CharField(max_length=32)
    source_hash = models.CharField(max_length=64)
    line_number = models.BigIntegerField("line")
    field = models.CharField(max_length=64)
    reason = models.CharField(max_length=255)
    content = models.JSONField()

    class Meta:
        db_table = "refused_rows"
        ordering = ["line_number"]
        constraints = [
            models.UniqueConstraint(
                fields=["customer", "kind", "source_hash", "line_number"],
                name="refused_rows_line_key",
            )
        ]

    def __str__(self) -> str:
        return f"Line {self.line_number}, {self.field}: {self.reason}"


class DraftQuerySet(models.QuerySet["ImportDraft"]):
    def of(self, user: User) -> "DraftQuerySet":
        """The user's own, of the last day; what is older is about to be deleted."""
        return self.filter(user_id=user.pk, created_at__gt=timezone.now() - DRAFT_LIFE)


class ImportDraft(TenantModel):
    """A file of master data that its user looks at before it is applied.

    `file` is packed. `reading` says how it is read: encoding, decimal sign, sheet,
    and which of its columns is which. Its compared rows are in import_draft_rows.
    """

    draft_id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    user_id = models.UUIDField(editable=False)
    kind = models.CharField(max_length=32)
    source = models.CharField(max_length=255)
    source_hash = models.CharField(max_length=64)
    file = models.BinaryField()
    reading = models.JSONField(default=dict)
    rows_read = models.IntegerField(default=0)
    rows_created = models.IntegerField(default=0)
    rows_changed = models.IntegerField(default=0)
    rows_refused = models.IntegerField(default=0)
    compared_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(default=timezone.now)

    objects = DraftQuerySet.as_manager()

    class Meta:
        db_table = "import_drafts"
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return self.source

    @property
    def rows_same(self) -> int:
        return self.rows_read - self.rows_created - self.rows_changed - self.rows_refused

    @property
    def rows_to_apply(self) -> int:
        return self.rows_created + self.rows_changed
