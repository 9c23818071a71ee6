"""An import that is undone takes back what it brought and nothing else, or says why it cannot."""

import pytest
from django.db import IntegrityError

from shelfops.ingestion import undo as undoing
from shelfops.ingestion.models import ImportBatch
from shelfops.ingestion.undo import CannotUndo, Undo, undo
from shelfops.tenancy.context import tenant
from tests.cast import Cast
from tests.ingestion.feeding import load_sales, sale
from tests.rows import days_ago


def batch_of(cast: Cast, **fields: object) -> ImportBatch:
    given = {"kind": "leaflets", "source": "x.csv", "source_hash": "0" * 64, "imported_by": "x"}
    with tenant(cast.customer):
        return ImportBatch.objects.create(**given | fields)


def finished(**fields: object) -> dict[str, object]:
    return {
        "status": "done",
        "finished_at": days_ago(0),
        "rows_read": 3,
        "rows_inserted": 3,
    } | fields


@pytest.fixture
def leaflets(monkeypatch: pytest.MonkeyPatch) -> list[ImportBatch]:
    """Imports of a kind that can be undone; what has been."""
    undone: list[ImportBatch] = []

    def apply(batch: ImportBatch) -> int:
        undone.append(batch)
        return batch.rows_inserted

    monkeypatch.setitem(undoing.KINDS, "leaflets", Undo(lambda batch: [], apply))
    return undone


def test_it_says_who_undid_what_and_when(cast: Cast, leaflets: list[ImportBatch]) -> None:
    batch = batch_of(cast, **finished())
    assert undo(cast.customer, batch, cast.admin.email) == 3
    with tenant(cast.customer):
        batch.refresh_from_db()
    assert (batch.status, batch.undone_by, batch.rows_inserted) == ("undone", cast.admin.email, 3)
    assert batch.finished_at < batch.undone_at


def test_it_undoes_nothing_twice(cast: Cast, leaflets: list[ImportBatch]) -> None:
    batch = batch_of(cast, **finished())
    undo(cast.customer, batch, "first")
    with pytest.raises(CannotUndo, match=r"It was undone on .* UTC by first\."):
        undo(cast.customer, batch, "second")
    assert len(leaflets) == 1


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({}, "It is still running."),
        (finished(rows_read=0, rows_inserted=0), "It brought nothing."),
        (finished(kind="pictures"), "Imports of pictures cannot be undone."),
    ],
)
def test_it_says_why_it_cannot(
    cast: Cast, leaflets: list[ImportBatch], fields: dict[str, object], reason: str
) -> None:
    batch = batch_of(cast, **fields)
    with pytest.raises(CannotUndo) as error:
        undo(cast.customer, batch, "x")
    assert error.value.reasons == [reason]
    with tenant(cast.customer):
        batch.refresh_from_db()
    assert (batch.status == "undone", batch.undone_at, leaflets) == (False, None, [])


def test_it_leaves_everything_as_it_was_when_undoing_fails(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(batch: ImportBatch) -> int:
        ImportBatch.objects.filter(pk=batch.pk).update(rows_refused=0, source="changed")
        raise ZeroDivisionError

    monkeypatch.setitem(undoing.KINDS, "leaflets", Undo(lambda batch: [], broken))
    batch = batch_of(cast, **finished())
    with pytest.raises(ZeroDivisionError):
        undo(cast.customer, batch, "x")
    with tenant(cast.customer):
        batch.refresh_from_db()
    assert (batch.status, batch.source) == ("done", "x.csv")


def test_it_finds_no_batch_of_another_customer(cast: Cast, leaflets: list[ImportBatch]) -> None:
    batch = batch_of(cast, **finished())
    with pytest.raises(ImportBatch.DoesNotExist):
        undo(cast.other_customer, batch, "x")
    assert leaflets == []


def test_it_has_a_time_for_what_is_undone_and_for_nothing_else(cast: Cast) -> None:
    batch = load_sales(cast.customer, sale(cast))
    with pytest.raises(IntegrityError, match="undone_check"), tenant(cast.customer):
        ImportBatch.objects.filter(pk=batch.pk).update(status="undone")
