"""Passwords that are guessed first are not taken, wherever a password is set."""

import pytest
from django.contrib.auth.hashers import check_password
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command
from django.urls import reverse

from sales.complete_journey.demo_users import demo_password, ensure_demo_users
from shelfops.tenancy.management.commands import create_operator
from shelfops.tenancy.models import Customer, User
from shelfops.tenancy.roles import Role
from tests.admin.test_users import ADD, fresh, new_user, users_of
from tests.cast import PASSWORD, Cast

ACME = Customer(name="Acme Grocers")
PERSON = User(name="Mary-Ann O'Brien", email="m.obrien@acme-fresh.example", customer=ACME)

COMMON = [
    *("password", "Password1!", "P@ssw0rd", "p4ssw0rd2026", "qwertyuiop", "!!iloveyou!!"),
    *("Summer2026!", "welcome123", "aaaaaaaaaa", "1234567890", "2026-11-24", "abcd1234"),
]
OWN = [
    *("AcmeGrocers", "acme grocers 1", "Grocers2026!", "@cmeGr0cers!!", "groceRS-acME-7"),
    *("Mary-Ann1", "maryannobrien", "OBrien#2026", "m.obrien@acme-fresh.example", "acmefresh99"),
    *("ShelfOps1", "shelfops2026!"),
]
GOOD = [
    PASSWORD,
    "acme tulip harbour",
    "mary likes 14 quiet geese",
    "Xk29-qpL7-vv",
    "summer rain on tin",
]


@pytest.mark.parametrize("password", COMMON)
def test_it_takes_no_common_password(password):
    for user in (PERSON, None):
        with pytest.raises(ValidationError):
            validate_password(password, user)


@pytest.mark.parametrize("password", OWN)
def test_it_takes_none_of_the_company_or_the_person(password):
    with pytest.raises(ValidationError) as refused:
        validate_password(password, PERSON)
    codes = {error.code for error in refused.value.error_list}
    assert codes & {"password_own_name", "password_too_similar"}


@pytest.mark.parametrize("password", GOOD)
def test_it_takes_others(password):
    validate_password(password, PERSON)


def test_it_takes_whatever_fits_where_names_say_nothing():
    """Names and addresses of a letter, or of a script without letters that are known."""
    validate_password("fourteen quiet geese", User(name="A", email="a@b.c", customer=ACME))
    validate_password("fourteen quiet geese", User(name="李 明", email="", customer=None))


COMPANY = "Acme-Grocers-77"  # of "Acme Grocers", the cast's customer


def test_it_is_refused_for_a_new_user(cast: Cast, client_of):
    before = users_of(cast)
    data = new_user(password1=COMPANY, password2=COMPANY)
    response = client_of(cast.admin).post(ADD, data)
    assert "company" in str(response.context["adminform"].form.errors["password2"])
    assert users_of(cast) == before


def test_it_is_refused_for_a_colleague(cast: Cast, client_of):
    url = reverse("admin:auth_user_password_change", args=[cast.staff.pk])
    data = {"password1": COMPANY, "password2": COMPANY}
    response = client_of(cast.admin).post(url, data)
    assert "company" in str(response.context["form"].errors["password2"])
    assert check_password(PASSWORD, fresh(cast, cast.staff).password)


def test_it_is_refused_for_the_own_password(cast: Cast, client_of):
    data = {"old_password": PASSWORD, "new_password1": COMPANY, "new_password2": COMPANY}
    response = client_of(cast.staff).post(reverse("admin:password_change"), data)
    assert "company" in str(response.context["form"].errors["new_password2"])
    assert check_password(PASSWORD, fresh(cast, cast.staff).password)


def test_it_is_refused_for_an_operator(migrated, monkeypatch):
    email = "olive.tree@platform.example"
    for password in ("OliveTree2026", "Password2026!", "shelfops-123"):
        monkeypatch.setattr(create_operator, "getpass", lambda password=password: password)
        with pytest.raises(CommandError):
            call_command("create_operator", email, name="Olive Tree")
    assert not User.objects.using("operator").filter(email=email).exists()


def test_it_is_refused_for_the_demonstration(cast: Cast):
    with pytest.raises(ValidationError):
        ensure_demo_users("password", [cast.customer], "one@demo.example")
    assert not User.objects.using("operator").filter(email="one@demo.example").exists()
    with pytest.raises(ValidationError):  # no secret of an operator, who is of no company
        ensure_demo_users(COMPANY, [cast.customer], "two@demo.example")
    assert not any(email.startswith(f"{Role.STAFF}@") for email in users_of(cast))
    validate_password(demo_password(), PERSON)
