"""One life of an agent: the real drivers of an election, on a simulated loop, over simulated wires."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import msgspec

from aware_agent.agent.elector import Elector
from aware_agent.agent.lookout import Lookout
from aware_agent.agent.member.detector import Around, FailureDetector
from aware_agent.agent.presence import Presence
from aware_agent.agent.queen_watch import QueenWatch
from aware_agent.agent.reader import ColonyReader
from aware_agent.colony.decision_log import Machine
from aware_agent.colony.election import (
    Decision,
    Election,
    GatewayLost,
    GatewayServes,
    LeaseLost,
    QueenRecord,
    Resign,
)
from aware_agent.colony.errors import Deposed
from aware_agent.colony.seats import CouncilRecord, SeatRecord
from aware_agent.colony.succession import channels_to
from aware_agent.colony.suspicion import Suspicion
from aware_agent.simulator.channel import GIVEN_UP_S, SimChannel
from aware_agent.simulator.host import Host
from aware_agent.simulator.loop import HostLoop
from aware_agent.simulator.peers import START_S, Peers
from aware_agent.simulator.reign import SimReigns
from aware_agent.simulator.wire import WireStore
from aware_agent.store import ops
from aware_agent.store.errors import StoreError
from aware_agent.store.fenced import FencedTransactions
from aware_agent.store.lease import LeaseKeeper
from aware_agent.store.model import KeyValue
from aware_agent.store.projection import Projection
from aware_agent.store.subscription import ProjectionBatch

if TYPE_CHECKING:
    from aware_agent.simulator.world import World

EPOCH = 1_700_000_000.0  # Unix time at which every run begins
WRITE_EVERY_S = 0.5
LIST_AGAIN_S = 0.5
LEAVE_S = 3.0


class CheckedElector(Elector):
    """The elector, with its decisions told to the checker before they are performed."""

    agent: Agent

    async def _perform(self, decision: Decision) -> None:
        self.agent.decided(self.state, decision)
        await super()._perform(decision)


class Agent:
    """A running agent. ``duty`` is the term whose duties run; each of them is a fenced write now and then."""

    def __init__(self, world: World, host: Host) -> None:
        self.world = world
        self.host = host
        self.alive = True
        self.watching = False
        self.delivery_due = False
        self.relist = False  # its watch cannot resume
        self.duty = 0
        self.loop = HostLoop(  # type: ignore[abstract]  # what opens files and sockets is not simulated
            world.queue, host.rate, world.random.uniform, world.broke, world.check
        )
        self.store = WireStore(self)
        self.copy: Projection | None = None  # its copy of etcd
        self._incarnation = f"{host.id}.{host.lives}"
        self._elector: CheckedElector | None = None
        self._presence: Presence | None = None
        self._detector: FailureDetector | None = None
        self.channels: dict[str, SimChannel] = {}
        self._frozen_at = 0.0
        self._leaving = False
        self._writes = 0
        self.reigns = SimReigns(self)

    # Life --------------------------------------------------------------------------------------------------------

    @property
    def frozen(self) -> bool:
        """True while it is stopped."""
        return self.loop.frozen

    @property
    def well(self) -> bool:
        """True while it runs unhindered."""
        return self.watching and self.alive and not self.frozen and not self._leaving

    @property
    def state(self) -> Election:
        """What the election knows."""
        if self._elector is not None:
            return self._elector.state
        return Election(me=self.host.id, incarnation=self._incarnation, timing=self.world.timing)

    def copied(self) -> Iterator[KeyValue]:
        """What its copy of etcd holds."""
        return self.copy.items() if self.copy is not None else iter(())

    def now(self) -> float:
        """Its own monotonic clock."""
        return self.loop.time()

    def wall(self) -> float:
        """Unix time, as its host shows it."""
        return EPOCH + self.world.queue.now + self.host.skew_s

    def deposed(self) -> None:
        """A fenced write of its duties was refused."""
        if self._elector is not None:
            self._elector.post(LeaseLost())

    def receive(self, action: Callable[..., None], *args: Any) -> None:
        """Something comes in from outside: now, after the pause, or never."""
        if self.alive:
            self.loop.call_soon(action, *args)

    def start(self) -> None:
        """Begin to live."""
        self.loop.call_soon(self._begin_life)

    def crash(self) -> None:
        """Gone without a word."""
        self.alive = False
        self.duty = 0
        self.loop.end()
        self.world.hang_up(self, said=False)

    def freeze(self) -> None:
        """SIGSTOP."""
        self._frozen_at = self.world.queue.now
        self.loop.freeze()

    def thaw(self) -> None:
        """SIGCONT: a queen acts once more before she looks at the clock, then all that has piled up comes in."""
        if self.duty:
            self.loop.call_first(self._write_soon, self.duty)
        if self.world.queue.now - self._frozen_at > GIVEN_UP_S:  # the others did not wait
            for channel in self.channels.values():
                self.loop.call_soon(lambda channel=channel: channel.end(said=False))
        self.loop.thaw()

    def quit(self) -> None:
        """SIGTERM."""
        self._leaving = True
        self.loop.call_soon(lambda: self.loop.create_task(self._wind_up(), name="wind-up"))

    def resign(self, to: str = "") -> None:
        """An operator asks her to step down."""
        if self._elector is not None:
            self.receive(self._elector.post, Resign(to))

    def gateway_moved(self) -> None:
        """The gateway of this host ended, or answers again."""
        if self._elector is None or self._presence is None or self._leaving:
            return
        change = GatewayServes() if self.host.serving else GatewayLost("its gateway ended")
        self.receive(self._elector.post, change)
        self.receive(self._presence.update, self.host.report(leaving=False))

    def _begin_life(self) -> None:
        self.loop.create_task(self._live(), name="agent").add_done_callback(self._lived)

    def _lived(self, life: asyncio.Task[None]) -> None:
        if not life.cancelled() and (error := life.exception()) is not None:
            self.world.stop(error)

    async def _live(self) -> None:
        """As :meth:`agent.node.Node.run` puts it together."""
        projection = self.copy = Projection(self.store, self.world.watched)
        while True:
            try:
                await projection.start()
                break
            except StoreError:
                await asyncio.sleep(LIST_AGAIN_S)
        keeper = LeaseKeeper(self.store, clock=self.now, jitter=self.world.random.uniform)
        reader = ColonyReader(projection, self.world.keys)
        elector = self._elector = CheckedElector(
            self.store, keeper, self.world.keys, state=self.state, queen_record=self._record, reigns=self
        )
        elector.agent = self
        report = self.host.report(leaving=False)
        ttl = self.world.timing.presence_ttl_s
        presence = self._presence = Presence(
            self.store, keeper, self.world.keys, node=self.host.id, ttl_s=ttl, report=report
        )
        queens = QueenWatch(reader)
        around = Around(self.channels.get, lambda: presence.lease, lambda: elector.waiting)
        suspicion = Suspicion(me=self.host.id, timing=self.world.timing)
        detector = self._detector = FailureDetector(
            self.store, self.world.keys, reader, around, suspicion, clock=self.now
        )

        def look() -> None:
            queens.look(elector.post)
            self._aim(reader)
            self._sit(reader)
            detector.changed()

        keys = self.world.keys
        urgent = {keys.queen, keys.handover, keys.key("council"), keys.key("seats", self.host.id)}
        lookout = Lookout(urgent, look)

        def on_batch(batch: ProjectionBatch) -> None:
            keys = [change.kv.key for change in batch.changes]
            if reader.changed(batch.revision, keys):
                lookout.changed(keys, everything=batch.relisted)
            if any(key.startswith(suspicions) for key in keys):
                detector.told()

        suspicions = self.world.keys.key("suspect/")
        projection.listen(on_batch)
        lookout.look()
        self.watching = True
        await asyncio.gather(presence.run(), elector.run(), detector.run())

    def _aim(self, reader: ColonyReader) -> None:
        """Channels to the queen and to the heir."""
        queen = reader.queen_record()
        wanted = channels_to(self.host.id, queen.id if queen else None, reader.line(), tuple(self.channels))
        for member in set(self.channels) - set(wanted):
            self.channels.pop(member).close()
        for member in wanted:
            if member not in self.channels:
                self.channels[member] = SimChannel(self, self.world.hosts[member])
                self.channels[member].start()

    def _sit(self, reader: ColonyReader) -> None:
        """Start etcd when told of a seat, and leave it when no member list has this node any more.

        As :class:`agent.member.seat.EtcdSeat`: the word about the seat may be missing while the seat is there.
        """
        council, seat = self.world.council, reader.one(f"seats/{self.host.id}", SeatRecord)
        if council is None:
            return
        if seat is not None and seat.member != self.host.etcd:
            delay = self.world.random.uniform(*START_S)
            self.world.queue.after(delay, self._take, council, seat.member)
        record = reader.one("council", CouncilRecord)
        listed = record is None or self.host.id in {one.node for one in record.seats}
        if seat is None and self.host.etcd and not listed:
            council.start(self.host, 0)

    def _take(self, council: Peers, member: int) -> None:
        if self.alive and not self.frozen and self.host.etcd != member:
            council.start(self.host, member)

    def channel_moved(self) -> None:
        """One opened, or broke."""
        if self._detector is not None:
            self._detector.look()

    async def _wind_up(self) -> None:
        if self._elector is not None and self._presence is not None:
            await self._elector.leave(LEAVE_S)
            await self._presence.say_goodbye()
        self.alive = False
        self.world.hang_up(self, said=True)
        self.world.queue.at(self.world.queue.now, self.loop.end)

    def _record(self) -> QueenRecord:
        return QueenRecord(id=self.host.id, name=self.host.id, url="", incarnation=self._incarnation, since=0.0)

    def decided(self, before: Election, decision: Decision) -> None:
        """The election decided something, and it is about to be performed."""
        if decision.message:
            self.world.post(self.host.id, decision.message)
        self.world.checker.decided(self, before, decision, self.now())

    # Duties: what the elector needs of the rest of an agent ------------------------------------------------------

    def prepare(self) -> None:
        """There is nothing to load."""

    def begin(self, term: int) -> None:
        """Reign."""
        self.duty = term
        self.world.checker.reigns(self, term)
        self.loop.create_task(self._work(term), name=f"term {term}")
        if self.world.council is not None:
            self.reigns.begin(term)

    def end(self, term: int, reason: str) -> None:
        """Stop; a write that is under way may still arrive."""
        del term, reason
        self.duty = 0
        self.reigns.end()

    def keeping(self) -> Machine | None:
        """What the council's keeper decided in this reign."""
        return self.reigns.keeping()

    async def _work(self, term: int) -> None:
        while self.duty == term:
            self._write_soon(term)
            await asyncio.sleep(WRITE_EVERY_S)

    def _write_soon(self, term: int) -> None:
        self.loop.create_task(self._write(term), name="write")

    async def _write(self, term: int) -> None:
        """One fenced write."""
        self._writes += 1
        key = self.world.log_prefix + f"{self._incarnation}/{self._writes}".encode()
        fenced = FencedTransactions(self.store, self.world.keys.queen, term)
        with contextlib.suppress(Deposed, StoreError):
            await fenced.commit([ops.put(key, msgspec.json.encode(term))])
            self.world.checker.answered(key)
