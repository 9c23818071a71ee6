"""Which customer the code at hand works for.

The database decides what is visible from one signed setting of the transaction (signing.py);
this module is the only place that says what stands in it. It is always local to a transaction,
so a pooled connection carries nothing over.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import replace
from typing import Any, TypeVar, cast
from uuid import UUID

from django.db import connections, transaction
from django.db.models import Model

from shelfops.tenancy.postgresql.base import DatabaseWrapper
from shelfops.tenancy.signing import Identity, Purpose

Item = TypeVar("Item")

_END = object()
_customer_id: ContextVar[UUID | None] = ContextVar("customer_id", default=None)


class NoTenant(RuntimeError):
    """Code that needs a customer ran outside `with tenant(customer):`."""


def connection_of(using: str) -> DatabaseWrapper:
    return cast(DatabaseWrapper, connections[using])


def set_local(name: str, value: UUID | None, using: str = "default") -> None:
    """Say who is current until the end of the transaction; None is nobody.

    `name` is "current_customer_id", "current_user_id" or "import_batch_id"; the others stay.
    """
    connection = connection_of(using)
    if not connection.in_atomic_block:
        raise NoTenant(f"{name} can only be set inside a transaction.")
    connection.identify(replace(connection.identity, **_changes(name, value)))


def _changes(name: str, value: UUID | None) -> dict[str, Any]:
    if name == "import_batch_id":
        purpose = Purpose.WORK if value is None else Purpose.IMPORT
        return {"purpose": purpose, "detail": "" if value is None else str(value)}
    return {{"current_customer_id": "customer", "current_user_id": "user"}[name]: value}


@contextmanager
def bound_by_the_server(using: str = "default") -> Iterator[None]:
    """Keep what the block's statements are given (passwords, keys) out of their text."""
    with connection_of(using).bound_by_the_server():
        yield


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
def identified(identity: Identity, using: str = "default") -> Iterator[None]:
    """Say `identity` in a transaction of the block's own, or in a savepoint of the open one.

    What an enclosing block said holds again when this one ends, whichever way it ends.
    """
    connection = connection_of(using)
    nested = connection.in_atomic_block
    with transaction.atomic(using=using):
        before = connection.identity
        connection.identify(identity)
        yield
        # A savepoint that is released keeps its settings; one rolled back has none to give back.
        if nested and not connection.needs_rollback:
            connection.identify(before)


@contextmanager
def tenant(customer: Model | UUID, *, using: str = "default") -> Iterator[None]:
    """Run the block as `customer`; see `identified`. Whose user it is stays as it was."""
    customer_id = customer if isinstance(customer, UUID) else customer.pk
    connection = connection_of(using)
    user_id = connection.identity.user if connection.in_atomic_block else None
    with identified(Identity(customer_id, user_id), using), bound(customer_id):
        yield


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
