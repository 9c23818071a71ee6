"""Files that people upload: received, imported by a process of their own, followed to the end."""

import os
import signal
import stat
import time
from contextlib import contextmanager
from pathlib import Path

import pytest
from django.core import signing
from django.db import connections
from django.test import Client
from django.urls import reverse

from shelfops.ingestion.models import ImportBatch
from shelfops.ingestion.uploads import receiving, running, tickets
from shelfops.ingestion.uploads import spool as spooling
from shelfops.ingestion.uploads.spool import Upload
from shelfops.tenancy.context import tenant
from shelfops.tenancy.models import User
from tests.cast import Cast
from tests.ingestion.importing import batches, line, refused, sold, write
from tests.ingestion.uploading import ended, ticket_of, upload, upload_of, uploads


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[Upload]:
    """Uploads that would have been started; none is."""
    calls: list[Upload] = []
    for module in ("running", "views"):
        monkeypatch.setattr(f"shelfops.ingestion.uploads.{module}.start", calls.append)
    return calls


def test_it_imports_an_uploaded_file(cast: Cast, client_of, spool: Path, tmp_path: Path) -> None:
    """A manager's: lines of stores that are not theirs are refused as unknown."""
    client = client_of(cast.manager)
    path = write(tmp_path, line(), line(line=2), line(line=3, store="S2"), line(line=4, store="x"))
    answer = upload(client, path)
    assert answer.status_code == 302
    told = ended(client, answer.url)
    assert told["state"] == "done", told
    assert (told["rows"], told["inserted"], told["present"], told["refused"]) == (4, 2, 0, 2)
    [batch] = batches(cast)
    assert (batch.imported_by, batch.source, batch.status) == (
        cast.manager.email,
        "sales.csv",
        "done",
    )
    assert batch.metadata["stores"] == [str(cast.store.pk)]
    assert refused(cast) == [(4, "store", "unknown store"), (5, "store", "unknown store")]
    page = client.get(answer.url).content.decode()
    for name in ("change", "refused"):
        assert reverse(f"admin:ingestion_importbatch_{name}", args=[batch.pk]) in page
    assert not upload_of(answer.url).file.exists()
    fragment = client.get(answer.url, headers={"HX-Request": "true"}).content.decode()
    assert "hx-get" not in fragment and "<html" not in fragment


def test_it_says_nothing_was_imported_when_the_process_is_killed(
    cast: Cast, client_of, spool: Path, tmp_path: Path
) -> None:
    client = client_of(cast.admin)
    answer = upload(client, write(tmp_path, *(line(receipt=f"R{n}") for n in range(3_000))))
    one = upload_of(answer.url)
    assert one.is_alive()
    kill_holder(one)
    told = ended(client, answer.url)
    assert told["state"] == "interrupted"
    assert "Nothing was imported" in client.get(answer.url).content.decode()
    assert sold(cast) == []


def kill_holder(one: Upload) -> None:
    """Kill the process that has the upload's lock."""
    inode = (one.folder / "lock").stat().st_ino
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and int(folder.name) != os.getpid():
            try:
                files = [fd.stat().st_ino for fd in (folder / "fd").iterdir() if fd.exists()]
            except OSError:
                continue
            if inode in files:
                os.kill(int(folder.name), signal.SIGKILL)
                return
    raise AssertionError("nobody has the lock")


def test_it_keeps_the_file_private(cast: Cast, client_of, spool: Path, started) -> None:
    upload(client_of(cast.admin), (line() + "\n").encode())
    [one] = uploads()
    assert stat.S_IMODE(spool.stat().st_mode) == stat.S_IMODE(one.folder.stat().st_mode) == 0o700
    assert stat.S_IMODE(one.file.stat().st_mode) == 0o600


def content(*lines: str) -> bytes:
    return "\n".join(["Store,SKU,Sold at,Receipt,Line,Qty,Amount", *lines, ""]).encode()


def sent_back(answer, problem: str) -> bool:
    return answer.status_code == 302 and f"problem={problem}" in answer.url


