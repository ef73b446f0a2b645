"""Servers that the colony keeps by itself: each rule, and a cloud that loses, breaks and doubles servers at random."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from aware_agent.colony import healing
from aware_agent.colony.errors import InvalidInput
from aware_agent.colony.healing import (
    Create,
    Decision,
    Delete,
    Healing,
    Intent,
    Issuer,
    NodeState,
    Picture,
    Server,
    ServerPolicy,
    calls,
    decide,
)
from aware_agent.colony.node import Status

POLICY = ServerPolicy(provider="socket", after_s=300.0, most=3, within_s=3600.0, join_s=900.0)
NOW = 10_000.0


def node(number: int, status: Status = Status.READY, since: float = 0.0, **more: Any) -> NodeState:
    return NodeState(name=f"demo-{number}", status=status, since=since, **more)


def server(number: int, *, ident: str = "", term: int = 5, **more: Any) -> Server:
    return Server(id=ident or f"s{number}", name=f"demo-{number}", term=term, **more)


def settled(size: int = 5) -> tuple[Healing, list[NodeState], list[Server]]:
    """All nodes are there, each with the server that was made for it."""
    known = {f"demo-{number}": f"s{number}" for number in range(1, size + 1)}
    numbers = range(1, size + 1)
    return Healing(known=known), [node(n) for n in numbers], [server(n, intent=f"old{n}") for n in numbers]


def look(
    state: Healing, nodes: list[NodeState], servers: list[Server] | None, now: float = NOW, **picture: Any
) -> Decision:
    given = {"colony": "demo", "size": 5, "nodes": nodes, "servers": servers, **picture}
    return decide(state, Picture(**given), POLICY, now, Issuer(7, [f"i{number}" for number in range(1, 40)]))


def kinds(decision: Decision) -> dict[str, str]:
    return {intent.name: intent.kind for intent in decision.state.intents.values()}


def dead(nodes: list[NodeState], *numbers: int, ago: float = 400.0, **more: Any) -> list[NodeState]:
    names = {f"demo-{number}" for number in numbers}
    return [
        msgspec.structs.replace(one, status=Status.DEAD, since=NOW - ago, **more) if one.name in names else one
        for one in nodes
    ]


def test_a_colony_that_is_as_wanted_is_left_alone() -> None:
    state, nodes, servers = settled()
    assert look(state, nodes, servers) == Decision(state, (), None)


def test_without_a_list_of_servers_nothing_is_said_of_them() -> None:
    state, nodes, _ = settled()
    assert look(state, dead(nodes, 2), None) == Decision(state, (), None)


def test_what_is_missing_is_made_under_the_lowest_free_names() -> None:
    state, nodes, servers = settled()
    decision = look(state, nodes, servers, size=7)
    assert kinds(decision) == {"demo-6": "make", "demo-7": "make"}
    assert {intent.term for intent in decision.state.intents.values()} == {7}
    assert calls(decision.state, servers) == (Create("demo-6", "i1"), Create("demo-7", "i2"))
    again = look(decision.state, nodes, servers, size=7)
    assert again.state == decision.state, "intents count as what is there"


def test_a_node_that_joined_with_the_intents_token_ends_it() -> None:
    state, nodes, servers = settled()
    open_state = look(state, nodes, servers, size=6).state
    servers.append(server(6, intent="i1"))
    assert look(open_state, nodes, servers, size=6).state == open_state, "nobody came yet"
    nodes.append(node(6, Status.SUSPECT, joined_with="i1"))
    assert look(open_state, nodes, servers, size=6).state == open_state, "it is still to show itself"
    nodes[-1] = node(6, joined_with="i1")
    after = look(open_state, nodes, servers, NOW + 60, size=6)
    assert (after.state.intents, after.state.known["demo-6"]) == ({}, "s6")
    assert after.lines[0].message == "demo-6 is there, 60 s after it was wanted"


def test_a_dead_node_is_made_anew_after_its_time_and_under_its_name() -> None:
    state, nodes, servers = settled()
    early = look(state, dead(nodes, 2, ago=100.0), servers)
    assert (early.state, early.again_at) == (state, NOW + 200.0)
    decision = look(state, dead(nodes, 2), servers)
    assert kinds(decision) == {"demo-2": "remake"}
    assert calls(decision.state, servers) == (Delete("s2"), Create("demo-2", "i1"))
    gone = [one for one in servers if one.id != "s2"]
    assert calls(decision.state, gone) == (Create("demo-2", "i1"),)
    assert calls(decision.state, [*gone, server(2, ident="s9", intent="i1")]) == ()


def test_never_means_never_and_nor_do_the_queen_the_away_and_the_strange_count() -> None:
    state, nodes, servers = settled()
    never = msgspec.structs.replace(POLICY, after_s=0.0)
    picture = Picture("demo", 5, dead(nodes, 2), servers)
    assert decide(state, picture, never, NOW, Issuer(7, ["i1"])).state == state
    assert look(state, dead(nodes, 2, queen=True), servers).state == state
    away = [msgspec.structs.replace(one, status=Status.AWAY) for one in dead(nodes, 2)]
    assert look(state, away, servers).state == state
    council = look(state, dead(nodes, 2, eligible=True), servers)
    assert (kinds(council), "policies.servers.eligible" in council.state.held) == ({}, True)
    picture = Picture("demo", 5, dead(nodes, 2, eligible=True), servers)
    wide = msgspec.structs.replace(POLICY, eligible=True)
    assert kinds(decide(state, picture, wide, NOW, Issuer(7, ["i1"]))) == {"demo-2": "remake"}
    static = msgspec.structs.replace(state, known={"demo-1": "s1"})
    own = [servers[0]]
    assert look(static, dead(nodes, 2), own).state == static, "demo-2 is a host of people's own"


def test_who_left_comes_back_unless_the_server_is_gone() -> None:
    state, nodes, servers = settled()
    nodes[1] = node(2, Status.LEFT, NOW - 400.0)
    assert look(state, nodes, servers).state == state
    assert kinds(look(state, nodes, [one for one in servers if one.id != "s2"])) == {"demo-2": "remake"}


def test_a_third_at_a_time_and_the_rest_later() -> None:
    state, nodes, servers = settled()
    decision = look(state, dead(nodes, 2, 3), servers)
    assert kinds(decision) == {"demo-2": "remake"}
    assert decision.state.held == "not replaced though dead (1 at a time): demo-3"


def test_when_most_are_dead_it_is_not_they() -> None:
    state, nodes, servers = settled()
    decision = look(state, dead(nodes, 1, 2, 3), servers)
    assert kinds(decision) == {}
    assert "3 of 5 nodes are dead although their servers run (demo-1, demo-2, demo-3)" in decision.state.held
    assert [line.type for line in decision.lines] == ["server.held"]
    assert look(decision.state, dead(nodes, 1, 2, 3), servers).lines == (), "it is told once"
    lost = look(state, dead(nodes, 1, 2, 3, 4), servers[2:])
    assert kinds(lost) == {"demo-1": "remake"}, "of what the cloud says that it is gone nobody doubts"


def test_only_so_many_within_the_window() -> None:
    state, nodes, servers = settled()
    spent = msgspec.structs.replace(state, replaced=(NOW - 3000.0, NOW - 200.0, NOW - 100.0))
    decision = look(spent, dead(nodes, 2), servers)
    assert kinds(decision) == {}
    assert "which is the most" in decision.state.held
    assert decision.again_at == NOW + 600.0
    assert kinds(look(spent, dead(nodes, 2), servers, NOW + 601.0)) == {"demo-2": "remake"}


def test_a_seat_moves_first_where_somebody_can_take_it() -> None:
    state, nodes, servers = settled()
    assert "its seat" in look(state, dead(nodes, 2, seat=True), servers, seatless=1).state.held
    assert kinds(look(state, dead(nodes, 2, seat=True), servers, seatless=0)) == {"demo-2": "remake"}


def test_a_cloud_that_fails_is_left_alone_longer_and_longer() -> None:
    state, nodes, servers = settled()
    for _ in range(healing.PATIENT):
        assert healing.resumes_at(state) == 0.0
        state = healing.failed(state, NOW)
    assert healing.resumes_at(state) == NOW + 30.0
    decision = look(state, dead(nodes, 2), servers, size=6)
    assert kinds(decision) == {}
    assert "3 attempts failed" in decision.state.held
    assert decision.again_at == NOW + 30.0
    assert kinds(look(state, dead(nodes, 2), servers, NOW + 30.0)) == {"demo-2": "remake"}
    for _ in range(20):
        state = healing.failed(state, NOW)
    assert healing.resumes_at(state) == NOW + healing.LONGEST_PAUSE_S
    assert healing.resumes_at(healing.answered(state)) == 0.0


@pytest.mark.parametrize("how", ["fault", "time"])
def test_what_does_not_come_is_given_up_removed_and_made_again(how: str) -> None:
    state, nodes, servers = settled()
    begun = look(state, nodes, servers, size=6).state
    servers.append(server(6, intent="i1", fault="no valid host" if how == "fault" else ""))
    later = NOW + (1.0 if how == "fault" else POLICY.join_s)
    after = look(begun, nodes, servers, later, size=6)
    assert "is given up" in after.lines[0].message
    assert after.state.failures == 1
    assert calls(after.state, servers) == (Delete("s6"), Create("demo-6", "i2"))
    assert kinds(look(after.state, nodes, servers[:5], later + 1, size=6)) == {"demo-6": "make"}


def test_what_an_earlier_queen_made_and_nobody_wants_goes_and_what_people_made_stays() -> None:
    state, nodes, servers = settled()
    servers += [server(9, intent="forgotten"), server(8, term=0)]
    state = msgspec.structs.replace(state, over=("forgotten",))
    decision = look(state, nodes, servers, size=6)
    assert kinds(decision) == {"demo-9": "remove"}, "and that one fills the place"
    assert calls(decision.state, servers) == (Delete("s9"),)


def test_of_what_nothing_is_known_nothing_is_removed() -> None:
    """A backup was restored that is older than the servers, or the record is lost."""
    _, nodes, servers = settled()
    nodes = [msgspec.structs.replace(one, joined_with=made.intent) for one, made in zip(nodes, servers, strict=True)]
    decision = look(Healing(), nodes, [*servers, server(9, intent="later")], size=6)
    assert kinds(decision) == {}
    assert decision.state.known == {f"demo-{number}": f"s{number}" for number in range(1, 6)}
    assert "nothing is known of server demo-9" in decision.state.held


def test_a_doubled_server_of_one_intent_goes() -> None:
    state, nodes, servers = settled()
    begun = look(state, nodes, servers, size=6).state
    servers += [server(6, ident="sb", intent="i1"), server(6, ident="sa", intent="i1")]
    assert calls(begun, servers) == (Delete("sb"),)


def test_peoples_servers_are_known_once_their_nodes_are_there_and_are_healed() -> None:
    _, nodes, servers = settled()
    peoples = [msgspec.structs.replace(one, term=0, intent="") for one in servers]
    nodes = [msgspec.structs.replace(one, named=True) for one in nodes]
    state = look(Healing(), nodes, peoples).state
    assert state.known == {f"demo-{number}": f"s{number}" for number in range(1, 6)}
    assert calls(look(state, dead(nodes, 2), peoples).state, peoples)[0] == Delete("s2")


def test_the_server_of_a_node_that_an_admin_removed_goes() -> None:
    state, nodes, servers = settled()
    assert kinds(look(state, nodes[:4], servers, size=4)) == {"demo-5": "remove"}
    peoples = [msgspec.structs.replace(one, term=0, intent="") for one in servers]
    decision = look(state, nodes[:4], peoples, size=4)
    assert kinds(decision) == {}
    assert "a person made it" in decision.state.held


def test_who_takes_the_name_of_a_server_does_not_have_it_deleted_by_falling_silent() -> None:
    """Anybody with a join token that names nobody can call his node as he likes."""
    state, nodes, servers = settled()
    taken = [*servers, server(6, term=0), server(7, intent="lost", term=3)]
    general = [node(n, id=f"n{n}", joined_with="general") for n in (6, 7)]
    learned = look(state, [*nodes, *general], taken, size=7).state
    assert learned.known == state.known
    silent = [msgspec.structs.replace(one, status=Status.DEAD) for one in general]
    after = look(learned, [*nodes, *silent], taken, size=7).state
    assert calls(after, taken) == ()
    own = [node(6, named=True, joined_with="t"), node(7, joined_with="lost")]
    known = look(state, [*nodes, *own], taken, size=7).state.known
    assert (known["demo-6"], known["demo-7"]) == ("s6", "s7")


def test_another_node_of_the_same_name_does_not_inherit_the_server() -> None:
    _, nodes, servers = settled()
    servers[1] = server(2, term=0)
    nodes[1] = node(2, id="first", named=True)
    state = look(Healing(), nodes, servers).state
    assert (state.known["demo-2"], state.nodes["demo-2"]) == ("s2", "first")
    nodes[1] = node(2, Status.DEAD, id="second", joined_with="general")
    after = look(state, nodes, servers).state
    assert ("demo-2" in after.known, calls(after, servers)) == (False, ())


def test_no_more_end_at_a_look_than_a_transaction_can_hold() -> None:
    intents = {f"demo-{n}": Intent(id=f"x{n}", kind="make", name=f"demo-{n}", at=0.0, term=5) for n in range(1, 71)}
    state = Healing(intents=intents)
    for left in (54, 38, 22, 6):
        decision = look(state, [], [], size=70)
        assert (len(decision.state.intents), decision.more) == (left, True)
        assert len(decision.lines) <= healing.CLOSED_AT_ONCE + 1
        state = decision.state
    last = look(state, [], [], size=70)
    assert (last.state.intents, last.more) == ({}, False)


def test_so_many_failures_that_no_number_holds_the_pause() -> None:
    assert healing.resumes_at(Healing(failures=5000, failed_at=NOW)) == NOW + healing.LONGEST_PAUSE_S


@pytest.mark.parametrize("listed", [(), (3, 4, 5)])
def test_a_list_that_lacks_servers_of_nodes_that_are_ready_is_not_acted_on(listed: tuple[int, ...]) -> None:
    state, nodes, servers = settled()
    nodes[1] = node(2, Status.LEFT, NOW - 400.0)
    state = msgspec.structs.replace(state, over=("gone",))
    found = [servers[n - 1] for n in listed] + [server(9, intent="gone")]
    decision = look(state, nodes, found, size=9)
    assert decision.doubted
    assert msgspec.structs.replace(decision.state, held="") == state
    assert "the list lacks the servers of nodes that are ready: demo-1" in decision.state.held
    assert [line.type for line in decision.lines] == ["server.held"]
    assert look(decision.state, nodes, found, size=9).lines == (), "it is told once"
    assert not look(decision.state, nodes, [*servers, found[-1]]).doubted


def test_what_is_held_is_a_sentence_however_many_it_is_about() -> None:
    state, nodes, servers = settled(3000)
    many = range(1, 1000)
    decision = look(state, dead(nodes, *many, eligible=True), servers, size=3000)
    assert decision.state.held.endswith(": demo-1, demo-10, demo-100, demo-101, demo-102 and 994 more")
    assert decision.state.held.count("not replaced though dead") == 1
    strange = [server(n, ident=f"y{n}", intent="?") for n in range(4000, 5000)]
    strange += [Server(id=f"z{n}", name=f"{n}{'x' * 250}", term=3, intent="?") for n in range(9)]
    assert len(look(state, nodes, [*servers, *strange], size=3000).state.held) <= healing.MAX_HELD


def test_a_fault_is_a_line_in_an_event() -> None:
    state, nodes, servers = settled()
    begun = look(state, nodes, servers, size=6).state
    servers.append(server(6, intent="i1", fault="no\nhost\x1b[2J" + "x" * 100_000))
    said = look(begun, nodes, servers, size=6).lines[0].message
    assert said.startswith("demo-6 is given up: its server failed: no host [2Jx")
    assert len(said) < 300


def test_more_than_wanted_is_said() -> None:
    state, nodes, servers = settled()
    assert look(state, nodes, servers, size=4).state.held.startswith("1 more than size 4")


# A cloud, nodes and queens that fall, at random ---------------------------------------------------------------------


class World:
    """Queens who may fall between any two calls; a cloud that loses answers and fails; faults of all kinds."""

    def __init__(self, seed: int, size: int = 6) -> None:
        self.random = random.Random(seed)
        self.size, self.now, self.term, self.count = size, 0.0, 1, 0
        self.state = Healing()  # what is on record
        self.servers: dict[str, Server] = {"x": Server(id="x", name="demo-77", term=0)}
        self.born: dict[str, float] = {}
        self.nodes: dict[str, NodeState] = {}
        self.hosts: dict[str, str] = {}  # node name -> server id
        self.trouble = True
        self.policy = ServerPolicy(provider="socket", after_s=60.0, most=4, within_s=600.0, join_s=200.0)

    def ids(self) -> Iterator[str]:
        for _ in range(20):
            self.count += 1
            yield f"i{self.count:05d}"

    def queen(self) -> None:
        """One look and its calls; she may fall at any of them, and the next one knows what is on record."""
        servers = list(self.servers.values())
        picture = Picture("demo", self.size + 1, list(self.nodes.values()), servers)  # one is people's own
        if self.now < healing.resumes_at(self.state):
            return
        before = self.state
        decision = decide(self.state, picture, self.policy, self.now, Issuer(self.term, list(self.ids())))
        self.state = decision.state
        for intent in healing.open_intents(self.state).values():
            if intent.kind == "remake" and intent.id not in healing.open_intents(before):
                self.nodes.pop(intent.name, None)  # in the same transaction
        remaking = sum(intent.kind == "remake" for intent in self.state.intents.values())
        assert remaking <= max(1, (self.size + 1) // healing.AT_ONCE)
        assert len(self.state.replaced) <= self.policy.most
        for call in calls(self.state, servers):
            if self.trouble and self.random.random() < 0.15:
                self.term += 1  # she fell
                return
            if self.trouble and self.random.random() < 0.1:
                self.state = healing.failed(self.state, self.now)
                return
            self._do(call)
            if self.trouble and self.random.random() < 0.1:
                self._do(call)  # the answer was lost, and it was asked again
        self.state = healing.answered(self.state)

    def _do(self, call: healing.Call) -> None:
        if isinstance(call, Delete):
            assert call.server != "x", "what a person made was touched"
            self._lose(call.server)
            return
        self.count += 1
        made = Server(id=f"s{self.count:05d}", name=call.name, intent=call.intent, term=self.term)
        self.servers[made.id] = made
        self.born[made.id] = self.now

    def _lose(self, server_id: str) -> None:
        self.servers.pop(server_id, None)
        for name, host in list(self.hosts.items()):
            if host == server_id:
                del self.hosts[name]

    def cloud(self) -> None:
        """Servers boot and join, each token once; nodes without a server die."""
        for made in list(self.servers.values()):
            used = any(one.joined_with == made.intent for one in self.nodes.values())
            young = self.now - self.born.get(made.id, self.now) < 20
            if made.intent and not used and not made.fault and not young and made.name not in self.nodes:
                open_intent = self.state.intents.get(made.name)
                if open_intent and open_intent.id == made.intent:  # its token is good
                    self.nodes[made.name] = NodeState(
                        name=made.name, status=Status.READY, since=self.now, joined_with=made.intent
                    )
                    self.hosts[made.name] = made.id
        for name, one in list(self.nodes.items()):
            if name not in self.hosts and one.status is Status.READY:
                self.nodes[name] = msgspec.structs.replace(one, status=Status.DEAD, since=self.now)

    def fault(self) -> None:
        chosen = self.random.choice(sorted(set(self.servers) - {"x"}) or [""])
        if not chosen:
            return
        if self.random.random() < 0.5:
            self._lose(chosen)
        else:
            self.servers[chosen] = msgspec.structs.replace(self.servers[chosen], fault="hardware")
            for name in [name for name, host in self.hosts.items() if host == chosen]:
                del self.hosts[name]

    def step(self) -> None:
        self.now += 5.0
        if self.trouble and self.random.random() < 0.02:
            self.fault()
        self.cloud()
        self.queen()


@pytest.mark.parametrize("seed", range(12))
def test_whatever_happens_there_are_exactly_the_wanted_servers_in_the_end(seed: int) -> None:
    world = World(seed)
    for _ in range(300):
        world.step()
    world.trouble = False
    for _ in range(700):
        world.step()
    assert world.state.intents == {}
    assert sorted(world.nodes) == sorted(world.hosts)
    assert all(one.status is Status.READY for one in world.nodes.values())
    assert sorted(one.name for one in world.servers.values()) == sorted([*world.nodes, "demo-77"])
    assert len(world.nodes) == world.size


def test_an_intent_decodes_as_it_was_written() -> None:
    state = Healing(intents={"demo-1": Intent(id="i", kind="make", name="demo-1", at=1.0, term=3)}, known={"a": "b"})
    assert msgspec.json.decode(msgspec.json.encode(state), type=Healing) == state


@pytest.mark.parametrize(
    ("field", "value"), [("after_s", 1.0), ("most", 0), ("within_s", 1.0), ("join_s", 5.0), ("join_s", float("nan"))]
)
def test_a_policy_that_makes_no_sense_is_refused_with_its_field(field: str, value: float) -> None:
    healing.check_servers(POLICY, "policies.servers")
    healing.check_servers(msgspec.structs.replace(POLICY, after_s=0.0), "policies.servers")
    with pytest.raises(InvalidInput) as caught:
        healing.check_servers(msgspec.structs.replace(POLICY, **{field: value}), "policies.servers")
    assert caught.value.field == f"policies.servers.{field}"
