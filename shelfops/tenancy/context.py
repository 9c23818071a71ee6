"""Which customer the code at hand works for.

The database decides what is visible from two settings of the transaction,
`app.current_customer_id` and `app.current_user_id`; this module is the only place that sets
them. A setting is always local to a transaction, so a pooled connection carries nothing over.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeVar
from uuid import UUID

from django.db import connections, transaction
from django.db.models import Model

Item = TypeVar("Item")

_END = object()
_customer_id: ContextVar[UUID | None] = ContextVar("customer_id", default=None)


class NoTenant(RuntimeError):
    """Code that needs a customer ran outside `with tenant(customer):`."""


def set_local(name: str, value: object, using: str = "default") -> None:
    """Set `app.<name>` until the end of the transaction; None clears it."""
    connection = connections[using]
    if not connection.in_atomic_block:
        raise NoTenant(f"app.{name} can only be set inside a transaction.")
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT set_config(%s, %s, true)", [f"app.{name}", "" if value is None else str(value)]
        )


def current_customer_id() -> UUID:
    """The customer of the enclosing `tenant()` block; NoTenant outside one."""
    customer_id = _customer_id.get()
    if customer_id is None:
        raise NoTenant("No customer is set. Wrap this in `with tenant(customer):`.")
    return customer_id


@contextmanager
def bound(customer_id: UUID) -> Iterator[None]:
    """Tell Python, and only Python, which customer the block works for."""
    token = _customer_id.set(customer_id)
    try:
        yield
    finally:
        _customer_id.reset(token)


@contextmanager
def tenant(customer: Model | UUID, *, using: str = "default") -> Iterator[None]:
    """Run the block as `customer`, in a transaction of its own or a savepoint of the open one.

    The customer of an enclosing block is back when this one ends, whichever way it ends.
    """
    customer_id = customer if isinstance(customer, UUID) else customer.pk
    outer = _customer_id.get()
    nested = connections[using].in_atomic_block
    with transaction.atomic(using=using), bound(customer_id):
        set_local("current_customer_id", customer_id, using)
        yield
        # A savepoint that is released keeps its settings; one rolled back has none to give back.
        if nested and not connections[using].needs_rollback:
            set_local("current_customer_id", outer, using)


def stream_as(customer_id: UUID, items: Iterable[Item]) -> Iterator[Item]:
    """Yield `items` inside the customer's transaction.

    A streamed response is read after the middleware has returned, so it carries its own. Each
    step sets the ContextVar anew: a generator shares its caller's context between steps.
    """
    iterator = iter(items)
    with transaction.atomic():
        set_local("current_customer_id", customer_id)
        while True:
            with bound(customer_id):
                item = next(iterator, _END)
            if item is _END:
                return
            yield item  # type: ignore[misc]
