"""Where a customer wants its alerts' events sent, and what was sent."""

from uuid import uuid4

from django.core.exceptions import ValidationError
from django.db import models
from django.utils import timezone

from alerts.webhooks.post import Refused, checked
from alerts.webhooks.signature import secret_of
from shelfops.tenancy.models import TenantModel
from shelfops.tenancy.versions import Versioned


class WebhookEndpoint(Versioned, TenantModel):
    """An address that gets a signed POST with every event of the customer's alerts.

    For a day after a change of the secret both secrets sign. The salts are no secrets.
    """

    endpoint_id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    url = models.CharField(
        "address",
        max_length=2000,
        help_text="Starts with https:// and is on the public internet.",
    )
    is_active = models.BooleanField(
        "active", default=True, help_text="Switch off instead of deleting: the history stays."
    )
    salt = models.UUIDField(default=uuid4, editable=False)
    previous_salt = models.UUIDField(null=True, editable=False)
    previous_until = models.DateTimeField(null=True, editable=False)
    secret_shown_at = models.DateTimeField(null=True, editable=False)
    collected_until = models.DateTimeField(default=timezone.now, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        db_table = "webhook_endpoints"
        ordering = ["url"]
        verbose_name = "webhook"

    def __str__(self) -> str:
        return self.url

    def clean(self) -> None:
        super().clean()
        try:
            checked(self.url)
        except Refused as refusal:
            raise ValidationError({"url": str(refusal)}) from refusal

    @property
    def secret(self) -> str:
        return secret_of(self.endpoint_id, self.salt)


class WebhookDelivery(TenantModel):
    """One POST of up to 100 events, repeated with the same body until it is accepted.

    It is waiting while `next_attempt_at` is set.
    """

    delivery_id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    endpoint = models.ForeignKey(
        WebhookEndpoint, models.PROTECT, related_name="deliveries", db_constraint=False
    )
    events = models.IntegerField()
    body = models.TextField()
    attempts = models.PositiveSmallIntegerField(default=0)
    attempted_at = models.DateTimeField("last attempt", null=True)
    next_attempt_at = models.DateTimeField("next attempt", null=True)
    delivered_at = models.DateTimeField(null=True)
    response_status = models.PositiveSmallIntegerField("response", null=True)
    response_excerpt = models.CharField(max_length=300)
    error = models.CharField(max_length=500)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        db_table = "webhook_deliveries"
        ordering = ["-created_at"]
        verbose_name_plural = "webhook deliveries"

    def __str__(self) -> str:
        return str(self.delivery_id)

    @property
    def status(self) -> str:
        if self.next_attempt_at:
            return "Waiting" if not self.attempts else "Retrying"
        return "Delivered" if self.delivered_at else "Failed"
