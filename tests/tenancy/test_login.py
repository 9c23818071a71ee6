"""Logging in and coming back, where the database shows nobody's row but one's own."""

from uuid import uuid4

import psycopg
import pytest
from django.contrib.auth import authenticate
from django.contrib.sessions.models import Session
from django.test import Client
from django.urls import reverse
from psycopg import errors

from shelfops.tenancy.context import tenant
from shelfops.tenancy.models import Customer, User
from shelfops.tenancy.signing import Purpose, digest
from tests.cast import PASSWORD, Cast
from tests.sql import Sql

HOME = "/"


def log_in(email: str, password: str = PASSWORD) -> tuple[Client, int]:
    client = Client()
    response = client.post(reverse("admin:login"), {"username": email, "password": password})
    return client, response.status_code


@pytest.mark.parametrize("role", ["admin", "manager", "staff", "analyst", "operator"])
def test_it_logs_in_every_role_and_knows_them_again(cast: Cast, role: str) -> None:
    client, status = log_in(getattr(cast, role).email.upper())
    assert status == 302
    response = client.get(HOME)
    assert response.status_code == 200
    assert response.wsgi_request.user == getattr(cast, role)
    expected = None if role == "operator" else cast.customer
    assert response.wsgi_request.customer == expected


def test_it_refuses_a_wrong_password_and_an_unknown_address_alike(cast: Cast) -> None:
    for email in (cast.admin.email, "nobody@example.com", "x\0@example.com", "' OR 1=1 --"):
        client, status = log_in(email, "wrong")
        assert status == 200
        assert client.get(HOME).status_code == 302


def test_it_refuses_an_inactive_user_and_ends_their_session(cast: Cast) -> None:
    client, status = log_in(cast.staff.email)
    assert (status, client.get(HOME).status_code) == (302, 200)
    with tenant(cast.customer):
        User.objects.filter(pk=cast.staff.pk).update(is_active=False)
    assert client.get(HOME).status_code == 302
    assert log_in(cast.staff.email)[1] == 200


def test_it_refuses_users_of_an_inactive_customer(cast: Cast) -> None:
    client, _ = log_in(cast.admin.email)
    Customer.objects.using("operator").filter(pk=cast.customer.pk).update(is_active=False)
    assert client.get(HOME).status_code == 302
    assert log_in(cast.admin.email)[1] == 200
    assert log_in(cast.outsider.email)[1] == 302


def test_it_ends_other_sessions_when_the_password_changes(cast: Cast) -> None:
    client, _ = log_in(cast.admin.email)
    with tenant(cast.customer):
        user = User.objects.get(pk=cast.admin.pk)
        user.set_password("another password entirely")
        user.save()
    assert client.get(HOME).status_code == 302


def test_it_leaves_no_tenant_behind_after_authentication(cast: Cast) -> None:
    assert authenticate(username=cast.admin.email, password=PASSWORD) == cast.admin
    assert not User.objects.exists()


def test_it_shows_only_the_row_of_the_person_logging_in(cast: Cast, database_urls) -> None:
    with psycopg.connect(database_urls["app"], autocommit=True) as app:
        trying, known = Sql(app), Sql(app)
        trying.act_as(None, None, Purpose.LOGIN, digest(cast.admin.email))
        known.act_as(None, cast.admin.pk)
        for session in (trying, known):
            assert session.execute("SELECT email FROM users").fetchall() == [(cast.admin.email,)]
        assert Sql(app).execute("SELECT email FROM users").fetchall() == []


def test_it_lets_nobody_become_a_platform_operator(cast: Cast, database_urls) -> None:
    """Not by changing the own row, not by a new one; that would open every customer."""
    with psycopg.connect(database_urls["app"], autocommit=True) as app:
        work, trying = Sql(app), Sql(app)
        work.act_as(cast.customer.pk, cast.admin.pk)
        # The policy that lets a person log in would show a new row of this address.
        trying.act_as(None, None, Purpose.LOGIN, digest("evil@example.com"))
        mine = "WHERE user_id = current_user_id()"
        for statement in (
            f"UPDATE users SET role = 'operator' {mine}",
            f"UPDATE users SET role = 'operator', customer_id = NULL {mine}",
            f"UPDATE users SET role = 'operator', customer_id = NULL, user_id = %(new)s {mine}",
            "INSERT INTO users (email, name, role, password)"
            " VALUES ('evil@example.com', 'x', 'operator', 'x')",
            "INSERT INTO users (customer_id, email, name, role, password)"
            " VALUES (%(other)s, 'evil@example.com', 'x', 'admin', 'x')",
            f"UPDATE users SET customer_id = %(other)s {mine}",
        ):
            values = {"new": uuid4(), "other": cast.other_customer.pk}
            with pytest.raises((errors.CheckViolation, errors.InsufficientPrivilege)):
                work.execute(statement, values)
            if statement.startswith("INSERT"):
                with pytest.raises((errors.CheckViolation, errors.InsufficientPrivilege)):
                    trying.execute(statement, values)
            else:
                assert trying.execute(statement, values).rowcount == 0


def test_it_shows_a_session_by_its_key_alone(cast: Cast, client_of) -> None:
    client = client_of(cast.admin)
    assert not Session.objects.exists()
    assert client.get(HOME).status_code == 200
    assert client.session.get("_auth_user_id") == str(cast.admin.pk)
    client.cookies["sessionid"] = "a" * 32
    assert client.get(HOME).status_code == 302


def test_it_logs_out_for_good(cast: Cast, client_of) -> None:
    client = client_of(cast.admin)
    cookie = client.cookies["sessionid"].value
    client.post(reverse("admin:logout"))
    client.cookies["sessionid"] = cookie
    assert client.get(HOME).status_code == 302


def test_it_clears_expired_sessions_only(cast: Cast, client_of) -> None:
    from datetime import timedelta

    from django.core.management import call_command
    from django.utils import timezone

    from shelfops.tenancy.sessions import visible

    live, expired = client_of(cast.admin), client_of(cast.staff)
    key = expired.cookies["sessionid"].value
    with visible(key):
        assert Session.objects.update(expire_date=timezone.now() - timedelta(days=1)) == 1
    call_command("clearsessions")
    with visible(key):
        assert not Session.objects.exists()
    assert live.get(HOME).status_code == 200


def test_it_changes_nobody_by_the_address_they_log_in_with(cast: Cast, database_urls) -> None:
    """The address being tried shows a row, so that its password can be checked; no more."""
    with psycopg.connect(database_urls["app"], autocommit=True) as connection:
        app = Sql(connection)
        app.act_as(None, None, Purpose.LOGIN, digest(cast.outsider.email))
        assert app.execute("SELECT count(*) FROM users").fetchone() == (1,)
        assert app.execute("UPDATE users SET password = 'mine'").rowcount == 0
        with pytest.raises(errors.InsufficientPrivilege):
            app.execute("DELETE FROM users")
