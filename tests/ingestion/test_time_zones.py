"""A store's time zone is changed: what is there stays, and is recognised."""

from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from django.db import connections
from django.urls import reverse

from inventory.models import Store
from shelfops.tenancy.context import tenant
from tests.cast import Cast
from tests.ingestion.feeding import query
from tests.ingestion.importing import line, run, write
from tests.ingestion.master import apply, draft, said

COUNTS = "Store,SKU,Counted at,On hand"
KEPT = "SELECT until, time_zone FROM store_time_zones ORDER BY until"


def day(back: int) -> date:
    return datetime.now(UTC).date() - timedelta(days=back)


def clock(back: int, hour: int) -> str:
    return f"{day(back)} {hour:02}:30"


def change_zone(cast: Cast, zone: str) -> None:
    with tenant(cast.customer):
        Store.objects.filter(pk=cast.store.pk).update(time_zone=zone)


def sales(tmp_path: Path) -> Path:
    """Each hour of two days, by the store's own clock."""
    moments = [clock(back, hour) for back in (4, 3) for hour in range(24)]
    return write(tmp_path, *(line(time=at, receipt=f"R{at}") for at in moments))


def counts(tmp_path: Path) -> Path:
    """Hourly ones: another zone moves each onto the next."""
    rows = [f"S1,MILK-1,{clock(3, hour)},{hour}" for hour in range(24)]
    return write(tmp_path, *rows, header=COUNTS)


@pytest.mark.parametrize("zone", ["America/Chicago", "UTC", "Pacific/Auckland"])
def test_it_recognises_a_file_of_sales_from_before_the_change(
    cast: Cast, tmp_path: Path, zone: str
) -> None:
    path = sales(tmp_path)
    assert "48 added" in run("import_sales", cast, path)
    before = query(cast.customer, "SELECT sold_at, business_date FROM transactions ORDER BY 1")
    change_zone(cast, zone)
    assert "0 added, 48 there already, 0 refused" in run("import_sales", cast, path)
    after = query(cast.customer, "SELECT sold_at, business_date FROM transactions ORDER BY 1")
    assert after == before


@pytest.mark.parametrize("zone", ["America/Chicago", "Pacific/Auckland"])
def test_it_recognises_counts_from_before_the_change(cast: Cast, tmp_path: Path, zone: str) -> None:
    path = counts(tmp_path)
    assert "24 added" in run("import_inventory", cast, path)
    change_zone(cast, zone)
    assert "0 added, 24 there already, 0 refused" in run("import_inventory", cast, path)
    [(on_hand,)] = query(cast.customer, "SELECT quantity_on_hand FROM current_stock")
    assert on_hand == 23


def test_it_reads_late_lines_of_old_days_in_the_old_zone(cast: Cast, tmp_path: Path) -> None:
    run("import_sales", cast, sales(tmp_path))
    change_zone(cast, "Asia/Tokyo")
    late = write(tmp_path, line(time=clock(2, 22), receipt="late"))
    run("import_sales", cast, late)
    found = "SELECT sold_at, business_date FROM transactions WHERE receipt = 'late'"
    at = datetime.combine(day(2), time(22, 30), ZoneInfo("America/New_York"))
    assert query(cast.customer, found) == [(at, day(2))]
    # Also if the file names the moment, or another zone.
    stamped = write(tmp_path, line(time=at.astimezone(UTC).isoformat(), receipt="stamped"))
    run("import_sales", cast, stamped)
    elsewhere = at.astimezone(ZoneInfo("Asia/Tokyo")).strftime("%Y-%m-%d %H:%M")
    named = write(tmp_path, line(time=elsewhere, receipt="named"))
    run("import_sales", cast, named, "--time-zone", "Asia/Tokyo")
    days = "SELECT sold_at, business_date FROM transactions WHERE receipt IN ('stamped', 'named')"
    assert query(cast.customer, days) == [(at, day(2))] * 2


