"""Single scenes in virtual time: what happens, and how long the throne stays empty."""

from __future__ import annotations

from random import Random

import pytest

from aware_agent.colony.election import Phase
from aware_agent.colony.simulator import World
from aware_agent.colony.simulator.agent import Agent
from aware_agent.colony.simulator.clock import Queue
from aware_agent.colony.simulator.etcd import ELECTION_TIMEOUT_S, LEASE_GONE, REVOKE_EVERY_S, Change, Etcd
from aware_agent.colony.simulator.news import QUEEN
from aware_agent.colony.timing import Timing

TTL = Timing().queen_ttl_s


def settled_colony(nodes: int = 5, seed: int = 1) -> World:
    world = World(nodes, Random(seed))
    for host in world.hosts.values():
        world.start(host)
    world.run(10)
    assert world.checker.disagreement() == ""
    return world


def queen_of(world: World) -> Agent:
    agent = world.hosts[world.etcd.keys[QUEEN].value.id].agent
    assert agent is not None
    return agent


def wait_for_another(world: World, term: int, limit: float) -> float:
    """Seconds until a newer term begins."""
    begin = world.queue.now
    while world.queue.now < begin + limit:
        world.run(0.01)
        key = world.etcd.keys.get(QUEEN)
        if key and key.created != term:
            return world.queue.now - begin
    raise AssertionError(f"no other queen within {limit} s")


@pytest.mark.parametrize("seed", range(8))
def test_a_killed_queen_is_followed_within_the_lease_bound(seed: int) -> None:
    world = settled_colony(seed=seed)
    queen, term = queen_of(world), world.etcd.keys[QUEEN].created
    world.run(seed * 0.13)  # any phase of keepalive and revoke loop
    queen.crash()
    took = wait_for_another(world, term, 10)
    assert TTL * 2 / 3 - 0.1 <= took <= TTL + REVOKE_EVERY_S + 0.1


def test_a_queen_cut_off_stops_before_her_successor_begins() -> None:
    world = settled_colony()
    queen, term = queen_of(world), world.etcd.keys[QUEEN].created
    queen.host.cut = True
    wait_for_another(world, term, 10)
    assert queen.state.phase is Phase.WATCHING
    assert queen.duty == 0
    world.reconnect(queen.host, relist=True)
    world.run(5)
    assert world.checker.disagreement() == ""
    assert world.checker.refused == 0, "she did not even try"


def test_a_frozen_queen_acts_on_waking_and_is_refused() -> None:
    world = settled_colony()
    queen, term = queen_of(world), world.etcd.keys[QUEEN].created
    queen.freeze()
    wait_for_another(world, term, 10)
    assert queen.duty == term, "she does not know yet"
    queen.thaw()
    world.run(0)
    assert queen.duty == 0, "what piled up ends her duties"
    world.run(1)
    assert world.checker.refused >= 1
    assert world.checker.disagreement() == ""


def test_a_clean_shutdown_leaves_the_throne_empty_for_milliseconds() -> None:
    world = settled_colony()
    queen, term = queen_of(world), world.etcd.keys[QUEEN].created
    queen.quit()
    assert wait_for_another(world, term, 5) <= 0.04
    world.run(1)
    assert not queen.alive


def test_a_transfer_goes_to_whom_it_names() -> None:
    world = settled_colony()
    queen, term = queen_of(world), world.etcd.keys[QUEEN].created
    last = queen.state.line[-1]
    queen.resign(last)
    wait_for_another(world, term, 5)
    assert world.etcd.keys[QUEEN].value.id == last
    world.run(5)
    assert world.checker.terms == 2, "one transfer, one new term"


def test_a_queen_restarted_alone_reigns_again_at_once() -> None:
    world = settled_colony(nodes=1)
    term = world.etcd.keys[QUEEN].created
    queen_of(world).crash()
    world.start(world.hosts["n1"])
    assert wait_for_another(world, term, 5) < 0.2


def test_without_etcd_there_is_no_queen_and_afterwards_exactly_one() -> None:
    world = settled_colony()
    world.etcd.change_leader(8.0)
    world.checker.disturbed(99)
    world.run(7.9)
    assert [a for a in world.agents() if a.duty] == []
    world.run(12)
    assert world.checker.disagreement() == ""


def test_nothing_changes_while_nothing_is_wrong() -> None:
    world = settled_colony(nodes=20)
    campaigns = world.checker.campaigns
    world.run(600)
    assert world.checker.terms == 1
    assert world.checker.campaigns == campaigns


# The simulated etcd has etcd's habits ----------------------------------------------------------------------------


def a_store() -> tuple[Queue, Etcd, list[tuple[float, int]]]:
    queue, seen = Queue(), list[tuple[float, int]]()

    def note(revision: int, changes: tuple[Change, ...]) -> None:
        seen.append((queue.now, revision))

    return queue, Etcd(queue, note), seen


def test_a_lease_ends_at_the_next_tick_of_the_revoke_loop() -> None:
    queue, etcd, seen = a_store()
    queue.run(0.2)
    lease = etcd.grant(3)
    etcd.put("a", 1, lease)
    etcd.put("b", 1, lease)
    queue.run(3.4)
    assert set(etcd.keys) == {"a", "b"}
    queue.run(10)
    assert etcd.keys == {}
    assert seen == [(0.2, 1), (0.2, 2), (3.5, 3)], "both keys in one revision"
    assert not etcd.renew(lease)


def test_a_keepalive_gives_the_full_time_again() -> None:
    queue, etcd, seen = a_store()
    etcd.put("a", 1, etcd.grant(3))
    queue.run(2.4)
    assert etcd.renew(1)
    queue.run(10)
    assert seen[-1][0] == 5.5


def test_a_new_leader_gives_every_lease_its_full_time_and_more() -> None:
    queue, etcd, seen = a_store()
    etcd.put("a", 1, etcd.grant(3))
    queue.run(2.9)
    etcd.change_leader(1.1)
    queue.run(20)
    assert 4.0 + 3 + ELECTION_TIMEOUT_S <= seen[-1][0] <= 4.0 + 3 + ELECTION_TIMEOUT_S + REVOKE_EVERY_S


def test_terms_are_create_revisions() -> None:
    _, etcd, _ = a_store()
    assert etcd.txn("q", 0, {"q": ("x", 0)}) == 1
    assert etcd.txn("q", 0, {"q": ("y", 0)}) == 0
    etcd.put("q", "z")
    assert etcd.keys["q"].created == 1
    assert etcd.txn("q", 1, {}, ("q",)) == 3
    assert etcd.txn("q", 0, {"q": ("w", 0)}) == 4
    assert etcd.keys["q"].created == 4
    assert etcd.txn("r", 0, {"r": ("v", 77)}) == LEASE_GONE
    etcd.revoke(77)
    assert etcd.revision == 4


def test_a_key_put_again_leaves_its_old_lease() -> None:
    queue, etcd, _ = a_store()
    etcd.put("p", 1, etcd.grant(3))
    etcd.put("p", 2, etcd.grant(9))
    queue.run(8)
    assert etcd.keys["p"].value == 2
