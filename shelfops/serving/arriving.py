"""A request on its way in: what of it has come, and whether a thread is to see to it."""

import errno
import re
import socket
from tempfile import SpooledTemporaryFile
from time import monotonic

# A request has this long to arrive. One that a thread reads has a second more for each of these
# bytes that have come.
SECONDS, BYTES_A_SECOND = 30, 50 * 1024
# How long an answer, or a piece of one, may take on its way out.
ANSWER_SECONDS = 30

HEAD_LIMIT = 32 * 1024
# Requests of this size at most arrive whole before a thread sees to them.
WAITED_FOR = 1024 * 1024
IN_MEMORY = 64 * 1024

END = b"\r\n\r\n"
LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*(\d{1,18})[ \t]*\r\n", re.IGNORECASE)
CHUNKED = re.compile(rb"\r\ntransfer-encoding:", re.IGNORECASE)
EXPECTING = re.compile(rb"\r\nexpect:[ \t]*100-continue", re.IGNORECASE)


class Arriving:
    """One request on a connection; stands for the socket before gunicorn's parser.

    Where the request ends is only guessed here, to know when to hand it over. What it is, the
    parser decides.
    """

    def __init__(self, sock: socket.socket) -> None:
        self.sock, self.started, self.received = sock, monotonic(), 0
        self.head, self.length = bytearray(), 0
        self.is_chunked = self.is_expecting = False
        self.file = SpooledTemporaryFile(IN_MEMORY)  # noqa: SIM115  (closed by the worker)

    def feed(self, data: bytes) -> None:
        self.received += len(data)
        self.file.write(data)
        if not self.length:
            self.read_head(data)

    def read_head(self, data: bytes) -> None:
        searched = max(len(self.head) - len(END), 0)
        self.head += data
        end = self.head.find(END, searched)
        if end < 0:
            return
        lines = bytes(self.head[: end + 2])
        body = LENGTH.search(lines)
        self.length = end + len(END) + (int(body[1]) if body else 0)
        self.is_chunked = CHUNKED.search(lines) is not None
        self.is_expecting = EXPECTING.search(lines) is not None

    @property
    def is_endless(self) -> bool:
        return not self.length and self.received > HEAD_LIMIT

    @property
    def is_ready(self) -> bool:
        """Whether it is all there, or of a kind that is not waited for."""
        if not self.length:
            return False
        return self.is_chunked or self.length > WAITED_FOR or self.received >= self.length

    @property
    def is_whole(self) -> bool:
        """Whether all of it has come, and nothing else."""
        return self.received == self.length and not self.is_chunked

    def recv(self, size: int) -> bytes:
        """What the socket's own would give: first what has come already."""
        return self.file.read(size) or self.from_network(size)

    def from_network(self, size: int) -> bytes:
        """ConnectionResetError from a client that is too slow."""
        allowed = SECONDS + self.received / BYTES_A_SECOND
        left = self.started + allowed - monotonic()
        try:
            self.sock.settimeout(max(left, 0.001))
            data = self.sock.recv(size)
        except TimeoutError as error:
            raise ConnectionResetError(errno.ECONNRESET, "The request came too slowly") from error
        finally:
            self.sock.settimeout(ANSWER_SECONDS)
        self.received += len(data)
        return data
