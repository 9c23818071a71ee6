"""Django's database sessions under row-level security: a session is seen by its key alone.

Otherwise one SELECT as the application role would list everybody's log-ins.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.contrib.sessions.backends import db
from django.db import transaction
from django.utils import timezone

from shelfops.tenancy.context import set_local


@contextmanager
def visible(session_key: str | None) -> Iterator[None]:
    """Let the block see the session with this key."""
    with transaction.atomic():
        set_local("session_key", session_key)
        yield
        set_local("session_key", None)


class SessionStore(db.SessionStore):
    def _get_session_from_db(self) -> Any:
        with visible(self.session_key):
            return super()._get_session_from_db()  # type: ignore[misc]

    def exists(self, session_key: str) -> bool:
        with visible(session_key):
            return super().exists(session_key)

    def save(self, must_create: bool = False) -> None:
        if self.session_key is None:
            return self.create()
        with visible(self.session_key):
            return super().save(must_create)

    def delete(self, session_key: str | None = None) -> None:
        with visible(session_key or self.session_key):
            super().delete(session_key)

    @classmethod
    def clear_expired(cls) -> None:
        """For `manage.py clearsessions`: the owner sees expired sessions, nobody else does."""
        expired = cls.get_model_class().objects.using("owner")
        expired.filter(expire_date__lt=timezone.now()).delete()
