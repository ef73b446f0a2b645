"""A colony in the etcd in memory: the real projection, reader, history and fenced writer, and nothing that waits.

What is written shows at once: tests write, look and assert without an event loop's turn between.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Coroutine
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec

from aware_agent import tracing
from aware_agent.agent.history import put_event
from aware_agent.agent.member.channels import MemberChannels
from aware_agent.agent.member.link import Asked, Do, Done
from aware_agent.agent.member.operations import MemberOperations
from aware_agent.agent.orders import Orders
from aware_agent.agent.reader import ColonyReader
from aware_agent.agent.settings import ChannelSettings, JobSettings, Settings
from aware_agent.channel.frames import NodeOrder
from aware_agent.colony.audit import Asker
from aware_agent.colony.election import QueenRecord
from aware_agent.colony.event import EventDraft
from aware_agent.colony.ids import ulid
from aware_agent.colony.node import Capabilities, Record, Report, Status
from aware_agent.colony.spec import Spec
from aware_agent.gateway.agent_link import answer_of
from aware_agent.queen.audit import Seals
from aware_agent.queen.history import History
from aware_agent.queen.reign import Reign
from aware_agent.queen.writer import FencedWriter
from aware_agent.security import pki
from aware_agent.security.grant import Grant
from aware_agent.security.joining import JOIN_CONTEXT, JoinRequest
from aware_agent.security.keyring import Keyring
from aware_agent.security.records import CaRecord
from aware_agent.security.sealed import KeyringSealer
from aware_agent.security.sealing import Opener
from aware_agent.security.signing import sign
from aware_agent.store import ops
from aware_agent.store.keys import Keys
from aware_agent.store.memory import MemoryEtcd, MemoryStore
from aware_agent.store.memory.history import inside
from aware_agent.store.model import Change, WatchBatch
from aware_agent.store.projection import Projection
from aware_agent.store.subscription import ProjectionBatch

COLONY = "demo"
SECRET = b"s" * 32


@cache
def colony_ca() -> pki.Pair:
    """One CA for all colonies: keys are slow to make."""
    return pki.create_ca(COLONY, time.time())


@cache
def council_ca() -> pki.Pair:
    """The only one that etcd believes."""
    return pki.create_council_ca(COLONY, time.time())


def node_id(number: int) -> str:
    """A stable ULID."""
    return ulid(1_700_000_000.0 + number, number.to_bytes(10, "big"))


def finish(work: Coroutine[Any, Any, Any]) -> Any:
    """Run what waits for nobody to its end, inside or outside of a loop."""
    while True:
        try:
            work.send(None)
        except StopIteration as done:
            return done.value


class FollowingProjection(Projection):
    """The projection, told of every revision the moment it is written instead of by a watch."""

    def __init__(self, store: MemoryStore, span: tuple[bytes, bytes]) -> None:
        super().__init__(store, [span])
        self._span = span
        self.move(store)

    def move(self, store: MemoryStore) -> None:
        """Follow another etcd from now on, as after a restore. Listeners hear that everything was listed anew."""
        first = self._known == [0]
        self._client = store
        finish(self._relist(first=first))
        store.etcd.listen(self._written)

    def _written(self, revision: int, changes: tuple[Change, ...]) -> None:
        events = tuple(change for change in changes if inside(change.kv.key, *self._span))
        if events:
            self._apply(WatchBatch(revision=revision, events=events))


class MemoryColony:
    """Keys of one colony, with a queen of term :attr:`term` once :meth:`begin_reign` was called."""

    def __init__(self) -> None:
        self.keys = Keys(COLONY)
        self.etcd = MemoryEtcd()
        self.store = MemoryStore(self.etcd)
        self.projection = FollowingProjection(self.store, self.keys.everything())
        self.reader = ColonyReader(self.projection, self.keys)
        self.history = History(self.projection, self.keys)
        self.projection.listen(self._changed)
        self.keyring = Keyring(1, {1: SECRET})
        self.sealer = KeyringSealer(self.keyring)
        self.operations = MemberOperations(JobSettings())

    def _changed(self, batch: ProjectionBatch) -> None:
        changed = [change.kv.key for change in batch.changes]
        self.reader.changed(batch.revision, changed)
        self.history.changed(changed, relisted=batch.relisted)

    # Writing as anybody ---------------------------------------------------------------------------------------------

    def put(self, key: bytes, value: Any, lease: int = 0) -> int:
        """The value as JSON; the revision."""
        return self.etcd.txn([], [ops.put(key, msgspec.json.encode(value), lease)]).revision

    def delete(self, key: bytes) -> int:
        """The revision."""
        return self.etcd.txn([], [ops.delete(key)]).revision

    def emit(self, *drafts: EventDraft) -> int:
        """Events in one transaction."""
        writes = [put_event(self.keys, draft, term=self.term, actor="colony") for draft in drafts]
        return self.etcd.txn([], writes).revision

    # A colony -------------------------------------------------------------------------------------------------------

    @property
    def term(self) -> int:
        """Of the present queen; 0 without."""
        queen = self.projection.get(self.keys.queen)
        return queen.create_revision if queen else 0

    def put_ca(self) -> None:
        """Both CAs, as a founder leaves them."""
        for name, ca in (("ca", colony_ca()), ("council-ca", council_ca())):
            key = self.keys.key(name)
            self.put(key, CaRecord(certificate=ca.certificate.decode(), key=self.sealer.seal(ca.key, key)))

    def put_spec(self, **fields: Any) -> None:
        """Wish for something."""
        self.put(self.keys.key("spec"), Spec(colony=COLONY, **fields))

    def add_node(self, number: int, **changes: Any) -> str:
        """A ready node; ``changes`` are of its report, ``record`` of its record."""
        node = node_id(number)
        record_changes = changes.pop("record", {})
        name = f"demo-{number + 1}"
        report = Report(
            name=name,
            address="127.0.0.1",
            url=f"https://127.0.0.1:{20101 + number}",
            incarnation="i",
            version="0.1.0",
            joined_at=1.7e9 + number,
            capabilities=Capabilities(vcpus=2, ram_mib=2048, disk_gib=20, zone="a"),
        )
        report = msgspec.structs.replace(report, **changes)
        record = Record(id=node, name=name, joined_at=report.joined_at, report=report, eligible=True)
        record = msgspec.structs.replace(record, **record_changes)
        self.put(self.keys.key("nodes", node), record)
        if record.status is Status.READY:
            self.put(self.keys.key("presence", node), report)
        return node

    def begin_reign(self, number: int) -> int:
        """That node reigns from now on, under a new term."""
        if self.projection.get(self.keys.queen):
            self.delete(self.keys.queen)
        url, name = f"https://127.0.0.1:{20101 + number}", f"demo-{number + 1}"
        return self.put(
            self.keys.queen, QueenRecord(id=node_id(number), name=name, url=url, incarnation="x", since=1.7e9)
        )

    def writer(self) -> FencedWriter:
        """For the reign of now."""
        return FencedWriter(self.store, self.reader, self.term, Seals(COLONY, self.keyring))

    def reign(
        self, *, etcd: tuple[str, ...] = ("127.0.0.1:2379",), resign: Callable[[Any], None] = lambda _: None
    ) -> Reign:
        """The reign of now, of node 0. Its commands work; its duties are run by who wants to see them."""
        node: Any = SimpleNamespace(
            id=node_id(0),
            client=self.store,
            ca_pem=colony_ca().certificate,
            council_ca_pem=council_ca().certificate,
            keyring=self.keyring,
            etcd=etcd,
            settings=Settings(colony=COLONY, state_dir=os.path.join(tempfile.gettempdir(), "nobody-writes-here")),
            resign=resign,
            member=AnsweringChannels(self),
            operations=self.operations,
            loads=None,
        )
        return Reign(node, self.reader, self.history, self.term)

    async def carry_out(self, reign: Reign, command: Any, **caller: Any) -> Any:
        """As over the gateway's socket: encoded, carried out, decoded. ``caller``: as of :meth:`execute`."""
        return self.answer(command, await self.execute(reign, command, **caller))

    async def execute(
        self,
        reign: Reign,
        command: Any,
        *,
        actor: str = "ada",
        source: str = "127.0.0.1",
        asker: Asker | None = None,
        once: Asked | None = None,
        dry: bool = False,
        grant: Grant | None = None,
    ) -> Done:
        """Its outcome, still encoded."""
        asker = asker or Asker(source=source)
        raw = msgspec.Raw(msgspec.msgpack.encode(command))
        do = Do(
            id=1,
            term=reign.term,
            actor=actor,
            asker=asker,
            once=once,
            dry=dry,
            grant=grant,
            trace=tracing.traceparent(),
            command=raw,
        )
        return await reign.execute(do)

    def answer(self, command: Any, done: Done) -> Any:
        """What is in it."""
        return msgspec.msgpack.decode(done.result, type=answer_of(command))


