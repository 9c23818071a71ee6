"""Two people with the same form: the second sees what the first has saved, and chooses."""

import re
import threading
from datetime import timedelta
from decimal import Decimal
from types import SimpleNamespace

import pytest
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.db import connections
from django.urls import reverse
from django.utils import timezone

from alerts.models import AlertRule, WebhookEndpoint
from inventory.models import Product, ReorderPoint
from shelfops.admin import BackOfficeAdmin, ReadOnlyAdmin
from shelfops.tenancy.context import tenant
from shelfops.tenancy.models import User
from shelfops.versions import VersionedForm
from tests.admin.browsing import fields_of
from tests.conftest import logged_in
from tests.ingestion.master import apply, draft

NOBODY = "4d0b53f1-3a8e-4f43-b3a6-8a2f4f5f0000"


class Page:
    """A form in somebody's browser."""

    def __init__(self, client, row):
        meta = row._meta
        self.client, self.form = client, f"{meta.model_name}_form"
        self.url = reverse(f"admin:{meta.app_label}_{meta.model_name}_change", args=[row.pk])
        self.read(client.get(self.url))

    def read(self, response):
        self.response = response
        self.fields = fields_of(response, self.form)

    def save(self, **fields):
        """Send it; a page that comes back is what the browser shows now."""
        sent = {name: value for name, value in (self.fields | fields).items() if value is not None}
        response = self.client.post(self.url, sent)
        if response.status_code == 200:
            self.read(response)
        return response

    @property
    def choices(self):
        conflict = self.response.context["adminform"].form.conflict
        return {c.name: (c.mine, c.theirs, c.chosen) for c in conflict.choices}


@pytest.fixture
def rows(cast):
    """A row of everything that people edit."""
    with tenant(cast.customer):
        Product.objects.update(unit_price="2.50", unit_cost="1.1")
        point = ReorderPoint.objects.create(
            store=cast.store,
            product=cast.product,
            reorder_point=3,
            effective_from=timezone.now() + timedelta(days=20, microseconds=7),
        )
        rule = AlertRule.objects.create(alert_type="overstock", threshold=60)
        endpoint = WebhookEndpoint.objects.create(url="https://hooks.example.com/in")
    return SimpleNamespace(
        product=cast.product,
        store=cast.store,
        user=cast.staff,
        rule=rule,
        endpoint=endpoint,
        point=point,
        customer=cast.customer,
    )


def fresh(cast, row):
    with tenant(cast.customer):
        return type(row).objects.get(pk=row.pk)


KINDS = {
    "product": ("name", "Milk", "Fresh milk"),
    "store": ("name", "High Street", "Main Square"),
    "user": ("name", "Sam", "Samantha"),
    "rule": ("severity", "critical", "info"),
    "endpoint": ("url", "https://one.example.com/", "https://two.example.com/"),
    "point": ("reorder_point", "4", "5"),
    "customer": ("name", "Acme", "Acme Ltd"),
}


def editors(cast, kind):
    if kind == "customer":
        return logged_in(cast.operator), logged_in(cast.operator)
    return logged_in(cast.admin), logged_in(cast.admin)


@pytest.mark.parametrize("kind", KINDS)
def test_it_asks_whoever_would_overwrite_what_was_saved_meanwhile(cast, rows, kind):
    field, first, second = KINDS[kind]
    row = getattr(rows, kind)
    one, two = (Page(client, row) for client in editors(cast, kind))
    assert one.save(**{field: first}).status_code == 302
    assert two.save(**{field: second}).status_code == 200
    html = two.response.content.decode()
    assert "Nothing is saved yet" in html
    assert f'name="_choice_{field}"' in html
    assert str(getattr(fresh(cast, row), field)).startswith(first)
    assert two.save(**{f"_choice_{field}": "mine"}).status_code == 302
    assert str(getattr(fresh(cast, row), field)).startswith(second)


@pytest.mark.parametrize("kind", KINDS)
def test_it_changes_and_logs_nothing_when_a_form_is_saved_as_it_was(cast, rows, kind):
    row = getattr(rows, kind)
    before = vars(fresh(cast, row)) | {"_state": None}
    page = Page(editors(cast, kind)[0], row)
    assert page.save().status_code == 302
    assert vars(fresh(cast, row)) | {"_state": None} == before
    with tenant(cast.customer):
        assert not LogEntry.objects.filter(object_id=str(row.pk)).exists()


