"""Log-in by e-mail, and the session's user, under row-level security.

Before a customer is known the database shows exactly one row of `users`: the one whose e-mail
is being tried, or whose id the session holds.
"""

from typing import Any
from uuid import UUID

from django.contrib.auth.backends import BaseBackend
from django.db import transaction
from django.http import HttpRequest

from shelfops.tenancy.context import bound_by_the_server, identified, set_local
from shelfops.tenancy.models import Customer, User
from shelfops.tenancy.signing import Identity, Purpose, digest


class EmailBackend(BaseBackend):
    def authenticate(
        self,
        request: HttpRequest | None,
        username: str | None = None,
        password: str | None = None,
        **kwargs: Any,
    ) -> User | None:
        email = (username or "").strip().lower()
        # PostgreSQL stores no NUL, so nobody has such an address.
        if not email or "\0" in email or password is None:
            return None
        with transaction.atomic():
            user = _by_address(email)
            if user is None:
                User().set_password(password)  # as slow as a real check: no oracle of accounts
                return None
            if request is not None:
                request.log_in_user = user  # type: ignore[attr-defined]  # whose failure it may be
            if not user.check_password(password):
                return None
            return _admitted(user)

    def get_user(self, user_id: UUID) -> User | None:
        with transaction.atomic():
            set_local("current_user_id", user_id)
            user = User.objects.filter(pk=user_id).first()
            return _admitted(user) if user else None

    def has_perm(self, user_obj: Any, perm: str, obj: Any = None) -> bool:
        return bool(user_obj.has_perm(perm, obj))


def _by_address(email: str) -> User | None:
    """The one row that the database shows to somebody who logs in with this address."""
    trying = Identity(purpose=Purpose.LOGIN, detail=digest(email))
    with identified(trying), bound_by_the_server():
        return User.objects.filter(email=email).first()


def _admitted(user: User) -> User | None:
    """The user, with their rows visible from here on, if they and their customer are active."""
    set_local("current_user_id", user.pk)
    set_local("current_customer_id", user.customer_id)
    if user.customer_id is not None:
        user.customer = Customer.objects.filter(pk=user.customer_id).first()
    if user.is_active and (user.is_operator or (user.customer and user.customer.is_active)):
        return user
    set_local("current_user_id", None)
    set_local("current_customer_id", None)
    return None
