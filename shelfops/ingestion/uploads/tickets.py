"""What lets a browser upload a file and follow its import, without asking the database.

A ticket names the user, the customer and the upload, is signed, expires, and is worth nothing
without the session's cookie that it was made for.
"""

from dataclasses import asdict, dataclass
from uuid import UUID, uuid4

from django.conf import settings
from django.core import signing
from django.http import Http404, HttpRequest
from django.utils.crypto import salted_hmac

SALT = "shelfops.ingestion.uploads"
SECONDS = 12 * 3600


@dataclass(frozen=True)
class Ticket:
    user: str
    customer: str
    acting: bool
    upload: str

    @property
    def upload_id(self) -> UUID:
        return UUID(self.upload)

    def signed(self, request: HttpRequest) -> str:
        return signing.dumps({**asdict(self), "session": session(request)}, salt=SALT)


def issue(request: HttpRequest) -> str:
    """A ticket for one upload of the request's user."""
    user, customer = request.user, request.customer  # type: ignore[attr-defined]
    return Ticket(
        str(user.pk), str(customer.pk), bool(getattr(user, "acting", False)), str(uuid4())
    ).signed(request)


def read(request: HttpRequest, text: str) -> Ticket:
    """404 for one that is forged, old, or another session's."""
    try:
        content = signing.loads(text, salt=SALT, max_age=SECONDS)
    except signing.BadSignature as error:
        raise Http404 from error
    if content.pop("session") != session(request):
        raise Http404
    return Ticket(**content)


def session(request: HttpRequest) -> str:
    cookie = request.COOKIES.get(settings.SESSION_COOKIE_NAME, "")
    return salted_hmac(SALT, cookie).hexdigest()
