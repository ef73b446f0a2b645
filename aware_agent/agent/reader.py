"""Typed reading of the projection: decoded values, one cached view per change, and the line of succession."""

from __future__ import annotations

import logging
from typing import TypeVar

from aware_agent.colony.backup import BackupLog, open_breaker
from aware_agent.colony.breaker import OpenBreaker
from aware_agent.colony.council_document import CouncilDocument
from aware_agent.colony.decoding import UNDECODABLE, from_json
from aware_agent.colony.elastic import ELASTIC, NOBODY, ElasticRecord, as_they_serve
from aware_agent.colony.election import Handover, QueenRecord
from aware_agent.colony.errors import AwareError
from aware_agent.colony.node import Config, Record, Report
from aware_agent.colony.seats import CouncilRecord
from aware_agent.colony.spec import Spec
from aware_agent.colony.succession import line_of_succession, unserved
from aware_agent.colony.view import ColonyData, ColonyView, Entry, build_view
from aware_agent.store.keys import Keys
from aware_agent.store.model import KeyValue
from aware_agent.store.projection import Projection

log = logging.getLogger(__name__)
T = TypeVar("T")


class Unreadable(AwareError):
    """What the colony keeps under a key is nothing of ours, and nothing may be done as if it were not there."""

    code = "unreadable"
    exit_code = 70
    status = 500

    def __init__(self, name: str) -> None:
        super().__init__(f"what etcd holds as {name} cannot be read", hint="restore it from a backup")