def test_it_shows_both_values_of_each_field_and_who_saved_the_other(cast, rows):
    one, two = (
        Page(logged_in(cast.manager), cast.product),
        Page(logged_in(cast.admin), cast.product),
    )
    one.save(unit_price="3.00", category="Milk", is_active=None)
    two.save(unit_price="2.80", name="Fresh milk")
    assert two.choices == {
        "name": ("Fresh milk", "Milk 1 l", "mine"),  # only the second changed it
        "is_active": ("Yes", "No", "theirs"),  # only the first did
        "category": ("Dairy", "Milk", "theirs"),
        "unit_price": ("2.8", "3", ""),  # both did: nothing is chosen for them
    }
    html = two.response.content.decode()
    assert "Saved by Manager" in html
    assert "2.80" in html and "Fresh milk" in html  # the form keeps what was entered


def test_it_saves_what_was_chosen_field_by_field(cast, rows):
    one, two = (
        Page(logged_in(cast.manager), cast.product),
        Page(logged_in(cast.admin), cast.product),
    )
    one.save(unit_price="3.00", brand="Own")
    two.save(unit_price="2.80", name="Fresh milk")
    assert two.save().status_code == 200  # a price has to be chosen
    assert "Choose one" in two.response.content.decode()
    assert two.save(_choice_unit_price="theirs").status_code == 302
    product = fresh(cast, cast.product)
    assert (product.unit_price, product.name, product.brand) == (3, "Fresh milk", "Own")
    with tenant(cast.customer):
        [entry] = LogEntry.objects.filter(user=cast.admin)
    assert entry.get_change_message() == "Changed Name."


def test_it_asks_again_when_a_third_change_comes_in_between(cast, rows):
    one, two = (
        Page(logged_in(cast.manager), cast.product),
        Page(logged_in(cast.admin), cast.product),
    )
    one.save(unit_price="3.00")
    two.save(unit_price="2.80")
    Page(logged_in(cast.manager), cast.product).save(unit_price="3.20")
    assert two.save(_choice_unit_price="mine").status_code == 200
    assert two.choices == {"unit_price": ("2.8", "3.2", "mine")}
    assert fresh(cast, cast.product).unit_price == Decimal("3.2")
    assert two.save().status_code == 302
    assert fresh(cast, cast.product).unit_price == Decimal("2.8")


def test_it_does_not_ask_whoever_changed_nothing(cast, rows):
    one, two = (
        Page(logged_in(cast.manager), cast.product),
        Page(logged_in(cast.admin), cast.product),
    )
    one.save(unit_price="3.00")
    assert two.save().status_code == 302
    assert fresh(cast, cast.product).unit_price == 3


def test_it_does_not_ask_when_both_say_the_same(cast, rows):
    one, two = (
        Page(logged_in(cast.manager), cast.product),
        Page(logged_in(cast.admin), cast.product),
    )
    one.save(unit_price="3")
    assert two.save(unit_price="3.00").status_code == 302
    assert fresh(cast, cast.product).version == 3  # 2 were made before: fixture and first save


def test_it_asks_a_form_that_does_not_say_what_it_was_made_from(cast, rows):
    page = Page(logged_in(cast.admin), cast.product)
    page.fields.pop("_version")
    assert page.save(name="Fresh milk").status_code == 200
    assert fresh(cast, cast.product).name == "Milk 1 l"


@pytest.mark.parametrize("version", ["x", "-1", "99999999999999999999", "1.0"])
def test_it_takes_no_version_that_is_none(cast, rows, version):
    page = Page(logged_in(cast.admin), cast.product)
    assert page.save(name="Fresh milk", _version=version, _seen="[1").status_code == 200
    assert fresh(cast, cast.product).name == "Milk 1 l"


def test_it_first_shows_what_is_wrong_and_asks_then(cast, rows):
    one, two = (
        Page(logged_in(cast.manager), cast.product),
        Page(logged_in(cast.admin), cast.product),
    )
    one.save(unit_price="3.00")
    two.save(unit_price="minus")
    assert "Enter a number" in two.response.content.decode()
    assert two.save(unit_price="2.80").status_code == 200
    assert two.choices == {"unit_price": ("2.8", "3", "")}


