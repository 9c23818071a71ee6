"""A second session of a log-in, beside the test's own."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connections


@contextmanager
def second_session(alias: str = "default") -> Iterator[str]:
    """The name under which `connections` and `tenant(using=...)` know it."""
    name = f"second_{alias}"
    connections[name] = connections.create_connection(alias)
    try:
        yield name
    finally:
        connections[name].close()
        del connections[name]
