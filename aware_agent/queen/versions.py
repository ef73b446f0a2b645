"""Earlier versions of the spec and of nodes' configurations: kept with each change of them, and read from a mirror.

Below ``versions/<name>/`` lies one :class:`colony.version.Version` for each number, where ``<name>`` is the key of the
document itself: ``spec``, or ``config/<node>``.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import msgspec

from aware_agent.agent.reader import ColonyReader
from aware_agent.colony.decoding import MAX_LINE, UNDECODABLE, from_json
from aware_agent.colony.errors import AwareError, NotFound
from aware_agent.colony.version import Bounds, Kept, Version, in_force, name_of, surplus
from aware_agent.queen.writer import FencedWriter
from aware_agent.store import ops
from aware_agent.store.keys import prefix_end

SPEC = "spec"


def config(node: str) -> str:
    """The name of a node's configuration."""
    return f"config/{node}"


class VersionForgotten(AwareError):
    """What was in force at that revision is no longer kept. ``oldest`` is the first revision that is."""

    code = "version-forgotten"
    exit_code = 4
    status = 410

    def __init__(self, revision: int, oldest: int) -> None:
        super().__init__(
            f"what was in force at revision {revision} is no longer kept: the oldest version known is of revision "
            f"{oldest}",
            hint="the history of it lists what is kept",
        )
        self.oldest = oldest


def keep(writer: FencedWriter, name: str, value: object, bounds: Bounds, *, actor: str, message: str) -> list[ops.Op]:
    """What belongs into the transaction that puts ``value`` at ``name``, under a guard of that key's revision."""
    stored = writer.projection.get(writer.key(*name.split("/")))
    version = Version(
        number=(stored.version if stored else 0) + 1,
        at=time.time(),
        term=writer.term,
        actor=actor,
        message=message[:MAX_LINE],
        value=value,
    )
    start = writer.reader.keys.key(f"versions/{name}/")
    raw = msgspec.json.encode(version)
    kept = sorted(writer.projection.items(start), key=lambda kv: kv.key)
    gone = kept[: surplus([len(kv.value) for kv in kept], len(raw), bounds)]
    return [ops.put(start + name_of(version.number).encode(), raw), *_without(start, [kv.key for kv in gone])]


def _without(start: bytes, gone: Sequence[bytes]) -> list[ops.Op]:
    """The oldest go as one range: they are neighbours."""
    return [ops.delete_range(start, gone[-1] + b"\0")] if gone else []


def forget(writer: FencedWriter, name: str) -> ops.Op:
    """Removes all versions of ``name``: its document is removed for good."""
    start = writer.reader.keys.key(f"versions/{name}/")
    return ops.delete_range(start, prefix_end(start))


def history(reader: ColonyReader, name: str) -> list[Kept]:
    """All versions known, oldest first; the one in force is the last, also when it was written past the queen."""
    start = reader.keys.key(f"versions/{name}/")
    found = []
    for key, version in reader.many(f"versions/{name}/", Version).items():
        stored = reader.projection.get(start + key.encode())
        if stored is not None:
            found.append(Kept(stored.mod_revision, version))
    found.sort(key=lambda kept: kept.revision)
    present = reader.projection.get(reader.keys.key(*name.split("/")))
    if present is not None and (not found or found[-1].revision != present.mod_revision):
        value = _anything(present.value)
        said = "it was written past the queen"
        unknown = Version(number=present.version, at=0.0, term=0, actor="", message=said, value=value)
        found.append(Kept(present.mod_revision, unknown))
    return found


def _anything(raw: bytes) -> Any:
    try:
        return from_json(raw)
    except UNDECODABLE:
        return None


def at(known: Sequence[Kept], revision: int) -> Kept | None:
    """What was in force at ``revision``; None: nothing yet. Raises :class:`VersionForgotten`."""
    found = in_force(known, revision)
    if found is None and known and known[0].version.number > 1:
        raise VersionForgotten(revision, known[0].revision)
    return found


def wanted(known: Sequence[Kept], revision: int, what: str) -> Kept:
    """As :func:`at`, of something that shall be in force again. Raises NotFound when there was nothing."""
    found = at(known, revision)
    if found is None:
        raise NotFound(f"there was no {what} at revision {revision}", hint="its history lists what there was")
    return found
