"""``/v1/nodes/{node}/config``: versioned configuration of one node."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Header, Request, Response

from aware_agent.colony.node import check_config
from aware_agent.gateway.documents import ConfigBody, ConfigChange, ConfigDocument
from aware_agent.gateway.routing import Here, Hot, Who, answer, endpoint, find_node, read, revision_of, write
from aware_agent.queen.commands import PutConfig
from aware_agent.security.roles import Role

router = APIRouter(tags=["nodes"])


@endpoint(router, "GET", "/v1/nodes/{node}/config", role=Role.VIEWER, answer=ConfigDocument)
async def read_config(gateway: Here, node: str) -> Response:
    """What an operator set for this node; ``revision`` 0 means nothing yet."""
    return Hot(gateway, f"/v1/nodes/{find_node(gateway, node).id}/config")


@endpoint(
    router, "PUT", "/v1/nodes/{node}/config", role=Role.OPERATOR, body=ConfigBody, answer=ConfigChange, also=[412]
)
async def put_config(
    request: Request,
    gateway: Here,
    who: Who,
    node: str,
    if_match: Annotated[str | None, Header(description="revision or ETag that was read")] = None,
) -> Response:
    """Put the whole configuration; the node applies it and reports the version it runs."""
    body = await read(request, ConfigBody)
    check_config(body.config)  # before it is handed on: the way to the queen has decoders of its own
    found = find_node(gateway, node)
    key = gateway.keys.key("config", found.id)
    written = await write(
        gateway,
        if_match,
        key,
        lambda at: PutConfig(node=found.id, config=body.config, if_revision=at),
        who,
    )
    after = next((n for n in gateway.context.view().nodes if n.id == found.id), found)
    seen = revision_of(gateway, key) >= written.revision  # what was written is the queen's to say: a copy may lag
    document = ConfigChange(
        changed=written.changed,
        revision=written.revision,
        term=written.term,
        version=after.config_version if seen else 0,
    )
    return answer(gateway, document)
