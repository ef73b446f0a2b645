"""Founders in virtual time: loss, repetition, delay, partitions, crashes and late comers, all from one seed.

The driver here does what the agent's does: it performs the effects of ``founding.decide``, keeps what is confirmed on
a disk that survives crashes, and says its word again and again. The checker keeps its own books.
"""

from __future__ import annotations

from random import Random

import msgspec

from aware_agent.colony.founders import (
    Admitted,
    Effect,
    Event,
    Found,
    Founders,
    Founding,
    Heard,
    Join,
    Joined,
    Made,
    Missed,
    Persist,
    Persisted,
    Phase,
    Say,
    Serve,
    Tick,
    Word,
)
from aware_agent.colony.founding import begin, decide, word
from aware_agent.simulator.checker import Broken
from aware_agent.simulator.clock import Queue

TICK_S = 0.25
SAY_S = 0.5
CALM_S = 90.0  # after the last fault; then everybody has to be in one colony


class FoundingSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What to simulate. ``holders`` nodes hold the key of a council of ``size``."""

    size: int = 3
    holders: int = 3
    seconds: float = 60.0  # with faults
    mean_gap_s: float = 1.5  # between faults
    loss: float = 0.3
    repeat: float = 0.1
    halves: bool = False  # cut in two halves for all of this time


class FoundingReport(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it. ``verdict`` is "ok", or the broken promise; ``stuck``: a founding that needs a new key."""

    seed: int
    verdict: str
    stuck: bool
    founded: int
    joined: int
    seconds: float  # until all were in, or the end
    trace: tuple[str, ...]


class Disk:
    """What outlives a crash."""

    def __init__(self) -> None:
        self.confirmed: Founders = ()
        self.made = False
        self.joined: Founders = ()  # the founders whose colony this node has joined


class Colony:
    """What one founder founded: who has joined. Stands for etcd, which outlives its founder's agent."""

    def __init__(self, founders: Founders, founder: str) -> None:
        self.founders = founders
        self.founder = founder
        self.members = {founder}
        self.complete = False


class FoundingNode:
    """One machine and the agent on it."""

    def __init__(self, world: FoundingWorld, node: str) -> None:
        self.world = world
        self.id = node
        self.disk = Disk()
        self.up = False
        self.life = 0
        self.state = Founding(me=node, name=node, size=world.settings.size)

    def start(self) -> None:
        """A new life, on the old disk."""
        if self.up:
            return
        self.up, self.life = True, self.life + 1
        fresh = Founding(me=self.id, name=self.id, size=self.world.settings.size)
        self.state = begin(fresh, self.disk.confirmed, made=self.disk.made)
        if self.disk.joined:
            self.state = msgspec.structs.replace(self.state, phase=Phase.JOINED, founders=self.disk.joined)
        self.world.post(self.id, f"starts, life {self.life}")
        self.world.queue.after(0, self._tick, self.life)
        self.world.queue.after(0, self._talk, self.life)

    def crash(self) -> None:
        """Gone, with all that was only in memory."""
        self.up = False
        self.world.post(self.id, "(crashes)")

    def feed(self, event: Event) -> None:
        """Decide and perform."""
        decision = decide(self.state, event, self.world.queue.now)
        self.state = decision.state
        if decision.message:
            self.world.post(self.id, decision.message)
        for effect in decision.effects:
            self._perform(effect)

    def later(self, low: float, high: float, life: int, event: Event) -> None:
        """Tell the machine later, unless it died meanwhile."""
        self.world.queue.after(self.world.random.uniform(low, high), self._feed_if, life, event)

    def _feed_if(self, life: int, event: Event) -> None:
        if self.up and self.life == life:
            self.feed(event)

    def _perform(self, effect: Effect) -> None:
        after = self.world.queue.after
        if isinstance(effect, Say):
            self.world.broadcast(self, effect)
        elif isinstance(effect, Persist):
            after(self.world.random.uniform(0.001, 0.05), self._persist, self.life, effect.founders)
        elif isinstance(effect, Found):
            after(self.world.random.uniform(0.3, 3.0), self._found, self.life, effect.founders)
        elif isinstance(effect, Join):
            after(self.world.random.uniform(0.1, 1.0), self._join, self.life)
        elif isinstance(effect, Serve):
            self.world.checker_serves(self)

    def _persist(self, life: int, founders: Founders) -> None:
        if not self.up or self.life != life:
            return
        self.world.checker_confirms(self, founders)
        self.disk.confirmed = founders
        self.later(0.0, 0.01, life, Persisted(founders))

    def _found(self, life: int, founders: Founders) -> None:
        if not self.up or self.life != life:
            return
        if self.world.random.random() < 0.1:
            self.feed(Missed("etcd did not start"))
            return
        self.world.checker_founds(self, founders)
        self.world.colonies.setdefault(founders, Colony(founders, self.id))
        self.disk.made = True
        self.later(0.0, 0.01, life, Made())

    def _join(self, life: int) -> None:
        """Ask whichever founder is reached; it answers when its colony is there."""
        if not self.up or self.life != life or self.state.phase is not Phase.JOINING:
            return
        reached = [c for c in self.world.colonies.values() if self.world.reaches(self.id, c.founder)]
        reached = [c for c in reached if self.world.nodes[c.founder].up]
        if not reached or self.world.random.random() < self.world.loss**3:  # joining asks more than once
            self.feed(Missed("no founder answers"))
            return
        colony = self.world.random.choice(reached)
        self.disk.joined = colony.founders
        colony.members.add(self.id)
        self.feed(Admitted())

    def _tick(self, life: int) -> None:
        if not self.up or self.life != life:
            return
        self.feed(Tick())
        if self.state.phase in {Phase.FOUNDED, Phase.FOUNDING}:
            for member in sorted(self.world.colonies.get(self.state.founders, Colony((), "")).members - {self.id, ""}):
                if member not in self.state.joined and self.state.phase is Phase.FOUNDED:
                    self.feed(Joined(member))
        self.world.queue.after(TICK_S, self._tick, life)

    def _talk(self, life: int) -> None:
        if not self.up or self.life != life:
            return
        if self.state.phase not in {Phase.SERVING, Phase.JOINED}:  # as the driver: whoever was away then has to look
            self.world.broadcast(self, word(self.state))
        self.world.queue.after(SAY_S * self.world.random.uniform(0.8, 1.2), self._talk, life)


