"""What a worker answers: is it well, who is the CA, and where the queen is.

Bare ASGI: a worker never imports a web framework.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from aware_agent import telemetry as metrics
from aware_agent.agent.settings import GatewaySettings
from aware_agent.colony.council_document import COUNCIL_PATH
from aware_agent.gateway.asgi import Headers, Receive, Scope, Send, answer, refuse
from aware_agent.gateway.asking import request_id
from aware_agent.gateway.context import NodeContext
from aware_agent.gateway.errors import MethodNotAllowed, MetricsToken, NoQueen
from aware_agent.gateway.scrapers import METRICS, Scrapers

Whole = tuple[int, bytes, bytes]  # status, content type, body
JSON = b"application/json"
POLICY_VIOLATION = 1008  # RFC 6455 section 7.4.1
TRY_AGAIN_LATER = 1013
_MAX_REASON = 123  # bytes a WebSocket close frame has room for


class Public:
    """The resources a worker serves to everybody."""

    def __init__(self, context: NodeContext, settings: GatewaySettings | None = None) -> None:
        self._context = context
        self._scrapers = Scrapers(settings or GatewaySettings())
        self.requests = metrics.RequestCounter()
        self.routes: dict[str, Callable[[], Whole]] = {
            "/healthz": self.healthz,
            "/readyz": self.readyz,
            "/readyz/queen": self.no_queen_here,
            "/metrics": self.metrics,
            "/v1/ca": self.ca,
            COUNCIL_PATH: self.council,
        }

    def healthz(self) -> Whole:
        """The process answers; how etcd is stands beside it and changes nothing about that."""
        return 200, JSON, b'{"status":"ok","store":%s}' % self._store()

    def readyz(self) -> Whole:
        """200 when the node does its work, else 503; the reason is one of our own sentences."""
        ready, reason = self._context.ready()
        words = b"true" if ready else b"false", msgspec.json.encode(reason), self._store()
        return (200 if ready else 503), JSON, b'{"ready":%s,"reason":%s,"store":%s}' % words

    def no_queen_here(self) -> Whole:
        """What a worker says to a load balancer that looks for the queen."""
        return 503, JSON, b'{"ready":false,"reason":"not the queen","store":%s}' % self._store()

    def _store(self) -> bytes:
        return msgspec.json.encode(self._context.store())

    def metrics(self) -> Whole:
        """Agent and gateway metrics."""
        return (
            200,
            metrics.CONTENT_TYPE,
            metrics.render([*self._context.families(), self.requests.family()]),
        )

    def ca(self) -> Whole:
        """CA certificates, for newcomers that know their pin."""
        return 200, b"application/x-pem-file", self._context.ca_pem

    def council(self) -> Whole:
        """Whom to ask, for clients that know only this node."""
        return 200, JSON, msgspec.json.encode(self._context.council())

    async def serve(self, scope: Scope, send: Send) -> bool:
        """Answer if the path is one of ours; say whether it was."""
        route = self.routes.get(scope["path"])
        if route is None:
            return False
        if scope["method"] not in ("GET", "HEAD"):
            error = MethodNotAllowed(f"{scope['path']} is only read")
            await refuse(send, error, self._context.me, request_id(scope))
            self.requests.counts[scope["path"], 405] += 1
            return True
        if scope["path"] == METRICS and not self._scrapers.allows(scope):
            await refuse(send, MetricsToken(), self._context.me)
            self.requests.counts[scope["path"], 401] += 1
            return True
        status, content_type, body = route()
        headers: Headers = [
            (b"content-type", content_type),
            (b"content-length", b"%d" % len(body)),
            (b"cache-control", b"no-store"),
            (b"x-aware-node", self._context.me.encode()),
            (b"x-request-id", request_id(scope)),
        ]
        await answer(send, status, headers, body)
        self.requests.counts[scope["path"], status] += 1
        return True


class WorkerApp:
    """ASGI application of a worker."""

    def __init__(self, context: NodeContext, settings: GatewaySettings | None = None) -> None:
        self._context = context
        self.public = Public(context, settings)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request or connection."""
        if scope["type"] == "websocket":
            await self._turn_away(receive, send)
        elif scope["type"] == "http" and not await self.public.serve(scope, send):
            await self._redirect(scope, send)

    async def _redirect(self, scope: Scope, send: Send) -> None:
        queen = self._context.queen_url()
        self.public.requests.counts["redirect", 307 if queen else 503] += 1
        if queen is None:
            await refuse(send, NoQueen(self._context.store()), self._context.me, request_id(scope))
            return
        headers: Headers = [
            (b"location", queen.encode() + target(scope)),
            (b"x-aware-queen", queen.encode()),
            (b"x-aware-node", self._context.me.encode()),
            (b"x-request-id", request_id(scope)),
            (b"cache-control", b"no-store"),
            (b"content-length", b"0"),
        ]
        await answer(send, 307, headers, b"")

    async def _turn_away(self, receive: Receive, send: Send) -> None:
        """Accept and close at once: only so does the client get to read why."""
        await receive()
        queen = self._context.queen_url()
        code = POLICY_VIOLATION if queen else TRY_AGAIN_LATER
        trouble = self._context.store().detail
        reason = f"queen {queen}" if queen else f"no queen{trouble and ': '}{trouble}"
        short = reason.encode()[:_MAX_REASON].decode(errors="ignore")
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.close", "code": code, "reason": short})


def target(scope: Scope) -> bytes:
    """Path and query as they were sent. Always starts with a slash, so it can never change a URL's host."""
    path: bytes = scope.get("raw_path") or scope["path"].encode()
    query: bytes = scope.get("query_string", b"")
    if not path.startswith(b"/"):
        path = b"/" + path
    return path + (b"?" + query if query else b"")
