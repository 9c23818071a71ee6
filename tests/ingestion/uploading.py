"""Uploading a file as a browser does, and waiting for its import."""

import re
import time
from pathlib import Path
from typing import Any
from uuid import UUID

from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from shelfops.ingestion.uploads.spool import Upload

SECONDS = 60


def ticket_of(client: Client) -> str:
    page = client.get(reverse("imports:upload"))
    assert page.status_code == 200
    return re.search(r"/imports/files/([^/]+)/", page.content.decode())[1]


def upload(client: Client, content: bytes | Path, **fields: Any) -> Any:
    """The answer to sending the file through the form."""
    data = content if isinstance(content, bytes) else content.read_bytes()
    file = SimpleUploadedFile(fields.pop("name", "sales.csv"), data)
    ticket = fields.pop("ticket", None) or ticket_of(client)
    form = {"kind": "transactions", "file": file, **fields}
    return client.post(reverse("imports:receive", args=[ticket]), form)


def ended(client: Client, address: str) -> dict[str, Any]:
    """What the progress page says when the import has ended."""
    give_up = time.monotonic() + SECONDS
    while time.monotonic() < give_up:
        context = client.get(address).context
        if context["is_over"]:
            return {key: context[key] for key in context.keys()}  # noqa: SIM118
        time.sleep(0.1)
    raise AssertionError(f"{address} did not end: {context}")


def uploads() -> list[Upload]:
    return list(Upload.all())


def upload_of(address: str) -> Upload:
    from django.core import signing

    ticket = address.split("/")[-2]
    return Upload(UUID(signing.loads(ticket, salt="shelfops.ingestion.uploads")["upload"]))
