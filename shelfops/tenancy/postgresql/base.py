"""A connection that knows whom its transaction works for.

What Python remembers follows the transaction as the database's setting does: it ends with it,
and a savepoint that is rolled back takes back what was said since.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db.backends.postgresql import base

from shelfops.tenancy.signing import NOBODY, Identity, Opening, opening, say


class DatabaseWrapper(base.DatabaseWrapper):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.forget()

    def forget(self) -> None:
        self.identity = NOBODY
        self.opened: Opening | None = None
        self.kept: list[tuple[str, Identity]] = []

    def identify(self, identity: Identity) -> None:
        """Say it until the end of the transaction, or of the savepoint if that is undone."""
        with self.wrap_database_errors:
            self.ensure_connection()
            self.opened = self.opened or opening(self.connection)
            say(self.connection, identity, self.opened)
        self.identity = identity

    @contextmanager
    def bound_by_the_server(self) -> Iterator[None]:
        """No parameter of the block's statements stands in their text."""
        self.ensure_connection()
        connection = self.connection
        before, connection.cursor_factory = connection.cursor_factory, base.ServerBindingCursor
        try:
            yield
        finally:
            connection.cursor_factory = before

    def _set_autocommit(self, autocommit: bool) -> None:
        self.forget()
        super()._set_autocommit(autocommit)  # type: ignore[misc]

    def _savepoint(self, sid: str) -> None:
        super()._savepoint(sid)  # type: ignore[misc]
        self.kept.append((sid, self.identity))

    def _savepoint_rollback(self, sid: str) -> None:
        super()._savepoint_rollback(sid)  # type: ignore[misc]
        self.identity = dict(self.kept)[sid]

    def _savepoint_commit(self, sid: str) -> None:
        super()._savepoint_commit(sid)  # type: ignore[misc]
        self.kept = self.kept[: [name for name, _ in self.kept].index(sid)]