def test_it_takes_no_more_than_it_can_hold(
    cast: Cast, client_of, spool: Path, started, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = client_of(cast.admin)
    monkeypatch.setattr(receiving, "LIMIT", 1_000)
    assert sent_back(upload(client, b"x" * 1_001), "too-large")
    nothing = reverse("imports:receive", args=[ticket_of(client)])
    assert sent_back(client.post(nothing, {"kind": "transactions"}), "no-file")
    monkeypatch.setattr(receiving, "RESERVE", 10**18)
    assert sent_back(upload(client, content(line())), "no-room")
    assert started == uploads() == []
    page = client.get(reverse("imports:upload"), {"problem": "no-room"}).content.decode()
    assert "The server has no room for the file" in page


def test_it_leaves_nothing_when_the_disk_fills_up(
    cast: Cast, client_of, spool: Path, started, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Full:
        def write(self, data: bytes) -> None:
            raise OSError(28, "No space left on device")

        def close(self) -> None:
            raise OSError(28, "No space left on device")

    def full(held: int, mode: str) -> Full:
        os.close(held)
        return Full()

    monkeypatch.setattr(receiving.os, "fdopen", full)
    assert sent_back(upload(client_of(cast.admin), content(line())), "no-room")
    assert started == uploads() == []


def test_it_asks_how_to_read_a_file_that_it_cannot(
    cast: Cast, client_of, spool: Path, started
) -> None:
    client = client_of(cast.admin)
    text = "Laden;SKU;Sold at;Receipt;Line;Menge;Amount\nSträßle;MILK-1;2026-01-01;R;1;1,5;3\n"
    answer = upload(client, text.encode("cp1252"))
    assert "/imports/check/" in answer.url
    page = client.get(answer.url)
    assert list(page.context["form"].errors) == ["encoding"]
    fields = {"kind": "transactions", "encoding": "cp1252", "decimal": ",", "time_zone": ""}
    page = client.post(answer.url, fields)
    assert list(page.context["form"].errors) == ["column_store", "column_quantity"]
    page = client.post(answer.url, fields | {"column_store": "Laden"})
    assert list(page.context["form"].errors) == ["column_quantity"]
    assert started == []
    chosen = fields | {"column_store": "Laden", "column_quantity": "Menge"}
    answer = client.post(answer.url, chosen)
    assert "/imports/progress/" in answer.url
    [one] = started
    assert one.job()["options"] == chosen


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"PK\x03\x04 and so on", "This is a spreadsheet"),
        (b"\n\n", "The file is empty"),
        (b"\x1f\x8b\x08 broken", "gzip file is cut off or damaged"),
        (b"PAR1 broken", "Parquet file is cut off or damaged"),
        (b"\xff\xd8\xff\xe0 a picture", "bytes that are not utf-8"),
        (b"a,b,c\n1,2,3\n", "No column for store"),
    ],
)
def test_it_names_what_is_wrong_with_a_file(
    cast: Cast, client_of, spool: Path, started, data: bytes, problem: str
) -> None:
    client = client_of(cast.admin)
    answer = upload(client, data)
    assert "/imports/check/" in answer.url
    page = client.get(answer.url).content.decode()
    assert problem in page
    assert started == []
    assert client.post(answer.url, {"cancel": ""}).url == reverse("imports:upload")
    assert uploads() == []


def test_it_keeps_a_file_that_fails_to_be_read_in_another_way(
    cast: Cast, client_of, spool: Path, tmp_path: Path
) -> None:
    client = client_of(cast.admin)
    lines = [line(line=number) for number in range(300)]
    latin = content(*lines, line(receipt="Bücher")).decode().encode("cp1252")
    answer = upload(client, latin)
    one = upload_of(answer.url)
    running_file = ended(client, answer.url)
    assert (running_file["state"], running_file["again"]) == ("failed", True)
    assert "bytes that are not utf-8" in running_file["error"]
    [failed] = batches(cast)
    assert failed.error == running_file["error"]
    check = client.get(answer.url).content.decode()
    again = answer.url.replace("progress", "check")
    assert again in check
    assert "Nothing was imported." in client.get(again).content.decode()
    client.post(again, {"kind": "transactions", "encoding": "cp1252"})
    assert ended(client, answer.url)["state"] == "done"
    assert len(sold(cast)) == 301
    assert [batch.status for batch in batches(cast)] == ["done", "failed"]
    assert not one.file.exists()


@contextmanager
def working_on(one: Upload):
    held = one.lock()
    try:
        yield
    finally:
        os.close(held)


def test_it_refuses_a_file_that_is_being_imported(
    cast: Cast, client_of, spool: Path, started
) -> None:
    client = client_of(cast.admin)
    upload(client, content(line()))
    with working_on(started[0]):
        assert sent_back(upload(client_of(cast.manager), content(line())), "running")
        assert upload(client, content(line(line=2))).status_code == 302
        theirs = upload(client_of(cast.outsider), content(line()))
    assert "/imports/progress/" in theirs.url
    assert len(started) == 3


def test_it_imports_three_files_of_a_customer_at_once(
    cast: Cast, client_of, spool: Path, started
) -> None:
    client = client_of(cast.admin)
    for number in range(3):
        upload(client, content(line(line=number)))
    with working_on(started[0]), working_on(started[1]), working_on(started[2]):
        assert sent_back(upload(client, content(line(line=9))), "busy")
    assert len(uploads()) == 3


