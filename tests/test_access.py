"""Every page for every role, generated from the URLs: a new page cannot be missed.

`access_matrix.txt` holds the answers that were looked at and found right. After a change that
is meant, write it anew with UPDATE_ACCESS_MATRIX=1 and read the difference.
"""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from django.apps import apps
from django.db import connections
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse

from shelfops.tenancy.acting import enter
from shelfops.tenancy.context import set_local, tenant
from shelfops.tenancy.models import Customer, User
from shelfops.tenancy.roles import Role
from tests.cast import Cast
from tests.conftest import logged_in
from tests.rows import fill

MATRIX = Path(__file__).with_name("access_matrix.txt")
COLUMNS = ("anonymous", "operator", "acting", "admin", "manager", "staff", "analyst")
ADMIN_PAGE = re.compile(r"admin:(?P<app>[a-z]+)_(?P<model>[a-z]+)_[a-z_]+")


@dataclass(frozen=True)
class Page:
    name: str
    parameters: tuple[str, ...]

    def url(self, objects: "Objects") -> str:
        return reverse(self.name, kwargs={key: objects.value(self, key) for key in self.parameters})


@dataclass(frozen=True)
class Objects:
    """One object of every model, for the pages that show one."""

    by_model: dict[tuple[str, str], object]

    def value(self, page: Page, parameter: str) -> object:
        if parameter == "ticket":  # of an upload: made for a session, so that none fits here
            return "none"
        if parameter == "id":  # Django names the page of any user model's password alike
            return self.by_model["tenancy", "user"]
        if match := ADMIN_PAGE.fullmatch(page.name):
            return self.by_model[match["app"], match["model"]]
        if parameter == "token":  # its proof is tested with the mails that carry it
            return "forged"
        model = {
            "product_id": ("inventory", "product"),
            "customer_id": ("tenancy", "customer"),
            "draft_id": ("ingestion", "importdraft"),
            "view_id": ("saved_views", "savedview"),
            "alert_id": ("alerts", "alert"),
        }
        return "inventory" if parameter == "app_label" else self.by_model[model[parameter]]


def pages() -> list[Page]:
    """All named pages; the unnamed ones are the admin's redirects to them and its 404."""
    return sorted(walk(get_resolver().url_patterns, ""), key=lambda page: page.name)


def walk(patterns: list[URLPattern | URLResolver], namespace: str) -> Iterator[Page]:
    for pattern in patterns:
        if isinstance(pattern, URLResolver):
            inner = f"{pattern.namespace}:" if pattern.namespace else ""
            yield from walk(pattern.url_patterns, namespace + inner)
        elif pattern.name:
            groups = getattr(pattern.pattern, "regex", re.compile("")).groupindex
            parameters = tuple(pattern.pattern.converters) or tuple(groups)
            yield Page(namespace + pattern.name, parameters)


def objects_of(customer: Customer, store: object, without: User | None = None) -> Objects:
    """The customer's objects, of the given store where they belong to one."""
    found: dict[tuple[str, str], object] = {("tenancy", "customer"): customer.pk}
    with tenant(customer):
        # A saved view is seen by its user alone; `fill` gives one to the admin.
        set_local("current_user_id", User.objects.get(role=Role.ADMIN).pk)
        for model in apps.get_models():
            fields = {field.name for field in model._meta.fields}
            if "customer" not in fields:
                continue
            rows = model._base_manager.filter(customer=customer)
            if model is User and without:
                rows = rows.exclude(pk=without.pk)
            if "store" in fields:
                rows = rows.filter(store=store)
            if "content" in fields:  # a refused row knows its store by the code alone
                rows = rows.filter(content__store=store.code)
            if row := rows.order_by("pk").first():
                found[model._meta.app_label, model._meta.model_name] = row.pk
    found["inventory", "store"] = store.pk
    return Objects(found)


@pytest.fixture
def stocked(cast: Cast) -> Cast:
    fill(cast.customer, cast.store, cast.product)
    fill(cast.customer, cast.unassigned_store, cast.product)
    fill(cast.other_customer, cast.other_store, cast.other_product)
    return cast


def clients(cast: Cast) -> dict[str, Client]:
    made = {role: logged_in(user) for role, user in cast.people().items()}
    acting = logged_in(cast.operator)
    session = acting.session
    enter(session, cast.customer.pk)
    session.save()
    ordered = {"anonymous": Client(), "acting": acting, **made}
    for client in ordered.values():
        client.raise_request_exception = False
    return {name: ordered[name] for name in COLUMNS}


