"""Bodies of requests: bounded by who sends them to which page, and read before anything is held."""

from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client

from shelfops.serving.bodies import ANONYMOUS, FORM
from tests.cast import Cast
from tests.ingestion.master import PAGES, csv_of, products
from tests.ingestion.uploading import ticket_of
from tests.serving.clients import answer, form, head, held, status_of

MEGABYTE = 1024 * 1024
BULK = "/imports/files/{}/"


class Watched(BytesIO):
    """A body that comes from the network; notes whether a transaction waits for it."""

    waiting = False

    def read(self, size: int | None = -1) -> bytes:
        self.waiting |= connection.in_atomic_block
        return super().read(size)


def send(client: Client, path: str, length: int, content: bytes = b"", **headers: Any) -> Any:
    """A multipart form said to have `length` bytes, and what was read of it."""
    body = Watched(content or b"x" * min(length, 40 * MEGABYTE))
    kind = "multipart/form-data; boundary=B"
    sent = {"wsgi.input": body, "CONTENT_LENGTH": str(length), **headers}
    return client.generic("POST", path, b"", kind, **sent), body


def test_no_transaction_waits_for_a_body(cast: Cast, client_of) -> None:
    text = b'--B\r\nContent-Disposition: form-data; name="username"\r\n\r\nx\r\n--B--\r\n'
    for client in (Client(), client_of(cast.admin)):
        for path in ("/login/", PAGES["products"]):
            _, body = send(client, path, len(text), text)
            assert (body.tell(), body.waiting) == (len(text), False)


def test_a_stranger_sends_little(cast: Cast, client_of) -> None:
    forged = Client()
    forged.cookies["sessionid"] = "a" * 32
    for client, limit in ((Client(), ANONYMOUS), (forged, FORM), (client_of(cast.staff), FORM)):
        for path in ("/login/", PAGES["products"], "/nowhere/"):
            answered, body = send(client, path, limit + 1)
            assert (answered.status_code, body.tell()) == (413, 0), path
            answered, body = send(client, path, 300 * MEGABYTE)
            assert (answered.status_code, body.tell()) == (413, 0), path
            assert "too large" in answered.content.decode()


def test_files_go_where_who_may_import_sends_them(cast: Cast, client_of) -> None:
    client = client_of(cast.manager)
    rows = csv_of(["SKU", "Name"], *([f"A{n}", "x" * 900] for n in range(2_500)))
    assert len(rows) > 2 * FORM
    sent = client.post(PAGES["products"], {"file": SimpleUploadedFile("f.csv", rows)})
    assert sent.status_code == 302
    answered, body = send(client, PAGES["products"], 300 * MEGABYTE)
    assert (answered.status_code, body.tell()) == (413, 0)
    answered, body = send(client, "/", 3 * MEGABYTE)
    assert (answered.status_code, body.tell()) == (413, 0)
    assert len(products(cast)) == 1


def test_the_upload_page_takes_100_mb_of_who_has_a_ticket(
    cast: Cast, client_of, settings, tmp_path: Path
) -> None:
    settings.UPLOAD_DIR = tmp_path / "uploads"
    client = client_of(cast.manager)
    forged, body = send(client, BULK.format("forged"), 90 * MEGABYTE)
    assert (forged.status_code, body.tell()) == (404, 0)
    stranger, body = send(Client(), BULK.format(ticket_of(client)), 90 * MEGABYTE)
    assert (stranger.status_code, body.tell()) == (413, 0)
    answered, body = send(client, BULK.format(ticket_of(client)), 300 * MEGABYTE)
    assert (answered.status_code, body.tell()) == (413, 0)


def test_it_wants_to_know_the_length(cast: Cast, client_of) -> None:
    client = client_of(cast.manager)
    for path in ("/login/", PAGES["products"], BULK.format(ticket_of(client))):
        answered = client.generic("POST", path, HTTP_TRANSFER_ENCODING="chunked")
        assert answered.status_code == 411


def test_it_says_that_a_body_broke_off() -> None:
    answered, _ = send(Client(), "/login/", 2_000, b"x" * 1_000)
    assert answered.status_code == 400
    assert "broke off" in answered.content.decode()


def test_strangers_hear_that_300_mb_are_too_many(port: int) -> None:
    """In full, through the server, before the body is sent and after."""
    big = head(
        "/login/", "Content-Type: multipart/form-data; boundary=B", f"Content-Length: {3e8:.0f}"
    )
    with held(port, 1, big) as [one]:
        assert status_of(one, 2) == 413
    status, text = answer(port, "POST", "/login/", b"x" * 300_000_000, seconds=20)
    assert (status, "too large" in text) == (413, True)


@pytest.mark.parametrize("path", ["/login/", "/imports/files/forged/", "/nowhere/"])
def test_strangers_send_no_chunks(port: int, path: str) -> None:
    chunks = form(path, 0).replace(b"Content-Length: 0", b"Transfer-Encoding: chunked")
    with held(port, 1, chunks, b"5\r\nhello\r\n") as [one]:
        assert status_of(one, 2) == 411
