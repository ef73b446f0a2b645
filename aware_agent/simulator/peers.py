"""The members of the simulated etcd: who sits, who runs, who leads, and what etcd itself refuses.

The data is one history (:mod:`store.memory`); what members decide is whether it can be reached at all: without a
majority of the voters there is no etcd, and a leader whose host is gone costs an election.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from aware_agent.store.errors import StoreError
from aware_agent.store.members import PeerEntry, PeerStatus

if TYPE_CHECKING:
    from aware_agent.simulator.agent import Agent
    from aware_agent.simulator.host import Host
    from aware_agent.simulator.world import World

HEALTH_S = 5.0  # etcd refuses a change until all voters have been connected for so long
ELECTION_S = (0.8, 2.0)
CATCH_UP_S = (0.3, 3.0)  # a learner copies the data
START_S = (0.2, 1.5)
NEWEST = 1000  # raft index of a member that has everything


@dataclass
class Peer:
    """One member. It runs where the host's data is of this member."""

    node: str
    learner: bool
    started: bool = False
    index: int = 0


class Peers:
    """etcd's membership as etcd 3.5 judges it, with its strict reconfiguration check."""

    def __init__(self, world: World, nodes: Sequence[str]) -> None:
        voters = enumerate(nodes, 1)
        self.members = {number: Peer(node, learner=False, started=True, index=NEWEST) for number, node in voters}
        self.leader = 1
        self.lost = False  # no majority
        self._world = world
        self._last = len(nodes)
        self._changed_at = -HEALTH_S
        for number, peer in self.members.items():
            world.hosts[peer.node].etcd = number

    def runs(self, member: int) -> bool:
        """Whether it is up."""
        peer = self.members.get(member)
        return peer is not None and peer.started and self._world.hosts[peer.node].runs_etcd(member)

    def voters(self) -> list[int]:
        """Members that vote."""
        return [number for number, peer in self.members.items() if not peer.learner]

    def up(self) -> list[int]:
        """Voters that run."""
        return [number for number in self.voters() if self.runs(number)]

    def moved(self) -> None:
        """A member started or ended: is there a majority, and who leads?"""
        up = self.up()
        if 2 * len(up) <= len(self.voters()):
            self.lost = True
        elif self.lost or self.leader not in up:
            self.lost = False
            self.leader = self._world.random.choice(up)
            self._world.change_leader(self._world.random.uniform(*ELECTION_S))

    def start(self, host: Host, member: int) -> None:
        """The agent of ``host`` was told that it is ``member``, and starts etcd with fresh data."""
        if host.etcd in self.members:
            self._world.checker.fail(f"{host.id} threw the data of member {host.etcd} away, which still sits")
        host.etcd = member
        peer = self.members.get(member)
        if peer is not None:
            peer.started = True
            self._world.queue.after(self._world.random.uniform(*CATCH_UP_S), self._caught_up, member)
        self.moved()

    def _caught_up(self, member: int) -> None:
        if member in self.members:
            self.members[member].index = NEWEST

    # What the keeper asks for ------------------------------------------------------------------------------------

    def entries(self) -> tuple[PeerEntry, ...]:
        """As etcd lists them: one that never started has no name."""
        return tuple(
            PeerEntry(
                id=number,
                name=peer.node if peer.started else "",
                peer_urls=(peer_url(peer.node),),
                client_urls=(f"https://{peer.node}:2379",) if peer.started else (),
                learner=peer.learner,
            )
            for number, peer in sorted(self.members.items())
        )

    def statuses(self) -> dict[int, PeerStatus]:
        """Of those that run."""
        leader = 0 if self.lost else self.leader
        return {
            number: PeerStatus(
                id=number,
                version="3.5.21",
                leader=leader,
                learner=peer.learner,
                term=1,
                index=NEWEST,
                applied=peer.index,
            )
            for number, peer in self.members.items()
            if self.runs(number)
        }

    def add(self, url: str, asks: str) -> None:
        """A learner, as the node ``asks`` wants it. Raises StoreError when etcd would not have it."""
        node = url.removeprefix("https://").partition(":")[0]
        if any(peer.learner for peer in self.members.values()):
            reigning = self._world.queen()
            if reigning is not None and reigning[0].id == asks:  # one that was paused cannot know what happened since
                self._world.checker.fail(f"{node} was to be a second learner")
            raise StoreError("etcd: etcdserver: too many learner members in cluster")
        if any(peer.node == node for peer in self.members.values()):
            raise StoreError("etcd: etcdserver: Peer URLs already exists")
        self._require_health()
        self._last += 1
        self.members[self._last] = Peer(node, learner=True)

    def promote(self, member: int) -> None:
        """Let it vote."""
        peer = self.members.get(member)
        if peer is None or not self.runs(member) or peer.index < NEWEST:
            raise StoreError("etcd: etcdserver: can only promote a learner member which is in sync with leader")
        peer.learner = False
        self._change()

    def remove(self, member: int) -> None:
        """It is none any more."""
        peer = self.members.get(member)
        if peer is None:
            raise StoreError("etcd: etcdserver: member not found")
        self._world.checker.council.removes(self, peer)
        stays = [one for one in self.voters() if one != member]
        if not peer.learner and 2 * len([one for one in self.up() if one != member]) <= len(stays):
            self._world.checker.fail(f"the removal of {peer.node} would have cost etcd its majority")
            raise StoreError("etcd: etcdserver: unhealthy cluster")
        del self.members[member]
        self._change()

    def move_leader(self, to: int) -> None:
        """Let ``to`` lead."""
        if not self.runs(to):
            raise StoreError("etcd: etcdserver: leader transfer timed out")
        self.leader = to
        self._world.etcd.new_leader(self._world.queue.now)

    def _require_health(self) -> None:
        rests = self._world.queue.now - self._changed_at < HEALTH_S
        if rests or len(self.up()) < len(self.voters()):
            raise StoreError("etcd: etcdserver: unhealthy cluster")

    def _change(self) -> None:
        self._changed_at = self._world.queue.now
        self._world.checker.council.changed(self)
        self.moved()


