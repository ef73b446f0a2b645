"""What browsers are told: which pages of others may ask this gateway, and what they may do with its answers.

Nothing here keeps out a program that is no browser. Tokens travel in a header that no page of others can set unasked,
so there is nothing a browser would add by itself; no answer allows credentials.

The dashboard is one page of all gateways of a colony: loaded from one member it goes on with the others when that one
falls, so each allows the pages of all. Which nodes these are is an admin's word, not theirs: see :func:`gateways`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from aware_agent.agent.settings import GatewaySettings
from aware_agent.colony.urls import gateway_url
from aware_agent.colony.view import NodeView
from aware_agent.gateway.asgi import Headers, Scope, Send, answer

MAX_GATEWAYS = 32  # a council has seven seats; the rest waits for one

_PLAIN: Headers = [
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
    # The dashboard has a policy of its own; everything else is data, of which nothing is to be run or framed.
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
]
_METHODS = b"GET, HEAD, POST, PUT, PATCH, DELETE"
_ASKED = b"authorization, content-type, if-match, if-none-match, idempotency-key, last-event-id, x-aware-min-revision"
_SHOWN = (
    b"etag, location, retry-after, ratelimit, ratelimit-policy, idempotency-replayed, x-aware-node, x-aware-queen, "
    b"x-aware-revision, x-aware-role, x-aware-term"
)
_PREFLIGHT_S = 600


def gateways(nodes: Iterable[NodeView]) -> tuple[str, ...]:
    """Origins, as a browser spells them, of the nodes an admin let in as ones that may reign; those with a seat first.

    Also of nodes that are dead: a page that came from one is still open. A worker that calls itself something is not
    among them.
    """
    allowed = sorted((node for node in nodes if node.eligible), key=lambda node: (node.role == "worker", node.id))
    found = dict.fromkeys(url.removesuffix(":443") for node in allowed if (url := gateway_url(node.url)))
    return tuple(found)[:MAX_GATEWAYS]


class Browsers:
    """As the settings have it. ``members`` are the origins of this colony's own gateways; no page of others may ask,
    unless its origin is named.
    """

    def __init__(self, settings: GatewaySettings, members: Callable[[], tuple[str, ...]]) -> None:
        self._origins = frozenset(origin.encode("latin-1", "replace") for origin in settings.cors_origins)
        self.members = members
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
        origin = next((value for name, value in scope["headers"] if name == b"origin"), b"")
        if not origin:
            return []
        if origin not in self._origins and origin.decode("latin-1") not in self.members():
            return [(b"vary", b"origin")] if scope["method"] != "OPTIONS" else []
        return [
            (b"access-control-allow-origin", origin),
            (b"access-control-expose-headers", _SHOWN),
            (b"vary", b"origin"),
        ]
