"""``/v1/hooks``: orders from outside, by a signed URL or by a token. Each becomes a job."""

from __future__ import annotations

import contextlib
import secrets

import msgspec
from fastapi import APIRouter, Request, Response

from aware_agent.colony.decoding import UNDECODABLE, from_json
from aware_agent.colony.errors import InvalidInput, NotFound
from aware_agent.colony.hook import HookOperation, Order, check_order, narrowed
from aware_agent.colony.plain_words import in_words
from aware_agent.gateway.asking import asking
from aware_agent.gateway.documents import Body, Document
from aware_agent.gateway.rehearsed import dry_run
from aware_agent.gateway.routes.jobs import JobDocument, accepted_job
from aware_agent.gateway.routing import Here, Who, answer, endpoint, read, read_bytes
from aware_agent.gateway.state import Gateway
from aware_agent.queen.commands import AcceptHook, RecordSigned
from aware_agent.security import signed_url
from aware_agent.security.judging import enter, permit
from aware_agent.security.jwt import Principal
from aware_agent.security.permissions import Rule, role_for
from aware_agent.security.scopes import Target
from aware_agent.security.signed_url import MAX_TTL_S, MAX_USES, NONCE_BYTES, Permit, SignatureRefused
from aware_agent.security.token import base64url

router = APIRouter(tags=["hooks"])
HEAT = "/v1/hooks/heat/{cluster}"
_MAX_CALL = 4096
_ALARM = frozenset({"alarm_id", "current", "previous", "reason"})  # what every Aodh notification has


class SignBody(Body, frozen=True, kw_only=True):
    """What a URL shall allow. ``ttl_s`` up to a year, ``uses`` up to 100; the rest as in an order."""

    operation: HookOperation
    ttl_s: int
    uses: int = 1
    delta: int = 0
    caste: str = ""
    max_size: int = 0


class SignedHook(Document, frozen=True, kw_only=True):
    """The URL is a secret: it is in this answer and nowhere else. ``path`` works on every node."""

    url: str
    path: str
    operation: HookOperation
    expires_at: int
    uses: int


class HookCall(Body, frozen=True, kw_only=True):
    """The body of a call. By a signed URL all of it is optional and ``delta`` may only ask for less than was signed."""

    operation: HookOperation | None = None  # by token only, and needed there
    delta: int | None = None
    caste: str = ""  # by token only
    max_size: int = 0  # by token only
    reference: str = ""


@endpoint(router, "POST", "/v1/hooks/sign", body=SignBody, answer=SignedHook, status=201)
async def sign(request: Request, gateway: Here, who: Who) -> Response:
    """Sign a URL that lets its holder give one kind of order. It holds only while its signer may give it too."""
    body = await read(request, SignBody)
    if not 1 <= body.ttl_s <= MAX_TTL_S:
        raise InvalidInput(f"ttl {body.ttl_s} s is out of range", field="ttl_s", hint="1 second to a year")
    if not 1 <= body.uses <= MAX_USES:
        raise InvalidInput(f"{body.uses} uses are out of range", field="uses", hint=f"1 to {MAX_USES}")
    order = Order(operation=body.operation, delta=body.delta, caste=body.caste, max_size=body.max_size)
    check_order(order)
    if order.delta > 0 and not order.max_size:
        raise InvalidInput("a URL that lets the colony grow needs a limit", field="max_size", hint="give max_size")
    now = _signing_time(gateway, who)
    permit = Permit(
        order=order,
        actor=who.name,
        nonce=base64url(secrets.token_bytes(NONCE_BYTES)),
        issued_at=now,
        expires_at=now + body.ttl_s,
        uses=body.uses,
    )
    view = gateway.context.view()
    permit = await gateway.context.commands.run(RecordSigned(permit=permit), actor=who.name)
    path = signed_url.sign(gateway.context.url_keys[0], "POST", HEAT.format(cluster=view.colony), permit)
    url = (view.queen.url if view.queen else "") + path
    document = SignedHook(url=url, path=path, operation=order.operation, expires_at=permit.expires_at, uses=permit.uses)
    return answer(gateway, document, status=201)


