"""Typed reading of the projection: decoded values, one cached view per change, and the line of succession."""

from __future__ import annotations

from typing import TypeVar

import msgspec

from aware_agent.colony.election import Crown, Handover
from aware_agent.colony.node import Config, Record, Report
from aware_agent.colony.spec import Spec
from aware_agent.colony.view import ColonyData, ColonyView, Entry, build_view
from aware_agent.store.keys import Keys
from aware_agent.store.projection import Projection

T = TypeVar("T")


class ColonyReader:
    """Reads one projection. Values are decoded once per modification.

    ``revision`` of what it returns is that of the last change that matters to the picture, so that history alone
    (events) does not make caches stale.
    """

    def __init__(self, projection: Projection, keys: Keys) -> None:
        self.projection = projection
        self.keys = keys
        self._decoded: dict[bytes, tuple[int, object]] = {}
        self._view: ColonyView | None = None
        self._data: ColonyData | None = None
        self._revision = projection.revision
        self._quiet = tuple(keys.key(part) for part in ("events/", "tokens/", "users/", "revoked/"))

    def changed(self, revision: int, changed_keys: list[bytes]) -> bool:
        """Tell the reader of a batch. Returns whether the picture changed; drops what was decoded of gone keys."""
        loud = [key for key in changed_keys if not key.startswith(self._quiet)]
        for key in loud:
            if self.projection.get(key) is None:
                self._decoded.pop(key, None)
        if loud:
            self._view = self._data = None
            self._revision = revision
        return bool(loud)

    def view(self) -> ColonyView:
        """The picture; the same object until something in it changes."""
        if self._view is None:
            self._view = build_view(self.data())
        return self._view

    def data(self) -> ColonyData:
        """What the picture is made of; the same object until something in it changes."""
        if self._data is None:
            self._data = self._gather()
        return self._data

    def _gather(self) -> ColonyData:
        spec = self.projection.get(self.keys.key("spec"))
        queen = self.projection.get(self.keys.queen)
        return ColonyData(
            colony=self.keys.colony,
            revision=self._revision,
            spec=self.one("spec", Spec),
            spec_revision=spec.mod_revision if spec else 0,
            crown=self.crown(),
            term=queen.create_revision if queen else 0,
            entries=self._entries(),
            presence=self.presence(),
            castes=self.one("castes", dict[str, list[str]]) or {},
        )

    def crown(self) -> Crown | None:
        """Who holds the queen key."""
        return self.one("queen", Crown)

    def handover(self) -> Handover | None:
        """The last hand-over left behind."""
        return self.one("queen-handover", Handover)

    def presence(self) -> dict[str, Report]:
        """Reports of all nodes whose presence lease lives."""
        return self.many("presence/", Report)

    def records(self) -> dict[str, Record]:
        """The queen's records of all nodes."""
        return self.many("nodes/", Record)

    def one(self, name: str, kind: type[T]) -> T | None:
        """The decoded value of key ``name``, or None."""
        key = self.keys.key(name)
        kv = self.projection.get(key)
        return None if kv is None else self._decode(key, kv.mod_revision, kv.value, kind)

    def many(self, prefix: str, kind: type[T]) -> dict[str, T]:
        """All decoded values below ``prefix`` by what follows it."""
        start = self.keys.key(prefix)
        skip = len(start)
        return {
            kv.key[skip:].decode(): self._decode(kv.key, kv.mod_revision, kv.value, kind)
            for kv in self.projection.items(start)
        }

    def _entries(self) -> dict[str, Entry]:
        entries = {}
        for node, record in self.records().items():
            kv = self.projection.get(self.keys.key("nodes", node))
            stored = self.projection.get(self.keys.key("config", node))
            config = self.one(f"config/{node}", Config)
            entries[node] = Entry(
                record=record,
                revision=kv.mod_revision if kv else 0,
                config_version=stored.version if stored else 0,
                config_revision=stored.mod_revision if stored else 0,
                vars=config.vars if config else {},
            )
        return entries

    def _decode(self, key: bytes, revision: int, value: bytes, kind: type[T]) -> T:
        cached = self._decoded.get(key)
        if cached is not None and cached[0] == revision:
            return cached[1]  # type: ignore[return-value]
        decoded = msgspec.json.decode(value, type=kind)
        self._decoded[key] = (revision, decoded)
        return decoded