class AnsweringChannels(MemberChannels):
    """Channels without a listener: every node of the colony has one, and says what it was ordered to do."""

    def __init__(self, colony: MemoryColony) -> None:
        orders = Orders(SimpleNamespace())  # type: ignore[arg-type]  # nobody is ordered by it
        super().__init__(node_id(0), ChannelSettings(), (Path(), Path()), lambda: colony.reader, orders)

    def reaches(self, node: str) -> bool:
        return True

    async def command(self, node: str, order: NodeOrder, term: int, timeout_s: float) -> dict[str, Any]:
        return {"did": type(order).__name__}


def join_request(token_id: str, secret: str, *, number: int = 9, key: bytes = b"", **changes: Any) -> JoinRequest:
    """What newcomer ``number`` asks for, signed with ``key`` (one of its own without)."""
    key, node, name = key or pki.make_key(), node_id(number), f"demo-{number + 1}"
    request = JoinRequest(
        colony=COLONY,
        token_id=token_id,
        secret=secret,
        csr=pki.make_csr(key, node, name).decode(),
        node_id=node,
        name=name,
        address="127.0.0.1",
        url=f"https://127.0.0.1:{20101 + number}",
        box_key=Opener().public,
    )
    return sign(msgspec.structs.replace(request, **changes), key, JOIN_CONTEXT)
