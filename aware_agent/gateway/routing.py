"""How a route says what it is: its role, its documents and its problems, in one place for code and OpenAPI."""

from __future__ import annotations

import http
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Annotated, Any, TypeVar
from urllib.parse import parse_qs

import msgspec
from fastapi import APIRouter, Depends, Request
from starlette.requests import HTTPConnection
from starlette.responses import Response
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.types import Receive, Scope, Send

from aware_agent.colony.decoding import UNDECODABLE, from_json
from aware_agent.colony.errors import Conflict, InvalidInput, NotFound
from aware_agent.colony.plain_words import in_words
from aware_agent.colony.view import NodeView
from aware_agent.gateway import preconditions
from aware_agent.gateway.asking import asking
from aware_agent.gateway.dry_run import DryRunDocument, as_asked
from aware_agent.gateway.errors import PreconditionFailed, TooLarge
from aware_agent.gateway.freshness import catch_up
from aware_agent.gateway.idempotency import WITHOUT, keyed
from aware_agent.gateway.openapi import part, problem_response, reference, request_body
from aware_agent.gateway.paging import Page, select
from aware_agent.gateway.reads import accepts_gzip
from aware_agent.gateway.state import Gateway
from aware_agent.queen.commands import Command
from aware_agent.queen.writer import RevisionChanged
from aware_agent.security.judging import enter, may, refusal
from aware_agent.security.jwt import Principal
from aware_agent.security.permissions import OPEN, NoRule, Rule, rule_of
from aware_agent.security.roles import Role
from aware_agent.security.scopes import Target

MAX_BODY = 1024 * 1024
T = TypeVar("T")
Handler = Callable[..., Awaitable[Response]]
_WRITES = ("PUT", "PATCH", "DELETE", "POST")


# Dependencies are coroutines although they wait for nothing: FastAPI runs plain functions in a thread.
async def gateway_of(connection: HTTPConnection) -> Gateway:
    """The gateway a request came to."""
    gateway: Gateway = connection.app.state.gateway
    return gateway


Here = Annotated[Gateway, Depends(gateway_of)]


async def principal_of(request: HTTPConnection) -> Principal:
    """Who asks; only on routes with a role."""
    principal: Principal = request.state.principal
    return principal


Who = Annotated[Principal, Depends(principal_of)]


def endpoint(
    router: APIRouter,
    method: str,
    path: str,
    *,
    answer: type | None,
    body: type | None = None,
    status: int = 200,
    also: Sequence[int] = (),
    media: str = "application/json",
    many: bool = False,
    lists: tuple[str, type] | None = None,
    free_query: bool = False,
    streams: type | None = None,
) -> Callable[[Handler], Handler]:
    """Register a handler; who may use it says the table of permissions. ``also`` are statuses of further problems.

    ``many``: the answer is a list of documents of that type.
    ``lists``: the member of the answer that is a list, whose items ``?fields=`` may choose of, and their type.
    ``streams``: what the same answer is made of as server-sent events, where a parameter asks for them.
    ``free_query``: the query is not made of parameters.
    """
    rule = rule_of(method, path)
    role = rule.role
    schema = reference(answer) if answer else {"type": "string"}
    if many:
        schema = {"type": "array", "items": schema}
    if answer and lists:
        schema = {"anyOf": [schema, part(answer, *lists)]}
    dry = takes_dry_run(method, path, role)
    redirects = 300 <= status < 400
    told_so: dict[str, Any] = {"Location": {"schema": schema}} if redirects else {media: {"schema": schema}}
    if streams:
        told_so["text/event-stream"] = {"schema": reference(streams)}
    responses: dict[int | str, dict[str, Any]] = {status: {"headers" if redirects else "content": told_so}}
    if dry:
        told = reference(DryRunDocument)
        both = told if status != 200 else {"anyOf": [schema, told]}
        said = "Done, or what would be done" if status == 200 else "What would be done"
        responses[200] = {"content": {media: {"schema": both}}, "description": said}
    for code in sorted({*also, *_usual_problems(method, path, role, body)} | (set() if free_query else {422})):
        responses[code] = problem_response(http.HTTPStatus(code).phrase)
    responses["default"] = problem_response("Any other problem")
    extra: dict[str, Any] = {"security": [{"bearer": []}] if role else []}
    extra["parameters"] = _headers(method, dry=dry, role=role)
    if role:
        extra["x-aware-role"] = str(role)
        extra["x-aware-permissions"] = list(rule.permissions)
    if body:
        extra["requestBody"] = {"required": True, "content": {"application/json": request_body(body)}}
    return router.api_route(
        path,
        methods=[method],
        status_code=status,
        response_class=Response,
        responses=responses,
        dependencies=[
            Depends(_gate(rule) if role else _named),
            *([] if free_query else [Depends(_known_query)]),
            *([Depends(as_asked)] if dry else []),
        ],
        openapi_extra=extra,
    )


