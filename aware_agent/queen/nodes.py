"""What operators change about nodes: labels, cordon, configuration, removal."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from aware_agent.colony.errors import Conflict, InvalidInput, NotFound
from aware_agent.colony.event import Severity
from aware_agent.colony.node import Config, Record, Status
from aware_agent.queen.etcd_users import EtcdUsers
from aware_agent.queen.ledger import Ledger, Line, Written, require_revision
from aware_agent.store import ops

MAX_LABELS = 64
MAX_CONFIG_BYTES = 64 * 1024


class NodeCommands:
    """Writes about nodes; ids or names are both understood."""

    def __init__(self, ledger: Ledger, me: str, users: EtcdUsers) -> None:
        self._ledger = ledger
        self._me = me
        self._users = users

    async def change_node(
        self,
        node_id: str,
        *,
        labels: Mapping[str, str | None] | None,
        cordoned: bool | None,
        if_revision: int | None,
        actor: str,
    ) -> Written:
        """Merge ``labels`` (None removes one) and set the cordon."""
        async with self._ledger.writing():
            record, revision = self._record(node_id)
            require_revision(revision, if_revision)
            after = record
            if labels is not None:
                after = msgspec.structs.replace(after, labels=_merged(record.labels, labels))
            if cordoned is not None:
                after = msgspec.structs.replace(after, cordoned=cordoned)
            if after == record:
                return self._ledger.unchanged()
            after = msgspec.structs.replace(after, term=self._ledger.term)
            key = self._ledger.key("nodes", record.id)
            line = Line("node.changed", record.id, _tell(record, after), payload=_difference(record, after))
            return await self._ledger.commit(
                [ops.put(key, msgspec.json.encode(after))], [line], actor, [ops.modified(key, revision)]
            )

    async def put_config(self, node_id: str, config: Config, *, if_revision: int | None, actor: str) -> Written:
        """Replace a node's configuration. ``if_revision`` 0 means: only if it has none yet."""
        raw = msgspec.json.encode(config)
        if len(raw) > MAX_CONFIG_BYTES:
            raise InvalidInput(
                f"the configuration has {len(raw)} bytes", field="config", hint=f"at most {MAX_CONFIG_BYTES}"
            )
        _check_config(config)
        async with self._ledger.writing():
            record, _ = self._record(node_id)
            key = self._ledger.key("config", record.id)
            stored = self._ledger.projection.get(key)
            current = stored.mod_revision if stored else 0
            require_revision(current, if_revision)
            if stored is not None and stored.value == raw:
                return self._ledger.unchanged()
            line = Line("config.changed", record.id, f"configuration of {record.name} changed")
            guard = ops.modified(key, current) if stored else ops.absent(key)
            return await self._ledger.commit([ops.put(key, raw)], [line], actor, [guard])

    async def remove_node(self, node_id: str, *, force: bool, actor: str) -> Written:
        """Forget a node: its agent stops, its certificate is worth nothing.

        A live node needs ``force``; the queen has to hand over first.
        """
        async with self._ledger.writing():
            record, revision = self._record(node_id)
            if record.id == self._me:
                raise Conflict(f"{record.name} is the queen", hint="transfer the throne first: aware queen transfer")
            if record.status in (Status.READY, Status.SUSPECT) and not force:
                raise Conflict(f"{record.name} is {record.status}", hint="stop its agent, or use force")
            key = self._ledger.key("nodes", record.id)
            gone = [key, self._ledger.key("config", record.id), self._ledger.key("presence", record.id)]
            line = Line("node.removed", record.id, f"{record.name} was removed", Severity.NOTICE)
            written = await self._ledger.commit(
                [ops.delete(k) for k in gone], [line], actor, [ops.modified(key, revision)]
            )
            await self._users.dismiss(record.id)
            return written

    def _record(self, id_or_name: str) -> tuple[Record, int]:
        """The record and its revision. Raises :class:`NotFound`."""
        for node, entry in self._ledger.reader.data().entries.items():
            if id_or_name in (node, entry.record.name):
                return entry.record, entry.revision
        raise NotFound(f"no node {id_or_name!r} in this colony", hint="list them: aware nodes list")


def _merged(labels: Mapping[str, str], patch: Mapping[str, str | None]) -> dict[str, str]:
    merged = dict(labels)
    for key, value in patch.items():
        if not 0 < len(key) <= 63 or (value is not None and len(value) > 255):
            raise InvalidInput(f"label {key[:63]!r} is too long or empty", field="labels", hint="63 and 255 characters")
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = value
    if len(merged) > MAX_LABELS:
        raise InvalidInput(f"{len(merged)} labels are too many", field="labels", hint=f"at most {MAX_LABELS}")
    return merged


def _check_config(config: Config) -> None:
    interval = config.agent.beacon_interval_s
    if interval is not None and not 0.2 <= interval <= 3600:
        raise InvalidInput(
            f"beacon_interval_s {interval} is out of range", field="agent.beacon_interval_s", hint="0.2 to 3600 seconds"
        )


def _tell(before: Record, after: Record) -> str:
    if before.cordoned != after.cordoned:
        return f"{after.name} is {'cordoned' if after.cordoned else 'open for work'}"
    return f"labels of {after.name} changed"


def _difference(before: Record, after: Record) -> dict[str, object]:
    changed: dict[str, object] = {}
    if before.cordoned != after.cordoned:
        changed["cordoned"] = after.cordoned
    if before.labels != after.labels:
        changed["labels"] = after.labels
    return changed