def test_the_new_zone_begins_tomorrow(cast: Cast, tmp_path: Path) -> None:
    run("import_sales", cast, sales(tmp_path))
    change_zone(cast, "America/Chicago")
    today = datetime.now(ZoneInfo("America/New_York")).date()
    assert query(cast.customer, KEPT) == [(today + timedelta(days=1), "America/New_York")]
    change_zone(cast, "America/Denver")  # the same day: Chicago never was in force
    assert query(cast.customer, KEPT) == [(today + timedelta(days=1), "America/New_York")]


def test_it_reads_days_after_the_change_in_the_new_zone(cast: Cast, tmp_path: Path) -> None:
    run("import_sales", cast, sales(tmp_path))
    change_zone(cast, "America/Chicago")
    move_back(cast, 3)
    run("import_sales", cast, write(tmp_path, line(time=clock(2, 22), receipt="new")))
    at = datetime.combine(day(2), time(22, 30), ZoneInfo("America/Chicago"))
    found = "SELECT sold_at, business_date FROM transactions WHERE receipt = 'new'"
    assert query(cast.customer, found) == [(at, day(2))]


def move_back(cast: Cast, days: int) -> None:
    """As if the zone had been changed some days ago."""
    with tenant(cast.customer, using="owner"), connections["owner"].cursor() as cursor:
        cursor.execute("UPDATE store_time_zones SET until = until - %s::integer", [days])


def saved(client_of, cast: Cast, **data: str):
    page = reverse("admin:inventory_store_change", args=[cast.store.pk])
    fields = {"code": "S1", "name": "Main Street", "is_active": "on", "time_zone": "Asia/Tokyo"}
    with tenant(cast.customer):
        version = Store.objects.get(pk=cast.store.pk).version
    return client_of(cast.admin).post(page, fields | {"_version": version} | data)


def zone(cast: Cast) -> str:
    with tenant(cast.customer):
        return Store.objects.get(pk=cast.store.pk).time_zone


def test_the_stores_form_asks_whether_the_zone_holds_from_tomorrow_on(
    cast: Cast, client_of, tmp_path: Path
) -> None:
    run("import_inventory", cast, counts(tmp_path))
    response = saved(client_of, cast)
    [error] = response.context["adminform"].form.errors["time_zone"]
    assert "files of these days are still read in America/New_York" in error
    page = response.content.decode()
    assert 'name="from_tomorrow"' in page
    assert 'type="hidden" name="from_tomorrow"' not in page
    assert zone(cast) == "America/New_York"
    assert saved(client_of, cast, from_tomorrow="on").status_code == 302
    assert zone(cast) == "Asia/Tokyo"
    assert len(query(cast.customer, KEPT)) == 1


def test_the_stores_form_asks_nothing_without_history(cast: Cast, client_of) -> None:
    assert saved(client_of, cast).status_code == 302
    assert zone(cast) == "Asia/Tokyo"


def test_an_import_of_stores_asks_whether_zones_hold_from_tomorrow_on(
    cast: Cast, client_of, tmp_path: Path
) -> None:
    run("import_sales", cast, sales(tmp_path))
    client = client_of(cast.admin)
    rows = ["S1", "Asia/Tokyo"], ["S2", "Asia/Tokyo"]
    url = draft(client, "stores", ["Code", "Time zone"], *rows)
    page = " ".join(client.get(url).content.decode().split())
    assert "time zone of 1 store with sales or counts holds from tomorrow on" in page
    assert said(apply(client, url)).startswith("Tick that the new time zones hold from tomorrow on")
    assert zone(cast) == "America/New_York"
    apply(client, url, from_tomorrow="1")
    assert zone(cast) == "Asia/Tokyo"
    assert len(query(cast.customer, KEPT)) == 1


def test_a_store_without_history_just_changes(cast: Cast) -> None:
    change_zone(cast, "Asia/Tokyo")
    assert query(cast.customer, KEPT) == []
