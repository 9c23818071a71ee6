"""The signed word on whom a transaction works for.

The web writes it into the setting `app.context`; functions of the database verify it (see
migration 0010) and hand out what it says. It holds for one transaction of one backend, so that
a copy of it opens nothing, and nobody can make one without the key.
"""

import hmac
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from hashlib import sha256
from typing import Any
from uuid import UUID

import psycopg
from django.conf import settings

BLOCK = 64  # bytes of a block of SHA-256, to which HMAC fills a key up

# What a transaction is: read with its first statement.
OPENING = "SELECT pg_backend_pid(), (extract(epoch FROM now()) * 1000000)::bigint"
SET = "SELECT set_config('app.context', %s, true)"
INSTALL = """
INSERT INTO private.context_keys (key_id, inner_pad, outer_pad)
VALUES (%(key_id)s, %(inner)s, %(outer)s) ON CONFLICT DO NOTHING
"""
Opening = tuple[int, int]


class Purpose(StrEnum):
    WORK = "work"
    IMPORT = "import"  # detail: the batch
    LOGIN = "login"  # detail: the digest of the address being tried
    SESSION = "session"  # detail: the digest of the session's key


@dataclass(frozen=True)
class Identity:
    """Whom a transaction works for, and what for."""

    customer: UUID | None = None
    user: UUID | None = None
    purpose: Purpose = Purpose.WORK
    detail: str = ""


NOBODY = Identity()


@dataclass(frozen=True)
class Key:
    key_id: str
    secret: bytes

    def pad(self, byte: int) -> bytes:
        """The padded key that HMAC hashes first (0x36) or last (0x5c)."""
        return bytes(part ^ byte for part in self.secret.ljust(BLOCK, b"\0"))


def digest(text: str) -> str:
    """What stands for a session's key or an address where neither may be read."""
    return sha256(text.encode()).hexdigest()[:40]


@cache
def key_of(secret: str) -> Key:
    """The key made of a setting; its name says which one it is, and nothing about it."""
    made = hmac.digest(secret.encode(), b"context", "sha256")
    return Key(hmac.digest(made, b"name", "sha256").hex()[:12], made)


def token(identity: Identity, opening: Opening) -> str:
    """The signed setting for the transaction that began with `opening`."""
    key = key_of(settings.CONTEXT_KEY)
    said = (identity.purpose, identity.customer or "", identity.user or "", identity.detail)
    parts = [str(part) for part in (key.key_id, *said, *opening)]
    if any("|" in part for part in parts):
        raise ValueError("No part of a transaction's identity may hold a '|'.")
    payload = "|".join(parts)
    return f"{payload}|{hmac.digest(key.secret, payload.encode(), 'sha256').hex()}"


def opening(connection: psycopg.Connection[Any]) -> Opening:
    """What the signature binds to: the backend, and the start of its transaction."""
    row: Opening = psycopg.Cursor(connection).execute(OPENING).fetchone()  # type: ignore[assignment]
    return row


def say(connection: psycopg.Connection[Any], identity: Identity, opened: Opening) -> None:
    """Set the transaction's identity; the value is bound by the server, not part of the text."""
    said = "" if identity == NOBODY else token(identity, opened)
    psycopg.Cursor(connection).execute(SET, [said])
