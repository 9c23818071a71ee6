"""The fixed cast: two customers, a person in every role, two stores and a product."""

from dataclasses import dataclass
from uuid import uuid4

from inventory.models import Product, Store, StoreAssignment
from shelfops.tenancy.context import tenant
from shelfops.tenancy.models import Customer, User
from shelfops.tenancy.roles import Role

PASSWORD = "correct horse battery"


@dataclass(frozen=True)
class Cast:
    """`manager` and `staff` work in `store`; `outsider` is the admin of `other_customer`."""

    customer: Customer
    admin: User
    manager: User
    staff: User
    analyst: User
    operator: User
    store: Store
    unassigned_store: Store
    product: Product
    other_customer: Customer
    outsider: User
    other_store: Store
    other_product: Product

    def people(self) -> dict[str, User]:
        """Each role's user by the role's name."""
        return {role: getattr(self, role) for role in Role.values}


def make_customer(name: str) -> Customer:
    return as_the_web_reads_it(Customer.objects.using("operator").create(name=name))


def as_the_web_reads_it(row):
    """A row that is saved again over the application's log-in, whoever made it."""
    row._state.db = "default"
    return row


def make_user(role: str, customer: Customer | None = None, **fields: object) -> User:
    """A user with PASSWORD; call it inside the customer's `tenant()`."""
    email = f"{role}-{uuid4().hex[:12]}@example.com"
    user = User(role=role, email=email, name=role.title(), customer=customer, **fields)
    user.set_password(PASSWORD)
    user.save(using="operator" if customer is None else "default", force_insert=True)
    return as_the_web_reads_it(user)


def make_cast() -> Cast:
    ours, theirs = make_customer("Acme Grocers"), make_customer("Rival Foods")
    with tenant(ours):
        people = {role: make_user(role, ours) for role in Role.values if role != Role.OPERATOR}
        store = Store.objects.create(code="S1", name="Main Street", time_zone="America/New_York")
        unassigned = Store.objects.create(code="S2", name="Harbour", time_zone="UTC")
        product = Product.objects.create(sku="MILK-1", name="Milk 1 l", category="Dairy")
        for role in (Role.MANAGER, Role.STAFF):
            StoreAssignment.objects.create(user=people[role], store=store)
    with tenant(theirs):
        outsider = make_user(Role.ADMIN, theirs)
        other_store = Store.objects.create(code="S1", name="Rival Square")
        other_product = Product.objects.create(sku="MILK-1", name="Rival milk")
    return Cast(
        customer=ours,
        operator=make_user(Role.OPERATOR),
        store=store,
        unassigned_store=unassigned,
        product=product,
        other_customer=theirs,
        outsider=outsider,
        other_store=other_store,
        other_product=other_product,
        **people,
    )
