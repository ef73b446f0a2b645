"""``/v1/nodes``: the nodes, their labels and cordons."""

from __future__ import annotations

import re
from typing import Annotated

from fastapi import APIRouter, Header, Query, Request, Response

from aware_agent.colony.errors import InvalidInput
from aware_agent.colony.view import NodeView
from aware_agent.gateway.documents import Change, NodeChange, NodePatch, NodesDocument
from aware_agent.gateway.routing import Here, Hot, Who, answer, endpoint, find_node, read, settle, write
from aware_agent.security.roles import Role

router = APIRouter(tags=["nodes"])
IfMatch = Annotated[str | None, Header(description="revision or ETag that was read")]
_LABEL = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._/-]{0,126}[A-Za-z0-9])?")
MAX_LABELS = 64
MAX_LABEL_VALUE = 256


@endpoint(router, "GET", "/v1/nodes", role=Role.VIEWER, answer=NodesDocument)
async def list_nodes(gateway: Here) -> Response:
    """All nodes, sorted by name."""
    return Hot(gateway, "/v1/nodes")


@endpoint(router, "GET", "/v1/nodes/{node}", role=Role.VIEWER, answer=NodeView)
async def read_node(gateway: Here, node: str) -> Response:
    """One node, by id or name. Its ``revision`` is for If-Match."""
    return Hot(gateway, f"/v1/nodes/{find_node(gateway, node).id}")


@endpoint(router, "PATCH", "/v1/nodes/{node}", role=Role.OPERATOR, body=NodePatch, answer=NodeChange, also=[412])
async def change_node(request: Request, gateway: Here, who: Who, node: str, if_match: IfMatch = None) -> Response:
    """Merge labels (null removes one) and set or lift the cordon."""
    patch = await read(request, NodePatch)
    _check_labels(patch.labels or {})
    found = find_node(gateway, node)
    written = await write(
        gateway,
        if_match,
        gateway.keys.key("nodes", found.id),
        lambda at: gateway.context.commands.change_node(
            found.id, labels=patch.labels, cordoned=patch.cordoned, if_revision=at, actor=who.name
        ),
    )
    after = next((n for n in gateway.context.view().nodes if n.id == found.id), found)
    return answer(
        gateway,
        NodeChange(changed=written.changed, revision=written.revision, term=written.term, node=after),
        revision=after.revision,
    )


@endpoint(router, "DELETE", "/v1/nodes/{node}", role=Role.ADMIN, answer=Change)
async def remove_node(
    gateway: Here,
    who: Who,
    node: str,
    force: Annotated[bool, Query(description="even if it is alive")] = False,
) -> Response:
    """Forget a node."""
    found = find_node(gateway, node)
    written = await gateway.context.commands.remove_node(found.id, force=force, actor=who.name)
    await settle(gateway, written)
    return answer(gateway, Change(changed=written.changed, revision=written.revision, term=written.term))


def _check_labels(labels: dict[str, str | None]) -> None:
    if len(labels) > MAX_LABELS:
        raise InvalidInput(f"at most {MAX_LABELS} labels in one change", field="labels")
    for key, value in labels.items():
        if not _LABEL.fullmatch(key):
            raise InvalidInput(
                f"{key[:80]!r} is not a label name", field="labels", hint="letters, digits, and . _ / - inside"
            )
        if value is not None and (len(value) > MAX_LABEL_VALUE or not value.isprintable()):
            raise InvalidInput(
                f"the value of label {key!r} is not printable text of at most {MAX_LABEL_VALUE} characters",
                field=f"labels.{key}",
            )
