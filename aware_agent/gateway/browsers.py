"""What browsers are told: which pages of others may ask this gateway, and what they may do with its answers.

Nothing here keeps out a program that is no browser. Tokens travel in a header that no page of others can set unasked,
so there is nothing a browser would add by itself; no answer allows credentials.
"""

from __future__ import annotations

from aware_agent.agent.settings import GatewaySettings
from aware_agent.gateway.asgi import Headers, Scope, Send, answer

_PLAIN: Headers = [
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
    # The dashboard has a policy of its own; everything else is data, of which nothing is to be run or framed.
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
]
_METHODS = b"GET, HEAD, POST, PUT, PATCH, DELETE"
_ASKED = b"authorization, content-type, if-match, if-none-match, idempotency-key, last-event-id"
_SHOWN = (
    b"etag, location, retry-after, ratelimit, ratelimit-policy, idempotency-replayed, x-aware-node, x-aware-queen, "
    b"x-aware-revision, x-aware-role, x-aware-term"
)
_PREFLIGHT_S = 600


class Browsers:
    """As the settings have it. No page of others may ask, unless its origin is named."""

    def __init__(self, settings: GatewaySettings) -> None:
        self.origins = frozenset(origin.encode("latin-1", "replace") for origin in settings.cors_origins)
        age = int(settings.hsts_max_age_s)
        self._hsts: Headers = [(b"strict-transport-security", b"max-age=%d" % age)] if age else []

    def headers(self, scope: Scope) -> Headers:
        """What every answer carries."""
        return [*_PLAIN, *self._hsts, *self._cors(scope)]

    async def preflight(self, scope: Scope, send: Send) -> bool:
        """Answer a browser that asks whether a page may; say whether this was such a question."""
        if scope["method"] != "OPTIONS" or not self._cors(scope):
            return False
        headers: Headers = [
            (b"access-control-allow-methods", _METHODS),
            (b"access-control-allow-headers", _ASKED),
            (b"access-control-max-age", b"%d" % _PREFLIGHT_S),
            (b"content-length", b"0"),
        ]
        await answer(send, 204, headers, b"")
        return True

    def _cors(self, scope: Scope) -> Headers:
        if not self.origins:
            return []
        origin = next((value for name, value in scope["headers"] if name == b"origin"), b"")
        if origin not in self.origins:
            return [(b"vary", b"origin")] if origin and scope["method"] != "OPTIONS" else []
        return [
            (b"access-control-allow-origin", origin),
            (b"access-control-expose-headers", _SHOWN),
            (b"vary", b"origin"),
        ]
