"""The queen's gateway: a fast path for hot reads in front of FastAPI, and around both what every answer has."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.utils import get_openapi
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from aware_agent import __version__
from aware_agent.colony.errors import AwareError, InvalidInput
from aware_agent.colony.node import Status
from aware_agent.gateway import openapi, problems
from aware_agent.gateway.asgi import App, Message, Receive, Scope, Send, refuse
from aware_agent.gateway.context import GatewayContext
from aware_agent.gateway.errors import MethodNotAllowed, NoSuchRoute
from aware_agent.gateway.idempotency import Once
from aware_agent.gateway.reads import HOT, NODES, accepts_gzip
from aware_agent.gateway.routes import (
    auth,
    backups,
    cluster,
    config,
    dashboard,
    events,
    health,
    hooks,
    inventory,
    join,
    nodes,
    queen,
    renew,
    rotation,
    spec,
    tokens,
    users,
)
from aware_agent.gateway.state import Gateway
from aware_agent.gateway.worker import Public
from aware_agent.telemetry import Family, gauge

ROUTERS = (
    cluster, spec, nodes, config, queen, events, inventory, auth, users, tokens, join, renew, rotation, hooks, backups,
    health, dashboard,
)  # fmt: skip
MAX_ABSENT = 100  # names in the metrics; how many there are is told in any case
_ABSENT = (Status.SUSPECT, Status.DEAD)


class QueenApp:
    """ASGI application of one reign; see :class:`aware_agent.gateway.switch.Reign`."""

    def __init__(self, gateway: Gateway, inner: App) -> None:
        self.gateway = gateway
        self._inner = Once(gateway, inner)
        self._node = gateway.context.me.encode()

    async def close(self, reason: str) -> None:
        """End all live streams."""
        self.gateway.public.more = tuple
        await self.gateway.hub.close(reason)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request or connection."""
        if scope["type"] == "http":
            path = scope["path"]
            hot = path if path in HOT else "/v1/nodes/{node}" if path.startswith(NODES) else None
            if hot is None or scope["method"] != "GET" or not await self._fast(scope, send, hot):
                await self._slow(scope, receive, send)
        elif scope["type"] == "websocket":
            await self._inner(scope, receive, send)

    async def _fast(self, scope: Scope, send: Send, resource: str) -> bool:
        """Answer a hot read whose token was verified before. Everything unusual is left to the routes."""
        authorization = if_none_match = encoding = None
        for name, value in scope["headers"]:
            if name == b"authorization":
                authorization = value
            elif name == b"accept-encoding":
                encoding = value
            elif name == b"if-none-match":
                if_none_match = value
        gateway = self.gateway
        if authorization is None or gateway.authority.recall(authorization) is None:
            return False
        try:
            prepared = gateway.reads.get(scope["path"])
        except AwareError:
            return False
        if prepared is None:
            return False
        gzipped = encoding is not None and accepts_gzip(encoding)
        status = await prepared.send(send, if_none_match=if_none_match, gzipped=gzipped)
        gateway.public.requests.counts[resource, status] += 1
        return True

    async def _slow(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = 0

        async def stamped(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = message["status"]
                message = {**message, "headers": self._stamp(list(message.get("headers", [])))}
            await send(message)

        try:
            await self._inner(scope, receive, stamped)
        except Exception as error:
            # Starlette reports a bug after it has answered; before that the answer is ours.
            if not started:
                known = error if isinstance(error, AwareError) else problems.unexpected(error)
                started = known.status
                await refuse(send, known, self.gateway.context.me)
        finally:
            route = getattr(scope.get("route"), "path", "other")
            self.gateway.public.requests.counts[route, started or 499] += 1

    def _stamp(self, headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
        if not any(name == b"x-aware-node" for name, _ in headers):
            headers.append((b"x-aware-node", self._node))
        headers.append((b"x-content-type-options", b"nosniff"))
        return headers


def create_queen_app(context: GatewayContext, public: Public | None = None) -> QueenApp:
    """The gateway for one reign. ``public`` may be the worker's, so that its counters go on."""
    gateway = Gateway(context, public)
    app = FastAPI(
        title="AWARE gateway",
        version=__version__,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
    )
    app.state.gateway = gateway
    app.state.doorman = auth.Doorman()
    for module in ROUTERS:
        app.include_router(module.router)
    app.add_exception_handler(AwareError, _aware)
    app.add_exception_handler(RequestValidationError, _validation)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _bug)
    app.openapi = lambda: _openapi(app)  # type: ignore[method-assign]
    gateway.public.more = lambda: _families(gateway)
    return QueenApp(gateway, app)


def _openapi(app: FastAPI) -> dict[str, Any]:
    if app.openapi_schema is None:
        app.openapi_schema = openapi.complete(get_openapi(title=app.title, version=app.version, routes=app.routes))
    return app.openapi_schema


def _families(gateway: Gateway) -> list[Family]:
    """Metrics only a queen has."""
    view = gateway.context.view()
    statuses: dict[str, int] = {"ready": 0, "suspect": 0, "dead": 0, "left": 0}
    for node in view.nodes:
        statuses[str(node.status)] += 1
    return [
        Family(
            "aware_nodes", "gauge", "Nodes of the colony by status.", [({"status": s}, n) for s, n in statuses.items()]
        ),
        Family(
            "aware_caste_missing",
            "gauge",
            "Nodes a caste lacks.",
            [({"caste": caste.name}, caste.missing) for caste in view.castes],
        ),
        Family(
            "aware_node_absent",
            "gauge",
            "Nodes that are suspect or dead, by name.",
            [({"name": n.name, "status": str(n.status)}, 1) for n in view.nodes if n.status in _ABSENT][:MAX_ABSENT],
        ),
        gauge("aware_nodes_wanted", "Nodes the spec asks for.", view.spec.size if view.spec else 0),
        gauge("aware_healthy", "1 when the colony is healthy.", view.status == "healthy"),
        gauge("aware_event_streams", "Open event streams.", len(gateway.hub)),
        *backups.families(gateway.context),
    ]


async def _aware(_: Request, error: Exception) -> Response:
    assert isinstance(error, AwareError)
    return _respond(error)


async def _validation(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    field = ".".join(str(part) for part in first["loc"][1:])
    return _respond(InvalidInput(f"{first['loc'][0]} parameter {field}: {first['msg']}", field=field))


async def _http(_: Request, error: Exception) -> Response:
    """What the router says: 404 and 405."""
    assert isinstance(error, HTTPException)
    if error.status_code == 405:
        allowed = dict(error.headers or {}).get("Allow", "")
        response = _respond(MethodNotAllowed(f"this takes {allowed or 'other methods'}"))
        response.headers["allow"] = allowed
        return response
    if error.status_code == 404:
        return _respond(NoSuchRoute("nothing lives at this path", hint="/openapi.json lists what does"))
    return _respond(InvalidInput(str(error.detail)))


async def _bug(_: Request, error: Exception) -> Response:
    return _respond(problems.unexpected(error))


def _respond(error: AwareError) -> Response:
    status, headers, body = problems.encode(error)
    response = Response(body, status_code=status)
    response.raw_headers = headers
    return response
