"""Signatures of webhooks as Standard Webhooks has them, so that receivers verify them with a library they have.

``HMAC-SHA256(secret, "<id>.<timestamp>.<body>")``, base64, marked ``v1``; while a secret is replaced there is one for
each, with a space between. https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Sequence

from aware_agent.colony.errors import InvalidInput

PREFIX = "whsec_"
SECRET_BYTES = 32
_LEAST, _MOST = 24, 64  # bytes of a secret, by the standard


def secret_text(secret: bytes) -> str:
    """The spelling that is given out."""
    return PREFIX + base64.b64encode(secret).decode()


def secret_bytes(text: str) -> bytes:
    """The secret a user brings, ``whsec_<base64>``. Raises :class:`InvalidInput`, which does not repeat it."""
    hint = f"{PREFIX} and base64 of {_LEAST} to {_MOST} random bytes; or leave it out"
    try:
        secret = base64.b64decode(text.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError):
        raise InvalidInput("this is not a secret for a webhook", field="secret", hint=hint) from None
    if not text.startswith(PREFIX) or not _LEAST <= len(secret) <= _MOST:
        raise InvalidInput("this is not a secret for a webhook", field="secret", hint=hint)
    return secret


def signed_headers(secrets: Sequence[bytes], message_id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """The three headers of a delivery. ``timestamp`` in Unix seconds."""
    content = f"{message_id}.{timestamp}.".encode() + body
    signatures = (base64.b64encode(hmac.digest(secret, content, hashlib.sha256)).decode() for secret in secrets)
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(f"v1,{signature}" for signature in signatures),
    }
