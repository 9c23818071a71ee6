"""Django's database sessions under row-level security: a session is seen by its key alone.

Otherwise one SELECT as the application role would list everybody's log-ins. The key, which the
browser keeps in its cookie, stands nowhere in the database: its digest does.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.contrib.sessions.backends import db
from django.utils import timezone

from shelfops.tenancy.context import bound_by_the_server, identified
from shelfops.tenancy.signing import Identity, Purpose, digest


@contextmanager
def visible(session_key: str | None) -> Iterator[str]:
    """Let the block see the session with this key; gives the digest that it is kept under."""
    kept = digest(session_key or "")
    with identified(Identity(purpose=Purpose.SESSION, detail=kept)), bound_by_the_server():
        yield kept


class SessionStore(db.SessionStore):
    def load(self) -> dict[str, Any]:
        with visible(self.session_key) as kept:
            found = self.model.objects.filter(session_key=kept, expire_date__gt=timezone.now())
            session = found.first()
        if session is None:
            self._session_key = None
            return {}
        return self.decode(session.session_data)

    def exists(self, session_key: str) -> bool:
        with visible(session_key) as kept:
            return super().exists(kept)

    def create_model_instance(self, data: Any) -> Any:
        session = super().create_model_instance(data)
        session.session_key = digest(session.session_key)
        return session

    def save(self, must_create: bool = False) -> None:
        if self.session_key is None:
            return self.create()
        # Read first: it sees its row by itself.
        self._get_session(no_load=must_create)  # type: ignore[attr-defined]
        with visible(self.session_key):
            return super().save(must_create)

    def delete(self, session_key: str | None = None) -> None:
        key = session_key or self.session_key
        if key is not None:
            with visible(key) as kept:
                super().delete(kept)

    @classmethod
    def clear_expired(cls) -> None:
        """For `manage.py clearsessions`: the owner sees expired sessions, nobody else does."""
        expired = cls.get_model_class().objects.using("owner")
        expired.filter(expire_date__lt=timezone.now()).delete()
