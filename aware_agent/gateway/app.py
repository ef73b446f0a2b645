"""The gateway of a council member: fast paths in front of FastAPI, and around all of them what every answer has."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from typing import Any

import msgspec
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.utils import get_openapi
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from aware_agent import __version__
from aware_agent.agent.logs import of_request
from aware_agent.agent.settings import GatewaySettings
from aware_agent.colony.decoding import plain_reason
from aware_agent.colony.errors import AwareError, InvalidInput
from aware_agent.gateway import openapi, problems, standing
from aware_agent.gateway.asgi import App, Headers, Message, Receive, Scope, Send, client_of, cut, deny, refuse
from aware_agent.gateway.asking import Asking, answer_to, asking, begin, request_id
from aware_agent.gateway.context import GatewayContext
from aware_agent.gateway.dry_run import DryRunDocument
from aware_agent.gateway.errors import MethodNotAllowed, NoSuchRoute
from aware_agent.gateway.hot import HotReads
from aware_agent.gateway.idempotency import Once
from aware_agent.gateway.rehearsed import Rehearsed
from aware_agent.gateway.routes import (
    audit,
    auth,
    backups,
    castes,
    check,
    cluster,
    commands,
    config,
    council,
    dashboard,
    election,
    events,
    federated,
    health,
    hooks,
    identity_providers,
    inventory,
    jobs,
    join,
    monitoring,
    nodes,
    queen,
    renew,
    rotation,
    secrets,
    service_accounts,
    sessions,
    spec,
    tokens,
    users,
    webhooks,
)
from aware_agent.gateway.routing import answer, check_routes
from aware_agent.gateway.state import Gateway
from aware_agent.gateway.tracing import Tracer
from aware_agent.gateway.warm import warm_up

# FastAPI's own would follow variables of the environment, and tell a collector what exceptions say.
NO_TELEMETRY: Any = {"tracing": False, "metrics": False, "logs": False, "auto_configure": False}
UNTIMED = frozenset({"/v1/events/stream", "/v1/jobs/{job_id}/log"})  # they last as long as their reader likes

ROUTERS = (
    cluster, castes, council, election, spec, nodes, config, commands, queen, events, inventory, auth, federated, users,
    identity_providers, secrets, service_accounts, sessions, tokens, join, renew, rotation, hooks, jobs, webhooks,
    backups, check, audit, monitoring, health, dashboard,
)  # fmt: skip


class GatewayApp:
    """ASGI application of one council member, for as long as its process lives."""

    def __init__(self, gateway: Gateway, inner: App, describe: Callable[[], bytes]) -> None:
        self.gateway = gateway
        self._describe = describe
        self._inner = Once(gateway, inner)
        self._hot = HotReads(gateway)
        self.at_once = self._hot.at_once  # for a server that can answer while it parses

    async def warm_up(self) -> None:
        """Load and build now what the first request would wait for."""
        self._describe()  # what every parameter of a query is looked up in
        await warm_up(self._inner, self.gateway.authority)

    async def close(self, reason: str) -> None:
        """End all live streams."""
        await self.gateway.hub.close(reason)
        await self.gateway.close()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request or connection."""
        if scope["type"] == "http":
            plain = scope["method"] == "GET" and not scope["query_string"]
            if not plain or not await self._fast(scope, send):
                await self._slow(scope, receive, send)
        elif scope["type"] == "websocket":
            await self._websocket(scope, receive, send)

    async def _websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        """A client for whom there is no room is told so before the handshake is done."""
        try:
            await self._pass(scope)
        except AwareError as error:
            self.gateway.refused(scope, error)
            await receive()
            await deny(send, error, self.gateway.context.me)
            return
        await self._inner(scope, receive, send)

    async def _fast(self, scope: Scope, send: Send) -> bool:
        """Answer a hot read whose token was verified before. Everything unusual is left to the routes."""
        began = time.perf_counter()
        hot = self._hot.find(scope["path"], scope["headers"])
        if hot is None or not self._hot.passes(hot):
            return False
        request = request_id(scope)
        status = await hot.prepared.send(send, if_none_match=hot.if_none_match, gzipped=hot.gzipped, request=request)
        self.gateway.public.requests.counts[hot.resource, status] += 1
        self.gateway.public.durations.observe(hot.resource, time.perf_counter() - began)
        return True

    async def _slow(self, scope: Scope, receive: Receive, send: Send) -> None:
        asked = begin(scope)
        answer_to(asked)
        tracer = self.gateway.tracer
        with of_request(asked.request):
            if tracer is None:
                await self._answered(asked, scope, receive, send)
                return
            with tracer.request(asked, scope, self.gateway.authority):
                await self._answered(asked, scope, receive, send)

    async def _answered(self, asked: Asking, scope: Scope, receive: Receive, send: Send) -> None:
        began = time.perf_counter()
        started = 0
        complete = False

        async def stamped(message: Message) -> None:
            nonlocal started, complete
            if message["type"] == "http.response.start":
                started = message["status"]
                message = {**message, "headers": self._stamp(scope, asked, list(message.get("headers", [])))}
            elif not message.get("more_body"):
                complete = True
            await send(message)

        try:
            await self._answer(scope, receive, stamped)
        except ClientDisconnect:
            pass
        except Exception as error:
            # What comes through Starlette was reported there; of what broke outside of it the answer is ours.
            if started and not complete:
                await cut(scope, receive)
            elif not started:
                known = error if isinstance(error, AwareError) else problems.unexpected(error)
                self.gateway.refused(scope, known)
                asked.code = known.code
                await refuse(stamped, known, self.gateway.context.me)
        finally:
            resource, public = self._resource(scope, started), self.gateway.public
            asked.route, asked.status = asked.route or resource, started
            self.gateway.audit.answered(asked, started)
            public.requests.counts[resource, started or 499] += 1
            if resource not in UNTIMED:
                public.durations.observe(resource, time.perf_counter() - began)

    def _resource(self, scope: Scope, status: int) -> str:
        """What is counted as one: never the path as it was sent."""
        if scope["path"] in self.gateway.public.pages:
            return str(scope["path"])
        return "redirect" if status == 307 else getattr(scope.get("route"), "path", "other")

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Past FastAPI where that is not needed. Strangers take turns, whoever is known does not wait for them."""
        await self._pass(scope)
        if scope["method"] == "OPTIONS" and await self.gateway.browsers.preflight(scope, send):
            return
        if await self.gateway.public.serve(scope, send):
            return
        queens = standing.needs_queen(scope["method"], scope["path"])
        if queens and await standing.send_to_queen(self.gateway.context, scope, send):
            return
        await self._inner(scope, receive, send)

    async def _pass(self, scope: Scope) -> None:
        """Raise what refuses whoever asks too much. Whoever comes with a new token counts as a stranger once."""
        gateway, authorization = self.gateway, None
        for name, value in scope["headers"]:
            if name == b"authorization":
                authorization = value
                break
        principal = gateway.authority.recall(authorization) if authorization is not None else None
        address = client_of(scope)
        refused = gateway.throttle.user(principal.name) if principal else gateway.throttle.stranger(address)
        if refused is not None:
            raise refused
        if principal is None:
            await gateway.turnstile.enter(address)

    def _stamp(self, scope: Scope, asked: Asking, headers: Headers) -> Headers:
        headers.append((b"x-request-id", asked.request.encode()))
        there = {name for name, _ in headers}
        more = (*self.gateway.stamp(), *self.gateway.browsers.headers(scope))
        return headers + [pair for pair in more if pair[0] not in there or pair[0] == b"vary"]


def create_gateway(
    context: GatewayContext, settings: GatewaySettings | None = None, tracer: Tracer | None = None
) -> GatewayApp:
    """The gateway of a council member, which traces with ``tracer``, if there is one."""
    gateway = Gateway(context, settings or GatewaySettings(), tracer)
    app = FastAPI(
        title="AWARE gateway",
        version=__version__,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
        telemetry=NO_TELEMETRY,
    )
    app.state.gateway = gateway
    described = functools.cache(lambda: msgspec.json.encode(_openapi(app)))
    app.state.description = described
    gateway.public.describe(described)
    for module in ROUTERS:
        check_routes(module.router.routes, gateway.public.pages)
        app.include_router(module.router)
    app.add_exception_handler(AwareError, _aware)
    app.add_exception_handler(Rehearsed, _rehearsed)
    app.add_exception_handler(RequestValidationError, _validation)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(ClientDisconnect, _gone)
    app.add_exception_handler(Exception, _bug)
    app.openapi = lambda: _openapi(app)  # type: ignore[method-assign]
    return GatewayApp(gateway, app, described)


def _openapi(app: FastAPI) -> dict[str, Any]:
    if app.openapi_schema is None:
        app.openapi_schema = openapi.complete(get_openapi(title=app.title, version=app.version, routes=app.routes))
    return app.openapi_schema


async def _aware(request: Request, error: Exception) -> Response:
    assert isinstance(error, AwareError)
    asking().code = error.code
    request.app.state.gateway.refused(request.scope, error)
    return _respond(error)


async def _rehearsed(request: Request, error: Exception) -> Response:
    assert isinstance(error, Rehearsed)
    gateway: Gateway = request.app.state.gateway
    view, outcome = gateway.context.view(), error.outcome
    document = DryRunDocument(
        dry_run=True,
        changed=outcome.changed,
        would=list(outcome.sentences),
        revision=view.revision,
        term=view.term,
    )
    return answer(gateway, document)


async def _validation(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    field = ".".join(str(part) for part in first["loc"][1:])
    return _respond(InvalidInput(f"{first['loc'][0]} parameter {field}: {plain_reason(first['msg'])}", field=field))


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


async def _gone(_: Request, __: Exception) -> Response:
    """Nobody reads this; it keeps a client that went in the middle of its request from being reported as a bug."""
    return Response(status_code=499)


async def _bug(_: Request, error: Exception) -> Response:
    return _respond(problems.unexpected(error))


def _respond(error: AwareError) -> Response:
    status, headers, body = problems.encode(error)
    response = Response(body, status_code=status)
    response.raw_headers = headers
    return response
