"""POST to an address that a customer entered, and to no machine of our own network (SSRF).

The name is resolved once, all its addresses are judged, and the connection goes to one that was
judged: a name that answers differently a moment later (DNS rebinding) gains nothing. Redirects
are not followed and proxies of the environment not used. Time and answer are bounded.
"""

import socket
import ssl
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from ipaddress import IPv6Address, ip_address
from threading import Event, Timer
from urllib.parse import SplitResult, urlsplit

from django.conf import settings

# Seconds for connecting, and for the exchange that follows; addresses of a name that are tried.
CONNECT, TOTAL, TRIED = 5, 15, 2
# Bytes of the answer that are read, and characters of it that are kept.
READ, KEPT = 4096, 300
LOCAL = {"localhost", "127.0.0.1", "::1"}


class Refused(ValueError):
    """An address that nothing is sent to; the text says why, for the person who entered it."""


@dataclass(frozen=True)
class Answer:
    """`status` is None where no answer came; then `error` says why."""

    status: int | None = None
    excerpt: str = ""
    error: str = ""

    @property
    def accepted(self) -> bool:
        return self.status is not None and 200 <= self.status < 300


def post(url: str, body: bytes, headers: dict[str, str]) -> Answer:
    """Send `body`; whatever goes wrong is an Answer."""
    try:
        target = checked(url)
        return _exchange(target, _connected(target), body, headers)
    except Refused as refusal:
        return Answer(error=str(refusal))
    except TimeoutError:
        return Answer(error="No answer in time.")
    except ssl.SSLCertVerificationError as error:
        return Answer(error=f"The certificate is not valid: {error.verify_message}.")
    except (OSError, HTTPException) as error:
        return Answer(error=_reason(error))


def checked(url: str) -> SplitResult:
    """The address in its parts, if it is one to send to; Refused otherwise."""
    if not url.isascii() or any(character <= " " for character in url):
        raise Refused("Use plain ASCII without spaces; write other letters of a name as punycode.")
    try:
        target = urlsplit(url)
        port, host = target.port, target.hostname
    except ValueError as error:
        raise Refused("This is not an address.") from error
    if not host or port == 0:
        raise Refused("This is not an address.")
    if target.username is not None or target.password is not None:
        raise Refused("An address with a user name or password is not sent to.")
    if target.scheme != "https" and not (target.scheme == "http" and _is_local(host)):
        raise Refused("The address has to start with https://.")
    if _is_literal(host) and not _may_connect(host, host):
        raise Refused("The address is not on the public internet.")
    return target


def _is_local(host: str) -> bool:
    """The developer's own machine, while developing."""
    return settings.DEBUG and host in LOCAL


def _is_literal(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _may_connect(host: str, address: str) -> bool:
    if _is_local(host):
        return ip_address(address).is_loopback
    return is_public(address)


def is_public(address: str) -> bool:
    """Whether packets to this IP address leave for the public internet.

    IPv6 addresses that carry an IPv4 address within are judged by that one.
    """
    ip = ip_address(address)
    if isinstance(ip, IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour
        if inner is not None:
            return is_public(str(inner))
        if ip.is_site_local:
            return False
    # Multicast counts as global; ::/8, which has the translated IPv4 addresses, is reserved.
    return ip.is_global and not (ip.is_multicast or ip.is_reserved or ip.is_unspecified)


def _connected(target: SplitResult) -> socket.socket:
    host, port = str(target.hostname), target.port or (443 if target.scheme == "https" else 80)
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise Refused(f"The name {host} is not known.") from error
    addresses = [str(entry[4][0]) for entry in found]
    if not addresses or not all(_may_connect(host, address) for address in addresses):
        raise Refused("The address is not on the public internet.")
    connection = _first_that_answers(addresses[:TRIED], port)
    connection.settimeout(TOTAL)
    return connection


def _first_that_answers(addresses: list[str], port: int) -> socket.socket:
    for address in addresses[:-1]:
        try:
            return socket.create_connection((address, port), timeout=CONNECT)
        except OSError:  # such as IPv6 where there is none
            continue
    return socket.create_connection((addresses[-1], port), timeout=CONNECT)


def _exchange(
    target: SplitResult, plain: socket.socket, body: bytes, headers: dict[str, str]
) -> Answer:
    """One request over the connection, cut off after TOTAL seconds however slowly it drips."""
    path = (target.path or "/") + (f"?{target.query}" if target.query else "")
    with plain, plain.dup() as handle:
        late = Event()
        cut = Timer(TOTAL, _cut, [handle, late])
        cut.daemon = True
        cut.start()
        try:
            with _secured(plain, target) as secured:
                connection = HTTPConnection(target.netloc)
                connection.sock = secured
                connection.request("POST", path, body, {**headers, "Connection": "close"})
                response = connection.getresponse()
                excerpt = response.read(READ).decode(errors="replace").replace("\0", "")
                return Answer(response.status, excerpt[:KEPT])
        finally:
            cut.cancel()
            if late.is_set():  # what was read looks like a whole answer, or like an error
                raise TimeoutError


def _secured(plain: socket.socket, target: SplitResult) -> socket.socket:
    if target.scheme != "https":
        return plain
    return ssl.create_default_context().wrap_socket(plain, server_hostname=target.hostname)


def _cut(connection: socket.socket, late: Event) -> None:
    late.set()
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:  # the other side was faster
        return


def _reason(error: Exception) -> str:
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return f"The connection failed: {text.splitlines()[0][:200]}."