class FoundingWorld:
    """The network between founders, and the checker's books."""

    def __init__(self, settings: FoundingSettings, random: Random) -> None:
        self.settings = settings
        self.random = random
        self.queue = Queue()
        self.loss = settings.loss
        self.trace: list[str] = []
        self.colonies: dict[Founders, Colony] = {}
        self.side: dict[str, int] = {}  # of the partition
        self.nodes = {f"n{i}": FoundingNode(self, f"n{i}") for i in range(1, settings.holders + 1)}
        self._confirmed: dict[str, Founders] = {}

    def post(self, who: str, what: str) -> None:
        """Remember one line of what happened."""
        self.trace.append(f"{self.queue.now:8.3f}  {who:4}  {what}")

    def reaches(self, one: str, other: str) -> bool:
        """Whether a datagram or connection passes now."""
        return self.side.get(one, 0) == self.side.get(other, 0)

    def broadcast(self, node: FoundingNode, said: Say) -> None:
        """Send to everybody; each copy may be lost, late or come twice."""
        sent = Word(sender=node.id, name=node.id, level=said.level, founders=said.founders, sent=self.queue.now)
        for other in self.nodes.values():
            if other is node or not self.reaches(node.id, other.id):
                continue
            for _ in range(1 + (self.random.random() < self.settings.repeat)):
                if self.random.random() >= self.loss:
                    slow = self.random.random() < 0.05
                    self.queue.after(self.random.uniform(0.001, 4.0 if slow else 0.05), self._deliver, other, sent)

    def _deliver(self, other: FoundingNode, said: Word) -> None:
        if other.up:
            other.feed(Heard(said))

    # The promises ------------------------------------------------------------------------------------------------

    def checker_confirms(self, node: FoundingNode, founders: Founders) -> None:
        """One set per node and life of its disk, of the right size, with itself in it."""
        before = self._confirmed.setdefault(node.id, founders)
        if before != founders:
            raise Broken(f"{node.id} confirmed {before} and then {founders}")
        if node.id not in founders or len(set(founders)) != self.settings.size or list(founders) != sorted(founders):
            raise Broken(f"{node.id} confirmed {founders}")

    def checker_founds(self, node: FoundingNode, founders: Founders) -> None:
        """Only the lowest, only when all have confirmed, and never beside another founding."""
        if founders[0] != node.id or any(self._confirmed.get(one) != founders for one in founders):
            raise Broken(f"{node.id} founds with {founders}, but not all have confirmed that")
        if self.colonies and founders not in self.colonies and self.settings.holders < 2 * self.settings.size:
            raise Broken(f"a second founding by {founders}")

    def checker_serves(self, node: FoundingNode) -> None:
        """A founder serves once a majority of its set has joined it."""
        if node.disk.joined:
            return
        colony = self.colonies.get(node.disk.confirmed)
        if colony is None:
            raise Broken(f"{node.id} serves a colony that is not of the founders it confirmed")
        if len(colony.members & set(colony.founders)) <= self.settings.size // 2:
            raise Broken(f"{node.id} serves with {sorted(colony.members)}")
        colony.complete = True
        if sum(one.complete for one in self.colonies.values()) > 1:
            raise Broken("two complete foundings")

    @property
    def stuck(self) -> bool:
        """Whether founders have confirmed sets that exclude each other, so that none of them can be completed."""
        sets = set(self._confirmed.values())
        return bool(sets) and all(
            any(self._confirmed.get(one, founders) != founders for one in founders) for founders in sets
        )


