"""``/v1/rotation``: new CAs and a new colony secret, in two phases, and how far every node is."""

from __future__ import annotations

import binascii
from base64 import b64decode
from typing import Literal

from fastapi import APIRouter, Request, Response

from aware_agent.colony.errors import InvalidInput
from aware_agent.colony.rotation import PATIENCE_S, Phase
from aware_agent.colony.verification import NodeTrust, RotationReport
from aware_agent.gateway.context import GatewayContext
from aware_agent.gateway.documents import Body, Change, Document
from aware_agent.gateway.routing import Here, Who, answer, endpoint, read
from aware_agent.queen.commands import AbortRotation, ContinueRotation, ReportRotation, StartRotation
from aware_agent.security.pki import Pair
from aware_agent.security.rotating import NewTrust

router = APIRouter(tags=["rotation"])


class RotationBody(Body, frozen=True, kw_only=True):
    """An order. CAs and secret may be brought along, so that who founded the colony keeps them; else the queen makes
    them."""

    action: Literal["start", "continue", "abort"]
    hold: bool = False  # wait for a "continue" before each step
    patience_s: float = PATIENCE_S
    keep_ca: bool = False  # of both: only the secret is new
    ca_certificate: str = ""  # PEM
    ca_key: str = ""  # PEM
    council_ca_certificate: str = ""  # PEM; together with the node CA, or neither
    council_ca_key: str = ""  # PEM
    secret: str = ""  # base64

    def __repr__(self) -> str:
        """Without secrets."""
        return f"RotationBody({self.action!r})"


class RotationDocument(Document, frozen=True, kw_only=True):
    """How far a rotation is. ``generation`` signs; ``other`` is believed as well, 0 for none. Times in Unix seconds."""

    phase: Phase
    generation: int
    other: int
    hold: bool
    released: bool
    since: float
    actor: str
    complete: bool
    nodes: list[NodeTrust]
    etcd: list[str]
    unsealed: int
    last: int  # the highest generation there ever was
    ca: str  # the CAs to believe, PEM, the one that signs first
    council_ca: str  # the same of etcd: what it, and who speaks to it, is to believe


@endpoint(router, "GET", "/v1/rotation", answer=RotationDocument)
async def read_rotation(gateway: Here, who: Who) -> Response:
    """What is believed, and which node has it."""
    report = await gateway.context.commands.run(ReportRotation(), actor=who.name)
    return answer(gateway, _document(report, gateway.context))


@endpoint(router, "POST", "/v1/rotation", body=RotationBody, answer=Change, status=202)
async def order_rotation(request: Request, gateway: Here, who: Who) -> Response:
    """Start a rotation, let it go on, or abort it."""
    body = await read(request, RotationBody)
    written = await gateway.context.commands.run(_command(body), actor=who.name)
    return answer(gateway, Change(changed=written.changed, revision=written.revision, term=written.term), status=202)


def _command(body: RotationBody) -> StartRotation | ContinueRotation | AbortRotation:
    if body.action == "start":
        return StartRotation(new=_new(body), hold=body.hold, patience_s=body.patience_s)
    return ContinueRotation() if body.action == "continue" else AbortRotation()


def _new(body: RotationBody) -> NewTrust:
    ca = _pair(body.ca_certificate, body.ca_key, "ca_key")
    council_ca = _pair(body.council_ca_certificate, body.council_ca_key, "council_ca_key")
    if body.keep_ca and (ca or council_ca):
        raise InvalidInput("keep the CA, or bring another one?", field="keep_ca")
    try:
        secret = b64decode(body.secret, validate=True) if body.secret else None
    except binascii.Error as error:
        raise InvalidInput("the secret is not base64", field="secret") from error
    return NewTrust(ca=ca, council_ca=council_ca, secret=secret, keep_ca=body.keep_ca)


def _pair(certificate: str, key: str, field: str) -> Pair | None:
    if bool(certificate) != bool(key):
        raise InvalidInput("a CA is its certificate and its key", field=field)
    return Pair(certificate.encode(), key.encode()) if key else None


def _document(report: RotationReport, context: GatewayContext) -> RotationDocument:
    trust = report.trust
    return RotationDocument(
        phase=trust.phase,
        generation=trust.generation,
        other=trust.other,
        hold=trust.hold,
        released=trust.released,
        since=trust.since,
        actor=trust.actor,
        complete=report.complete,
        nodes=list(report.verification.nodes),
        etcd=report.etcd,
        unsealed=report.unsealed,
        last=trust.last,
        ca=trust.ca or context.ca_pem.decode(),
        council_ca=trust.council_ca or context.council_ca_pem.decode(),
    )
