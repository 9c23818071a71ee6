"""What people are told, in which way they want to be told, and the mails that tell them."""

from uuid import uuid4

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models

from shelfops.tenancy.models import TenantModel

DIGEST_HOUR = 7


class NotificationSettings(TenantModel):
    """A person's choices. Who has made none has the defaults."""

    settings_id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="+", db_constraint=False
    )
    mails_at_once = models.BooleanField(
        "critical alerts at once", default=True, help_text="By e-mail, as soon as they open."
    )
    mails_digest = models.BooleanField(
        "a digest of the others", default=True, help_text="By e-mail, once a day, if there is news."
    )
    digest_hour = models.PositiveSmallIntegerField("hour of the digest", default=DIGEST_HOUR)
    time_zone = models.CharField(max_length=64, blank=True)
    muted_types = ArrayField(models.CharField(max_length=32), default=list, blank=True)
    muted_stores = ArrayField(models.UUIDField(), default=list, blank=True)

    class Meta:
        db_table = "notification_settings"
        constraints = [
            models.UniqueConstraint(fields=["customer", "user"], name="notification_settings_key")
        ]

    def __str__(self) -> str:
        return f"Notifications of {self.user_id}"


class Mail(TenantModel):
    """An e-mail of the outbox: waiting while `next_attempt_at` is set."""

    class Kind(models.TextChoices):
        NOW = "now", "At once"
        DIGEST = "digest", "Digest"

    mail_id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="+", db_constraint=False
    )
    kind = models.CharField(max_length=8, choices=Kind)
    digest_day = models.DateField(null=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    next_attempt_at = models.DateTimeField("next attempt", null=True)
    sent_at = models.DateTimeField("sent", null=True)
    error = models.CharField(max_length=500)
    created_at = models.DateTimeField()

    class Meta:
        db_table = "notification_mails"
        ordering = ["-created_at"]
        verbose_name = "notification e-mail"

    def __str__(self) -> str:
        return f"{self.get_kind_display()} at {self.created_at:%Y-%m-%d %H:%M}"

    @property
    def status(self) -> str:
        if self.next_attempt_at:
            return "Retrying" if self.attempts else "Waiting"
        return "Sent" if self.sent_at else "Not sent"