def _headers(method: str, *, dry: bool, role: Role | None) -> list[dict[str, Any]]:
    """Headers that are read before a route is: they are told here, for every route that they are for."""
    if method == "GET" and role:
        said = "a revision that the answer has to be as new as; a member that is behind waits a moment, then says 503"
        revision = {"type": "string", "pattern": "^[0-9]{1,18}$"}
        return [{"name": "X-Aware-Min-Revision", "in": "header", "description": said, "schema": revision}]
    if dry:
        said = "a key of your own for this write: sent again with it, it changes nothing a second time"
        key = {"type": "string", "minLength": 1, "maxLength": 128, "pattern": "^[ -~]+$"}
        return [{"name": "Idempotency-Key", "in": "header", "description": said, "schema": key}]
    return []


def takes_dry_run(method: str, path: str, role: Role | None) -> bool:
    """Whether a write takes ``dry_run``: all but those that prove themselves by what they carry, which holds once."""
    return role is not None and method in _WRITES and not path.startswith(WITHOUT)


def check_routes(routes: Iterable[BaseRoute], pages: Iterable[str]) -> None:
    """Raise :class:`NoRule` unless everything that is served has a row in the table, and every page is for all."""
    for path in pages:
        if rule_of("GET", path) != OPEN:
            raise NoRule(f"{path} is served to everybody, and the table says otherwise")
    for route in routes:
        if isinstance(route, WebSocketRoute):
            rule_of("WS", route.path)
        elif isinstance(route, Route):
            for method in (route.methods or set()) - {"HEAD"}:
                rule_of(method, route.path)
        else:
            raise NoRule(f"{route} is no route the table could speak of")


def _usual_problems(method: str, path: str, role: Role | None, body: type | None) -> set[int]:
    usual = {429, 503}
    if role:
        usual |= {401, 403}
    if "{" in path:
        usual.add(404)
    if body:
        usual |= {413, 422}
    if role and method in _WRITES:
        usual |= {409, 422}
    return usual


def target_of(gateway: Gateway, node: NodeView) -> Target:
    """What a scope selects a node by. Not by labels that it reports itself: they are its own to choose."""
    record = gateway.context.reader.record(node.id)
    return Target(node.caste, record.labels if record else {})


async def _named(request: Request) -> None:
    """Dependency: what the audit log calls a route that is open, or judges by itself who may use it."""
    asking().route = request.scope["route"].path


def _gate(rule: Rule) -> Callable[[Request], Awaitable[None]]:
    """Dependency: let only those pass who may do something of what the route is for."""

    async def gate(request: Request) -> None:
        authorization = request.headers.get("authorization")
        raw = authorization.encode("latin-1") if authorization else None
        gateway = await gateway_of(request)
        principal = gateway.authority.authenticate(raw)
        asked = asking()
        asked.know(principal)  # first: who is refused is told of with his name
        asked.route = request.scope["route"].path
        enter(principal, rule)
        if principal.scopes and rule.permissions:
            _reached(principal, rule, _target(gateway, request))
        request.state.principal = principal
        await catch_up(gateway.context, request.scope)  # not before: a stranger has nobody wait, and nobody ask etcd

    return gate


async def _known_query(request: Request) -> None:
    """Dependency: a parameter that nobody reads, or twice one that is read once, is no success."""
    if not request.scope["query_string"]:
        return
    known = _parameters(request)
    for name, values in parse_qs(request.scope["query_string"].decode("latin-1"), keep_blank_values=True).items():
        if name not in known:
            takes = f"this takes {', '.join(known)}" if known else "this takes none"
            raise InvalidInput(f"unknown query parameter {name[:80]!r}", field=name[:80], hint=takes)
        if len(values) > 1 and not known[name]:
            raise InvalidInput(f"query parameter {name} is given {len(values)} times", field=name)


def _parameters(request: Request) -> dict[str, bool]:
    """Names of the query parameters of a route as they are described, and whether one may be repeated."""
    described = request.app.openapi()["paths"][request.scope["route"].path][request.method.lower()]
    taken = [one for one in described.get("parameters", ()) if one["in"] == "query"]
    return {one["name"]: one["schema"].get("type") == "array" for one in taken}


