"""Uploaded files on their way into the product: a private folder each, for this machine's eyes.

A folder holds the file, what it is to be (`job.json`) and how far its import is
(`progress.json`), so that a page can show the progress without the database, which on the
embedded engine serves nobody else meanwhile. Whoever works on the file holds a lock on `lock`,
which the operating system takes back when the process ends, whichever way.
"""

import fcntl
import json
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import UUID

from django.conf import settings

HOUR, DAY = 3600, 86_400
UNDER_WAY = ("running", "totals")


class Upload:
    """One uploaded file, by its id."""

    def __init__(self, upload_id: UUID) -> None:
        self.id = upload_id
        self.folder = root() / str(upload_id)
        self.file = self.folder / "file"

    @classmethod
    def all(cls) -> Iterator["Upload"]:
        for folder in root().iterdir() if root().is_dir() else ():
            with suppress(ValueError):
                yield cls(UUID(folder.name))

    def create(self) -> None:
        """FileExistsError if there is one with this id already."""
        root().mkdir(mode=0o700, parents=True, exist_ok=True)
        self.folder.mkdir(mode=0o700)

    def job(self) -> dict[str, Any]:
        return self.read("job.json")

    def progress(self) -> dict[str, Any]:
        return self.read("progress.json")

    def read(self, name: str) -> dict[str, Any]:
        """Empty if it is not there."""
        try:
            return dict(json.loads((self.folder / name).read_text()))
        except (FileNotFoundError, NotADirectoryError):
            return {}

    def save(self, **job: Any) -> None:
        self.write("job.json", job)

    def report(self, state: str, **figures: Any) -> None:
        """Say how far it is; that nobody can be told must not end an import."""
        with suppress(OSError):
            self.write("progress.json", {"state": state, **figures})

    def write(self, name: str, content: dict[str, Any]) -> None:
        """At once: a reader sees the old content or the new."""
        draft = self.folder / f"{name}.new"
        draft.write_text(json.dumps(content))
        draft.replace(self.folder / name)

    def lock(self) -> int | None:
        """A file descriptor that holds the lock until it is closed; None if another holds it."""
        try:
            held = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        except FileNotFoundError:
            return None
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(held)
            return None
        return held

    def is_alive(self) -> bool:
        """Whether somebody works on it."""
        if not (self.folder / "lock").exists():
            return False
        held = self.lock()
        if held is not None:
            os.close(held)
        return held is None

    def is_under_way(self) -> bool:
        """Whether its import runs; a process that has said how it ended may still be leaving."""
        return self.progress().get("state") in UNDER_WAY and self.is_alive()

    def discard(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)


def root() -> Path:
    return Path(settings.UPLOAD_DIR)


def sweep() -> None:
    """Remove files that nobody has imported for an hour, and what is told of others for a day."""
    now = time.time()
    for upload in Upload.all():
        with suppress(FileNotFoundError):
            age = now - upload.folder.stat().st_mtime
            if age > (HOUR if upload.file.exists() else DAY) and not upload.is_alive():
                upload.discard()
