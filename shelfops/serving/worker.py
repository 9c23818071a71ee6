"""gunicorn's thread worker, in which a slow client occupies no thread.

In the original a thread reads each request from its first byte on, however slowly it comes, so
that eight slow clients stop a worker of eight threads. Here the main loop, which watches all
connections at once, gathers each request and gives it to a thread when it is there.
"""

import selectors
import socket
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from time import monotonic
from typing import Any

from gunicorn import http
from gunicorn.errors import ConfigError
from gunicorn.workers.gthread import TConn, ThreadWorker

from shelfops.serving.arriving import ANSWER_SECONDS, SECONDS, Arriving

PIECE = 64 * 1024
# How long the rest of a refused request is read and dropped, so that its sender hears the answer.
DRAIN_SECONDS = 5
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
REFUSAL = "HTTP/1.1 {}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
TOO_SLOW, HEAD_TOO_LARGE = "408 Request Timeout", "431 Request Header Fields Too Large"


class Connection(TConn):  # type: ignore[misc]
    """A connection and the request that arrives on it, waited for until `until`."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.is_draining = False
        self.wait_for_request()

    def wait_for_request(self) -> None:
        self.arriving, self.until = Arriving(self.sock), monotonic() + SECONDS

    def init(self) -> None:
        """All of the request is there: let gunicorn's parser read it."""
        self.sock.settimeout(ANSWER_SECONDS)
        self.arriving.file.seek(0)
        self.parser = http.RequestParser(self.cfg, self.arriving, self.client)

    def drain(self) -> None:
        self.is_draining, self.until = True, monotonic() + DRAIN_SECONDS
        self.sock.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        self.arriving.file.close()
        super().close()


class PatientWorker(ThreadWorker):  # type: ignore[misc]
    """`watched` are the connections that no thread has: the main loop reads what comes on them."""

    @classmethod
    def check_config(cls, cfg: Any, log: Any) -> None:
        super().check_config(cfg, log)
        if cfg.is_ssl:
            raise ConfigError("TLS ends at the proxy; this worker speaks HTTP only.")

    def init_process(self) -> None:
        self.watched: set[Connection] = set()
        super().init_process()

    def accept(self, server: Any, listener: socket.socket) -> None:
        if self.nr_conns >= self.worker_connections - 1:
            self.make_room()
        with suppress(BlockingIOError, ConnectionAbortedError):
            sock, client = listener.accept()
            with self._lock:
                self.nr_conns += 1
            self.watch(Connection(self.cfg, sock, client, server))

    def make_room(self) -> None:
        """Give up the connection that has been quiet for the longest time."""
        with self._lock:
            if self.watched:
                self.drop(min(self.watched, key=lambda conn: conn.until))

    def watch(self, conn: Connection) -> None:
        conn.sock.setblocking(False)
        with self._lock:
            self.watched.add(conn)
            callback = partial(self.on_client_socket_readable, conn)
            self.poller.register(conn.sock, selectors.EVENT_READ, callback)

    def unwatch(self, conn: Connection) -> None:
        with self._lock:
            self.watched.discard(conn)
            with suppress(KeyError, ValueError):
                self.poller.unregister(conn.sock)

    def drop(self, conn: Connection) -> None:
        with self._lock:
            self.unwatch(conn)
            self.nr_conns -= 1
            conn.close()

    def on_client_socket_readable(self, conn: Connection, client: socket.socket) -> None:
        if conn not in self.watched:  # dropped by what came before it in this round
            return
        try:
            data = conn.sock.recv(PIECE)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self.drop(conn)
        elif not conn.is_draining:
            self.take(conn, data)

    def take(self, conn: Connection, data: bytes) -> None:
        request = conn.arriving
        if not request.received:
            conn.wait_for_request()
            request = conn.arriving
        request.feed(data)
        if request.is_ready:
            self.unwatch(conn)
            self.enqueue_req(conn)
        elif request.is_endless:
            self.refuse(conn, HEAD_TOO_LARGE)
        elif request.is_expecting:
            request.is_expecting = False
            self.say(conn, CONTINUE)

    def say(self, conn: Connection, text: bytes) -> None:
        with suppress(OSError):
            conn.sock.send(text)

    def refuse(self, conn: Connection, status: str) -> None:
        self.say(conn, REFUSAL.format(status).encode())
        try:
            conn.drain()
        except OSError:
            self.drop(conn)

    def murder_keepalived(self) -> None:
        """Called about once a second: end what was waited for in vain."""
        now = monotonic()
        with self._lock:
            late = [conn for conn in self.watched if conn.until < now]
        for conn in late:
            if conn.arriving.received and not conn.is_draining:
                self.refuse(conn, TOO_SLOW)
            else:
                self.drop(conn)

    def handle_request(self, req: Any, conn: Connection) -> bool:
        if not conn.arriving.is_whole:
            req.force_close()
        return bool(super().handle_request(req, conn))

    def finish_request(self, fs: "Future[tuple[bool, Connection]]") -> None:
        """Called by the thread that has answered: keep the connection, or end it."""
        conn: Connection = fs.conn  # type: ignore[attr-defined]
        keeps = not fs.cancelled() and fs.exception() is None and fs.result()[0]
        is_whole = conn.arriving.is_whole
        try:
            if keeps and is_whole and self.alive:
                conn.arriving.file.close()
                conn.wait_for_request()
                conn.until = monotonic() + self.cfg.keepalive
            elif is_whole:
                return self.drop(conn)
            else:
                conn.drain()
            self.watch(conn)
        except OSError:
            self.drop(conn)