class WireMembers:
    """Implements :class:`queen.council_keeper.Membership` over the wire of one agent."""

    def __init__(self, agent: Agent) -> None:
        self._me = agent.host.id
        self._ask = agent.store.ask
        self._peers = agent.world.council
        self._checker = agent.world.checker.council

    async def list(self) -> tuple[PeerEntry, ...]:
        """See the protocol."""
        return await self._ask(lambda: self._known().entries())

    async def statuses(self, members: tuple[PeerEntry, ...]) -> dict[int, PeerStatus]:
        """See the protocol."""
        wanted = {member.id for member in members}
        said = await self._ask(lambda: self._known().statuses())
        return {number: status for number, status in said.items() if number in wanted}

    async def add_learner(self, peer_url: str) -> None:
        """See the protocol."""
        await self._ask(lambda: self._asked().add(peer_url, self._me))

    async def promote(self, member: int) -> None:
        """See the protocol."""
        await self._ask(lambda: self._asked().promote(member))

    async def remove(self, member: int) -> None:
        """See the protocol."""
        await self._ask(lambda: self._asked().remove(member))

    async def move_leader(self, to: int, members: tuple[PeerEntry, ...]) -> None:
        """See the protocol."""
        del members
        await self._ask(lambda: self._asked().move_leader(to))

    def _asked(self) -> Peers:
        peers = self._known()
        self._checker.asked()
        return peers

    def _known(self) -> Peers:
        assert self._peers is not None  # a colony without a council has no keeper
        return self._peers


def peer_url(node: str) -> str:
    """Where other members reach etcd on ``node``."""
    return f"https://{node}:2380"
