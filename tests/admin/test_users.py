"""A customer's admin keeps the customer's users."""

import pytest
from django.contrib.auth.hashers import check_password
from django.urls import reverse

from inventory.models import StoreAssignment
from shelfops.tenancy.context import tenant
from shelfops.tenancy.models import User
from tests.admin.forms import errors_of, inline
from tests.cast import PASSWORD

ADD = reverse("admin:tenancy_user_add")
NEW_PASSWORD = "wholly new pass phrase"


def page_of(user):
    return reverse("admin:tenancy_user_change", args=[user.pk])


def new_user(*stores, **fields):
    return {
        "name": "Nina New",
        "email": "nina@new.example",
        "role": "staff",
        "is_active": "on",
        "password1": NEW_PASSWORD,
        "password2": NEW_PASSWORD,
        **inline("assignments", *({"store": store.pk} for store in stores)),
        **fields,
    }


def changed(user, **fields):
    data = {"name": user.name, "email": user.email, "role": user.role, "is_active": "on"}
    data["_version"] = user.version
    return data | inline("assignments") | fields


def fresh(cast, user):
    with tenant(cast.customer):
        return User.objects.get(pk=user.pk)


def users_of(cast):
    with tenant(cast.customer):
        return set(User.objects.filter(customer=cast.customer).values_list("email", flat=True))


def test_it_adds_a_user_with_stores(cast, client_of):
    address = f"new-{cast.customer.pk}@example.com"
    data = new_user(cast.store, email=address.upper())
    assert client_of(cast.admin).post(ADD, data).status_code == 302
    with tenant(cast.customer):
        user = User.objects.get(email=address)
        assert (user.customer_id, user.role) == (cast.customer.pk, "staff")
        assert check_password(NEW_PASSWORD, user.password)
        [assignment] = StoreAssignment.objects.filter(user=user)
    assert assignment.store_id == cast.store.pk


@pytest.mark.parametrize("whose", ["manager", "outsider", "operator"])
@pytest.mark.parametrize("spelling", [str.lower, str.upper])
def test_it_says_the_same_of_a_taken_address_whoever_has_it(cast, client_of, whose, spelling):
    before = users_of(cast)
    taken = spelling(getattr(cast, whose).email)
    client = client_of(cast.admin)
    response = client.post(ADD, new_user(email=taken))
    assert response.status_code == 200
    assert errors_of(response) == {"email": ["This address cannot be used."]}
    assert users_of(cast) == before
    assert client.get("/").status_code == 200


def test_it_shows_a_taken_address_when_a_user_is_changed(cast, client_of):
    data = changed(cast.staff, email=cast.outsider.email)
    response = client_of(cast.admin).post(page_of(cast.staff), data)
    assert errors_of(response) == {"email": ["This address cannot be used."]}
    assert fresh(cast, cast.staff).email == cast.staff.email


def test_it_offers_no_operator_role(cast, client_of):
    response = client_of(cast.admin).post(ADD, new_user(role="operator"))
    assert list(errors_of(response)) == ["role"]
    assert b'value="operator"' not in response.content


def test_it_shows_a_weak_password_at_its_field(cast, client_of):
    response = client_of(cast.admin).post(ADD, new_user(password1="12345", password2="12345"))
    assert list(errors_of(response)) == ["password2"]


def test_it_refuses_another_customers_store(cast, client_of):
    before = users_of(cast)
    response = client_of(cast.admin).post(ADD, new_user(cast.other_store))
    [formset] = [f.formset for f in response.context["inline_admin_formsets"]]
    assert list(formset.errors[0]) == ["store"]
    assert users_of(cast) == before


def test_it_switches_a_user_off(cast, client_of):
    data = changed(cast.staff)
    del data["is_active"]
    assert client_of(cast.admin).post(page_of(cast.staff), data).status_code == 302
    assert fresh(cast, cast.staff).is_active is False


def test_it_keeps_admins_from_locking_themselves_out(cast, client_of):
    data = changed(cast.admin, role="staff", name="Renamed")
    del data["is_active"]
    assert client_of(cast.admin).post(page_of(cast.admin), data).status_code == 302
    admin = fresh(cast, cast.admin)
    assert (admin.name, admin.role, admin.is_active) == ("Renamed", "admin", True)


def test_it_never_deletes_a_user(cast, client_of):
    url = reverse("admin:tenancy_user_delete", args=[cast.staff.pk])
    assert client_of(cast.admin).post(url, {"post": "yes"}).status_code == 403
    assert fresh(cast, cast.staff).is_active


def test_it_sets_a_colleagues_password(cast, client_of):
    url = reverse("admin:auth_user_password_change", args=[cast.staff.pk])
    data = {"password1": NEW_PASSWORD, "password2": NEW_PASSWORD}
    assert client_of(cast.admin).post(url, data).status_code == 302
    assert check_password(NEW_PASSWORD, fresh(cast, cast.staff).password)


@pytest.mark.parametrize(
    ("password1", "password2"), [(NEW_PASSWORD, "another"), ("", ""), ("12345678", "12345678")]
)
def test_it_shows_what_is_wrong_with_a_password(cast, client_of, password1, password2):
    url = reverse("admin:auth_user_password_change", args=[cast.staff.pk])
    data = {"password1": password1, "password2": password2}
    response = client_of(cast.admin).post(url, data)
    assert response.status_code == 200
    assert response.context["form"].errors
    assert check_password(PASSWORD, fresh(cast, cast.staff).password)


def test_it_changes_the_own_password(cast, client_of):
    data = {"old_password": PASSWORD, "new_password1": NEW_PASSWORD, "new_password2": NEW_PASSWORD}
    client = client_of(cast.staff)
    assert client.post(reverse("admin:password_change"), data).status_code == 302
    assert client.get("/").status_code == 200
    assert check_password(NEW_PASSWORD, fresh(cast, cast.staff).password)


@pytest.mark.parametrize("role", ["manager", "staff", "analyst"])
def test_it_is_for_admins_alone(cast, client_of, role):
    client = client_of(getattr(cast, role))
    assert client.post(ADD, new_user()).status_code == 403
    assert client.post(page_of(cast.staff), changed(cast.staff, role="admin")).status_code == 403
    assert fresh(cast, cast.staff).role == "staff"
    assert "nina@new.example" not in users_of(cast)


@pytest.mark.parametrize("who", ["outsider", "operator"])
def test_it_never_shows_a_stranger(cast, client_of, who):
    stranger = getattr(cast, who)
    client = client_of(cast.admin)
    password = reverse("admin:auth_user_password_change", args=[stranger.pk])
    for url in (page_of(stranger), password):
        for send in (client.get, client.post):
            assert send(url).status_code == 404
