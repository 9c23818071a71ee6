"""Imports an uploaded file in a process of its own, which outlives the request and the web."""

import os
import subprocess
import sys
from contextlib import suppress
from threading import Thread
from time import sleep
from typing import Any
from uuid import UUID, uuid4

from django.conf import settings
from django.db import DatabaseError
from django.utils.connection import ConnectionDoesNotExist

from inventory.models import Store
from shelfops.ingestion.feeds import explain
from shelfops.ingestion.files import FileProblem
from shelfops.ingestion.imports import Order, import_file
from shelfops.ingestion.models import ImportBatch
from shelfops.ingestion.signals import import_finished
from shelfops.ingestion.uploads.forms import OptionsForm
from shelfops.ingestion.uploads.spool import Upload
from shelfops.tenancy.backends import EmailBackend
from shelfops.tenancy.context import tenant
from shelfops.tenancy.models import Customer, User
from shelfops.timescale.refresh import refresh_requested

PERMISSION = "ingestion.add_importbatch"
AT_ONCE = 3
# Tenths of a second that a process which has failed is given to end, before it is tried again.
PATIENCE = 50
NOT_ALLOWED = "You may not import files any more. Nothing was imported."


def refusal(upload: Upload) -> str:
    """Why the upload cannot be started now, one of PROBLEMS; empty if it can."""
    job = upload.job()
    others = [
        other.job()
        for other in Upload.all()
        if other.id != upload.id
        and other.job().get("customer") == job["customer"]
        and other.is_alive()
    ]
    if any((o["sha256"], o["kind"]) == (job["sha256"], job["kind"]) for o in others):
        return "running"
    return "busy" if len(others) >= AT_ONCE else ""


def start(upload: Upload) -> None:
    """Begin the import; nothing happens if it is under way already.

    The lock is handed down: from here on until the process ends somebody has it.
    """
    held = upload.lock()
    for _ in range(PATIENCE):
        if held is not None or upload.is_under_way():
            break
        sleep(0.1)
        held = upload.lock()
    if held is None:
        return
    try:
        upload.save(**{**upload.job(), "batch": str(uuid4())})
        upload.report("running", rows=0, share=0)
        child = subprocess.Popen(  # noqa: S603
            [sys.executable, str(settings.BASE_DIR / "manage.py"), "import_upload", str(upload.id)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            pass_fds=[held],
            start_new_session=True,
        )
    finally:
        os.close(held)
    Thread(target=child.wait, daemon=True).start()  # leaves no zombie behind


def importing_user(job: dict[str, Any]) -> User | None:
    """Who asked for the import, if they still may."""
    user = EmailBackend().get_user(UUID(job["user"]))
    if user is None:
        return None
    user.acting = user.is_operator and job["acting"]
    of_customer = user.acting or str(user.customer_id) == job["customer"]
    return user if of_customer and user.has_perm(PERMISSION) else None


def run(upload: Upload) -> None:
    """Import the file and say how it went; the file is kept only if it can be tried again."""
    job = upload.job()
    again = False
    try:
        user = importing_user(job)
        if user is None:
            return upload.report("failed", error=NOT_ALLOWED)
        with tenant(UUID(job["customer"])):
            customer = Customer.objects.get(pk=job["customer"])
        finish(upload, imported(upload, job, user, customer))
    except Exception as error:
        again = isinstance(error, FileProblem)
        upload.report("failed", error=explain(error), again=again)
        if not again:
            raise
    finally:
        if not again:
            upload.file.unlink(missing_ok=True)


def imported(upload: Upload, job: dict[str, Any], user: User, customer: Customer) -> ImportBatch:
    form = OptionsForm(upload, job["options"])
    if not form.is_valid():
        raise FileProblem(
            " ".join(str(error) for errors in form.errors.values() for error in errors)
        )
    with tenant(customer):
        visible = Store.objects.visible_to(user).values_list("pk", flat=True)
        stores = list(visible) if user.is_store_scoped else None
    order = Order(
        upload.file,
        user.email,
        name=job["name"],
        dialect=form.dialect(),
        time_zone=form.cleaned_data["time_zone"] or None,
        stores=stores,
        batch_id=UUID(job["batch"]),
    )
    rows = 0

    def progress(done: int, share: float) -> None:
        nonlocal rows
        rows += done
        upload.report("running", rows=rows, share=share)

    return import_file(customer, form.of_kind, order, progress)


def finish(upload: Upload, batch: ImportBatch) -> None:
    """The rows are in; if their totals cannot follow at once, the owner's job brings them."""
    upload.file.unlink(missing_ok=True)
    figures = figures_of(batch)
    if batch.rows_inserted:
        upload.report("totals", **figures)
        with suppress(DatabaseError, ConnectionDoesNotExist):  # the web has no log-in of the owner
            refresh_requested()
        import_finished.send_robust(ImportBatch, batch=batch)
    upload.report("done", **figures)


def figures_of(batch: ImportBatch) -> dict[str, Any]:
    return {
        "batch": str(batch.pk),
        "rows": batch.rows_read,
        "inserted": batch.rows_inserted,
        "present": batch.rows_present,
        "refused": batch.rows_refused,
        "repeated": batch.repeated_times,
    }
