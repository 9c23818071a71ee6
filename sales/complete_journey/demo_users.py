"""People to log in as: one in each role of each customer, and a platform operator."""

import re
from collections.abc import Sequence

from inventory.models import Store, StoreAssignment
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
        user.set_password(password)
        user.save(using="operator", force_insert=True)
    return email


def ensure_user(customer: Customer, role: Role, name: str, email: str, password: str) -> None:
    if User.objects.filter(email=email).exists():
        return
    user = User.objects.create_user(email, password, customer_id=customer.pk, name=name, role=role)
    if role in STORE_SCOPED:
        stores = Store.objects.order_by("code")[:STORES_EACH]
        StoreAssignment.objects.bulk_create(
            StoreAssignment(user=user, store=store) for store in stores
        )
