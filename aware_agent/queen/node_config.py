"""What operators change about a node's configuration. Its earlier versions are kept beside it."""

from __future__ import annotations

import msgspec

from aware_agent.colony.decoding import UNDECODABLE, from_plain
from aware_agent.colony.difference import differences, plain
from aware_agent.colony.errors import AwareError, Conflict, InvalidInput
from aware_agent.colony.node import Config, check_config
from aware_agent.colony.version import CONFIG_BOUNDS, Kept
from aware_agent.queen import versions
from aware_agent.queen.nodes import node_record
from aware_agent.queen.writer import EventDraft, FencedWriter, Written, require_revision
from aware_agent.store import ops

MAX_CONFIG_BYTES = 64 * 1024


class ConfigCommands:
    """Writes of configurations; ids or names of nodes are both understood."""

    def __init__(self, writer: FencedWriter) -> None:
        self._writer = writer

    async def put_config(self, node_id: str, config: Config, *, if_revision: int | None, actor: str) -> Written:
        """Replace a node's configuration. ``if_revision`` 0 means: only if it has none yet."""
        _check(config)
        async with self._writer.writing():
            return await self._put(node_id, config, if_revision, actor, "")

    async def roll_back_config(self, node_id: str, revision: int, *, if_revision: int | None, actor: str) -> Written:
        """Put again what was in force at ``revision``, by a new write.

        Raises NotFound and VersionForgotten when that is not known, Conflict when no node may have it any more.
        """
        async with self._writer.writing():
            record, _ = node_record(self._writer, node_id)
            config = config_to_return_to(versions.history(self._writer.reader, versions.config(record.id)), revision)
            return await self._put(record.id, config, if_revision, actor, f" went back to that of revision {revision}")

    async def _put(self, node_id: str, config: Config, if_revision: int | None, actor: str, how: str) -> Written:
        writer, raw = self._writer, msgspec.json.encode(config)
        record, _ = node_record(writer, node_id)
        key, name = writer.key("config", record.id), versions.config(record.id)
        stored = writer.projection.get(key)
        current = stored.mod_revision if stored else 0
        require_revision(current, if_revision)
        if stored is not None and stored.value == raw:
            return writer.unchanged(current)
        before = writer.reader.one(name, Config)
        number = (stored.version if stored else 0) + 1
        said = f"configuration of {record.name}{how or ' changed'}"
        told = {"version": number, "changes": msgspec.to_builtins(differences(plain(before), plain(config)))}
        line = EventDraft("config.changed", record.id, said, payload=told)
        kept = versions.keep(writer, name, config, CONFIG_BOUNDS, actor=actor, message=said)
        guard = ops.modified(key, current) if stored else ops.absent(key)
        return await writer.commit([ops.put(key, raw), *kept], [line], actor, [guard])


def config_to_return_to(known: list[Kept], revision: int) -> Config:
    """The configuration that was in force at ``revision``, if a node may have it now. Raises as a roll-back does."""
    kept = versions.wanted(known, revision, "configuration")
    try:
        config = from_plain(kept.version.value, Config)
        _check(config)
    except UNDECODABLE as error:
        raise Conflict(f"the configuration of revision {kept.revision} cannot be read: {error}") from error
    except AwareError as error:
        raise Conflict(
            f"the configuration of revision {kept.revision} is not possible any more: {error.message}", hint=error.hint
        ) from error
    return config


def _check(config: Config) -> None:
    size = len(msgspec.json.encode(config))
    if size > MAX_CONFIG_BYTES:
        raise InvalidInput(f"the configuration has {size} bytes", field="config", hint=f"at most {MAX_CONFIG_BYTES}")
    check_config(config)
