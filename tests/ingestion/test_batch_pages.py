"""The page of an import: what became of it, its refused rows as a file, and its undoing."""

import csv
from datetime import datetime
from io import StringIO

import pytest
from django.db import connection, connections
from django.urls import reverse

from inventory.models import StoreAssignment
from shelfops.ingestion import admin as pages
from shelfops.ingestion.feeds import Source
from shelfops.ingestion.models import ImportBatch
from shelfops.tenancy.context import tenant
from tests.cast import Cast
from tests.ingestion.feeding import load_sales, query, sale
from tests.ingestion.importing import run
from tests.ingestion.test_sales_feed import sundays
from tests.sessions import second_session


def address(page: str, batch: ImportBatch) -> str:
    return reverse(f"admin:ingestion_importbatch_{page}", args=[batch.pk])


def mixed(cast: Cast, **source: object) -> ImportBatch:
    """Three lines placed, and refused ones of each of the stores and of none."""
    given = {"name": "=till;1.csv", "sha256": "a" * 64, "imported_by": "x"} | source
    return load_sales(
        cast.customer,
        *(sale(cast, line=number) for number in range(3)),
        sale(cast, product="=1+1"),
        sale(cast, store="S2", product="x"),
        sale(cast, store="nowhere"),
        source=Source(**given),
    )


def refused_lines(client, batch: ImportBatch) -> list[list[str]]:
    answer = client.get(address("refused", batch))
    assert answer.status_code == 200
    text = b"".join(answer.streaming_content).decode("utf-8-sig")
    return list(csv.reader(StringIO(text)))[1:]


def test_it_hands_out_the_refused_rows(cast: Cast, client_of) -> None:
    batch = mixed(cast)
    rows = refused_lines(client_of(cast.admin), batch)
    assert [row[:3] for row in rows] == [
        ["4", "product", "unknown product"],
        ["5", "product", "unknown product"],
        ["6", "store", "unknown store"],
    ]
    assert "'=1+1" in rows[0]
    name = client_of(cast.admin).get(address("refused", batch))["Content-Disposition"]
    assert name == 'attachment; filename="refused-=till;1.csv"'


def test_it_hands_out_the_refused_rows_of_ones_own_stores(cast: Cast, client_of) -> None:
    rows = refused_lines(client_of(cast.manager), mixed(cast))
    assert [row[0] for row in rows] == ["4"]


def test_it_shows_what_became_of_an_import(cast: Cast, client_of) -> None:
    batch = mixed(cast)
    page = client_of(cast.admin).get(address("change", batch)).content.decode()
    assert address("refused", batch) in page
    assert address("undo", batch) in page
    listed = client_of(cast.admin).get(reverse("admin:ingestion_importbatch_changelist"))
    assert address("refused", batch) in listed.content.decode()


def test_it_undoes_an_import_that_is_confirmed(cast: Cast, client_of) -> None:
    client, batch = client_of(cast.admin), mixed(cast)
    page = client.get(address("undo", batch))
    assert "<strong>3</strong> rows" in page.content.decode()
    assert len(query(cast.customer, "SELECT line FROM transactions")) == 3
    done = client.post(address("undo", batch), follow=True)
    assert "3 rows of =till;1.csv were taken back." in done.content.decode()
    assert query(cast.customer, "SELECT line FROM transactions") == []
    with tenant(cast.customer):
        batch.refresh_from_db()
    assert (batch.status, batch.undone_by) == ("undone", cast.admin.email)
    assert len(refused_lines(client, batch)) == 3
    again = client.post(address("undo", batch), follow=True).content.decode()
    assert "Nothing was undone. It was undone on" in again
    assert address("undo", batch) not in again


def test_it_says_on_the_page_why_an_import_stays(cast: Cast, client_of) -> None:
    batch = mixed(cast)
    with tenant(cast.customer):
        ImportBatch.objects.update(touched_from=None, touched_until=None)
    for page in ("change", "undo"):
        text = client_of(cast.admin).get(address(page, batch)).content.decode()
        assert "It cannot be undone. Its rows do not say" in text


def test_it_lets_a_manager_undo_what_is_of_their_stores_alone(cast: Cast, client_of) -> None:
    client = client_of(cast.manager)
    everybodys = mixed(cast)
    assert client.get(address("undo", everybodys)).status_code == 403
    assert client.post(address("undo", everybodys)).status_code == 403
    both = [cast.store.pk, cast.unassigned_store.pk]
    scope = {"stores": both, "metadata": {"stores": list(map(str, both))}}
    shared = mixed(cast, sha256="b" * 64, imported_by=cast.manager.email, **scope)
    assert client.post(address("undo", shared)).status_code == 403
    with tenant(cast.customer):
        StoreAssignment.objects.create(user=cast.manager, store=cast.unassigned_store)
    assert client.get(address("undo", shared)).status_code == 200
    with tenant(cast.customer):
        assert set(ImportBatch.objects.values_list("status", flat=True)) == {"done"}


def test_it_shows_nothing_of_another_customers_import(cast: Cast, client_of) -> None:
    batch, stranger = mixed(cast), client_of(cast.outsider)
    for page in ("change", "refused", "undo"):
        assert stranger.get(address(page, batch)).status_code == 404
    assert stranger.post(address("undo", batch)).status_code == 404
    for person in (cast.staff, cast.analyst):
        for page in ("change", "refused", "undo"):
            assert client_of(person).get(address(page, batch)).status_code == 403
    assert len(query(cast.customer, "SELECT line FROM transactions")) == 3


def test_it_does_not_wait_for_ever_for_a_running_import(
    cast: Cast, client_of, admin_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = mixed(cast)
    monkeypatch.setattr(pages, "PATIENCE", "SELECT set_config('lock_timeout', '50ms', true)")
    with second_session() as other, tenant(cast.customer, using=other):
        connections[other].cursor().execute("SELECT take_turn('import transactions')")
        answer = client_of(cast.admin).post(address("undo", batch), follow=True)
    assert "an import of this kind is under way" in answer.content.decode()
    assert len(query(cast.customer, "SELECT line FROM transactions")) == 3


def test_it_counts_times_that_came_twice(cast: Cast, client_of, tmp_path) -> None:
    night = sundays(11)[0]
    clocks = [f"{night} {clock}" for clock in ("00:30", "01:00", "01:30", "02:00")]
    rows = [
        sale(cast, sold_at=None, local_time=datetime.fromisoformat(clock), line=number)
        for number, clock in enumerate(clocks)
    ]
    batch = load_sales(cast.customer, *rows, sale(cast, line=9))
    assert (batch.rows_inserted, batch.repeated_times) == (5, 2)
    page = client_of(cast.admin).get(address("change", batch)).content.decode()
    assert "2, as the clocks were put back; the first was taken" in page
    path = tmp_path / "till.csv"
    path.write_text(
        "store,sku,time,receipt,line,qty,amount\n"
        + "".join(f"S1,MILK-1,{clock},T,{n},1,1\n" for n, clock in enumerate(clocks))
    )
    assert "  2 times came twice, as the clocks were put back; the first was taken." in run(
        "import_sales", cast, path
    )


def test_it_lets_the_page_see_one_customer(cast: Cast) -> None:
    """The settings that an import leaves behind end with its transaction."""
    mixed(cast)
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('app.context', true)")
        assert cursor.fetchone() in [("",), (None,)]
