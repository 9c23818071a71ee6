"""Guessing passwords, from one address, from many, together and across processes."""

import logging
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from uuid import uuid4

import psycopg
import pytest
from django.db import connections
from django.test import Client, RequestFactory
from django.urls import reverse
from psycopg import errors

from shelfops.tenancy import throttle
from shelfops.tenancy.context import tenant
from shelfops.tenancy.models import LogIn
from shelfops.timescale.refresh import owner_cursor
from tests.cast import PASSWORD, Cast
from tests.rows import days_ago

LOGIN = reverse("admin:login")
FREE = 5
HOME, ELSEWHERE = "198.51.100.7", "203.0.113.9"


def log_in(email, password=PASSWORD, *, client=None, address=HOME, **headers):
    client = client or Client()
    data = {"username": email, "password": password}
    return client.post(LOGIN, data, REMOTE_ADDR=address, headers=headers)


def fail(email, times, **how):
    return [log_in(email, f"wrong {n}", **how).status_code for n in range(times)]


def flood(email, times):
    """From as many addresses as it takes."""
    for n in range(times):
        request = RequestFactory().post(LOGIN, REMOTE_ADDR=f"10.0.{n // 250}.{n % 250 + 1}")
        attempt = throttle.Attempt(request, email)
        assert attempt.begin() == 0
        attempt.failed()


def known_device(email) -> Client:
    client = Client()
    assert log_in(email, client=client).status_code == 302
    client.post(reverse("admin:logout"))
    return client


def pass_time(**span) -> None:
    """Let all counts be older by that much."""
    with owner_cursor() as cursor:
        cursor.execute(
            "UPDATE timeseries.login_failures"
            " SET waits_until = waits_until - %(span)s, forgotten_at = forgotten_at - %(span)s",
            {"span": timedelta(**span)},
        )


def counts() -> int:
    with owner_cursor() as cursor:
        cursor.execute("SELECT count(*) FROM timeseries.login_failures")
        return cursor.fetchone()[0]


def test_it_takes_no_password_after_too_many_wrong_ones(cast: Cast) -> None:
    assert fail(cast.admin.email, 60) == [200] * FREE + [429] * 55
    response = log_in(cast.admin.email.upper() + " ")
    assert response.status_code == 429
    assert 50 <= int(response.headers["Retry-After"]) <= 60
    [error] = response.context["form"].non_field_errors()
    assert "Try again in" in error
    assert "second" in error or "1 minute" in error
    assert "sessionid" not in response.cookies


def test_it_says_the_same_of_an_address_that_nobody_has(cast: Cast) -> None:
    nobody = f"nobody-{uuid4()}@example.com"
    assert fail(nobody, 7) == fail(cast.admin.email, 7) == [200] * FREE + [429] * 2
    answers = [log_in(email).content.decode() for email in (nobody, cast.admin.email)]
    assert all("Try again in" in answer for answer in answers)


def test_it_waits_longer_each_time_and_at_most_an_hour(cast: Cast) -> None:
    fail(cast.staff.email, FREE)
    waits = []
    for _ in range(9):
        pass_time(hours=1)
        log_in(cast.staff.email, "wrong")
        waits.append(round(int(log_in(cast.staff.email).headers["Retry-After"]) / 60))
    assert waits == [2, 4, 8, 16, 32, 60, 60, 60, 60]
    pass_time(hours=1)
    assert log_in(cast.staff.email).status_code == 302
    assert fail(cast.staff.email, FREE) == [200] * FREE  # begins anew


def test_it_does_not_wait_longer_for_what_was_refused(cast: Cast) -> None:
    fail(cast.staff.email, FREE + 20)
    pass_time(minutes=1)
    assert log_in(cast.staff.email).status_code == 302


def test_it_forgets_failures_after_a_day(cast: Cast) -> None:
    fail(cast.staff.email, FREE - 1)
    pass_time(hours=25)
    assert fail(cast.staff.email, FREE + 1) == [200] * FREE + [429]


def test_it_counts_for_each_person_and_address_alone(cast: Cast) -> None:
    fail(cast.staff.email, FREE)
    assert log_in(cast.staff.email).status_code == 429
    assert log_in(cast.manager.email).status_code == 302
    assert log_in(cast.staff.email, address=ELSEWHERE).status_code == 302


@pytest.mark.parametrize(
    ("one", "other", "status"),
    [
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", 429),  # one subscriber's
        ("2001:db8:1:2::1", "2001:db8:1:3::1", 302),
        (HOME, f"::ffff:{HOME}", 429),
    ],
)
def test_it_takes_the_addresses_of_one_subscriber_as_one(cast: Cast, one, other, status) -> None:
    fail(cast.staff.email, FREE, address=one)
    assert log_in(cast.staff.email, address=other).status_code == status


