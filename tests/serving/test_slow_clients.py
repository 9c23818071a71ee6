"""Clients that send slowly, or never to the end, stop nobody else."""

import pytest

from tests.serving.clients import form, held, seconds_of

SLOW = {
    "nothing at all": [],
    "half a line": [b"POST /lo"],
    "half a head": [form("/login/", 100)[:-2]],
    "a head without its body": [form("/login/", 100)],
    "half a body": [form("/login/", 100), b"username="],
    "half a body, said to be logged in": [
        form("/login/", 900_000).replace(b"csrftoken", b"sessionid=abc; csrftoken"),
        b"username=",
    ],
    "a body in chunks": [
        form("/login/", 0).replace(b"Content-Length: 0", b"Transfer-Encoding: chunked"),
        b"5\r\nuser",
    ],
}


@pytest.mark.parametrize("pieces", SLOW.values(), ids=SLOW)
@pytest.mark.parametrize("count", [8, 40])
def test_it_serves_others_meanwhile(port: int, count: int, pieces: list[bytes]) -> None:
    with held(port, count, *pieces):
        assert max(seconds_of(port) for _ in range(3)) < 2