@endpoint(
    router,
    "POST",
    HEAT,
    body=HookCall,
    answer=JobDocument,
    status=202,
    also=[401, 403, 404, 409, 501],
    free_query=True,
)
async def call(request: Request, gateway: Here, cluster: str) -> Response:
    """Give an order, which becomes a job: by a signed URL (its query, and no token), or as operator with a token.

    As operator the query may be ``dry_run=true``, and nothing else.
    """
    query: bytes = request.scope["query_string"]
    dry = query == b"dry_run=true"  # which is no signature
    signed = _permit(request, gateway, query) if query and not dry else None
    by = None if signed else _operator(request, gateway)
    if cluster != gateway.context.view().colony:
        raise NotFound(f"this is not colony {cluster[:64]!r}", hint="the name in the path is the colony's")
    body = await _body(request, by_alarm=signed is not None)
    order = _granted(body, signed) if signed else _ordered(body)
    check_order(order)
    if by is not None:
        permit(by, "hooks:order", Target(order.caste) if order.caste else None)
    actor = by.name if by else signed.actor if signed else ""
    with dry_run(dry):
        accepted = await gateway.context.commands.run(AcceptHook(order=order, permit=signed), actor=actor)
    return accepted_job(gateway, accepted.job, new=accepted.new)


def _signing_time(gateway: Gateway, who: Principal) -> int:
    """When a URL was signed, in whole seconds, and never in that in which its signer or his password began."""
    user = gateway.authority.user(who.name)
    begun = int(max(user.created_at, user.password_at)) if user else 0
    return max(int(gateway.authority.now()), begun + 1)


def _permit(request: Request, gateway: Gateway, query: bytes) -> Permit:
    """The permit of a signed URL whose signer may still do what it allows. Raises :class:`SignatureRefused`."""
    permit = _verified(gateway, request.url.path, query)
    signer = Principal(
        name=permit.actor, role=role_for("hooks:order"), jti=permit.nonce, iat=permit.issued_at, exp=permit.expires_at
    )
    user = gateway.authority.user(permit.actor)
    # A user who was deleted and made anew signed nothing of what the old one did.
    begun = int(max(user.created_at, user.password_at)) if user else permit.issued_at
    if permit.issued_at <= begun or not gateway.authority.holds(signer):
        raise SignatureRefused("who had this URL signed may not do this any more", hint="have a new one signed")
    asking().shown(permit.actor, f"url:{permit.nonce}")
    return permit


def _operator(request: Request, gateway: Gateway) -> Principal:
    authorization = request.headers.get("authorization")
    principal = gateway.authority.authenticate(authorization.encode("latin-1") if authorization else None)
    asking().know(principal)
    enter(principal, Rule(("hooks:order",)))
    return principal


async def _body(request: Request, *, by_alarm: bool) -> HookCall:
    """The body, which may be empty; what an Aodh alarm tells of itself is ignored. Raises :class:`InvalidInput`."""
    raw = await read_bytes(request)
    if len(raw) > _MAX_CALL:
        raise InvalidInput(f"the body of a hook has at most {_MAX_CALL} bytes")
    try:
        if not raw.strip() or (by_alarm and _is_alarm(from_json(raw))):
            return HookCall()
        return from_json(raw, HookCall)
    except msgspec.ValidationError as error:
        said = in_words(error)
        raise InvalidInput(f"request body: {said.message}", field=said.field) from error
    except UNDECODABLE as error:
        raise InvalidInput("the request body is not JSON") from error


def _is_alarm(body: object) -> bool:
    return isinstance(body, dict) and body.keys() >= _ALARM


def _granted(body: HookCall, permit: Permit) -> Order:
    if body.operation not in (None, permit.order.operation) or body.caste or body.max_size:
        raise InvalidInput("the signed URL says what is done", hint="leave operation, caste and max_size out")
    return narrowed(permit.order, body.delta, body.reference)


def _ordered(body: HookCall) -> Order:
    if body.operation is None:
        raise InvalidInput("which operation?", field="operation", hint=", ".join(HookOperation))
    return Order(
        operation=body.operation,
        delta=body.delta or 0,
        caste=body.caste,
        max_size=body.max_size,
        reference=body.reference,
    )


def _verified(gateway: Gateway, path: str, query: bytes) -> Permit:
    """During a rotation, what was signed with the other secret counts as well."""
    now = gateway.authority.now()
    first, *others = gateway.context.url_keys
    for keys in others:
        with contextlib.suppress(signed_url.SignatureRefused):
            return signed_url.verify(keys, "POST", path, query, now)
    return signed_url.verify(first, "POST", path, query, now)