class ColonyReader:
    """Reads one projection. Values are decoded once per modification.

    ``revision`` of what it returns is that of the last change that matters to the picture, so that history alone
    (events) does not make caches stale.
    """

    def __init__(self, projection: Projection, keys: Keys) -> None:
        self.projection = projection
        self.keys = keys
        self._queen_key = keys.queen  # asked for with each read of a gateway
        self.unreadable: dict[bytes, int] = {}  # keys with values that are nothing of ours, and their revisions
        self._decoded: dict[bytes, tuple[int, object]] = {}
        self._view: ColonyView | None = None
        self._data: ColonyData | None = None
        self._revision = projection.revision
        quiet = (
            "audit",
            "check",
            "demand/",
            "denied/",
            "elastic-memory",
            "events/",
            "idempotency/",
            "job-logs/",
            "jobs/",
            "operations",
            "suspect/",
            "tokens/",
            "users/",
            "revoked/",
            "secrets/",
            "servers",
            "sessions/",
            "service-accounts/",
            "service-account-uses/",
            "webhook",  # webhooks/, webhook-states/, webhook-dead/
        )
        self._quiet = tuple(keys.key(part) for part in quiet)

    def changed(self, revision: int, changed_keys: list[bytes]) -> bool:
        """Tell the reader of a batch. Returns whether the picture changed; drops what was decoded of gone keys."""
        loud = [key for key in changed_keys if not key.startswith(self._quiet)]
        for key in changed_keys:
            if self.projection.get(key) is None:
                self._decoded.pop(key, None)
                self.unreadable.pop(key, None)
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
            queen_record=self.queen_record(),
            term=queen.create_revision if queen else 0,
            entries=self._entries(),
            presence=self.presence(),
            castes=self.one("castes", dict[str, list[str]]) or {},
            unreadable=self.unreadable_nodes(),
            breakers=self._breakers(),
            seats=self._seats(),
            elastic=self.elastic().castes,
        )

    def elastic(self) -> ElasticRecord:
        """What the queen chose for castes that scale; where that cannot be read, as many as serve now."""
        found = self.one(ELASTIC, ElasticRecord)
        if found is not None or self.projection.get(self.keys.key(ELASTIC)) is None:
            return found or NOBODY
        spec, castes = self.one("spec", Spec), self.one("castes", dict[str, list[str]]) or {}
        return as_they_serve(spec, castes) if spec else NOBODY

    def _seats(self) -> frozenset[str] | None:
        """Nodes with a seat; None where agents run no etcd, so that nobody has one."""
        council = self.one("council", CouncilRecord)
        return frozenset(seat.node for seat in council.seats if seat.node) or None if council else None

    def _breakers(self) -> tuple[OpenBreaker, ...]:
        spec = self.one("spec", Spec)
        backups = open_breaker(self.one("backups", BackupLog) or BackupLog(), spec.policies.backup if spec else None)
        found = self.one("breakers", list[OpenBreaker]) or []
        syslog = self.one("syslog-breaker", OpenBreaker)
        return (*found, *([backups] if backups else ()), *([syslog] if syslog else ()))

    def queen_record(self) -> QueenRecord | None:
        """Who holds the queen key."""
        kv = self.projection.get(self._queen_key)
        return None if kv is None else self._readable(kv, QueenRecord)

    def handover(self) -> Handover | None:
        """The last hand-over left behind."""
        return self.one("queen-handover", Handover)

    def presence(self) -> dict[str, Report]:
        """Reports of all nodes whose presence lease lives."""
        return self.many("presence/", Report)

    def castes_of(self, subject: str) -> tuple[str, ...]:
        """Castes that the node with this id or name is of now, and the caste of this name."""
        data = self.data()
        castes = {subject} if subject in data.castes else set()
        for node, entry in data.entries.items():
            if subject in (node, entry.record.name):
                castes |= {caste for caste, nodes in data.castes.items() if node in nodes}
        return tuple(sorted(castes))

    def line(self) -> tuple[str, ...]:
        """Who would reign after the queen, best first."""
        records = self.records()
        eligible = {node for node, record in records.items() if record.eligible}
        drained = {node for node, record in records.items() if record.drained or record.away}
        return line_of_succession(self.presence(), eligible, drained)

    def unserved(self) -> tuple[str, ...]:
        """Those in line whose gateway does not answer."""
        return unserved(self.presence(), self.line())

    def council(self) -> CouncilDocument:
        """Who may reign and is there."""
        queen_record, shown = self.queen_record(), self.presence()
        queen = self.projection.get(self.keys.queen)
        return CouncilDocument(
            colony=self.keys.colony,
            term=queen.create_revision if queen else 0,
            queen=queen_record.url if queen_record else None,
            members=tuple(sorted(shown[node].url for node in self.line())),
        )

    def records(self) -> dict[str, Record]:
        """The queen's records of all nodes."""
        return self.many("nodes/", Record)

    def record(self, node: str) -> Record | None:
        """Her record of one node, without looking at the others'."""
        return self.one(f"nodes/{node}", Record)

    def one(self, name: str, kind: type[T]) -> T | None:
        """The decoded value of key ``name``; None without one, and for one that cannot be read, which is reported."""
        kv = self.projection.get(self.keys.key(name))
        return None if kv is None else self._readable(kv, kind)

    def vital(self, name: str, kind: type[T]) -> T | None:
        """As :meth:`one`, for what nobody may take for absent. Raises :class:`Unreadable`."""
        found = self.one(name, kind)
        if found is None and self.projection.get(self.keys.key(name)) is not None:
            raise Unreadable(name)
        return found

    def unreadable_nodes(self) -> tuple[str, ...]:
        """Ids of nodes whose record is there and cannot be read, as far as somebody tried."""
        start = self.keys.key("nodes/")
        found = (key[len(start) :].decode(errors="replace") for key in self.unreadable if key.startswith(start))
        return tuple(sorted(found))

    def many(self, prefix: str, kind: type[T]) -> dict[str, T]:
        """All decoded values below ``prefix`` by what follows it.

        Others wrote them, each by itself: one that cannot be read is left out and reported, once for each change of it.
        """
        start = self.keys.key(prefix)
        found = {}
        for kv in self.projection.items(start):
            value = self._readable(kv, kind)
            if value is not None:
                found[kv.key[len(start) :].decode(errors="replace")] = value
        return found

    def _readable(self, kv: KeyValue, kind: type[T]) -> T | None:
        if self.unreadable.get(kv.key) == kv.mod_revision:
            return None
        try:
            return self._decode(kv.key, kv.mod_revision, kv.value, kind)
        except UNDECODABLE as error:
            self._leave_out(kv, error)
            return None

    def _leave_out(self, kv: KeyValue, error: Exception) -> None:
        self._decoded.pop(kv.key, None)
        self.unreadable[kv.key] = kv.mod_revision
        name = ascii(kv.key[len(self.keys.root) :].decode(errors="replace"))[:120]
        log.warning("%s holds nothing that can be read and is left out: %s", name, str(error)[:200])

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
        decoded = from_json(value, kind)
        self.unreadable.pop(key, None)
        self._decoded[key] = (revision, decoded)
        return decoded
