"""Takes a request's body from the network, within limits, before anything is held for it.

How much one may send goes by what is known without reading it: strangers a log-in, people with a
session a form, and only who may use a page that takes files a file.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from tempfile import SpooledTemporaryFile
from threading import BoundedSemaphore
from typing import IO, Any, TypeVar

from django.conf import settings
from django.contrib.auth import get_user
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.http.request import UnreadablePostError
from django.http.response import HttpResponseBase
from django.template.loader import render_to_string
from django.urls import resolve

from shelfops.tenancy import acting
from shelfops.tenancy.models import User

KILOBYTE, MEGABYTE = 1024, 1024 * 1024
ANONYMOUS, FORM = 64 * KILOBYTE, MEGABYTE
PIECE = 64 * KILOBYTE
# Large bodies that one process reads at a time, so that most of its threads answer others.
LARGE_AT_ONCE = 3
large = BoundedSemaphore(LARGE_AT_ONCE)

View = TypeVar("View", bound=Callable[..., Any])


@dataclass(frozen=True)
class Taker:
    """What a page says that takes files: how large a request, and of whom.

    A page that `streams` reads the body itself, outside any transaction, and asks by itself who
    sends it.
    """

    limit: int
    allows: Callable[[User], bool] = lambda user: True
    streams: bool = False


def takes_files(taker: Taker) -> Callable[[View], View]:
    def mark(view: View) -> View:
        view.taker = taker  # type: ignore[attr-defined]
        return view

    return mark


class Refused(Exception):
    """The body is not taken; the page says why."""

    def __init__(self, status: int) -> None:
        super().__init__(f"answered with {status}")
        self.status = status


class BodyMiddleware:
    """Reads the body, or refuses it unread, before the tenant's transaction begins."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        try:
            length = length_of(request)
            taker = taker_of(request) if length > FORM else None
            if length > FORM and (taker is None or not is_welcome(request, taker, length)):
                raise Refused(413)
            if taker and taker.streams:
                with place():
                    return self.get_response(request)
            with SpooledTemporaryFile(PIECE) as file:
                with place() if taker else nullcontext():
                    gather(request, length, file)
                return self.get_response(request)
        except Refused as refused:
            return refusal(refused.status)


@contextmanager
def place() -> Iterator[None]:
    """One of the few for large bodies; Refused if all are taken."""
    if not large.acquire(blocking=False):
        raise Refused(503)
    try:
        yield
    finally:
        large.release()


def length_of(request: HttpRequest) -> int:
    """The body's length; Refused if it is too much for a stranger, or not told beforehand."""
    if "Transfer-Encoding" in request.headers:
        raise Refused(411)
    text = request.META.get("CONTENT_LENGTH") or "0"
    length = int(text) if text.isdecimal() else 0
    if length > ANONYMOUS and settings.SESSION_COOKIE_NAME not in request.COOKIES:
        raise Refused(413)
    return length


def taker_of(request: HttpRequest) -> Taker | None:
    """What the request's page says of files, if it takes any."""
    try:
        return getattr(resolve(request.path_info).func, "taker", None)
    except Http404:
        return None


def is_welcome(request: HttpRequest, taker: Taker, length: int) -> bool:
    """Asks the database for the user, if need be, in a transaction that ends here."""
    if length > taker.limit or taker.streams:
        return length <= taker.limit
    with transaction.atomic():
        user = get_user(request)
        if not isinstance(user, User):
            return False
        user.acting = user.is_operator and acting.customer_id(request.session) is not None
        return taker.allows(user)


def gather(request: HttpRequest, length: int, file: IO[bytes]) -> None:
    """Read the body to its end into the file, and let the request be read from there."""
    try:
        while file.tell() < length and (piece := request.read(min(PIECE, length - file.tell()))):
            file.write(piece)
    except UnreadablePostError as error:
        raise Refused(408) from error
    if file.tell() < length:
        raise Refused(400)
    file.seek(0)
    request._stream, request._read_started = file, False  # type: ignore[attr-defined, assignment]


def refusal(status: int) -> HttpResponse:
    content = render_to_string("body_refused.html", {"status": status})
    headers = {"Retry-After": "10"} if status == 503 else {}
    return HttpResponse(content, status=status, headers=headers)
