"""``/v1/tokens``: join tokens for newcomers."""

from __future__ import annotations

import msgspec
from fastapi import APIRouter, Request, Response

from aware_agent.gateway.documents import (
    Change,
    JoinTokenBody,
    JoinTokenDocument,
    JoinTokensDocument,
    NewJoinToken,
)
from aware_agent.gateway.routing import Here, Who, answer, endpoint, read, settle
from aware_agent.security.joining import check_node_name
from aware_agent.security.roles import Role
from aware_agent.security.token import TokenRecord

router = APIRouter(tags=["tokens"])


@endpoint(router, "GET", "/v1/tokens", role=Role.ADMIN, answer=JoinTokensDocument)
async def list_tokens(gateway: Here) -> Response:
    """All join tokens, without what would let anybody join."""
    tokens = [_document(record) for record in gateway.context.commands.list_tokens()]
    return answer(gateway, JoinTokensDocument(tokens=tokens))


@endpoint(router, "POST", "/v1/tokens", role=Role.ADMIN, body=JoinTokenBody, answer=NewJoinToken, status=201)
async def create_token(request: Request, gateway: Here, who: Who) -> Response:
    """Make a join token. Its text is in this answer and nowhere else."""
    body = await read(request, JoinTokenBody)
    if body.node_name is not None:
        check_node_name(body.node_name)
    text, record = await gateway.context.commands.create_token(
        ttl_s=body.ttl_s, uses=body.uses, node_name=body.node_name, actor=who.name
    )
    document = NewJoinToken(token=text, **msgspec.structs.asdict(_document(record)))
    return answer(gateway, document, status=201)


@endpoint(router, "DELETE", "/v1/tokens/{token_id}", role=Role.ADMIN, answer=Change)
async def revoke_token(gateway: Here, who: Who, token_id: str) -> Response:
    """Revoke one join token; nodes that joined with it stay."""
    written = await gateway.context.commands.revoke_token(token_id, actor=who.name)
    await settle(gateway, written)
    return answer(gateway, Change(changed=written.changed, revision=written.revision, term=written.term))


def _document(record: TokenRecord) -> JoinTokenDocument:
    return JoinTokenDocument(
        id=record.id,
        created_at=record.created_at,
        created_by=record.created_by,
        expires_at=record.expires_at,
        uses_left=record.uses_left,
        node_name=record.node_name,
    )