# Ending one's own session would make the rest of the row anonymous.
LEAVES = {"admin:logout", "stop-acting"}


def answers(people: dict[str, Client], objects: Objects) -> dict[str, list[int]]:
    """Status of every page by its name, in the order of COLUMNS."""
    return {
        page.name: [client.get(page.url(objects)).status_code for client in people.values()]
        for page in pages()
        if page.name not in LEAVES
    }


def as_text(table: dict[str, list[int]]) -> str:
    lines = [" ".join([f"{'GET':<42}", *(f"{name:>9}" for name in COLUMNS)])]
    lines += [
        " ".join([f"{name:<42}", *(f"{status:>9}" for status in row)])
        for name, row in table.items()
    ]
    return "\n".join(lines) + "\n"


def test_it_answers_every_role_on_every_page_as_agreed(stocked: Cast) -> None:
    objects = objects_of(stocked.customer, stocked.store, without=stocked.admin)
    table = as_text(answers(clients(stocked), objects))
    if os.environ.get("UPDATE_ACCESS_MATRIX"):
        MATRIX.write_text(table)
    assert table.splitlines() == MATRIX.read_text().splitlines()


OPERATORS_PAGES = {
    "admin:tenancy_customer_change",
    "admin:tenancy_customer_history",
    "start-acting",
}


def with_an_object() -> list[Page]:
    none = {(), ("app_label",), ("token",)}
    return [page for page in pages() if page.parameters not in none]


def test_it_answers_404_for_what_is_another_customers(stocked: Cast) -> None:
    theirs = objects_of(stocked.other_customer, stocked.other_store)
    shown = []
    for role, client in clients(stocked).items():
        for page in with_an_object():
            status = client.get(page.url(theirs)).status_code
            denied = {302} if role == "anonymous" else {403, 404}
            managed = role == "operator" and page.name in OPERATORS_PAGES
            if status not in denied and not managed:
                shown.append((role, page.name, status))
    assert shown == []


def test_it_shows_store_scoped_roles_nothing_of_other_stores(stocked: Cast) -> None:
    objects = objects_of(stocked.customer, stocked.unassigned_store)
    people = clients(stocked)
    bound = {("inventory", "store")} | {
        (model._meta.app_label, model._meta.model_name)
        for model in apps.get_models()
        if "store" in {field.name for field in model._meta.fields}
    }
    shown = []
    for page in with_an_object():
        match = ADMIN_PAGE.fullmatch(page.name)
        if match and (match["app"], match["model"]) in bound:
            for role in ("manager", "staff"):
                status = people[role].get(page.url(objects)).status_code
                if status not in {403, 404}:
                    shown.append((role, page.name, status))
    assert shown == []


def row_counts() -> dict[str, int]:
    """Rows of every table of all customers, as the operator reads them."""
    counts = {}
    with connections["operator"].cursor() as cursor:
        cursor.execute(
            """
            SELECT n.nspname || '.' || c.relname FROM pg_class c
            JOIN pg_namespace n ON n.oid = c.relnamespace
            WHERE n.nspname IN ('public', 'timeseries') AND c.relkind = 'r'
              AND has_table_privilege(c.oid, 'SELECT')
            """
        )
        for (table,) in cursor.fetchall():
            cursor.execute(f"SELECT count(*) FROM {table}")
            counts[table] = cursor.fetchone()[0]
    return counts


def test_it_changes_nothing_where_it_denies(stocked: Cast) -> None:
    objects = objects_of(stocked.customer, stocked.store, without=stocked.admin)
    theirs = objects_of(stocked.other_customer, stocked.other_store)
    people = clients(stocked)
    before = row_counts()
    assert len(before) > 10
    allowed = answers(people, objects)
    let_in = []
    for page in pages():
        if page.name in LEAVES or page.name == "admin:login":
            continue
        for index, (role, client) in enumerate(people.items()):
            targets = [theirs] if page in with_an_object() and role != "operator" else []
            if allowed[page.name][index] in {403, 404} or role == "anonymous":
                targets.append(objects)
            for target in targets:
                posted = client.post(page.url(target), {"post": "yes", "reason": "x"})
                if posted.status_code not in {302, 403, 404, 405}:
                    let_in.append((role, page.name, posted.status_code))
    assert let_in == []
    assert row_counts() == before
