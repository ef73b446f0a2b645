"""``/v1/rotation``: a new CA and a new colony secret, in two phases, and how far every node is."""

from __future__ import annotations

import binascii
from base64 import b64decode
from typing import Literal

from fastapi import APIRouter, Request, Response

from aware_agent.colony.errors import InvalidInput
from aware_agent.colony.rotation import PATIENCE_S, Phase
from aware_agent.colony.verification import NodeTrust, RotationReport
from aware_agent.gateway.documents import Body, Change, Document
from aware_agent.gateway.routing import Here, Who, answer, endpoint, read, settle
from aware_agent.security.pki import Pair
from aware_agent.security.roles import Role
from aware_agent.security.rotating import NewTrust

router = APIRouter(tags=["rotation"])


class RotationBody(Body, frozen=True, kw_only=True):
    """An order. CA and secret may be brought along, so that who founded the colony keeps them; else the queen makes
    them."""

    action: Literal["start", "continue", "abort"]
    hold: bool = False  # wait for a "continue" before each step
    patience_s: float = PATIENCE_S
    keep_ca: bool = False  # only the secret is new
    ca_certificate: str = ""  # PEM
    ca_key: str = ""  # PEM
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


@endpoint(router, "GET", "/v1/rotation", role=Role.VIEWER, answer=RotationDocument)
async def read_rotation(gateway: Here) -> Response:
    """What is believed, and which node has it."""
    return answer(gateway, _document(await gateway.context.commands.rotation_report(), gateway.context.ca_pem))


@endpoint(router, "POST", "/v1/rotation", role=Role.ADMIN, body=RotationBody, answer=Change, status=202)
async def order_rotation(request: Request, gateway: Here, who: Who) -> Response:
    """Start a rotation, let it go on, or abort it."""
    body = await read(request, RotationBody)
    commands = gateway.context.commands
    if body.action == "start":
        written = await commands.start_rotation(who.name, _new(body), hold=body.hold, patience_s=body.patience_s)
    elif body.action == "continue":
        written = await commands.continue_rotation(who.name)
    else:
        written = await commands.abort_rotation(who.name)
    await settle(gateway, written)
    return answer(gateway, Change(changed=written.changed, revision=written.revision, term=written.term), status=202)


def _new(body: RotationBody) -> NewTrust:
    if bool(body.ca_certificate) != bool(body.ca_key):
        raise InvalidInput("a CA is its certificate and its key", field="ca_key")
    if body.keep_ca and body.ca_key:
        raise InvalidInput("keep the CA, or bring another one?", field="keep_ca")
    try:
        secret = b64decode(body.secret, validate=True) if body.secret else None
    except binascii.Error as error:
        raise InvalidInput("the secret is not base64", field="secret") from error
    ca = Pair(body.ca_certificate.encode(), body.ca_key.encode()) if body.ca_key else None
    return NewTrust(ca=ca, secret=secret, keep_ca=body.keep_ca)


def _document(report: RotationReport, ca_pem: bytes) -> RotationDocument:
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
        ca=trust.ca or ca_pem.decode(),
    )