def test_it_keeps_what_was_chosen_while_a_rule_is_tried(cast, rows):
    one, two = Page(logged_in(cast.admin), rows.rule), Page(logged_in(cast.admin), rows.rule)
    one.save(severity="critical")
    two.save(threshold="30", severity="info")
    assert two.save(_choice_severity="theirs").status_code == 200  # its trial
    assert two.save().status_code == 302
    rule = fresh(cast, rows.rule)
    assert (rule.threshold, rule.severity) == (30, "critical")


def test_an_import_makes_a_version_too_and_undoing_it_another(cast, rows):
    page = Page(logged_in(cast.admin), cast.product)
    client = logged_in(cast.manager)
    apply(client, draft(client, "products", ["SKU", "Unit price"], ["MILK-1", "9"]))
    assert page.save(unit_price="2.80").status_code == 200
    assert page.choices == {"unit_price": ("2.8", "9", "")}
    assert "Saved by Manager" in page.response.content.decode()


def test_a_command_makes_a_version_too(cast, rows):
    page = Page(logged_in(cast.admin), cast.product)
    with tenant(cast.customer):
        Product.objects.filter(pk=cast.product.pk).update(brand="Own")
    assert page.save(brand="Other").status_code == 200
    assert "Saved by a command or job" in page.response.content.decode()


def test_logging_in_and_a_new_password_are_no_change_of_a_user(cast, rows):
    with tenant(cast.customer):
        before = User.objects.get(pk=cast.staff.pk).version
        user = User.objects.get(pk=cast.staff.pk)
        user.last_login = timezone.now()
        user.set_password("another good one")
        user.save()
    assert fresh(cast, cast.staff).version == before


def test_it_tells_that_the_row_is_gone_and_shows_what_was_entered(cast, rows):
    page = Page(logged_in(cast.admin), rows.rule)
    with tenant(cast.customer):
        AlertRule.objects.filter(pk=rows.rule.pk).delete()
    response = page.save(threshold="77")
    assert response.status_code == 404
    html = response.content.decode()
    assert "is not there any more" in html and "77" in html


def without_token(response, pk):
    html = re.sub('value="[0-9a-zA-Z]{64}"', "", response.content.decode())
    return html.replace(str(pk), "")


def test_it_says_of_a_strangers_row_what_it_says_of_one_that_is_gone(cast, rows):
    page = Page(logged_in(cast.admin), cast.product)
    there = page.url
    page.url = reverse("admin:inventory_product_change", args=[cast.other_product.pk])
    strange = page.save(name="Mine now")
    page.url = there.replace(str(cast.product.pk), NOBODY)
    gone = page.save(name="Mine now")
    assert strange.status_code == gone.status_code == 404
    assert without_token(strange, cast.other_product.pk) == without_token(gone, NOBODY)


def test_it_keeps_the_form_when_an_sku_is_taken_at_the_same_moment(cast, rows, monkeypatch):
    page = Page(logged_in(cast.admin), cast.product)
    with tenant(cast.customer):
        Product.objects.create(sku="TEA", name="Tea")
    checks = iter([True])

    def blind(self, exclude=None):
        if not next(checks, False):
            original(self, exclude)

    original = Product.validate_constraints
    monkeypatch.setattr(Product, "validate_constraints", blind)
    assert page.save(sku="TEA", name="Fresh milk").status_code == 200
    html = page.response.content.decode()
    assert "This SKU is already in use." in html and "Fresh milk" in html


def test_every_form_that_people_save_carries_a_version():
    for model, page in admin.site._registry.items():
        if isinstance(page, BackOfficeAdmin) and not isinstance(page, ReadOnlyAdmin):
            assert issubclass(page.form, VersionedForm), model
            assert hasattr(model, "save_unless_changed"), model


def test_of_many_who_save_at_once_one_wins_and_the_others_are_asked(cast, rows, admin_url):
    """On a real server; the embedded engine has one backend, which takes one after the other."""
    pages = [Page(logged_in(cast.admin), cast.product) for _ in range(8)]
    barrier, answers = threading.Barrier(8), []

    def save(number, name):
        try:
            barrier.wait()
            answers.append(pages[number].save(name=name).status_code)
        finally:
            connections.close_all()

    for turn in range(5):
        answers.clear()
        before = fresh(cast, cast.product).version
        names = [(number, f"Milk {turn}-{number}") for number in range(8)]
        threads = [threading.Thread(target=save, args=each) for each in names]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(answers) == [200] * 7 + [302]
        assert fresh(cast, cast.product).version == before + 1
        pages = [Page(logged_in(cast.admin), cast.product) for _ in range(8)]
