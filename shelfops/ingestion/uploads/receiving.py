"""Takes an uploaded file from the network to disk, piece by piece, within its limits."""

import os
import shutil
from contextlib import suppress
from hashlib import sha256
from typing import Any, BinaryIO

from django.core.files.uploadhandler import FileUploadHandler, SkipFile
from django.http import HttpRequest

from shelfops.ingestion.uploads.spool import Upload, root

MEGABYTE = 1024 * 1024
LIMIT = 100 * MEGABYTE
# Left to everybody else on the disk.
RESERVE = 200 * MEGABYTE

NO_FILE = "no-file"
TOO_LARGE = "too-large"
NO_ROOM = "no-room"
PROBLEMS = {
    NO_FILE: "Choose a file.",
    TOO_LARGE: "The file is larger than 100 MB. Pack it with gzip, split it, or have it imported"
    " with manage.py, which knows no limit.",
    NO_ROOM: "The server has no room for the file right now. Nothing was imported. Try again later,"
    " or tell whoever runs the server.",
    "running": "This file is being imported right now.",
    "busy": "Three files of yours are being imported right now. Wait for one of them.",
    "broken": "The upload broke off. Nothing was imported. Try again.",
}


class SpoolHandler(FileUploadHandler):
    """Writes the field `file` into the upload's folder; `problem` says why it is not there.

    What comes after a problem is read and dropped, so that the browser gets its answer.
    """

    def __init__(self, request: HttpRequest, upload: Upload) -> None:
        super().__init__(request)
        self.upload, self.digest, self.size = upload, sha256(), 0
        self.expected = int(request.META.get("CONTENT_LENGTH") or 0)
        self.name, self.problem = "", NO_FILE
        self.sink: BinaryIO | None = None

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        super().new_file(*args, **kwargs)
        if self.field_name != "file" or self.name:
            raise SkipFile
        self.name = "".join(filter(str.isprintable, str(self.file_name)))[-255:] or "file"
        self.problem = ""
        try:
            room = shutil.disk_usage(root()).free - RESERVE
            if room < min(self.expected, LIMIT):
                return self.give_up(NO_ROOM)
            self.sink = os.fdopen(
                os.open(self.upload.file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb"
            )
        except OSError:
            self.give_up(NO_ROOM)

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        if self.sink is None:
            return
        self.size += len(raw_data)
        self.digest.update(raw_data)
        if self.size > LIMIT:
            return self.give_up(TOO_LARGE)
        try:
            self.sink.write(raw_data)
        except OSError:
            self.give_up(NO_ROOM)

    def file_complete(self, file_size: int) -> None:
        try:
            if self.sink is not None:
                self.sink.close()
        except OSError:  # the disk was full only now
            self.give_up(NO_ROOM)

    def upload_interrupted(self) -> None:
        self.give_up("broken")

    def give_up(self, problem: str) -> None:
        self.problem = problem
        sink, self.sink = self.sink, None
        if sink is not None:
            with suppress(OSError):
                sink.close()
        self.upload.file.unlink(missing_ok=True)
