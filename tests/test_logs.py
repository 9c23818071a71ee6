"""What proves something by standing in an address is kept out of the logs."""

import logging
from datetime import timedelta

import pytest
from django.test import Client, RequestFactory
from gunicorn.config import Config
from gunicorn.glogging import Logger

from alerts.notifications import mails
from shelfops.logs import Redacting, keep_out_of
from shelfops.settings import LOGGING
from tests.cast import Cast

SECRET = "eyJ1c2VyIjoi.c2VjcmV0~proof-_1:2"
# No address goes to another page, whether of this site or another.
QUIET = {"no-referrer", "strict-origin"}
PLACES = ("/alerts/mute/", "/imports/files/", "/imports/check/", "/imports/progress/")


@pytest.mark.parametrize("place", PLACES)
def test_the_error_log_names_the_page_and_not_the_proof(place: str, caplog) -> None:
    handler = caplog.handler
    handler.addFilter(Redacting())
    client = Client(headers={"Referer": f"http://testserver{place}{SECRET}/"})
    client.get(f"{place}{SECRET}/")
    logging.getLogger("django.request").warning("%s: %s", "Not Found", f"{place}{SECRET}/")
    logging.getLogger("any").error(f"Error handling request {place}{SECRET}/?x=1")
    assert f"{place}…/" in caplog.text
    assert SECRET not in caplog.text


def test_every_handler_of_the_log_redacts() -> None:
    assert LOGGING["handlers"]
    assert all("redacting" in handler["filters"] for handler in LOGGING["handlers"].values())
    assert LOGGING["filters"]["redacting"]["()"] == "shelfops.logs.Redacting"


class Answer:
    status, sent, headers = "200 OK", 5, ()


@pytest.mark.parametrize("place", PLACES)
def test_gunicorns_access_log_names_the_page_and_not_the_proof(place, tmp_path) -> None:
    path = tmp_path / "access.log"
    config = Config()
    config.set("accesslog", str(path))
    config.set("access_log_format", '%(h)s "%(r)s" %(U)s "%(f)s"')
    log = Logger(config)
    keep_out_of(log.access_log)
    request = RequestFactory().get(f"{place}{SECRET}/", headers={"Referer": f"{place}{SECRET}/"})
    environ = {**request.META, "RAW_URI": f"{place}{SECRET}/", "SERVER_PROTOCOL": "HTTP/1.1"}
    log.access(Answer(), request, environ, timedelta(seconds=1))
    for handler in log.access_log.handlers:
        handler.close()
    log.access_log.handlers.clear()
    line = path.read_text()
    assert line.count(f"{place}…/") == 3
    assert SECRET not in line
    assert "eyJ1" not in line


def test_other_pages_learn_no_proof_from_the_address(cast: Cast) -> None:
    good = mails.token(cast.customer.pk, cast.staff.pk, "stockout")
    for token in (good, "forged"):
        response = Client().get(f"/alerts/mute/{token}/")
        assert response.headers["Referrer-Policy"] in QUIET
    for name in ("files", "check", "progress"):
        response = Client().get(f"/imports/{name}/{SECRET}/")
        assert response.headers["Referrer-Policy"] in QUIET
