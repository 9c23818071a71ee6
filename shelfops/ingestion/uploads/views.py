"""Files of sales and counts of stock, uploaded by a person and followed to the end.

Receiving a file and showing its progress happen outside the tenant's transaction (the middleware
leaves OUTSIDE alone): a slow line must hold no connection, and the progress must show while the
database is busy. A ticket stands for the log-in there.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.conf import settings
from django.contrib import admin, messages
from django.contrib.auth.models import AnonymousUser
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.http.request import UnreadablePostError
from django.shortcuts import redirect, render
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.http import urlencode
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt, csrf_protect

from shelfops.ingestion.uploads import tickets
from shelfops.ingestion.uploads.forms import FileForm, OptionsForm
from shelfops.ingestion.uploads.receiving import LIMIT, MEGABYTE, PROBLEMS, SpoolHandler
from shelfops.ingestion.uploads.running import PERMISSION, refusal, start
from shelfops.ingestion.uploads.spool import UNDER_WAY, Upload, sweep
from shelfops.ingestion.uploads.tickets import Ticket
from shelfops.serving.bodies import Taker, takes_files
from shelfops.tenancy import acting

View = Callable[..., HttpResponse]


def with_ticket(view: View) -> View:
    """The view, for who has a session and a ticket of it; asks the database nothing."""

    @wraps(view)
    def checked(request: HttpRequest, ticket: str) -> HttpResponse:
        if settings.SESSION_COOKIE_NAME not in request.COOKIES:
            return redirect_to_login(reverse("imports:upload"))
        return view(request, tickets.read(request, ticket), ticket)

    return never_cache(checked)


def upload_page(request: HttpRequest) -> HttpResponse:
    """Choose a file and say what it holds."""
    if not request.user.has_perm(PERMISSION):
        raise PermissionDenied
    initial = {"kind": request.GET.get("kind", "transactions")}
    context = {
        **admin.site.each_context(request),
        "title": "Upload a file",
        "form": FileForm(initial=initial),
        "ticket": tickets.issue(request),
        "problem": PROBLEMS.get(request.GET.get("problem", ""), ""),
        "too_large": PROBLEMS["too-large"],
        "broken": PROBLEMS["broken"],
        "limit": LIMIT,
    }
    return TemplateResponse(request, "ingestion/bulk_upload.html", context)


@takes_files(Taker(LIMIT + MEGABYTE, streams=True))
@csrf_exempt  # for the handler, which has to be there first; the rest is protected
@with_ticket
def receive(request: HttpRequest, ticket: Ticket, text: str) -> HttpResponse:
    """Take the file, and start its import if it is clear how to read it."""
    if request.method != "POST":
        return HttpResponseNotAllowed(["POST"])
    sweep()
    upload = Upload(ticket.upload_id)
    try:
        upload.create()
    except FileExistsError:  # sent again, by a button pressed twice
        return redirect("imports:progress", text)
    except OSError:
        return sent_back("no-room")
    handler = SpoolHandler(request, upload)
    request.upload_handlers = [handler]
    try:
        return received(request, ticket, text, handler)
    except UnreadablePostError:
        return sent_back("broken")
    finally:
        if not upload.job():  # whatever came between: it has not been accepted
            upload.discard()


@csrf_protect
def received(
    request: HttpRequest, ticket: Ticket, text: str, handler: SpoolHandler
) -> HttpResponse:
    upload, data = handler.upload, request.POST
    if not handler.problem:
        allow(request, ticket)
        options = {name: data.get(name, "") for name in FileForm.base_fields}
        upload.save(
            user=ticket.user,
            customer=ticket.customer,
            acting=ticket.acting,
            name=handler.name,
            sha256=handler.digest.hexdigest(),
            kind=options["kind"],
            options=options,
        )
    problem = handler.problem or refusal(upload)
    if problem:
        upload.discard()
        return sent_back(problem, data.get("kind", ""))
    if not OptionsForm(upload, upload.job()["options"]).is_valid():
        return redirect("imports:check", text)
    start(upload)
    return redirect("imports:progress", text)


def allow(request: HttpRequest, ticket: Ticket) -> None:
    """PermissionDenied unless the session is still that of somebody who may import."""
    user = request.user
    if str(user.pk) != ticket.user:
        raise PermissionDenied
    user.acting = ticket.acting and str(acting.customer_id(request.session)) == ticket.customer  # type: ignore[union-attr]
    if not user.acting and str(user.customer_id) != ticket.customer:  # type: ignore[union-attr]
        raise PermissionDenied
    if not user.has_perm(PERMISSION):
        raise PermissionDenied


def sent_back(problem: str, kind: str = "") -> HttpResponse:
    """To the upload page, which says what was wrong beside the file."""
    return redirect(f"{reverse('imports:upload')}?{urlencode({'problem': problem, 'kind': kind})}")


@with_ticket
def check(request: HttpRequest, ticket: Ticket, text: str) -> HttpResponse:
    """Say how the file is to be read where it cannot tell by itself."""
    allow(request, ticket)
    upload = Upload(ticket.upload_id)
    job = upload.job()
    if not upload.file.exists() or upload.is_under_way():
        return redirect("imports:progress", text)
    if "cancel" in request.POST:
        upload.discard()
        messages.info(request, f"{job['name']} was not imported.")
        return redirect("imports:upload")
    form = OptionsForm(upload, request.POST or job["options"])
    if request.method == "POST":
        upload.save(**{**job, "kind": form.data.get("kind", ""), "options": form.options()})
        problem = refusal(upload)
        if problem:
            form.add_error(None, PROBLEMS[problem])
        elif form.is_valid():
            start(upload)
            return redirect("imports:progress", text)
    context = {
        **admin.site.each_context(request),
        "title": f"How to read {job['name']}",
        "form": form,
        "failure": upload.progress().get("error", "") if request.method == "GET" else "",
    }
    return TemplateResponse(request, "ingestion/bulk_check.html", context)


@with_ticket
def progress(request: HttpRequest, ticket: Ticket, text: str) -> HttpResponse:
    """How far the import is; the page asks again by itself until it has ended."""
    request.user = AnonymousUser()  # what fills the templates' context would look for the user
    upload = Upload(ticket.upload_id)
    alive, told = upload.is_alive(), upload.progress()
    if not told:
        raise Http404
    if told["state"] in UNDER_WAY and not alive:
        told["state"] = "interrupted"
    figures: dict[str, Any] = {
        **told,
        "percent": int(told.get("share", 1) * 100),
        "is_over": told["state"] not in UNDER_WAY,
        "name": upload.job().get("name", ""),
        "ticket": text,
    }
    if "HX-Request" in request.headers:
        return render(request, "ingestion/bulk_progress_figures.html", figures)
    context = {**admin.site.each_context(request), "title": "Import", **figures}
    return render(request, "ingestion/bulk_progress.html", context)