def test_it_takes_a_file_that_is_sent_twice_once(
    cast: Cast, client_of, spool: Path, started
) -> None:
    client = client_of(cast.admin)
    ticket = ticket_of(client)
    for _ in range(2):
        answer = upload(client, content(line()), ticket=ticket)
        assert answer.url == reverse("imports:progress", args=[ticket])
    assert len(started) == len(uploads()) == 1


def test_it_wants_the_session_that_the_ticket_is_for(
    cast: Cast, client_of, spool: Path, started
) -> None:
    mine = client_of(cast.admin)
    ticket = ticket_of(mine)
    for client in (client_of(cast.manager), client_of(cast.admin), client_of(cast.outsider)):
        assert upload(client, content(line()), ticket=ticket).status_code == 404
        for name in ("progress", "check"):
            assert client.get(reverse(f"imports:{name}", args=[ticket])).status_code == 404
    stranger = upload(Client(), content(line()), ticket=ticket)
    assert stranger.url.startswith("/login/")
    assert started == uploads() == []


def test_it_takes_no_forged_or_old_ticket(
    cast: Cast, client_of, spool: Path, started, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = client_of(cast.admin)
    ticket = ticket_of(client)
    for forged in (ticket[:-1] + ("A" if ticket[-1] != "A" else "B"), signing.dumps({}), "x"):
        assert upload(client, content(line()), ticket=forged).status_code == 404
    monkeypatch.setattr(tickets, "SECONDS", -1)
    assert upload(client, content(line()), ticket=ticket).status_code == 404
    assert started == uploads() == []


@pytest.mark.parametrize("change", [{"role": "staff"}, {"is_active": False}])
def test_it_asks_again_whether_the_user_may(
    cast: Cast, client_of, spool: Path, started, change: dict[str, object]
) -> None:
    client = client_of(cast.manager)
    ticket = ticket_of(client)
    with tenant(cast.customer):
        User.objects.filter(pk=cast.manager.pk).update(**change)
    assert upload(client, content(line()), ticket=ticket).status_code == 403
    assert started == uploads() == []


def test_it_asks_once_more_when_the_import_begins(
    cast: Cast, client_of, spool: Path, started
) -> None:
    upload(client_of(cast.manager), content(line()))
    [one] = started
    with tenant(cast.customer):
        User.objects.filter(pk=cast.manager.pk).update(role="analyst")
    one.save(**one.job() | {"batch": "0" * 32})
    running.run(one)
    assert one.progress() == {"state": "failed", "error": running.NOT_ALLOWED}
    assert not one.file.exists() and batches(cast) == []


def test_it_is_protected_against_other_sites(cast: Cast, client_of, spool: Path, started) -> None:
    client = client_of(cast.admin)
    ticket = ticket_of(client)
    client.handler.enforce_csrf_checks = True
    assert upload(client, content(line()), ticket=ticket).status_code == 403
    assert started == uploads() == []


def test_it_shows_progress_without_the_database(
    cast: Cast, client_of, spool: Path, started, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On the embedded engine the import's transaction keeps everybody else waiting."""
    client = client_of(cast.admin)
    answer = upload(client, content(line()))
    [one] = started
    one.report("running", rows=50_000, share=0.25)
    connections.close_all()

    def barred(*args: object) -> None:
        raise AssertionError("the database was asked")

    for alias in ("default", "owner", "operator"):
        monkeypatch.setattr(connections[alias], "connect", barred)
    with working_on(one):
        for headers in ({}, {"HX-Request": "true"}):
            page = client.get(answer.url, headers=headers).content.decode()
            assert "50,000 rows placed, 25% of the file" in page
    assert "was interrupted" in client.get(answer.url).content.decode()


def test_it_sweeps_what_was_left(cast: Cast, client_of, spool: Path, started) -> None:
    client = client_of(cast.admin)
    for number in range(3):
        upload(client, content(line(line=number)))
    abandoned, alive, told = started
    told.file.unlink()
    for one in started:
        old = time.time() - spooling.HOUR - 60
        os.utime(one.folder, (old, old))
    with working_on(alive):
        os.utime(alive.folder, (old, old))
        spooling.sweep()
    assert {one.id for one in uploads()} == {alive.id, told.id}
    assert abandoned.id not in {one.id for one in uploads()}


def test_it_buries_an_import_whose_process_has_gone(cast: Cast, client_of) -> None:
    with tenant(cast.customer):
        fields = {"kind": "transactions", "source": "x", "imported_by": "x"}
        gone = ImportBatch.objects.create(
            **fields, source_hash="1", started_at="2026-01-01T00:00:00Z"
        )
        begun = ImportBatch.objects.create(**fields, source_hash="2")
    client_of(cast.admin).get(reverse("admin:ingestion_importbatch_changelist"))
    with tenant(cast.customer):
        gone.refresh_from_db()
        begun.refresh_from_db()
    assert (gone.status, gone.error, begun.status) == ("failed", "interrupted", "running")
