"""The promises of the council and of the castes, checked from outside: it believes no keeper and no record."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from aware_agent.colony.decoding import from_json
from aware_agent.colony.node import Record, Status
from aware_agent.colony.seats import CouncilRecord, SeatRecord
from aware_agent.store.model import KeyValue

if TYPE_CHECKING:
    from aware_agent.simulator.peers import Peer, Peers
    from aware_agent.simulator.world import World

T = TypeVar("T")

CLOCKS_S = 2.0  # how much earlier than wanted a member may be replaced: queens whose clocks differ count for each other
NEWS_S = 12.0  # a queen has heard of a new wish by then, or her step was under way


class CouncilChecker:
    """Asked by the members of etcd before and after each change, and by the run at the end."""

    def __init__(self, world: World, fail: Callable[[str], None]) -> None:
        self._world = world
        self._fail = fail
        self.changes = 0
        self._voters_before = world.wanted  # a colony begins with the council that is wanted
        self._told = 0  # lines of history on steps
        self._asked = 0  # as many as there were when etcd was asked the last time
        self.wished_at = 0.0  # when an operator last changed the size
        self.wished_before = world.wanted  # what was wanted until then

    def told(self) -> None:
        """A line of history on a step of the keeper was written, under her term."""
        self._told += 1

    def asked(self) -> None:
        """etcd is asked for a step: whoever is deposed could not have written the line before it."""
        if self._told <= self._asked:
            self._fail("a step of the council is made, and the history has no line of it")
        self._asked = self._told

    def removes(self, peers: Peers, peer: Peer) -> None:
        """A member is about to be removed."""
        if peer.learner:
            return
        now, queen = self._world.queue.now, self._world.queen()
        if queen is not None and queen[0].id == peer.node:
            self._fail(f"the queen on {peer.node} takes her own seat away")
        if len(peers.voters()) > self._most_wanted(least=True):
            return
        away = now - self._away_since(peer.node)
        if away < self._world.replace_after_s - CLOCKS_S:
            self._fail(f"{peer.node} lost its seat after {away:.1f} s")

    def changed(self, peers: Peers) -> None:
        """etcd has made a change."""
        self.changes += 1
        voters, up = peers.voters(), peers.up()
        if 2 * len(up) <= len(voters):
            self._fail(f"{len(up)} of {len(voters)} members of etcd run after a change of the queen's, no majority")
        if len(voters) > max(self._most_wanted(), 1) and len(voters) > self._voters_before:
            self._fail(f"the council has {len(voters)} seats, and {self._world.wanted} are wanted")
        self._voters_before = len(voters)

    def trouble(self, peers: Peers) -> str:
        """Why the council or the castes are not as wanted, or ''."""
        voters = peers.voters()
        if len(voters) != self._world.wanted or len(peers.members) != len(voters) or len(peers.up()) != len(voters):
            return f"{len(peers.up())} of {len(voters)} members of etcd run, {self._world.wanted} are wanted"
        queen = self._world.queen()
        if queen is not None and len(voters) > 1 and peers.members[peers.leader].node == queen[0].id:
            return f"the queen and etcd's leader are both on {queen[0].id}"
        sits = {peer.node: number for number, peer in peers.members.items()}
        if {node: seat.member for node, seat in self._read("seats/", SeatRecord).items()} != sits:
            return "nodes were told of other seats than there are"
        known = self._world.etcd.history.now.get(self._world.keys.key("council"))
        record = from_json(known.value, CouncilRecord) if known else CouncilRecord(seats=())
        told = {(seat.node, seat.member) for seat in record.seats}
        if told != set(sits.items()) or any(seat.learner for seat in record.seats) or record.trouble:
            return f"everybody was told of another council than there is: {record.message or record.trouble}"
        return self._castes()

    def _castes(self) -> str:
        """Whoever is here is ready, nobody else is, and each caste has as many as it can."""
        records = self._read("nodes/", Record)
        here = {agent.host.id for agent in self._world.agents()}
        wrong = [node for node, record in records.items() if (record.status is Status.READY) is not (node in here)]
        if wrong:
            return f"{wrong[0]} is recorded as {records[wrong[0]].status}"
        stored = self._world.etcd.history.now.get(self._world.keys.key("castes"))
        castes = from_json(stored.value, dict[str, list[str]]) if stored else {}
        given = [node for members in castes.values() for node in members]
        if len(given) != len(set(given)) or not set(given) <= here:
            return f"the castes {castes} are of others than those who are here"
        wanted = sum(spec.count for spec in self._world.castes.values())
        if len(given) < min(wanted, len(here)):
            return f"the castes {castes} are short, and {len(here)} nodes are here"
        return ""

    def _most_wanted(self, *, least: bool = False) -> int:
        """The size of the council that a queen may believe in now."""
        fresh = self._world.queue.now - self.wished_at < NEWS_S
        sizes = [self._world.wanted, *([self.wished_before] if fresh else [])]
        return min(sizes) if least else max(sizes)

    def _away_since(self, node: str) -> float:
        host = self._world.hosts[node]
        times = (host.etcd_down_since, self._world.unseen_since(host), self._world.absent_since.get(node))
        return min((at for at in times if at is not None), default=self._world.queue.now)

    def _read(self, prefix: str, kind: type[T]) -> dict[str, T]:
        start = self._world.keys.key(prefix)
        found: list[KeyValue] = [kv for key, kv in self._world.etcd.history.now.items() if key.startswith(start)]
        return {kv.key[len(start) :].decode(): from_json(kv.value, kind) for kv in found}
