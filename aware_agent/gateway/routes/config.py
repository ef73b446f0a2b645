"""``/v1/nodes/{node}/config``: versioned configuration of one node."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Header, Request, Response

from aware_agent.gateway.documents import ConfigBody, ConfigChange, ConfigDocument
from aware_agent.gateway.routing import Here, Hot, Who, answer, endpoint, find_node, read, revision_of, write
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
    found = find_node(gateway, node)
    key = gateway.keys.key("config", found.id)
    written = await write(
        gateway,
        if_match,
        key,
        lambda at: gateway.context.commands.put_config(found.id, body.config, if_revision=at, actor=who.name),
    )
    after = next((n for n in gateway.context.view().nodes if n.id == found.id), found)
    document = ConfigChange(
        changed=written.changed,
        revision=revision_of(gateway, key),
        term=written.term,
        version=after.config_version,
    )
    return answer(gateway, document)
