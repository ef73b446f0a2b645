"""``/v1/nodes/{node}/config``: versioned configuration of one node."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Header, Request, Response

from aware_agent.colony.decoding import from_plain
from aware_agent.colony.difference import Difference, differences, in_words, plain
from aware_agent.colony.node import Config, check_config
from aware_agent.colony.version import Kept
from aware_agent.gateway import versions
from aware_agent.gateway.documents import ConfigBody, ConfigChange, ConfigDocument
from aware_agent.gateway.paging import Paged
from aware_agent.gateway.rehearsed import Rehearsed
from aware_agent.gateway.routing import Here, Hot, Who, answer, endpoint, find_node, read, revision_of, write
from aware_agent.gateway.state import Gateway
from aware_agent.gateway.version_documents import (
    ConfigRollback,
    DiffDocument,
    RollbackBody,
    VersionDocument,
    VersionsDocument,
)
from aware_agent.queen import versions as kept_versions
from aware_agent.queen.commands import PutConfig, RollBackConfig
from aware_agent.queen.node_config import config_to_return_to

router = APIRouter(tags=["nodes"])
IfMatch = Annotated[str | None, Header(description="revision or ETag that was read")]


@endpoint(router, "GET", "/v1/nodes/{node}/config", answer=ConfigDocument, also=[410])
async def read_config(gateway: Here, node: str, at: versions.At = None) -> Response:
    """What an operator set for this node, now or as of a revision; ``revision`` 0 means nothing yet."""
    found = find_node(gateway, node)
    if at is None:
        return Hot(gateway, f"/v1/nodes/{found.id}/config")
    kept = await versions.known_at(gateway, kept_versions.config(found.id), at)
    number = kept.version.number if kept else 0
    document = ConfigDocument(
        revision=kept.revision if kept else 0,
        version=number,
        applied=found.config_applied and found.config_version == number,
        config=_config(kept),
    )
    return answer(gateway, document)


@endpoint(
    router,
    "GET",
    "/v1/nodes/{node}/config/history",
    answer=VersionsDocument,
    lists=("versions", VersionDocument),
)
async def read_history(gateway: Here, node: str, page: Paged) -> Response:
    """Versions of a node's configuration, the newest first."""
    return versions.list_versions(gateway, kept_versions.config(find_node(gateway, node).id), page)


@endpoint(router, "GET", "/v1/nodes/{node}/config/diff", answer=DiffDocument, also=[410])
async def diff_config(gateway: Here, node: str, from_: versions.From, to: versions.To = None) -> Response:
    """What changed in a node's configuration between two revisions."""
    name = kept_versions.config(find_node(gateway, node).id)
    before = await versions.known_at(gateway, name, from_)
    after = await versions.known_at(gateway, name, gateway.context.projection.revision if to is None else to)
    changes = versions.between(before, after)
    document = DiffDocument(
        from_=before.revision if before else 0,
        to=after.revision if after else 0,
        steps=[in_words(change) for change in changes],
        changes=changes,
    )
    return answer(gateway, document)


@endpoint(router, "PUT", "/v1/nodes/{node}/config", body=ConfigBody, answer=ConfigChange, also=[412])
async def put_config(request: Request, gateway: Here, who: Who, node: str, if_match: IfMatch = None) -> Response:
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
    document = ConfigChange(
        changed=written.changed,
        revision=written.revision,
        term=written.term,
        version=_version(gateway, key, written.revision),
    )
    return answer(gateway, document)


@endpoint(
    router,
    "POST",
    "/v1/nodes/{node}/config/rollback",
    body=RollbackBody,
    answer=ConfigRollback,
    also=[410, 412],
)
async def roll_back_config(
    request: Request,
    gateway: Here,
    who: Who,
    node: str,
    if_match: IfMatch = None,
) -> Response:
    """Put again what was in force at a revision: a new version. Refused when no node may have it any more."""
    body = await read(request, RollbackBody)
    found = find_node(gateway, node)
    name, key = kept_versions.config(found.id), gateway.keys.key("config", found.id)
    await versions.known_at(gateway, name, body.revision)
    after = config_to_return_to(kept_versions.history(gateway.context.reader, name), body.revision)
    before = gateway.context.reader.one(name, Config)
    changes = differences(plain(before), plain(after))
    revision, term = revision_of(gateway, key), gateway.context.view().term
    try:
        written = await write(
            gateway,
            if_match,
            key,
            lambda at: RollBackConfig(node=found.id, revision=body.revision, if_revision=at),
            who,
        )
    except Rehearsed as rehearsed:
        changed = rehearsed.outcome.changed
        document = _outcome(changes, changed=changed, dry_run=True, revision=revision, term=term, version=0)
        return answer(gateway, document)
    document = _outcome(
        changes,
        changed=written.changed,
        dry_run=False,
        revision=written.revision,
        term=written.term,
        version=_version(gateway, key, written.revision),
    )
    return answer(gateway, document)


def _outcome(
    changes: list[Difference], *, changed: bool, dry_run: bool, revision: int, term: int, version: int
) -> ConfigRollback:
    return ConfigRollback(
        changed=changed,
        dry_run=dry_run,
        revision=revision,
        term=term,
        version=version,
        steps=[in_words(change) for change in changes],
        changes=changes,
    )


def _version(gateway: Gateway, key: bytes, revision: int) -> int:
    """The version that was written at ``revision``; 0 where this copy does not show it yet."""
    stored = gateway.context.projection.get(key)
    return stored.version if stored is not None and revision_of(gateway, key) >= revision else 0


def _config(kept: Kept | None) -> Config:
    return Config() if kept is None else from_plain(kept.version.value, Config)
