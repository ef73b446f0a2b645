"""ETag, If-Match and If-None-Match: ``"<revision>-<content hash>"``, of which If-Match compares the revision."""

from __future__ import annotations

import hashlib
import re

from aware_agent.colony.errors import InvalidInput
from aware_agent.colony.numbers import whole

_TAG = re.compile(r'(?:W/)?"?([0-9]{1,20})(?:-[0-9A-Za-z-]*)?"?')


def etag(revision: int, body: bytes) -> bytes:
    """The strong entity tag of ``body``, read at ``revision``."""
    return b'"%d-%s"' % (revision, hashlib.blake2b(body, digest_size=6).hexdigest().encode())


def none_match(header: bytes, tag: bytes) -> bool:
    """Whether If-None-Match names ``tag`` (weak comparison), so that 304 is the answer."""
    if header == tag:
        return True
    if header == b"*":
        return True
    return any(part.strip().removeprefix(b"W/") == tag for part in header.split(b","))


def if_match(header: str | None, current: int) -> int | None:
    """The revision If-Match asks for; None without one or for ``*``.

    Accepts ``"12-ab"``, ``"12"``, ``W/"12"`` and ``12``, and a list of them, of which ``current`` is preferred.
    Raises :class:`InvalidInput` for anything else.
    """
    if header is None or header.strip() == "*":
        return None
    revisions = []
    for part in header.split(","):
        match = _TAG.fullmatch(part.strip())
        try:
            revisions.append(whole(match[1] if match else ""))
        except ValueError:
            raise InvalidInput(
                "If-Match is not a revision", field="If-Match", hint='send the ETag you read: "<revision>-..."'
            ) from None
    return current if current in revisions else revisions[0]
