"""Signatures after the Standard Webhooks specification 1.0 (standardwebhooks.com).

A secret is worked out from SECRET_KEY, the endpoint and a salt, and stored nowhere: no table
holds it, so no query can read it. A new salt is a new secret.
"""

import base64
import hmac
from uuid import UUID

from django.conf import settings

PREFIX = "whsec_"


def secret_of(endpoint_id: UUID, salt: UUID) -> str:
    """The endpoint's secret as its owner enters it at the receiver: whsec_ and 32 bytes."""
    material = b"webhook" + endpoint_id.bytes + salt.bytes
    key = hmac.digest(settings.SECRET_KEY.encode(), material, "sha256")
    return PREFIX + base64.b64encode(key).decode()


def signature(secret: str, delivery_id: str, timestamp: int, body: bytes) -> str:
    """HMAC-SHA256 over id, Unix time and body, in base64 after the version of the scheme."""
    key = base64.b64decode(secret.removeprefix(PREFIX))
    signed = f"{delivery_id}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.digest(key, signed, "sha256")).decode()


def headers(secrets: list[str], delivery_id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """Of more than one secret each signs: the receiver may know the old one or the new."""
    signed = [signature(secret, delivery_id, timestamp, body) for secret in secrets]
    return {
        "webhook-id": delivery_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(signed),
    }
