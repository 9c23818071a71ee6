"""What every answer of the product has in common, whoever asks for what."""

from collections.abc import Callable
from urllib.parse import urlsplit

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.shortcuts import resolve_url
from django.utils.http import url_has_allowed_host_and_scheme, urlencode

from shelfops.logs import PROOF

View = Callable[[HttpRequest], HttpResponseBase]


def keep_nothing(get_response: View) -> View:
    """No browser and no proxy keeps a page or an export, nor an address that proves something.

    Static files are answered before this.
    """

    def middleware(request: HttpRequest) -> HttpResponseBase:
        response = get_response(request)
        response["Cache-Control"] = "private, no-store"
        if PROOF.match(request.path):  # other pages learn the host alone from the Referer
            response.headers.setdefault("Referrer-Policy", "strict-origin")
        return response

    return middleware


def log_in_on_a_full_page(get_response: View) -> View:
    """Where a part of a page is asked for after the session has ended, the whole page goes.

    htmx follows a redirect by itself and would place the log-in page inside the page; it obeys
    HX-Redirect by leaving the page. After logging in, the full page opens again.
    """

    def middleware(request: HttpRequest) -> HttpResponseBase:
        response = get_response(request)
        if "HX-Request" in request.headers and leads_to_login(response):
            query = urlencode({"next": full_page(request)})
            headers = {"HX-Redirect": f"{resolve_url(settings.LOGIN_URL)}?{query}"}
            return HttpResponse(status=401, headers=headers)
        return response

    return middleware


def leads_to_login(response: HttpResponseBase) -> bool:
    if not isinstance(response, HttpResponseRedirect):
        return False
    return urlsplit(response.url).path == resolve_url(settings.LOGIN_URL)


def full_page(request: HttpRequest) -> str:
    """The address of the page that asked, as htmx tells it; the home page if it is not ours."""
    page = request.headers.get("HX-Current-URL", "")
    host = request.get_host()
    if not url_has_allowed_host_and_scheme(page, {host}) or f"//{host}/" not in page:
        return resolve_url(settings.LOGIN_REDIRECT_URL)
    parts = urlsplit(page)
    return parts._replace(scheme="", netloc="", fragment="").geturl()
