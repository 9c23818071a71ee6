"""Nothing of our own network is reached, and nobody can hold a sender up."""

import socket
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from alerts.webhooks import post as module
from alerts.webhooks.post import Refused, checked, is_public, post
from alerts.webhooks.signature import headers, signature


def test_it_signs_as_the_standard_says() -> None:
    """The example of the specification's own libraries."""
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    found = signature(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    assert found == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_it_signs_with_every_secret_that_is_in_use() -> None:
    secrets = ["whsec_b2xk", "whsec_bmV3"]
    signed = headers(secrets, "id", 1, b"x")["webhook-signature"].split(" ")
    assert signed == [signature(secret, "id", 1, b"x") for secret in secrets]


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "0.0.0.0",  # noqa: S104
        "100.64.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255", "::", "::1", "fe80::1",
        "fe80::1%eth0", "fc00::1", "fec0::1", "ff02::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1",
        "2002:7f00:1::", "2002:a9fe:a9fe::", "64:ff9b::7f00:1", "2001:db8::1", "::127.0.0.1",
    ],
)  # fmt: skip
def test_it_knows_what_is_not_the_public_internet(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", ["93.184.215.14", "2606:2800:21f:cb07:6820:80da:af6b:8b2c"])
def test_it_knows_the_public_internet(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "url",
    [
        "http://hooks.example/in", "https://127.0.0.1/", "https://[::1]/", "https://10.0.0.1:8443/",
        "https://169.254.169.254/latest/meta-data", "https://user:secret@hooks.example/",
        "https://hooks.example:0/", "https://hooks.example:99999/", "https:///path", "ftp://a.example",
        "file:///etc/passwd", "https://hooks.example/a b", "https://hooks.example/\r\nX: y",
        "https://hööks.example/", "http://localhost/", "https://[::ffff:127.0.0.1]/", "", "//x",
        "https://[fe80::1%25eth0]/",
    ],
)  # fmt: skip
def test_it_refuses_the_address(url: str) -> None:
    with pytest.raises(Refused):
        checked(url)
    assert post(url, b"", {}).error


def answering(monkeypatch: pytest.MonkeyPatch, *answers: list[str]) -> list:
    """The name server's answers, one list after the other; the addresses that are connected to."""
    given, connected = list(answers), []

    def resolve(host, port, **options):
        return [(None, None, None, "", (address, port)) for address in given.pop(0)]

    def connect(address, timeout):
        connected.append(address)
        raise ConnectionRefusedError("refused")

    monkeypatch.setattr(module.socket, "getaddrinfo", resolve)
    monkeypatch.setattr(module.socket, "create_connection", connect)
    return connected


@pytest.mark.parametrize("inner", ["127.0.0.1", "10.0.0.8", "169.254.169.254", "::ffff:10.0.0.8"])
def test_it_reaches_no_inner_address_behind_a_name(monkeypatch, inner: str) -> None:
    connected = answering(monkeypatch, ["93.184.215.14", inner])
    assert post("https://hooks.example/", b"", {}).error == (
        "The address is not on the public internet."
    )
    assert connected == []


def test_it_connects_to_the_address_that_it_judged(monkeypatch) -> None:
    """A name that answers anew with an inner address (DNS rebinding) is not asked again."""
    connected = answering(monkeypatch, ["93.184.215.14"], ["127.0.0.1"])
    assert "refused" in post("https://hooks.example:8443/", b"", {}).error
    assert connected == [("93.184.215.14", 8443)]


def test_it_does_not_take_localhost_for_a_developers_own(monkeypatch, settings) -> None:
    """Not outside DEBUG; and in DEBUG only if the name is the machine's own."""
    assert post("http://localhost:9/", b"", {}).error
    settings.DEBUG = True
    connected = answering(monkeypatch, ["10.0.0.8"])
    assert post("http://localhost:9/", b"", {}).error
    assert connected == []


@contextmanager
def receiver(answer):
    """A server on this machine; yields its address and what it received."""
    received = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            length = int(self.headers["content-length"])
            received.append((self.path, dict(self.headers), self.rfile.read(length)))
            answer(self)

        def log_message(self, *args):
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=[0.01])
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", received
        server.shutdown()
        thread.join()


def test_it_sends_the_body_as_it_is(settings) -> None:
    settings.DEBUG = True
    with receiver(lambda handler: handler.send_response(204) or handler.end_headers()) as site:
        url, received = site
        answer = post(f"{url}/in?x=1", b'{"a": 1}', {"webhook-id": "7"})
    assert (answer.status, answer.accepted, answer.error) == (204, True, "")
    [(path, sent, body)] = received
    assert (path, body, sent["webhook-id"]) == ("/in?x=1", b'{"a": 1}', "7")
    assert sent["Host"] == url.removeprefix("http://")


def test_it_follows_no_redirect(settings) -> None:
    settings.DEBUG = True

    def redirect(handler):
        handler.send_response(302)
        handler.send_header("Location", "/elsewhere")
        handler.end_headers()

    with receiver(redirect) as (url, received):
        answer = post(url, b"x", {})
    assert (answer.status, answer.accepted, len(received)) == (302, False, 1)


def test_it_keeps_little_of_a_large_answer(settings) -> None:
    settings.DEBUG = True

    def flood(handler):
        handler.send_response(500)
        handler.end_headers()
        handler.wfile.write(b"\0\xff<b>" + b"x" * 1_000_000)

    with receiver(flood) as (url, _):
        answer = post(url, b"x", {})
    assert answer.status == 500
    assert answer.excerpt.startswith("\N{REPLACEMENT CHARACTER}<b>xxx")
    assert len(answer.excerpt) == 300


def test_it_cuts_off_an_answer_that_drips(settings, monkeypatch) -> None:
    settings.DEBUG = True
    monkeypatch.setattr(module, "TOTAL", 0.3)
    done = threading.Event()

    def drip(handler):
        try:
            handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
            while not done.wait(0.05):
                handler.wfile.write(b"X: y\r\n")
        except OSError:
            pass

    with receiver(drip) as (url, _):
        answer = post(url, b"x", {})
        done.set()
    assert (answer.status, answer.error) == (None, "No answer in time.")


def test_it_says_what_is_wrong_with_a_connection(settings) -> None:
    settings.DEBUG = True
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        answer = post(f"http://127.0.0.1:{port}/", b"", {})
    assert (answer.accepted, answer.error) == (False, "The connection failed: Connection refused.")


def test_it_wants_a_certificate(settings) -> None:
    settings.DEBUG = True
    with receiver(lambda handler: None) as (url, received):
        answer = post(url.replace("http://", "https://"), b"x", {})
    assert "The connection failed" in answer.error
    assert received == []
