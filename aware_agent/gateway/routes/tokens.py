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
from aware_agent.gateway.paging import Paged, cut
from aware_agent.gateway.routing import Here, Who, answer, endpoint, listing, read
from aware_agent.queen import overview
from aware_agent.queen.commands import CreateToken, RevokeToken
from aware_agent.security.judging import permit
from aware_agent.security.token import TokenRecord

router = APIRouter(tags=["tokens"])


@endpoint(router, "GET", "/v1/tokens", answer=JoinTokensDocument, lists=("tokens", JoinTokenDocument))
async def list_tokens(gateway: Here, page: Paged) -> Response:
    """All join tokens, without what would let anybody join; the newest is the last."""
    tokens = [_document(record) for record in overview.tokens(gateway.context.reader)]
    found, following = cut(page, tokens, lambda token: (token.created_at, token.id), tuple[float, str], ("tokens",))
    return listing(gateway, page, JoinTokensDocument(tokens=found, next=following), "tokens", JoinTokenDocument)


@endpoint(router, "POST", "/v1/tokens", body=JoinTokenBody, answer=NewJoinToken, status=201)
async def create_token(request: Request, gateway: Here, who: Who) -> Response:
    """Make a join token. Its text is in this answer and nowhere else."""
    body = await read(request, JoinTokenBody)
    permit(who, "tokens:create-eligible" if body.eligible else "tokens:create")
    command = CreateToken(
        ttl_s=body.ttl_s,
        uses=body.uses,
        node_name=body.node_name,
        eligible=body.eligible,
        addresses=body.addresses,
    )
    made = await gateway.context.commands.run(command, actor=who.name)
    document = NewJoinToken(token=made.text, **msgspec.structs.asdict(_document(made.record)))
    return answer(gateway, document, status=201)


@endpoint(router, "DELETE", "/v1/tokens/{token_id}", answer=Change)
async def revoke_token(gateway: Here, who: Who, token_id: str) -> Response:
    """Revoke one join token; nodes that joined with it stay."""
    written = await gateway.context.commands.run(RevokeToken(token=token_id), actor=who.name)
    return answer(gateway, Change(changed=written.changed, revision=written.revision, term=written.term))


def _document(record: TokenRecord) -> JoinTokenDocument:
    return JoinTokenDocument(
        id=record.id,
        created_at=record.created_at,
        created_by=record.created_by,
        expires_at=record.expires_at,
        uses_left=record.uses_left,
        node_name=record.node_name,
        eligible=record.eligible,
        addresses=record.addresses,
    )
