"""What operators change about nodes: labels, cordon, removal."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import msgspec

from aware_agent.colony.addresses import check_pinned
from aware_agent.colony.errors import Conflict, InvalidInput, NotFound
from aware_agent.colony.event import Severity
from aware_agent.colony.names import MAX_LABELS, check_labels
from aware_agent.colony.node import Record, Status
from aware_agent.queen import versions
from aware_agent.queen.certificates import neighbours
from aware_agent.queen.etcd_users import EtcdUsers
from aware_agent.queen.writer import EventDraft, FencedWriter, Written, require_revision
from aware_agent.security.records import DeniedRecord
from aware_agent.store import ops


class Forgetting(NamedTuple):
    """What forgets a node: writes, and that its record is the one that was judged."""

    ops: list[ops.Op]
    guard: ops.Compare


class NodeCommands:
    """Writes about nodes; ids or names are both understood."""

    def __init__(self, writer: FencedWriter, me: str, users: EtcdUsers) -> None:
        self._writer = writer
        self._me = me
        self._users = users

    async def change_node(
        self,
        node_id: str,
        *,
        labels: Mapping[str, str | None] | None,
        cordoned: bool | None,
        drained: bool | None = None,
        pinned: Sequence[str] | None = None,
        if_revision: int | None,
        actor: str,
    ) -> Written:
        """Merge ``labels`` (None removes one), set the cordon, replace the addresses ``pinned`` for its certificate.

        Raises NotFound, InvalidInput, Conflict for another revision than ``if_revision``.
        """
        async with self._writer.writing():
            record, revision = node_record(self._writer, node_id)
            require_revision(revision, if_revision)
            after = record
            if labels is not None:
                after = msgspec.structs.replace(after, labels=_merged(record.labels, labels))
            after = _opened_or_closed(after, cordoned, drained)
            if pinned is not None:
                spelt = check_pinned(pinned, record.name, neighbours(self._writer, record.id))
                after = msgspec.structs.replace(after, pinned=spelt)
            if after == record:
                return self._writer.unchanged(revision)
            line = EventDraft("node.changed", record.id, _tell(record, after), payload=_difference(record, after))
            return await put_node(self._writer, after, revision, line, actor)

    async def remove_node(self, node_id: str, *, force: bool, actor: str) -> Written:
        """Forget a node: its agent stops, its certificate is not renewed and opens nothing in etcd, its key is denied.

        A live node needs ``force``; the queen has to hand over first. One whose record cannot be read is removed by
        its id; which key it joined with is not known then, so that is not denied.
        """
        async with self._writer.writing():
            if node_id in self._writer.reader.unreadable_nodes():
                return await self._remove_unreadable(node_id, actor)
            record, revision = node_record(self._writer, node_id)
            if record.id == self._me:
                raise Conflict(f"{record.name} is the queen", hint="transfer the reign first: aware queen transfer")
            here = record.away.here if record.away else record.status in (Status.READY, Status.SUSPECT)
            if here and not force:
                raise Conflict(
                    f"{record.name} is {record.status}{' and answers' if record.away else ''}",
                    hint="stop its agent, or use force",
                )
            line = EventDraft("node.removed", record.id, f"{record.name} was removed", Severity.NOTICE)
            return await self._forget(record.id, self._forgetting(record, revision, actor), line, actor)

    async def _remove_unreadable(self, node: str, actor: str) -> Written:
        if node == self._me:
            raise Conflict("this node is the queen", hint="transfer the reign first: aware queen transfer")
        said = f"{node} was removed; its record could not be read, so its key is not denied"
        revision = self._writer.reader.unreadable[self._writer.key("nodes", node)]
        line = EventDraft("node.removed", node, said, Severity.WARNING)
        return await self._forget(node, self._without(node, revision), line, actor)

    async def _forget(self, node: str, forgetting: Forgetting, line: EventDraft, actor: str) -> Written:
        written = await self._writer.commit(forgetting.ops, [line], actor, [forgetting.guard])
        await self._users.dismiss(node)
        return written

    def forgetting(self, record: Record, actor: str) -> Forgetting:
        """What forgets a node as a part of a larger change; then :meth:`dismiss` it. Call it inside ``writing()``."""
        return self._forgetting(record, self._writer.revision(self._writer.key("nodes", record.id)), actor)

    async def dismiss(self, node: str) -> None:
        """etcd takes nothing from it any more."""
        await self._users.dismiss(node)

    def _forgetting(self, record: Record, revision: int, actor: str) -> Forgetting:
        found = self._without(record.id, revision)
        return found._replace(ops=[*found.ops, self._deny(record, actor)]) if record.key_pin else found

    def _without(self, node: str, revision: int) -> Forgetting:
        changes = [ops.delete(self._writer.key(kind, node)) for kind in ("nodes", "config", "presence")]
        changes.append(versions.forget(self._writer, versions.config(node)))
        return Forgetting(changes, ops.modified(self._writer.key("nodes", node), revision))

    async def allow_key(self, key_pin: str, *, actor: str) -> Written:
        """Let a key of a removed node in again, with a token as everybody."""
        async with self._writer.writing():
            key = self._writer.key("denied", key_pin)
            record = self._writer.reader.many("denied/", DeniedRecord).get(key_pin)
            if record is None:
                raise NotFound(f"no denied key {key_pin[:64]!r}", hint="list them: aware nodes denied")
            line = EventDraft("node.allowed", record.node_id, f"{actor} lets the key of {record.name} in again")
            return await self._writer.commit([ops.delete(key)], [line], actor)

    def _deny(self, record: Record, actor: str) -> ops.Op:
        denied = DeniedRecord(
            key_pin=record.key_pin, node_id=record.id, name=record.name, removed_at=time.time(), removed_by=actor
        )
        return ops.put(self._writer.key("denied", record.key_pin), msgspec.json.encode(denied))


def node_record(writer: FencedWriter, id_or_name: str) -> tuple[Record, int]:
    """The record of a node and its revision. Raises :class:`NotFound`."""
    for node, entry in writer.reader.data().entries.items():
        if id_or_name in (node, entry.record.name):
            return entry.record, entry.revision
    raise NotFound(f"no node {id_or_name!r} in this colony", hint="list them: aware nodes list")


async def put_node(writer: FencedWriter, record: Record, revision: int, line: EventDraft, actor: str) -> Written:
    """Write ``record`` in place of that of ``revision``; the write lock is held."""
    record = msgspec.structs.replace(record, term=writer.term)
    key = writer.key("nodes", record.id)
    change = ops.put(key, msgspec.json.encode(record))
    return await writer.commit([change], [line], actor, [ops.modified(key, revision)])


def _opened_or_closed(record: Record, cordoned: bool | None, drained: bool | None) -> Record:
    """Drained is more than cordoned: whoever is the one is the other, and neither once it is open for work again."""
    if drained and cordoned is False:
        raise InvalidInput("a drained node is cordoned", field="cordoned", hint="leave cordoned out")
    if drained is not None:
        record = msgspec.structs.replace(record, drained=drained, cordoned=record.cordoned or drained)
    if cordoned is not None:
        record = msgspec.structs.replace(record, cordoned=cordoned, drained=record.drained and cordoned)
    return record


def _merged(labels: Mapping[str, str], patch: Mapping[str, str | None]) -> dict[str, str]:
    check_labels(patch)
    merged = dict(labels)
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = value
    if len(merged) > MAX_LABELS:
        raise InvalidInput(f"{len(merged)} labels are too many", field="labels", hint=f"at most {MAX_LABELS}")
    return merged


def _tell(before: Record, after: Record) -> str:
    if (before.cordoned, before.drained) != (after.cordoned, after.drained):
        return f"{after.name} is {'drained' if after.drained else 'cordoned' if after.cordoned else 'open for work'}"
    if before.pinned != after.pinned:
        return f"addresses of {after.name} are {', '.join(after.pinned) or 'not pinned any more'}"
    return f"labels of {after.name} changed"


def _difference(before: Record, after: Record) -> dict[str, object]:
    changed: dict[str, object] = {}
    if before.cordoned != after.cordoned:
        changed["cordoned"] = after.cordoned
    if before.drained != after.drained:
        changed["drained"] = after.drained
    if before.labels != after.labels:
        changed["labels"] = after.labels
    if before.pinned != after.pinned:
        changed["pinned"] = after.pinned
    return changed
