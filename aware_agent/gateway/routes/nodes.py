"""``/v1/nodes``: the nodes, their labels and cordons."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Query, Request, Response

from aware_agent.colony.view import NodeView
from aware_agent.gateway.documents import (
    AwayBody,
    Change,
    DeniedKey,
    DeniedKeysDocument,
    NodeChange,
    NodePatch,
    NodesDocument,
)
from aware_agent.gateway.idempotency import keyed
from aware_agent.gateway.node_filter import Filter, filter_of
from aware_agent.gateway.paging import Page, Paged, cut
from aware_agent.gateway.routing import Here, Hot, Who, answer, endpoint, find_node, listing, read, target_of, write
from aware_agent.gateway.state import Gateway
from aware_agent.queen import overview
from aware_agent.queen.commands import AllowKey, BringBack, ChangeNode, RemoveNode, SendAway, Written
from aware_agent.security.judging import permit

router = APIRouter(tags=["nodes"])
IfMatch = Annotated[str | None, Header(description="revision or ETag that was read")]


@endpoint(router, "GET", "/v1/nodes", answer=NodesDocument, lists=("nodes", NodeView))
async def list_nodes(gateway: Here, page: Paged, which: Annotated[Filter, Depends(filter_of)]) -> Response:
    """All nodes, sorted by name, or those that every filter lets through; in pages they are in the order of ids."""
    if page == Page() and which == Filter():
        return Hot(gateway, "/v1/nodes")
    view = gateway.reads.view()
    found = [node for node in view.nodes if which.lets_through(node)]
    nodes, following = cut(page, found, lambda node: node.id, str, ("nodes", which))
    document = NodesDocument(revision=view.revision, term=view.term, nodes=tuple(nodes), next=following)
    return listing(gateway, page, document, "nodes", NodeView)


@endpoint(router, "GET", "/v1/nodes/{node}", answer=NodeView)
async def read_node(gateway: Here, node: str) -> Response:
    """One node, by id or name. Its ``revision`` is for If-Match."""
    return Hot(gateway, f"/v1/nodes/{find_node(gateway, node).id}")


@endpoint(router, "PATCH", "/v1/nodes/{node}", body=NodePatch, answer=NodeChange, also=[412])
async def change_node(request: Request, gateway: Here, who: Who, node: str, if_match: IfMatch = None) -> Response:
    """Merge labels (null removes one), cordon or drain, or open for work again. An admin drains and pins."""
    patch = await read(request, NodePatch)
    found = find_node(gateway, node)
    for permission in _needed(patch):
        permit(who, permission, target_of(gateway, found))
    written = await write(
        gateway,
        if_match,
        gateway.keys.key("nodes", found.id),
        lambda at: ChangeNode(
            node=found.id,
            labels=patch.labels,
            cordoned=patch.cordoned,
            drained=patch.drained,
            pinned=patch.pinned,
            if_revision=at,
        ),
        who,
    )
    return _changed(gateway, written, found)


@endpoint(router, "PUT", "/v1/nodes/{node}/away", body=AwayBody, answer=NodeChange)
async def send_away(request: Request, gateway: Here, who: Who, node: str) -> Response:
    """Send a node away: nobody misses it, others get its work and its seat. Again: with another reason or deadline."""
    body = await read(request, AwayBody)
    found = find_node(gateway, node)
    permit(who, "nodes:away", target_of(gateway, found))
    command = SendAway(node=found.id, reason=body.reason, until=body.until)
    return _changed(gateway, await gateway.context.commands.run(command, actor=who.name), found)


@endpoint(router, "DELETE", "/v1/nodes/{node}/away", answer=NodeChange)
async def bring_back(gateway: Here, who: Who, node: str) -> Response:
    """A node is not away any more: it gets work again, and is missed while it is silent."""
    found = find_node(gateway, node)
    permit(who, "nodes:away", target_of(gateway, found))
    return _changed(gateway, await gateway.context.commands.run(BringBack(node=found.id), actor=who.name), found)


def _changed(gateway: Gateway, written: Written, found: NodeView) -> Response:
    after = next((n for n in gateway.reads.view().nodes if n.id == found.id), found)
    return answer(
        gateway,
        NodeChange(changed=written.changed, revision=written.revision, term=written.term, node=after),
        revision=after.revision,
    )


def _needed(patch: NodePatch) -> Iterator[str]:
    if patch.labels is not None:
        yield "nodes:label"
    if patch.cordoned is not None or patch.drained is False:
        yield "nodes:cordon"
    if patch.drained:
        yield "nodes:drain"
    if patch.pinned is not None:
        yield "nodes:pin"


@endpoint(router, "DELETE", "/v1/nodes/{node}", answer=Change)
async def remove_node(
    gateway: Here,
    who: Who,
    node: str,
    force: Annotated[bool, Query(description="even if it is alive")] = False,
) -> Response:
    """Forget a node; one whose record cannot be read goes by its id."""
    # The queen says that there is none: repeated with its key, this is what is expected.
    known = keyed() is None or any(node in (n.id, n.name) for n in gateway.context.view().nodes)
    broken = node in gateway.context.view().unreadable
    target = find_node(gateway, node).id if known and not broken else node
    written = await gateway.context.commands.run(RemoveNode(node=target, force=force), actor=who.name)
    return answer(gateway, Change(changed=written.changed, revision=written.revision, term=written.term))


@endpoint(router, "GET", "/v1/denied-keys", answer=DeniedKeysDocument, lists=("keys", DeniedKey))
async def list_denied(gateway: Here, page: Paged) -> Response:
    """Keys of nodes that were removed: no join token lets them in."""
    keys = [
        DeniedKey(
            key=record.key_pin,
            node_id=record.node_id,
            name=record.name,
            removed_at=record.removed_at,
            removed_by=record.removed_by,
        )
        for record in overview.denied(gateway.context.reader)
    ]
    found, following = cut(page, keys, lambda one: (-one.removed_at, one.key), tuple[float, str], ("denied-keys",))
    return listing(gateway, page, DeniedKeysDocument(keys=found, next=following), "keys", DeniedKey)


@endpoint(router, "DELETE", "/v1/denied-keys/{key}", answer=Change)
async def allow_key(gateway: Here, who: Who, key: str) -> Response:
    """Let the key of a removed node in again, with a join token as everybody."""
    written = await gateway.context.commands.run(AllowKey(key=key), actor=who.name)
    return answer(gateway, Change(changed=written.changed, revision=written.revision, term=written.term))
