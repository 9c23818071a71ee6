"""Alerts as evaluations leave them, for tests that need no evaluation."""

from datetime import datetime

from django.utils import timezone

from alerts.models import Alert, AlertEvent
from inventory.models import Product, Store


def raised(store: Store, product: Product | None = None, **fields) -> Alert:
    """An open alert with its first event; call it inside the customer's `tenant()`."""
    at: datetime = fields.pop("at", None) or timezone.now()
    given = {
        "alert_type": "stockout",
        "severity": "critical",
        "message": "Out of stock",
        "figures": {"available": 0},
        **fields,
    }
    alert = Alert.objects.create(
        store=store, product=product, created_at=at, opened_at=at, last_seen_at=at, **given
    )
    AlertEvent.objects.create(
        alert=alert, version=1, kind="opened", to_status="open", source="job", at=at
    )
    return alert
