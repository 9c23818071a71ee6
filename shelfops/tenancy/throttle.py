"""Guessing passwords is slow, and nobody is locked out by somebody else.

Failures are counted for each person and address, and for each device on which the person has
logged in before (tenancy/0004 says what follows from them). Who floods a person's name from
elsewhere slows down unknown devices only, each by its own address.

The counts are in the database, for all web processes together, under HMACs: neither names nor
addresses stand there. django-axes is not used: its tables hold both in the clear for all
customers, the application's role would have to read and write all of them.
"""

import logging
import math
from dataclasses import dataclass
from secrets import token_hex
from typing import Any

from django.conf import settings
from django.contrib.auth.signals import user_logged_in, user_login_failed
from django.core.exceptions import PermissionDenied
from django.db import connection, transaction
from django.http import HttpRequest, HttpResponse
from django.utils.crypto import salted_hmac

from shelfops.tenancy import log_ins
from shelfops.tenancy.addresses import address_of, network_of
from shelfops.tenancy.models import LogIn, User

logger = logging.getLogger("shelfops.log_ins")

COOKIE, SALT = "device", "shelfops.tenancy.throttle"
COOKIE_SECONDS = 400 * 86_400
# People of one device, such as a till, that it knows at once.
MOST_PEOPLE = 10
# Of one name and hour that are kept on record one by one.
MOST_RECORDED = 50


def key(*parts: str) -> bytes:
    return salted_hmac(SALT, "\0".join(parts), algorithm="sha256").digest()


@dataclass(frozen=True)
class Device:
    """What a browser's cookie says: which device it is, and who has logged in on it."""

    id: str
    people: tuple[str, ...] = ()

    @classmethod
    def of(cls, request: HttpRequest) -> "Device":
        """The one that the cookie names, or a new one; a forged cookie is none."""
        text = request.get_signed_cookie(COOKIE, default="", salt=SALT, max_age=COOKIE_SECONDS)
        first, *people = (text or token_hex(16)).split(".")
        return cls(first, tuple(people))

    def knows(self, name: str) -> bool:
        return person(name) in self.people

    def with_person(self, name: str) -> "Device":
        others = tuple(other for other in self.people if other != person(name))
        return Device(self.id, (person(name), *others)[:MOST_PEOPLE])

    def __str__(self) -> str:
        return ".".join((self.id, *self.people))


def person(name: str) -> str:
    return key("person", name).hex()[:20]


class Attempt:
    """One try to log in as `name`, which is counted as a failure until it has succeeded."""

    def __init__(self, request: HttpRequest, name: str) -> None:
        self.name, self.address, self.device = name, address_of(request), Device.of(request)
        self.is_known = self.device.knows(name)
        origin = ("device", self.device.id) if self.is_known else ("from", network_of(self.address))
        self.source = key(*origin, name)
        self.everywhere = None if self.is_known else key("name", name)
        self.wait = 0

    def begin(self) -> int:
        """Seconds to wait before this may be tried; 0 if it may now."""
        self.wait = ask("SELECT login_attempt(%s, %s)", self.source, self.everywhere)
        return self.wait

    def succeeded(self) -> None:
        ask("SELECT login_succeeded(%s)", self.source)

    def failed(self) -> int:
        """How many failures the name has had from unknown devices this hour."""
        return ask("SELECT login_failed(%s)", self.everywhere) if self.everywhere else 0


def ask(statement: str, *params: bytes | None) -> int:
    with connection.cursor() as cursor:
        cursor.execute(statement, params)
        [(answer,)] = cursor.fetchall()
    return answer or 0


def attempt_of(request: HttpRequest | None) -> Attempt | None:
    return getattr(request, "log_in_attempt", None)


class Throttle:
    """Stands before the backends that check passwords: PermissionDenied asks none of them."""

    def authenticate(
        self, request: HttpRequest | None, username: str | None = None, **credentials: Any
    ) -> None:
        if request is None:  # a command of whoever runs the server
            return
        attempt = Attempt(request, (username or "").strip().lower())
        request.log_in_attempt = attempt  # type: ignore[attr-defined]
        if attempt.begin():
            logger.warning(
                "Log-in refused for %s s after too many failures, from %s as %s",
                attempt.wait,
                attempt.address,
                person(attempt.name),
            )
            raise PermissionDenied


def record_failure(sender: Any, request: HttpRequest | None = None, **kwargs: Any) -> None:
    attempt = attempt_of(request)
    if attempt is None or attempt.wait:
        return
    user: User | None = getattr(request, "log_in_user", None)
    with transaction.atomic():
        if attempt.failed() <= MOST_RECORDED:
            log_ins.record(user, LogIn.Outcome.FAILED, attempt.address, is_known=attempt.is_known)
    who = f"user {user.pk}" if user else f"nobody known as {person(attempt.name)}"
    logger.warning("Log-in failed, from %s: %s", attempt.address, who)


def record_success(sender: Any, request: HttpRequest, user: User, **kwargs: Any) -> None:
    attempt = attempt_of(request)
    address, is_known = address_of(request), bool(attempt and attempt.is_known)
    with transaction.atomic():
        if attempt:
            attempt.succeeded()
        log_ins.record(user, LogIn.Outcome.IN, address, is_known=is_known)
    logger.info("Logged in, from %s: user %s", address, user.pk)


user_login_failed.connect(record_failure, dispatch_uid="shelfops.tenancy.throttle")
user_logged_in.connect(record_success, dispatch_uid="shelfops.tenancy.throttle")


def answered(request: HttpRequest, response: HttpResponse) -> HttpResponse:
    """The log-in page's answer: a device that got in is known from then on."""
    attempt = attempt_of(request)
    if attempt is None:
        return response
    if attempt.wait:
        response.status_code = 429
        response["Retry-After"] = str(attempt.wait)
    elif request.user.is_authenticated:
        remember(response, attempt.device.with_person(attempt.name))
    return response


def remember(response: HttpResponse, device: Device) -> None:
    response.set_signed_cookie(
        COOKIE,
        str(device),
        salt=SALT,
        max_age=COOKIE_SECONDS,
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=True,
        samesite="Lax",
    )


def words(seconds: int) -> str:
    """How long that is, rounded up: 40 seconds, 3 minutes."""
    if seconds < 60:
        return f"{seconds} second{'s' if seconds > 1 else ''}"
    minutes = math.ceil(seconds / 60)
    return f"{minutes} minute{'s' if minutes > 1 else ''}"
