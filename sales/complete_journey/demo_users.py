"""People to log in as: one in each role of each customer, and a platform operator."""

import base64
import hmac
import re
from collections.abc import Sequence
from uuid import UUID

from django.conf import settings
from django.contrib.auth.password_validation import validate_password
from django.db.models import Count

from inventory.models import StoreAssignment
from sales.models import Transaction
from shelfops.tenancy.context import tenant
from shelfops.tenancy.models import Customer, User
from shelfops.tenancy.roles import STORE_SCOPED, Role

OPERATOR_EMAIL = "operator@shelfops.example"
NAMES = {
    Role.ADMIN: "Alex Admin",
    Role.MANAGER: "Morgan Manager",
    Role.STAFF: "Sam Staff",
    Role.ANALYST: "Ana Analyst",
}
STORES_EACH = 3


def ensure_demo_users(
    password: str, customers: Sequence[Customer], operator_email: str = OPERATOR_EMAIL
) -> list[tuple[str, str, str]]:
    """Make who is missing, with this password; (role, customer's name, e-mail) of everybody.

    People who are there keep their password and stores.
    """
    people = [(Role.OPERATOR.label, "", ensure_operator(operator_email, password))]
    for customer in customers:
        with tenant(customer):
            for role, name in NAMES.items():
                email = f"{role}@{slug(customer)}.example"
                ensure_user(customer, role, name, email, password)
                people.append((role.label, customer.name, email))
    return people


def slug(customer: Customer) -> str:
    return re.sub(r"[^a-z0-9]+", "-", customer.name.lower()).strip("-")


def ensure_operator(email: str, password: str) -> str:
    # The operator's log-in may not read passwords, so this asks for existence only.
    users = User.objects.using("operator")
    if not users.filter(email=email).exists():
        user = User(email=email, name="Olive Operator", role=Role.OPERATOR)
        validate_password(password, user)
        user.set_password(password)
        user.save(using="operator", force_insert=True)
    return email


def ensure_user(customer: Customer, role: Role, name: str, email: str, password: str) -> None:
    if User.objects.filter(email=email).exists():
        return
    user = User(email=email, customer=customer, name=name, role=role)
    validate_password(password, user)
    user.set_password(password)
    user.save(using="default")  # its customer was read by another log-in
    if role in STORE_SCOPED:
        StoreAssignment.objects.bulk_create(
            StoreAssignment(user=user, store_id=store_id) for store_id in busiest_stores()
        )


def busiest_stores() -> list[UUID]:
    """Those with the most receipt lines, so that there is something to manage in them."""
    counted = Transaction.objects.values("store").annotate(lines=Count("receipt"))
    busiest = counted.order_by("-lines", "store")[:STORES_EACH]
    return [row["store"] for row in busiest]


def demo_password() -> str:
    """The demonstration users' password: another one in each installation, and always the same."""
    digest = hmac.digest(settings.SECRET_KEY.encode(), b"demonstration users", "sha256")
    letters = base64.b32encode(digest).decode().lower()
    return "-".join((letters[:4], letters[4:8], letters[8:12]))


def log_ins() -> list[str]:
    """Lines that say who can log in, and with what; none where there is nobody."""
    users = User.objects.using("operator").filter(email__endswith=".example", is_active=True)
    rows = users.order_by("customer__name", "role", "email").only("role", "email", "customer__name")
    people = list(rows.select_related("customer"))
    if not people:
        return []
    widest = max(len(user.email) for user in people)
    return [
        f"Log in with the password {demo_password()} as",
        "",
        *(
            f"  {user.get_role_display():<18} {user.email:<{widest}}  {user.customer or ''}"
            for user in people
        ),
    ]
