"""The one place where an error becomes an ``application/problem+json`` document (RFC 9457).

Light on purpose: workers answer with problems too and never import FastAPI.
"""

from __future__ import annotations

import http
import logging
import secrets

import msgspec

from aware_agent.colony.errors import AwareError
from aware_agent.gateway.errors import InternalError, TooManyRequests
from aware_agent.store.health import StoreState

Headers = list[tuple[bytes, bytes]]
MEDIA_TYPE = "application/problem+json"
TYPE_BASE = "https://aware-colony.github.io/problems/"
_MEMBERS = ("field", "term", "current", "oldest", "retry_after", "incident", "maybe_applied", "store")
_log = logging.getLogger(__name__)


class Problem(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What went wrong. ``code`` is stable; ``detail`` and ``hint`` are for people."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    hint: str = ""
    field: str = ""  # of the request: the member, parameter or header that is wrong
    term: int = 0
    current: int = 0  # revision, for a failed If-Match
    oldest: int = 0  # revision, for trimmed history
    retry_after: int = 0  # seconds
    incident: str = ""  # finds an internal error in the node's log
    store: StoreState | None = None  # how etcd is as the node sees it, when there is no queen
    maybe_applied: bool = False  # the write may have happened although no answer came


def problem(error: AwareError) -> Problem:
    """The document for ``error``. Only members known here leave the node."""
    extra = {name: getattr(error, name) for name in _MEMBERS if getattr(error, name, None)}
    return Problem(
        type=TYPE_BASE + error.code,
        title=error.code.replace("-", " ").capitalize(),
        status=error.status,
        detail=error.message,
        code=error.code,
        hint=error.hint,
        **extra,
    )


def encode(error: AwareError) -> tuple[int, Headers, bytes]:
    """Status, headers and body of the answer for ``error``."""
    body = msgspec.json.encode(problem(error))
    headers: Headers = [
        (b"content-type", MEDIA_TYPE.encode()),
        (b"content-length", b"%d" % len(body)),
        (b"cache-control", b"no-store"),
    ]
    retry_after = getattr(error, "retry_after", 1 if error.status == http.HTTPStatus.SERVICE_UNAVAILABLE else 0)
    if retry_after:
        headers.append((b"retry-after", b"%d" % retry_after))
    if isinstance(error, TooManyRequests):
        headers += zip((b"ratelimit", b"ratelimit-policy"), (part.encode() for part in error.limit), strict=True)
    if error.status == http.HTTPStatus.UNAUTHORIZED:
        headers.append((b"www-authenticate", b'Bearer realm="aware"'))
    return error.status, headers, body


def unexpected(error: BaseException) -> InternalError:
    """Log a bug with an incident number; return the error that tells the caller only that number."""
    incident = secrets.token_hex(6)
    _log.error("incident %s: %s", incident, type(error).__name__, exc_info=error)
    return InternalError(incident)
