"""An operator's acting as a customer: how long it lasts, and the customer's log of it.

The session holds which customer, until when, and why. The log says at the start when it ends at
the latest, since a session that is dropped can say nothing any more.
"""

from collections.abc import MutableMapping
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from django.http import HttpRequest
from django.utils import timezone

from shelfops.tenancy.context import tenant
from shelfops.tenancy.models import Customer, CustomerAccess

CUSTOMER, UNTIL, REASON = "acting_customer_id", "acting_until", "acting_reason"
LONGEST = timedelta(hours=1)

# A request's session, or what stands in for one.
Session = MutableMapping[str, Any]


def enter(session: Session, customer_id: UUID, reason: str = "") -> datetime:
    """Let the session act as the customer from now on; when that ends at the latest."""
    until = timezone.now() + LONGEST
    session[CUSTOMER], session[UNTIL] = str(customer_id), until.timestamp()
    session[REASON] = reason
    return until


def customer_id(session: Session) -> UUID | None:
    """Whom the session acts as, while that lasts; an end that is missing has been."""
    until = session.get(UNTIL)
    if not isinstance(until, float) or CUSTOMER not in session:
        return None
    left = until - timezone.now().timestamp()
    return UUID(session[CUSTOMER]) if 0 < left <= LONGEST.total_seconds() else None


def has_ended(session: Session) -> bool:
    """Whether the session acted as a customer until its time was up."""
    return CUSTOMER in session and customer_id(session) is None


def log_start(request: HttpRequest, customer: Customer, reason: str) -> None:
    with tenant(customer):
        until = enter(request.session, customer.pk, reason)
        CustomerAccess.objects.create(
            operator_email=request.user.email,  # type: ignore[union-attr]
            action=CustomerAccess.Action.START,
            reason=reason,
            at=until - LONGEST,
            ends_at=until,
        )
    request.session.cycle_key()


def log_end(request: HttpRequest) -> Customer | None:
    """Whom the session acted as, which it forgets; the log has the time that it ended at."""
    session = request.session
    ended, named = ended_at(session), session.pop(CUSTOMER)
    reason = session.pop(REASON, "")
    session.pop(UNTIL, None)
    session.cycle_key()
    with tenant(UUID(named)):
        customer = Customer.objects.filter(pk=named).first()
        if customer is not None:
            CustomerAccess.objects.create(
                operator_email=request.user.email,  # type: ignore[union-attr]
                action=CustomerAccess.Action.STOP,
                reason=reason,
                at=ended,
            )
    return customer


def ended_at(session: Session) -> datetime:
    """Now, or when its time was up."""
    now, until = timezone.now(), session.get(UNTIL)
    if isinstance(until, float) and 0 < until < now.timestamp():
        return datetime.fromtimestamp(until, UTC)
    return now