def _target(gateway: Gateway, request: Request) -> Target | None:
    """What the path names; None when that is neither a node nor the demand of a caste."""
    names = request.path_params
    if "node" in names:
        return target_of(gateway, find_node(gateway, names["node"]))
    if request.scope["route"].path == "/v1/castes/{name}/demand":
        return Target(caste=names["name"])
    return None


def _reached(who: Principal, rule: Rule, target: Target | None) -> None:
    """Raise :class:`Forbidden` when no scope that is about this reaches what the path names."""
    if not any(may(who, permission, target) for permission in rule.permissions):
        raise refusal(who, rule.permissions)


async def read_bytes(request: Request) -> bytes:
    """The request body. Raises :class:`TooLarge` before more than the limit was read."""
    chunks = bytearray()
    async for chunk in request.stream():
        chunks += chunk
        if len(chunks) > MAX_BODY:
            raise TooLarge(f"a request body has at most {MAX_BODY} bytes")
    return bytes(chunks)


async def read(request: Request, kind: type[T]) -> T:
    """The decoded request body. Raises :class:`InvalidInput` that names the field."""
    try:
        return from_json(await read_bytes(request), kind)
    except msgspec.ValidationError as error:
        said = in_words(error)
        raise InvalidInput(f"request body: {said.message}", field=said.field) from error
    except UNDECODABLE as error:
        raise InvalidInput("the request body is not JSON") from error


def answer(
    gateway: Gateway, document: Any, *, status: int = 200, revision: int | None = None, tag: bytes = b""
) -> Response:
    """A JSON answer; ``revision`` gives it an ETag of that revision, ``tag`` one that is known already."""
    body = msgspec.json.encode(document)
    response = Response(body, status_code=status, media_type="application/json")
    view = gateway.context.view()
    response.headers["x-aware-revision"] = str(view.revision)
    response.headers["x-aware-term"] = str(view.term)
    response.headers["cache-control"] = "private, no-cache" if revision is not None else "no-store"
    if revision is not None:
        response.headers["etag"] = (tag or preconditions.etag(revision, body)).decode()
    return response


def listing(gateway: Gateway, page: Page, document: msgspec.Struct, member: str, item: type) -> Response:
    """The answer of a list: ``document``, or only the fields of its items that were asked for."""
    return answer(gateway, document if page.fields is None else select(document, member, item, page.fields))


class Hot(Response):
    """A pre-serialised answer."""

    def __init__(self, gateway: Gateway, path: str) -> None:
        super().__init__()
        prepared = gateway.reads.get(path)
        if prepared is None:
            raise NotFound(f"nothing is at {path}")
        self._prepared = prepared

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - ASGI
        """Send it as this request wants it."""
        headers = dict(scope["headers"])
        await self._prepared.send(
            send,
            if_none_match=headers.get(b"if-none-match"),
            gzipped=accepts_gzip(headers.get(b"accept-encoding", b"")),
        )


def find_node(gateway: Gateway, node: str) -> NodeView:
    """The node of that id or name. Raises :class:`NotFound`, Conflict when several have the name."""
    nodes = gateway.context.view().nodes
    found = [n for n in nodes if n.id == node] or [n for n in nodes if n.name == node]
    if not found:
        raise NotFound(f"there is no node {node[:80]!r}", hint="aware nodes list, or GET /v1/nodes, shows them")
    if len(found) > 1:
        raise Conflict(f"{len(found)} nodes are called {node!r}", hint="use the id")
    return found[0]


async def write(
    gateway: Gateway, header: str | None, key: bytes, make: Callable[[int | None], Command[T]], who: Principal
) -> T:
    """Run a command on the value of ``key`` under If-Match; returns when reads show it.

    ``make`` gets the revision to insist on; the queen checks it in her transaction, this only fails early. Raises
    :class:`PreconditionFailed` when the value has another revision.
    """
    wanted = preconditions.if_match(header, revision_of(gateway, key))
    # Who repeats a write that was made finds what he wrote himself; only the queen can tell.
    if wanted is not None and keyed() is None and wanted < (current := revision_of(gateway, key)):
        raise PreconditionFailed(current)
    try:
        return await gateway.context.commands.run(make(wanted), actor=who.name)
    except RevisionChanged as changed:
        raise PreconditionFailed(changed.current) from changed


def revision_of(gateway: Gateway, key: bytes) -> int:
    """Revision of the last change of ``key``'s value, 0 when it has none."""
    stored = gateway.context.projection.get(key)
    return stored.mod_revision if stored else 0
