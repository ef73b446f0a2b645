"""A deposition goes wrong in many ways: each of these defects, made on purpose, is found by one run in virtual time.

The run is a fixed story (:func:`story`) of what members hear of a queen; the checker watches it as it does any other.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import Any

import msgspec
import pytest

from aware_agent.agent.member.detector import FailureDetector
from aware_agent.colony import election, suspicion
from aware_agent.colony.election import Phase
from aware_agent.colony.suspicion import Decision, Suspicion
from aware_agent.simulator import Broken, World
from aware_agent.simulator.agent import Agent
from aware_agent.simulator.channel import SimChannel
from aware_agent.simulator.wire import WireStore
from aware_agent.store import ops
from aware_agent.store.keys import Keys
from aware_agent.store.model import TxnResult

pytestmark = pytest.mark.no_cover
KEYS = Keys("sim")
LOSS = 0.3


class Story:
    """A colony of five, and what is asked of it."""

    def __init__(self) -> None:
        self.world = World(5, Random(5))

    def begin(self) -> None:
        """All agents start."""
        for host in self.world.hosts.values():
            self.world.start(host)
        self.world.run(10)

    @property
    def term(self) -> int:
        reigning = self.world.queen()
        return reigning[1] if reigning else 0

    @property
    def queen(self) -> Agent:
        reigning = self.world.queen()
        assert reigning is not None
        agent = self.world.hosts[reigning[0].id].agent
        assert agent is not None
        return agent

    @property
    def others(self) -> list[Agent]:
        """In line, the heir first."""
        found = [self.world.hosts[node].agent for node in self.world.line if node != self.queen.host.id]
        return [agent for agent in found if agent is not None]

    def run(self, seconds: float) -> None:
        self.world.run(seconds)

    def disturb(self) -> None:
        self.world.checker.disturbed()

    def same(self, seconds: float) -> None:
        """The same queen for so long."""
        term = self.term
        self.run(seconds)
        if self.term != term:
            raise Broken("the queen changed")

    def followed(self, within: float) -> None:
        """Another queen, in time."""
        term, end = self.term or self.world.checker.terms, self.world.queue.now + within
        while self.term in (0, term):
            if self.world.queue.now > end:
                raise Broken(f"nobody followed within {within} s")
            self.run(0.01)

    def settled(self) -> None:
        """All is well again, and nothing is left of it."""
        for host in self.world.hosts.values():
            host.deaf, host.loss, host.slow_watch_s = False, 0.0, 0.0
            if host.agent is not None:
                host.agent.delivery_due = False
                self.world.deliver_later(host.agent)
            if host.agent is not None and host.agent.frozen:
                host.agent.thaw()
            if not host.up:
                self.world.start(host)
        self.disturb()
        self.run(30)
        trouble = self.world.checker.disagreement()
        if trouble:
            raise Broken(trouble)


def _hears_nothing(story: Story) -> None:
    """Two of five do not hear her; one of them dies with its suspicion, then she hands over."""
    for agent in story.others[1:3]:
        agent.host.deaf = True
    story.disturb()
    story.same(5)
    story.others[1].crash()
    story.run(8)
    if len(story.world.etcd.range(*KEYS.below("suspect")).kvs) != 1:
        raise Broken("a dead member's suspicion was not taken back")
    story.disturb()
    story.queen.resign()
    story.followed(1.0)
    story.run(1)
    if story.world.etcd.range(*KEYS.below("suspect")).kvs:
        raise Broken("what was said of a queen that is gone was not taken back")


def _paused(story: Story) -> None:
    for agent in story.others:
        agent.freeze()
    story.same(2.5)  # shorter than its own lease
    for agent in story.others:
        agent.thaw()
    story.disturb()
    story.same(5)


def _lossy(story: Story) -> None:
    for host in story.world.hosts.values():
        host.loss = LOSS
    story.disturb()
    story.same(300)


def _starved(story: Story) -> None:
    """All on one busy host: the members are late themselves, and then the queen is."""
    queen, others = story.queen, story.others
    story.disturb()
    for _ in range(5):
        for agent in others:
            agent.freeze()
        story.same(0.4)
        for agent in others:
            agent.thaw()
        story.same(0.5)
    queen.freeze()
    story.same(1.5)
    queen.thaw()
    story.same(1.0)


def _killed(story: Story) -> None:
    story.disturb()
    story.queen.crash()
    story.followed(0.1)


def _stopped(story: Story) -> None:
    story.disturb()
    story.queen.freeze()
    story.followed(1.2)
    story.same(4)


def _unheard(story: Story) -> None:
    story.disturb()
    queen = story.queen
    queen.host.deaf = True
    story.followed(1.2)
    story.same(1.0)
    if queen.duty:
        raise Broken("she still acts, though she reads in etcd that she was deposed")


def _late(story: Story) -> None:
    """One member hears last that she is gone, and that somebody follows her."""
    late = story.others[-1].host
    late.deaf, late.slow_watch_s = True, 60.0
    story.disturb()
    story.same(0.5)
    story.queen.crash()
    story.followed(1.0)
    story.same(2.0)


def _heir_unheard(story: Story) -> None:
    """Who follows is heard by nobody, and was not for long: she reigns all the same, for etcd hears her."""
    story.others[0].host.deaf = True
    story.disturb()
    story.run(8)
    story.queen.crash()
    story.followed(0.5)
    story.same(8)


def _both_killed(story: Story) -> None:
    story.disturb()
    victims = [story.queen, story.others[0]]
    for agent in victims:
        agent.crash()
    story.followed(1.0)


def _quiet(story: Story) -> None:
    story.same(20)


def story() -> str:
    """In which chapter what broke first; empty when nothing did."""
    told = Story()
    chapter: Callable[[Story], None] = Story.begin
    try:
        told.begin()
        for chapter in (
            _quiet, _hears_nothing, _paused, _starved, _killed, _stopped, _unheard, _heir_unheard, _both_killed, _late,
            _lossy,
        ):  # fmt: skip
            chapter(told)
            told.settled()
        return "acknowledged writes are lost" if told.world.checker.lost_writes() else ""
    except Broken as broken:
        return f"{chapter.__name__}: {broken.message}"
    finally:
        told.world.close()


def test_the_story_ends_well() -> None:
    assert story() == ""


# The defects -----------------------------------------------------------------------------------------------------

Patch = pytest.MonkeyPatch


def _txn(patch: Patch, spoil: Callable[[Sequence[ops.Compare], Sequence[ops.Op]], Any]) -> None:
    """Every transaction as ``spoil`` makes it."""
    real = WireStore.txn

    async def spoiled(self: WireStore, compares: Any, success: Any, failure: Any = ()) -> TxnResult:
        return await real(self, *spoil(compares, success), failure)

    patch.setattr(WireStore, "txn", spoiled)


def _says(success: Sequence[ops.Op]) -> bool:
    return any(isinstance(op, ops.Put) and op.key.startswith(KEYS.key("suspect/")) for op in success)


def _handler(patch: Patch, event: type, spoil: Callable[[Any, Suspicion, Any, float], Decision]) -> None:
    real = suspicion._TABLE[event]
    table = {**suspicion._TABLE, event: lambda state, event, now: spoil(real, state, event, now)}
    patch.setattr(suspicion, "_TABLE", table)


def a_forgotten_fence_of_a_suspicion(patch: Patch) -> None:
    _txn(patch, lambda compares, success: ([] if _says(success) else compares, success))


def a_suspicion_without_a_lease(patch: Patch) -> None:
    def spoil(compares: Any, success: Any) -> Any:
        return compares, [msgspec.structs.replace(op, lease=0) for op in success] if _says(success) else success

    _txn(patch, spoil)


def half_is_a_majority(patch: Patch) -> None:
    patch.setattr(suspicion, "majority", lambda council: len(council) // 2)


def a_majority_that_nobody_reaches(patch: Patch) -> None:
    patch.setattr(suspicion, "majority", len)


def a_forgotten_retract(patch: Patch) -> None:
    patch.setattr(suspicion, "_believes_again", lambda state, event: Decision(state))


def a_retract_that_is_not_written(patch: Patch) -> None:
    async def nothing(self: FailureDetector, term: int) -> None:
        self._said, self._left = None, 0

    patch.setattr(FailureDetector, "_take_back", nothing)


def a_suspicion_that_outlives_the_term(patch: Patch) -> None:
    def spoil(real: Any, state: Suspicion, event: Any, now: float) -> Decision:
        return Decision(real(state, event, now).state)

    _handler(patch, suspicion.Reigns, spoil)


def members_that_never_wait_longer(patch: Patch) -> None:
    patch.setattr(Suspicion, "patience_s", property(lambda self: self.timing.suspect_after_s))


def a_break_that_is_not_noticed(patch: Patch) -> None:
    def spoil(real: Any, state: Suspicion, event: Any, now: float) -> Decision:
        return real(state, msgspec.structs.replace(event, broken=False), now)

    _handler(patch, suspicion.Looked, spoil)


def silence_that_is_not_noticed(patch: Patch) -> None:
    patch.setattr(Suspicion, "patience_s", property(lambda self: 1e9))


def silence_of_a_queen_that_was_never_heard(patch: Patch) -> None:
    def spoil(real: Any, state: Suspicion, event: Any, now: float) -> Decision:
        decision = real(state, event, now)
        return msgspec.structs.replace(
            decision, state=msgspec.structs.replace(decision.state, met=True, heard_at=decision.state.heard_at or now)
        )

    _handler(patch, suspicion.Looked, spoil)


def forgotten_heartbeats(patch: Patch) -> None:
    patch.setattr(SimChannel, "probe", lambda self: None)


def an_heir_that_waits_for_somebody_else(patch: Patch) -> None:
    def spoil(real: Any, state: Suspicion, event: Any, now: float) -> Decision:
        place = None if event.place == 0 else event.place
        return real(state, suspicion.Council(event.members, place), now)

    _handler(patch, suspicion.Council, spoil)


def only_the_heir_deposes(patch: Patch) -> None:
    def spoil(real: Any, state: Suspicion, event: Any, now: float) -> Decision:
        return real(state, suspicion.Council(event.members, 0 if event.place == 0 else None), now)

    _handler(patch, suspicion.Council, spoil)


def a_deposed_queen_that_goes_on(patch: Patch) -> None:
    real = election._TABLE[Phase.REIGNING, election.QueenSeen]

    def deaf(state: Any, event: Any, now: float) -> election.Decision:
        return real(state, event, now) if event.term == state.term else election.Decision(state)

    patch.setitem(election._TABLE, (Phase.REIGNING, election.QueenSeen), deaf)
    patch.setitem(
        election._TABLE, (Phase.REIGNING, election.Vacant), lambda state, event, now: election.Decision(state)
    )


def a_deposition_that_is_never_sent(patch: Patch) -> None:
    async def nothing(self: FailureDetector, effect: suspicion.Depose, why: str) -> None:
        """Lost."""

    patch.setattr(FailureDetector, "_depose", nothing)


def votes_that_are_not_compared(patch: Patch) -> None:
    """And counted wrongly, so that it shows."""
    half_is_a_majority(patch)
    _txn(patch, lambda compares, success: (compares[:1] if ops.delete(KEYS.queen) in success else compares, success))


DEFECTS = (
    a_forgotten_fence_of_a_suspicion,
    a_suspicion_without_a_lease,
    half_is_a_majority,
    a_majority_that_nobody_reaches,
    a_forgotten_retract,
    a_retract_that_is_not_written,
    a_suspicion_that_outlives_the_term,
    members_that_never_wait_longer,
    a_break_that_is_not_noticed,
    silence_that_is_not_noticed,
    silence_of_a_queen_that_was_never_heard,
    forgotten_heartbeats,
    an_heir_that_waits_for_somebody_else,
    only_the_heir_deposes,
    a_deposed_queen_that_goes_on,
    a_deposition_that_is_never_sent,
    votes_that_are_not_compared,
)


@pytest.mark.parametrize("defect", DEFECTS, ids=lambda defect: defect.__name__)
def test_a_defect_is_noticed(monkeypatch: pytest.MonkeyPatch, defect: Callable[[Patch], None]) -> None:
    defect(monkeypatch)
    assert story() != "", "nobody noticed"
