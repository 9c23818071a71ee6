"""Reorder points by form: made from the one in force, in the time of the store."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.urls import reverse
from django.utils import timezone

from inventory.models import ReorderPoint
from shelfops.tenancy.context import tenant
from tests.admin.browsing import fields_of
from tests.admin.forms import errors_of
from tests.conftest import logged_in
from tests.ingestion.master import draft

ADD = reverse("admin:inventory_reorderpoint_add")
START = reverse("admin:inventory_reorderpoint_start")


@pytest.fixture
def point(cast):
    """In force in New York since ten days ago, with everything that can be set."""
    with tenant(cast.customer):
        return ReorderPoint.objects.create(
            store=cast.store,
            product=cast.product,
            reorder_point=3,
            order_up_to=12,
            order_multiple=6,
            lead_time_days=4,
            effective_from=timezone.now() - timedelta(days=10),
        )


def points(cast):
    with tenant(cast.customer):
        return list(ReorderPoint.objects.filter(product=cast.product).order_by("effective_from"))


def entered(cast, **fields):
    """What somebody enters into an empty form."""
    row = {"store": cast.store.pk, "product": cast.product.pk, "reorder_point": 5}
    return {**row, "order_multiple": 1, **fields}


def change(point):
    return reverse("admin:inventory_reorderpoint_change", args=[point.pk])


def test_it_begins_with_what_is_in_force_in_the_stores_time(cast, point):
    page = logged_in(cast.manager).get(ADD, {"store": cast.store.pk, "product": cast.product.pk})
    fields = fields_of(page, "reorderpoint_form")
    terms = ("reorder_point", "order_up_to", "order_multiple", "lead_time_days")
    assert [fields[name] for name in terms] == ["3", "12", "6", "4"]
    now = timezone.now().astimezone(cast.store.zone)
    assert fields["effective_from_0"] == f"{now:%Y-%m-%d}"
    assert fields["effective_from_1"][:2] in (f"{now:%H}", f"{now - timedelta(minutes=1):%H}")
    assert "In the time of Main Street (America/New_York)" in page.content.decode()
    fields |= {"reorder_point": "5"}
    assert logged_in(cast.manager).post(ADD, fields).status_code == 302
    old, new = points(cast)
    assert (new.reorder_point, new.order_up_to, new.order_multiple) == (5, 12, 6)
    assert new.lead_time_days == 4
    assert old.effective_to == new.effective_from


def test_it_fills_in_what_was_left_empty_before_it_closes_what_nobody_has_looked_at(cast, point):
    client = logged_in(cast.manager)
    page = client.post(ADD, entered(cast))
    [error] = errors_of(page)["store"]
    assert "reorder at 3, order up to 12, multiple 6, lead time 4 days" in error
    assert points(cast) == [point]
    fields = fields_of(page, "reorderpoint_form")
    assert (fields["order_multiple"], fields["lead_time_days"]) == ("6", "4")
    assert client.post(ADD, fields).status_code == 302
    assert [each.lead_time_days for each in points(cast)] == [4, 4]


def test_it_may_also_be_without_a_lead_time(cast, point):
    client = logged_in(cast.manager)
    fields = fields_of(client.post(ADD, entered(cast)), "reorderpoint_form")
    client.post(ADD, fields | {"lead_time_days": "", "order_up_to": ""})
    assert [each.lead_time_days for each in points(cast)] == [4, None]


def test_the_second_of_two_sees_what_the_first_has_set(cast, point):
    query = {"store": cast.store.pk, "product": cast.product.pk}
    one, two = logged_in(cast.manager), logged_in(cast.admin)
    ours, theirs = (fields_of(each.get(ADD, query), "reorderpoint_form") for each in (one, two))
    an_hour_ago = timezone.now().astimezone(cast.store.zone) - timedelta(hours=1)
    ours["effective_from_1"] = f"{an_hour_ago:%H:%M}"
    ours["effective_from_0"] = f"{an_hour_ago:%Y-%m-%d}"
    assert one.post(ADD, ours | {"reorder_point": "8"}).status_code == 302
    page = two.post(ADD, theirs | {"reorder_point": "9"})
    assert "reorder at 8" in errors_of(page)["store"][0]
    assert [each.reorder_point for each in points(cast)] == [3, 8]
    assert two.post(ADD, fields_of(page, "reorderpoint_form")).status_code == 302
    assert [each.reorder_point for each in points(cast)] == [3, 8, 9]


def test_it_tells_a_form_what_a_chosen_store_begins_with(cast, point):
    client = logged_in(cast.manager)
    answer = client.get(START, {"store": cast.store.pk, "product": cast.product.pk}).json()
    assert answer["lead_time_days"] == "4"
    assert answer["based_on"] == f"{point.pk}.1"
    assert answer["zone"] == "In the time of Main Street (America/New_York)"
    assert client.get(START, {"store": cast.unassigned_store.pk}).json() == {}
    assert client.get(START, {"store": cast.other_store.pk}).json() == {}
    assert client.get(START, {"store": "x", "product": "y"}).json() == {}
    assert logged_in(cast.staff).get(START, {"store": cast.store.pk}).status_code == 403


@pytest.mark.parametrize(
    ("day", "clock", "moment"),
    [
        ("2026-07-01", "08:00", datetime(2026, 7, 1, 12, tzinfo=UTC)),
        ("2026-01-15", "08:00:30", datetime(2026, 1, 15, 13, 0, 30, tzinfo=UTC)),
        ("2026-07-01", "", datetime(2026, 7, 1, 4, tzinfo=UTC)),
        ("2026-11-01", "01:30", datetime(2026, 11, 1, 5, 30, tzinfo=UTC)),  # the first of two
    ],
)
def test_it_takes_the_time_for_the_stores(cast, day, clock, moment):
    fields = entered(cast, effective_from_0=day, effective_from_1=clock)
    assert logged_in(cast.manager).post(ADD, fields).status_code == 302
    [point] = points(cast)
    assert point.effective_from == moment


def test_it_refuses_a_time_that_the_stores_clocks_skip(cast):
    fields = entered(cast, effective_from_0="2026-03-08", effective_from_1="02:30")
    errors = errors_of(logged_in(cast.admin).post(ADD, fields))
    assert errors == {"effective_from": ["The store's clocks skip this time. Enter another one."]}
    fields["store"] = cast.unassigned_store.pk  # in UTC there is such a time
    assert logged_in(cast.admin).post(ADD, fields).status_code == 302


def test_empty_is_now(cast):
    before = timezone.now()
    assert logged_in(cast.manager).post(ADD, entered(cast)).status_code == 302
    assert before <= points(cast)[0].effective_from <= timezone.now()


@pytest.mark.parametrize("day", ["2099-01-01", "9999-12-31"])
def test_it_refuses_a_start_more_than_a_year_ahead(cast, point, day):
    fields = entered(cast, effective_from_0=day, based_on=f"{point.pk}.1")
    errors = errors_of(logged_in(cast.manager).post(ADD, fields))
    assert errors == {"effective_from": ["More than a year ahead. Enter an earlier day."]}
    assert points(cast) == [point]


def test_a_file_is_refused_such_a_start_too(cast, point):
    rows = [["Store", "SKU", "Min", "From"], ["S1", "MILK-1", "9", "2099-01-01"]]
    client = logged_in(cast.manager)
    page = client.get(draft(client, "reorder_points", *rows))
    assert "more than a year ahead" in page.content.decode()


@pytest.fixture
def far(cast, point):
    """One that was accepted before there was a limit."""
    with tenant(cast.customer):
        return ReorderPoint.objects.create(
            store=cast.store,
            product=cast.product,
            reorder_point=9,
            effective_from=datetime(2099, 1, 1, tzinfo=UTC),
        )


def test_one_that_was_accepted_for_2099_can_be_corrected(cast, point, far):
    client = logged_in(cast.manager)
    fields = fields_of(client.get(change(far)), "reorderpoint_form")
    assert (fields["effective_from_0"], fields["effective_from_1"]) == ("2098-12-31", "19:00:00")
    assert client.post(change(far), fields | {"effective_from_0": "2020-01-01"}).status_code == 200
    start = timezone.now().astimezone(cast.store.zone) - timedelta(days=1)
    fields |= {"effective_from_0": f"{start:%Y-%m-%d}", "effective_from_1": "06:00"}
    assert client.post(change(far), fields).status_code == 302
    old, new = points(cast)
    assert new.effective_from == start.replace(hour=6, minute=0, second=0, microsecond=0)
    assert old.effective_to == new.effective_from
    assert (new.reorder_point, new.effective_to) == (Decimal(9), None)


def test_it_says_what_is_in_the_way(cast, point, far):
    fields = entered(cast, based_on=f"{far.pk}.1")
    errors = errors_of(logged_in(cast.manager).post(ADD, fields))
    assert "Change that one instead" in errors["effective_from"][0]


def test_what_is_in_force_or_past_stays_as_it_is(cast, point, far):
    client = logged_in(cast.manager)
    assert client.post(change(point), entered(cast, _version=2)).status_code == 403
    assert client.get(change(point)).status_code == 200
    assert points(cast)[0].reorder_point == 3
