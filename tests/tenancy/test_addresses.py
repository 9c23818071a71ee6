"""Attacks on the addresses that people log in by, as the application's role."""

from collections.abc import Iterator

import psycopg
import pytest
from django.contrib.auth import authenticate
from django.db import IntegrityError, connections, transaction

from shelfops.tenancy.context import tenant
from shelfops.tenancy.models import User
from tests.cast import PASSWORD, Cast, make_user
from tests.sql import Sql


@pytest.fixture
def app(database_urls) -> Iterator[Sql]:
    with psycopg.connect(database_urls["app"], autocommit=True) as opened:
        yield Sql(opened)


def plan(app: Sql, condition: str, *params: str) -> str:
    lines = app.execute(
        "EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF, BUFFERS OFF)"
        f" SELECT count(*) FROM users WHERE {condition}",
        params,
    )
    return "\n".join(line for (line,) in lines.fetchall())


def test_explain_counts_the_same_for_an_address_that_is_there(cast: Cast, app) -> None:
    """An index on the address told by "Rows Removed by Filter" which there are."""
    app.act_as(cast.customer.pk, cast.admin.pk)
    app.connection.execute("SET enable_seqscan = off")
    theirs = cast.outsider.email
    for condition in ("email = %s", "email BETWEEN %s AND %s"):
        there, nobodys = (
            plan(app, condition, *[address] * condition.count("%s")).replace(address, "x")
            for address in (theirs, theirs.replace("@", "0@"))
        )
        assert there == nobodys


def test_no_index_that_the_application_could_explain_holds_an_address(app) -> None:
    found = app.execute(
        "SELECT indexdef FROM pg_indexes"
        " WHERE schemaname = 'public' AND tablename = 'users' AND indexdef LIKE '%email%'"
    )
    assert found.fetchall() == []


def test_an_address_is_one_persons_across_customers(cast: Cast) -> None:
    for email in (cast.outsider.email, cast.operator.email):
        with pytest.raises(IntegrityError) as refused, tenant(cast.customer):
            User.objects.create_user(
                email, PASSWORD, name="x", role="staff", customer_id=cast.customer.pk
            )
        diagnosis = refused.value.__cause__.diag
        assert (diagnosis.constraint_name, diagnosis.message_detail) == ("users_email_key", None)
    with pytest.raises(IntegrityError), transaction.atomic(using="operator"):
        User(email=cast.admin.email, name="x", role="operator").save(
            using="operator", force_insert=True
        )


def test_a_changed_address_is_the_one_to_log_in_by(cast: Cast) -> None:
    before = cast.staff.email
    with tenant(cast.customer):
        user = User.objects.get(pk=cast.staff.pk)
        user.email = f"new-{before}"
        user.save()
        again = make_user("staff", cast.customer)
        User.objects.filter(pk=again.pk).update(email=before)
    assert authenticate(username=f"new-{before}", password=PASSWORD) == cast.staff
    assert authenticate(username=before, password=PASSWORD) == again


def test_every_user_has_a_hash_and_no_address_in_the_clear(cast: Cast) -> None:
    with connections["owner"].cursor() as cursor:
        cursor.execute("SELECT octet_length(hash) FROM private.addresses WHERE user_id = %s",
                       [cast.admin.pk])  # fmt: skip
        assert cursor.fetchall() == [(32,)]
    with connections["operator"].cursor() as cursor:
        cursor.execute("SELECT count(*) FROM users")
        users = cursor.fetchone()
    with connections["owner"].cursor() as cursor:
        cursor.execute("SELECT count(*) FROM private.addresses")
        assert cursor.fetchone() == users