def test_nobody_keeps_a_person_with_a_known_device_out(cast: Cast) -> None:
    device = known_device(cast.admin.email)
    for n in range(60):
        assert log_in(cast.admin.email, "wrong", address=f"10.1.0.{n + 1}").status_code == 200
    fail(cast.admin.email, FREE + 5)  # even from the person's own address
    assert log_in(cast.admin.email, client=device).status_code == 302


def test_nobody_keeps_a_person_without_a_known_device_out(cast: Cast) -> None:
    flood(cast.admin.email, 60)
    assert log_in(cast.admin.email).status_code == 302


def test_it_leaves_a_flood_one_try_an_hour_from_each_address(cast: Cast) -> None:
    flood(cast.admin.email, 50)
    assert fail(cast.admin.email, 3, address=ELSEWHERE) == [200, 429, 429]
    wait = int(log_in(cast.admin.email, address=ELSEWHERE).headers["Retry-After"])
    assert 3590 <= wait <= 3600
    assert fail(cast.manager.email, 3, address=ELSEWHERE) == [200] * 3


def test_it_bounds_the_tries_of_a_known_device_too(cast: Cast) -> None:
    device = known_device(cast.admin.email)
    assert fail(cast.admin.email, 7, client=device) == [200] * FREE + [429] * 2
    # From wherever it is, and whatever else its owner tries.
    assert log_in(cast.admin.email, client=device, address=ELSEWHERE).status_code == 429


def test_it_knows_a_device_for_those_who_logged_in_on_it_alone(cast: Cast) -> None:
    device = known_device(cast.staff.email)
    fail(cast.admin.email, FREE)
    assert log_in(cast.admin.email, client=device).status_code == 429
    pass_time(hours=1)
    assert log_in(cast.admin.email, client=device).status_code == 302
    device.post(reverse("admin:logout"))
    fail(cast.admin.email, FREE)
    fail(cast.staff.email, FREE)
    for person in (cast.admin, cast.staff):  # it knows both now
        assert log_in(person.email, client=device).status_code == 302
        device.post(reverse("admin:logout"))


def test_it_believes_no_forged_device(cast: Cast) -> None:
    client = known_device(cast.admin.email)
    good = client.cookies["device"].value
    assert cast.admin.email not in good
    fail(cast.admin.email, FREE)
    people = throttle.person(cast.admin.email)
    for forged in ("x", "", f"a.{people}", f"a.{people}:x:y", good[:-2] + "zz", "a" * 4000):
        client.cookies["device"] = forged
        assert log_in(cast.admin.email, client=client).status_code == 429
    client.cookies["device"] = good
    response = log_in(cast.admin.email, client=client)
    assert response.status_code == 302
    cookie = response.cookies["device"]
    assert (cookie["httponly"], cookie["samesite"]) == (True, "Lax")


def test_it_keeps_the_last_ten_people_of_a_device(cast: Cast) -> None:
    device = throttle.Device("a")
    for n in range(15):
        device = device.with_person(f"{n}@example.com")
    assert [device.knows(f"{n}@example.com") for n in (4, 5, 14)] == [False, True, True]
    assert len(str(device)) < 250


def test_it_has_no_more_tries_for_asking_all_at_once(cast: Cast) -> None:
    def once(n):
        try:
            return log_in(cast.staff.email, f"wrong {n}").status_code
        finally:
            connections.close_all()

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(once, range(24)))
    assert sorted(answers) == [200] * FREE + [429] * 19


@pytest.mark.parametrize(
    ("proxies", "forwarded", "same"),
    [
        (0, ("1.1.1.1", "2.2.2.2"), True),  # a header that anybody can send
        (1, ("1.1.1.1", "2.2.2.2"), False),
        (1, ("6.6.6.6, 1.1.1.1", "7.7.7.7, 1.1.1.1"), True),  # what a client made up
        (1, ("1.1.1.1", "1.1.1.1:5432"), True),
        (2, ("1.1.1.1, 10.0.0.1", "2.2.2.2, 10.0.0.1"), False),
        (2, ("9.9.9.9, 1.1.1.1, 10.0.0.1", "8.8.8.8, 1.1.1.1, 10.0.0.1"), True),
        (2, ("1.1.1.1", "2.2.2.2"), True),  # not through both: the peer counts
        (1, ("nonsense", "<script>"), True),
    ],
)
def test_it_believes_its_own_proxies_alone(cast, settings, proxies, forwarded, same) -> None:
    settings.PROXIES = proxies
    first, second = forwarded
    fail(cast.staff.email, FREE, **{"X-Forwarded-For": first})
    status = log_in(cast.staff.email, **{"X-Forwarded-For": second}).status_code
    assert status == (429 if same else 302)


