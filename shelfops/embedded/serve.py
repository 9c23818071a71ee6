"""The embedded engine for the length of a block, where it is the engine in use."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from shelfops.embedded.config import database_urls, embedded_directory
from shelfops.embedded.engine import Engine


@contextmanager
def serving(base_dir: Path, urls: Mapping[str, str]) -> Iterator[None]:
    """Start the engine if `urls` are its own and it does not run yet; stop what was started.

    One that runs already, by `manage.py embedded start`, is used and left running.
    """
    directory = embedded_directory(base_dir)
    if not directory.exists() or dict(urls) != database_urls(base_dir):
        yield
        return
    engine = Engine(directory)
    if engine.status().running:
        yield
        return
    with engine:
        yield