def simulate_founding(seed: int, settings: FoundingSettings) -> FoundingReport:
    """Run it. Never raises for a broken promise: the verdict says so."""
    random = Random(seed)  # noqa: S311 - a seed that can be replayed is the point
    world = FoundingWorld(settings, random)
    verdict = "ok"
    try:
        _play(world)
    except Broken as broken:
        verdict = broken.message
    return FoundingReport(
        seed=seed,
        verdict=verdict,
        stuck=world.stuck,
        founded=len(world.colonies),
        joined=sum(len(colony.members) for colony in world.colonies.values()),
        seconds=world.queue.now,
        trace=tuple(world.trace),
    )


def _play(world: FoundingWorld) -> None:
    settings, random, queue = world.settings, world.random, world.queue
    nodes = list(world.nodes.values())
    for node in nodes:
        late = random.random() < 0.5
        queue.at(random.uniform(0, settings.seconds / 2 if late else 3.0), node.start)
    if settings.halves:
        world.side = {node.id: i % 2 for i, node in enumerate(nodes)}
    else:
        at = random.expovariate(1 / settings.mean_gap_s)
        while at < settings.seconds:
            queue.at(at, _strike, world)
            at += random.expovariate(1 / settings.mean_gap_s)
    queue.run(settings.seconds)
    _heal(world)
    end = queue.now + CALM_S
    while queue.now < end and not _all_in(world):
        queue.run(queue.now + 1.0)
    if not _all_in(world) and not world.stuck:
        states = {node.id: str(node.state.phase) for node in nodes}
        raise Broken(f"{CALM_S:g} s after the last fault not all are in one colony: {states}")


def _all_in(world: FoundingWorld) -> bool:
    return any(colony.complete and len(colony.members) == len(world.nodes) for colony in world.colonies.values())


def _strike(world: FoundingWorld) -> None:
    """One fault, which ends some seconds later."""
    random, duration = world.random, world.random.uniform(0.5, 12.0)
    kind = random.choice(["crash", "cut", "loss"])
    if kind == "crash":
        node = random.choice(list(world.nodes.values()))
        if node.up:
            node.crash()
            world.queue.after(duration, node.start)
    elif kind == "cut":
        world.side = {node: random.randrange(2) for node in world.nodes}
        world.post("", f"(cut: {world.side})")
        world.queue.after(duration, world.side.clear)
    else:
        world.loss = random.uniform(0.3, 0.95)
        world.post("", f"({world.loss:.0%} loss)")
        world.queue.after(duration, _quiet, world)


def _quiet(world: FoundingWorld) -> None:
    world.loss = world.settings.loss


def _heal(world: FoundingWorld) -> None:
    world.post("", "(all faults end)")
    world.side = {}
    world.loss = world.settings.loss
    for node in world.nodes.values():
        node.start()
