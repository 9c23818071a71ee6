"""Clients that do what they should not, over bare sockets."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from http.client import HTTPConnection
from time import monotonic
from typing import Any

HOST = "127.0.0.1"


def answer(
    port: int, method: str, path: str, body: Any = None, *, seconds: float = 5, **headers: str
) -> tuple[int, str]:
    """Status and text of a request."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    with closing(HTTPConnection(HOST, port, timeout=seconds)) as connection:
        connection.request(method, path, body, named)
        response = connection.getresponse()
        return response.status, response.read().decode()


def head(path: str, *headers: str, method: str = "POST") -> bytes:
    lines = [f"{method} {path} HTTP/1.1", f"Host: {HOST}", *headers, "", ""]
    return "\r\n".join(lines).encode()


def form(path: str, length: int) -> bytes:
    """The head of a form of this many bytes, which is read for its token."""
    kind = "Content-Type: application/x-www-form-urlencoded"
    return head(path, kind, f"Content-Length: {length}", f"Cookie: csrftoken={'a' * 32}")


@contextmanager
def held(port: int, count: int, *pieces: bytes) -> Iterator[list[socket.socket]]:
    """Connections on which the pieces are sent, and nothing else."""
    with ExitStack() as stack:
        found = []
        for _ in range(count):
            one = stack.enter_context(closing(socket.create_connection((HOST, port), timeout=10)))
            for piece in pieces:
                one.sendall(piece)
            found.append(one)
        yield found


def status_of(one: socket.socket, seconds: float) -> int:
    """Of the answer on the connection; 0 if it is closed without one."""
    one.settimeout(seconds)
    try:
        line = one.recv(64)
    except ConnectionResetError:
        return 0
    return int(line.split()[1]) if line else 0


def seconds_of(port: int) -> float:
    """How long the log-in page takes."""
    start = monotonic()
    assert answer(port, "GET", "/login/")[0] == 200
    return monotonic() - start
