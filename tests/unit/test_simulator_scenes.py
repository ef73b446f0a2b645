"""Single scenes in virtual time: what happens, and how long there is no queen."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from random import Random

import pytest

from aware_agent.colony.election import Phase
from aware_agent.colony.timing import Timing
from aware_agent.simulator import World
from aware_agent.simulator.agent import Agent
from aware_agent.store.memory.leases import REVOKE_EVERY_S

Settled = Callable[..., World]
TTL = Timing().queen_ttl_s


@pytest.fixture
def settled_colony() -> Iterator[Settled]:
    """Start colonies; they end with the test."""
    worlds: list[World] = []

    def settled(nodes: int = 5, seed: int = 1, timing: Timing | None = None) -> World:
        world = World(nodes, Random(seed), timing)
        worlds.append(world)
        for host in world.hosts.values():
            world.start(host)
        world.run(10)
        assert world.checker.disagreement() == ""
        return world

    yield settled
    for world in worlds:
        world.close()


def term_of(world: World) -> int:
    reigning = world.queen()
    return reigning[1] if reigning else 0


def queen_of(world: World) -> Agent:
    reigning = world.queen()
    assert reigning is not None
    agent = world.hosts[reigning[0].id].agent
    assert agent is not None
    return agent


def wait_for_another(world: World, term: int, limit: float) -> float:
    """Seconds until a newer term begins."""
    begin = world.queue.now
    while world.queue.now < begin + limit:
        world.run(0.01)
        if term_of(world) not in (0, term):
            return world.queue.now - begin
    raise AssertionError(f"no other queen within {limit} s")


@pytest.mark.parametrize(("nodes", "timing"), [(2, Timing()), (5, Timing(suspect_after_s=0))])
@pytest.mark.parametrize("seed", range(4))
def test_without_a_majority_a_killed_queen_is_followed_within_the_lease_bound(
    settled_colony: Settled, seed: int, nodes: int, timing: Timing
) -> None:
    world = settled_colony(nodes, seed=seed, timing=timing)
    queen, term = queen_of(world), term_of(world)
    world.run(seed * 0.13)  # any phase of keepalive and revoke loop
    queen.crash()
    took = wait_for_another(world, term, 10)
    assert TTL * 2 / 3 - 0.1 <= took <= TTL + REVOKE_EVERY_S + 0.1


@pytest.mark.parametrize("nodes", [3, 4, 5, 7, 12])
@pytest.mark.parametrize("seed", range(4))
def test_a_killed_queen_is_followed_at_once(settled_colony: Settled, seed: int, nodes: int) -> None:
    world = settled_colony(nodes, seed=seed)
    queen, term = queen_of(world), term_of(world)
    world.run(seed * 0.13)
    world.checker.disturbed()
    queen.crash()
    assert wait_for_another(world, term, 10) <= 0.1
    world.run(1)
    assert world.checker.deposed == {term}
    assert world.checker.disagreement() == ""


@pytest.mark.parametrize("how", ["freeze", "deaf", "gone"])
def test_a_queen_that_is_not_heard_is_followed_after_three_heartbeats(settled_colony: Settled, how: str) -> None:
    """Stopped, not heard by the other members, or without any network: three heartbeats and one look."""
    world = settled_colony()
    queen, term = queen_of(world), term_of(world)
    world.checker.disturbed()
    if how == "freeze":
        queen.freeze()
    else:
        queen.host.deaf = True
        queen.host.cut = how == "gone"
    took = wait_for_another(world, term, 10)
    assert 0.5 <= took <= 1.2
    world.run(0.2)
    assert (queen.duty == 0) is (how == "deaf"), "she reads in etcd that she was deposed"
    world.run(5)
    world.checker.disturbed()
    queen.thaw()
    queen.host.deaf = False
    world.reconnect(queen.host, relist=False)
    world.run(30)
    assert world.checker.disagreement() == ""
    assert world.checker.terms == 2, "she does not come back by deposing her successor"


def test_queen_and_heir_killed_together_are_followed_one_step_later(settled_colony: Settled) -> None:
    world = settled_colony()
    queen, term = queen_of(world), term_of(world)
    heir = world.hosts[next(node for node in queen.state.line if node != queen.host.id)].agent
    assert heir is not None
    world.checker.disturbed()
    queen.crash()
    heir.crash()
    assert wait_for_another(world, term, 10) <= 0.5


def test_one_who_does_not_hear_her_changes_nothing(settled_colony: Settled) -> None:
    world = settled_colony()
    queen, term = queen_of(world), term_of(world)
    deaf = next(agent for agent in world.agents() if agent is not queen)
    world.checker.disturbed()
    deaf.host.deaf = True
    world.run(10)
    assert [kv.key.decode().rsplit("/", 1)[1] for kv in world.etcd.range(*world.keys.below("suspect")).kvs] == [
        deaf.host.id
    ]
    deaf.host.deaf = False
    world.run(30)
    assert term_of(world) == term
    assert world.checker.disagreement() == "", "it took it back"


def test_all_members_paused_together_wake_up_to_their_queen(settled_colony: Settled) -> None:
    """A host that pauses all of its guests but one: those that were away do not blame the one that was not."""
    world = settled_colony()
    queen, term = queen_of(world), term_of(world)
    others = [agent for agent in world.agents() if agent is not queen]
    for round_s in (0.6, 1.0, 2.0, 4.2):
        world.checker.disturbed()
        for agent in others:
            agent.freeze()
        world.run(round_s)
        for agent in others:
            agent.thaw()
        world.run(20)
    assert term_of(world) == term


@pytest.mark.parametrize("loss", [0.1, 0.3])
def test_an_hour_of_packet_loss_changes_nothing(settled_colony: Settled, loss: float) -> None:
    world = settled_colony(seed=3)
    term = term_of(world)
    for host in world.hosts.values():
        host.loss = loss
    world.run(3600)
    assert term_of(world) == term


def test_a_queen_cut_off_stops_before_her_successor_begins(settled_colony: Settled) -> None:
    world = settled_colony()
    queen, term = queen_of(world), term_of(world)
    queen.host.cut = True
    wait_for_another(world, term, 10)
    assert queen.state.phase is Phase.WATCHING
    assert queen.duty == 0
    world.reconnect(queen.host, relist=True)
    world.run(5)
    assert world.checker.disagreement() == ""
    assert world.checker.refused == 0, "she did not even try"


def test_a_frozen_queen_acts_on_waking_and_is_refused(settled_colony: Settled) -> None:
    world = settled_colony()
    queen, term = queen_of(world), term_of(world)
    queen.freeze()
    wait_for_another(world, term, 10)
    assert queen.duty == term, "she does not know yet"
    queen.thaw()
    world.run(0)
    assert queen.duty == 0, "what piled up ends her duties"
    world.run(1)
    assert world.checker.refused >= 1
    assert world.checker.disagreement() == ""


def test_a_clean_shutdown_leaves_no_queen_for_milliseconds(settled_colony: Settled) -> None:
    world = settled_colony()
    queen, term = queen_of(world), term_of(world)
    queen.quit()
    assert wait_for_another(world, term, 5) <= 0.04
    world.run(1)
    assert not queen.alive


def test_a_transfer_goes_to_whom_it_names(settled_colony: Settled) -> None:
    world = settled_colony()
    queen, term = queen_of(world), term_of(world)
    last = queen.state.line[-1]
    queen.resign(last)
    wait_for_another(world, term, 5)
    assert queen_of(world).host.id == last
    world.run(5)
    assert world.checker.terms == 2, "one transfer, one new term"


def test_a_queen_restarted_alone_reigns_again_at_once(settled_colony: Settled) -> None:
    world = settled_colony(nodes=1)
    term = term_of(world)
    queen_of(world).crash()
    world.start(world.hosts["n1"])
    assert wait_for_another(world, term, 5) < 0.2


def test_without_etcd_there_is_no_queen_and_afterwards_exactly_one(settled_colony: Settled) -> None:
    world = settled_colony()
    world.change_leader(8.0)
    world.checker.disturbed(99)
    world.run(7.9)
    assert [a for a in world.agents() if a.duty] == []
    world.run(12)
    assert world.checker.disagreement() == ""


def test_nothing_changes_while_nothing_is_wrong(settled_colony: Settled) -> None:
    world = settled_colony(nodes=7)
    campaigns = world.checker.campaigns
    world.run(600)
    assert world.checker.terms == 1
    assert world.checker.campaigns == campaigns


def serve(world: World, node: str, does: bool) -> None:
    """The gateway of ``node`` ends, or answers again, and all have heard of it."""
    world.checker.disturbed()
    world.hosts[node].serving = does
    agent = world.hosts[node].agent
    assert agent is not None
    agent.gateway_moved()


def test_a_queen_whose_gateway_ends_hands_over_within_milliseconds(settled_colony: Settled) -> None:
    world = settled_colony()
    term, queen, heir = term_of(world), queen_of(world).host.id, world.line[1]
    serve(world, queen, False)
    assert wait_for_another(world, term, 1) < 0.1
    assert queen_of(world).host.id == heir
    assert world.line[-1] == queen


def test_without_any_gateway_a_queen_reigns_on_until_one_answers(settled_colony: Settled) -> None:
    world = settled_colony(3)
    term, queen, others = term_of(world), queen_of(world).host.id, world.line[1:]
    for node in (*others, queen):
        serve(world, node, False)
        world.run(1)
    world.run(20)
    assert term_of(world) == term
    serve(world, others[1], True)
    assert wait_for_another(world, term, 1) < 0.3
    assert queen_of(world).host.id == others[1], "not the first in the colony, but the one that can serve"
    assert queen != others[1]


def test_an_heir_without_gateway_is_passed_over_and_waited_for_by_nobody(settled_colony: Settled) -> None:
    world = settled_colony()
    term, queen, first, second = term_of(world), queen_of(world), world.line[1], world.line[2]
    serve(world, first, False)
    world.run(1)
    world.checker.disturbed()
    queen.crash()
    assert wait_for_another(world, term, 1) < 0.1
    assert queen_of(world).host.id == second


def test_a_colony_without_any_gateway_elects_all_the_same(settled_colony: Settled) -> None:
    world = settled_colony(3)
    term, queen = term_of(world), queen_of(world)
    for node in world.line:
        if node != queen.host.id:
            serve(world, node, False)
    world.run(1)
    world.checker.disturbed()
    queen.crash()
    assert wait_for_another(world, term, 2) < 0.5