def test_it_cleans_up_as_it_goes(cast: Cast) -> None:
    flood(f"many-{uuid4()}@example.com", 45)
    pass_time(hours=25)
    assert counts() > 45
    for n in range(20):  # each failure takes up to twenty old ones along
        log_in(f"{n}-{uuid4()}@example.com", "wrong")
    with owner_cursor() as cursor:
        cursor.execute("SELECT count(*) FROM timeseries.login_failures WHERE forgotten_at < now()")
        assert cursor.fetchone() == (0,)


def log_ins_of(customer) -> list[tuple]:
    with tenant(customer):
        rows = LogIn.objects.filter(customer=customer).order_by("at")
        return [(row.user_id, row.outcome, row.address, row.is_known) for row in rows]


def test_it_records_log_ins_and_failures_for_the_customers_admin(cast: Cast, client_of) -> None:
    log_in(cast.staff.email, "wrong")
    device = known_device(cast.staff.email)
    log_in(cast.staff.email, client=device, address=ELSEWHERE)
    log_in(cast.outsider.email)
    assert log_ins_of(cast.customer) == [
        (cast.staff.pk, "failed", HOME, False),
        (cast.staff.pk, "in", HOME, False),
        (cast.staff.pk, "in", ELSEWHERE, True),
    ]
    url = reverse("admin:tenancy_login_changelist")
    rows = client_of(cast.admin).get(url).context["cl"].result_list
    assert {row.user_id for row in rows} == {cast.staff.pk, cast.admin.pk}
    page = client_of(cast.admin).get(url, {"q": "Staff"}).content.decode()
    assert HOME in page
    assert "Failed" in page
    for person in (cast.manager, cast.staff, cast.analyst, cast.operator):
        assert client_of(person).get(url).status_code == 403


def test_it_records_no_flood_row_by_row(cast: Cast, monkeypatch) -> None:
    monkeypatch.setattr(throttle, "MOST_RECORDED", 3)
    for n in range(5):
        log_in(cast.staff.email, "wrong", address=f"10.1.0.{n + 1}")
    assert len(log_ins_of(cast.customer)) == 3


def test_it_writes_no_secret_into_the_log(cast: Cast, caplog) -> None:
    caplog.set_level(logging.INFO)
    log_in("hunter2-typed-here@example.com", "hunter3")  # a password in the wrong field
    log_in(cast.staff.email, "hunter4")
    log_in(cast.staff.email)
    fail(cast.admin.email, FREE + 1)
    lines = [record.getMessage() for record in caplog.records if "log_ins" in record.name]
    assert len(lines) == 3 + FREE + 1
    assert all(HOME in line for line in lines)
    assert str(cast.staff.pk) in lines[1]
    assert lines[2].startswith("Logged in")
    assert "refused" in lines[-1]
    for secret in ("hunter", PASSWORD, cast.staff.email, "wrong 1"):
        assert secret not in caplog.text


def test_the_application_neither_reads_nor_clears_the_counts(cast: Cast, database_urls) -> None:
    log_in(cast.staff.email, "wrong")
    with psycopg.connect(database_urls["app"], autocommit=True) as app:
        for statement in (
            "SELECT * FROM timeseries.login_failures",
            "DELETE FROM timeseries.login_failures",
            "UPDATE timeseries.login_failures SET failures = 1",
            "CALL timeseries.purge_log_ins()",
            "DELETE FROM log_ins",
            "UPDATE log_ins SET outcome = 'in'",
        ):
            with pytest.raises(errors.InsufficientPrivilege):
                app.execute(statement)
        assert app.execute("SELECT count(*) FROM log_ins").fetchone() == (0,)


def test_it_keeps_log_ins_for_180_days(cast: Cast) -> None:
    with tenant(cast.customer):
        for days in (179, 181):
            LogIn.objects.create(
                customer=cast.customer,
                user=cast.staff,
                outcome="in",
                is_known=False,
                at=days_ago(days),
            )
    with owner_cursor() as cursor:
        cursor.execute("CALL timeseries.purge_log_ins()")
    with tenant(cast.customer):
        [kept] = LogIn.objects.filter(customer=cast.customer)
    assert kept.at > days_ago(180)
