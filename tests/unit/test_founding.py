"""Founding without a controller: 200 seeds of loss, partitions, crashes and late comers; never two foundings."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from aware_agent.colony import founding as machine
from aware_agent.colony.errors import IllegalTransition
from aware_agent.colony.founders import (
    Admitted,
    Decision,
    Event,
    Found,
    Founding,
    Heard,
    Join,
    Joined,
    Level,
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
from aware_agent.simulator.founding import FoundingNode, FoundingReport, FoundingSettings, simulate_founding

pytestmark = pytest.mark.no_cover

SCENES = [
    FoundingSettings(size=3, holders=3),
    FoundingSettings(size=3, holders=5),  # a fourth and a fifth with the same key
    FoundingSettings(size=5, holders=5, loss=0.5),
    FoundingSettings(size=5, holders=7),
    FoundingSettings(size=7, holders=7),
    FoundingSettings(size=3, holders=5, halves=True),
    FoundingSettings(size=1, holders=1),
]
ABC = ("a", "b", "c")


@pytest.mark.parametrize("scene", SCENES, ids=lambda s: f"{s.size}-of-{s.holders}{'-halves' * s.halves}")
def test_never_two_foundings(scene: FoundingSettings) -> None:
    reports = [simulate_founding(seed, scene) for seed in range(1, 31)]
    broken = next((r for r in reports if r.verdict != "ok"), None)
    assert broken is None, f"seed {broken.seed}: {broken.verdict}\n" + "\n".join(broken.trace[-60:])
    assert [r.seed for r in reports if r.stuck] == [], "founders that exclude each other"
    assert all(r.founded == 1 and r.joined == scene.holders for r in reports)


def test_the_same_seed_is_the_same_run() -> None:
    scene = FoundingSettings(size=3, holders=4)
    assert simulate_founding(5, scene) == simulate_founding(5, scene)
    assert simulate_founding(5, scene).trace != simulate_founding(6, scene).trace


# The checker must be able to fail: each of these breaks one rule on purpose -------------------------------------


def first_broken(scene: FoundingSettings, seeds: int = 60) -> FoundingReport:
    reports = (simulate_founding(seed, scene) for seed in range(1, seeds + 1))
    found = next((r for r in reports if r.verdict != "ok"), None)
    assert found is not None, "nobody noticed"
    return found


def test_a_disk_that_forgets_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A node that confirms another set after a crash."""
    real = FoundingNode.start

    def forgetful(self: FoundingNode) -> None:
        self.disk.confirmed, self.disk.made = (), False
        real(self)

    monkeypatch.setattr(FoundingNode, "start", forgetful)
    verdict = first_broken(FoundingSettings(size=3, holders=5, mean_gap_s=0.7, loss=0.5)).verdict
    assert any(said in verdict for said in (" and then ", "second founding", "not all have", "is not of the founders"))


def test_a_founder_that_does_not_wait_for_all_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    def hasty(state: Founding, event: Persisted, _now: float) -> Decision:
        state = replace(state, phase=Phase.FOUNDING, confirmed=event.founders)
        return Decision(state, (Found(event.founders),), "I found at once")

    monkeypatch.setitem(machine._TABLE, (Phase.CONFIRMING, Persisted), hasty)
    assert "not all have confirmed" in first_broken(FoundingSettings()).verdict


def test_a_founder_that_serves_alone_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    def alone(state: Founding, _event: Made, _now: float) -> Decision:
        return Decision(replace(state, phase=Phase.SERVING), (Serve(),), "I serve alone")

    monkeypatch.setitem(machine._TABLE, (Phase.FOUNDING, Made), alone)
    assert "serves with" in first_broken(FoundingSettings()).verdict


def test_founders_that_never_meet_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(machine._TABLE, (Phase.GATHERING, Heard), lambda state, _event, _now: Decision(state))
    assert "not all are in one colony" in first_broken(FoundingSettings(), 2).verdict


# One node ---------------------------------------------------------------------------------------------------------


class Node:
    """Feeds one node and remembers what it did."""

    def __init__(self, me: str = "a", size: int = 3, state: Founding | None = None) -> None:
        self.state = state or Founding(me=me, name=me, size=size)
        self.now = 0.0
        self.sent = 0.0
        self.sentences: list[str] = []

    def feed(self, event: Event) -> tuple[Any, ...]:
        decision = decide(self.state, event, self.now)
        self.state = decision.state
        if decision.message:
            self.sentences.append(decision.message)
        return decision.effects

    def hear(self, sender: str, level: Level, founders: tuple[str, ...] = (), sent: float | None = None) -> Any:
        self.sent += 1.0
        said = Word(
            sender=sender, name=sender, level=level, founders=founders, sent=self.sent if sent is None else sent
        )
        return self.feed(Heard(said))

    def gather(self, *others: str, founders: tuple[str, ...] = ABC, level: Level = Level.PROPOSES) -> Any:
        for other in others:
            self.hear(other, level, founders)
        self.now += 2.0
        for other in others:
            self.hear(other, level, founders)
        return self.feed(Tick())


def test_from_the_first_word_to_serving() -> None:
    node = Node()
    node.feed(Tick())
    assert node.sentences[-1] == "waiting for 2 more of 3 founders; here are a"
    node.gather("b", "c")
    assert node.state.phase is Phase.READY
    assert word(node.state) == Say(Level.READY, ABC)
    node.hear("b", Level.READY, ABC)
    assert node.hear("c", Level.READY, ABC) == (Persist(ABC),)
    assert word(node.state) == Say(Level.READY, ABC), "nothing is said before it is on disk"
    assert node.feed(Persisted(ABC)) == (Say(Level.CONFIRMS, ABC),)
    node.hear("b", Level.CONFIRMS, ABC)
    assert node.hear("c", Level.CONFIRMS, ABC) == (Found(ABC),)
    assert node.feed(Missed("etcd did not start")) == ()
    assert node.feed(Tick()) == (Found(ABC),)
    assert node.feed(Made()) == (Say(Level.FOUNDED, ABC),)
    assert node.feed(Joined("z")) == (), "a late comer is no founder"
    assert node.feed(Joined("c")) == (Serve(),)
    assert node.sentences[-1] == "the colony is founded by a, c"


def test_who_is_not_the_lowest_joins() -> None:
    node = Node("b")
    node.gather("a", "c", level=Level.READY)
    assert node.state.phase is Phase.CONFIRMING
    node.feed(Persisted(ABC))
    node.hear("a", Level.CONFIRMS, ABC)
    assert node.hear("c", Level.CONFIRMS, ABC) == ()
    assert node.sentences[-1] == "a founds the colony: waiting to join it"
    assert node.hear("a", Level.FOUNDED, ABC) == (Join(),)
    assert word(node.state) == Say(Level.CONFIRMS, ABC), "what it confirmed stands"
    assert node.feed(Missed("no answer")) == ()
    assert node.state.phase is Phase.CONFIRMED
    assert node.hear("a", Level.FOUNDED, ABC) == (Join(),)
    assert node.feed(Admitted()) == (Serve(),)
    assert node.state.phase is Phase.JOINED


def test_a_late_comer_waits_for_those_who_confirmed_and_joins() -> None:
    node = Node("d")
    node.hear("b", Level.CONFIRMS, ABC)
    node.gather("a", "c", level=Level.READY)
    assert node.sentences[-1] == "b founds with others: waiting for their colony"
    assert node.state.phase is Phase.GATHERING
    assert node.hear("c", Level.FOUNDED, ABC) == (Join(),)


def test_one_that_somebody_is_bound_to_follows() -> None:
    node = Node("b")
    node.gather("c", "d", founders=("b", "c", "d"))
    assert node.state.phase is Phase.READY
    assert node.hear("a", Level.CONFIRMS, ABC) == (Persist(ABC),)


def test_who_was_away_while_the_founder_called_looks_for_the_colony() -> None:
    """The founder calls only until a majority is there."""
    node = Node("c", state=begin(Founding(me="c", name="c", size=3), ABC))
    assert node.feed(Tick()) == ()
    node.now += 20.0
    assert node.feed(Tick()) == (Join(),)
    assert word(node.state) == Say(Level.CONFIRMS, ABC)
    node.feed(Missed("nobody answers"))
    assert node.state.phase is Phase.CONFIRMED
    node.now += 1.0
    assert node.feed(Tick()) == ()
    node.now += 10.0
    assert node.feed(Tick()) == (Join(),)
    assert node.feed(Admitted()) == (Serve(),)
    lowest = Node("a", state=begin(Founding(me="a", name="a", size=3), ABC))
    for _ in range(10):
        lowest.now += 20.0
        assert lowest.feed(Tick()) == (), "who has to found does not look for a colony"


def test_a_late_comer_looks_for_the_colony_and_turns_to_founders_that_come() -> None:
    node = Node("d")
    node.feed(Tick())
    node.now += 20.0
    assert node.feed(Tick()) == (Join(),)
    node.gather("a", "b", founders=("a", "b", "d"))
    assert node.state.phase is Phase.GATHERING
    assert node.feed(Missed("nobody answers")) == ()
    node.gather("a", "b", founders=("a", "b", "d"))
    assert node.state.phase is Phase.READY
    assert node.feed(Admitted()) == (Serve(),), "being let in counts at any time"


def test_too_many_holders_of_one_key_are_refused() -> None:
    node = Node()
    node.gather("b", "c", "d", "e", "f")
    assert node.state.phase is Phase.GATHERING
    assert "6 nodes hold this founding key, and a council of 3 may have at most 5" in node.sentences[-1]


def test_sets_that_exclude_each_other_are_said_and_nothing_is_founded() -> None:
    node = Node(state=begin(Founding(me="a", name="a", size=3), ABC))
    node.hear("b", Level.CONFIRMS, ("b", "c", "d"))
    assert "cannot be completed: b has confirmed other founders; make a new founding key" in node.sentences[-1]
    assert node.hear("c", Level.CONFIRMS, ABC) == ()


def test_old_words_take_nothing_back() -> None:
    node = Node(state=begin(Founding(me="a", name="a", size=3), ABC))
    node.hear("b", Level.CONFIRMS, ABC, sent=10.0)
    node.hear("b", Level.PROPOSES, (), sent=9.0)
    node.hear("b", Level.READY, ABC, sent=11.0)
    assert node.hear("c", Level.CONFIRMS, ABC, sent=1.0) == (Found(ABC),)


def test_an_old_half_made_founding_waits_alone_and_joins_what_the_others_made() -> None:
    """It comes back with a founding that nobody joined; the others have a colony by now, with another key or set."""
    made = begin(Founding(me="a", name="a", size=3), ABC, made=True)
    node = Node(state=made)
    assert word(node.state) == Say(Level.FOUNDED, ABC)
    for _ in range(100):
        node.now += 10.0
        assert node.feed(Tick()) == (), "it never serves alone"
    bound = Node(state=begin(Founding(me="a", name="a", size=3), ABC))
    assert bound.hear("d", Level.FOUNDED, ("b", "d", "e")) == (Join(),)


def test_a_founder_that_falls_silent_is_not_counted() -> None:
    node = Node()
    node.hear("b", Level.PROPOSES)
    node.hear("c", Level.PROPOSES)
    node.now += 10.0
    node.hear("b", Level.PROPOSES)
    node.now += 2.0
    node.feed(Tick())
    assert node.sentences[-1] == "waiting for 1 more of 3 founders; here are a, b"


@pytest.mark.parametrize("phase", list(Phase))
def test_every_pair_is_decided_or_refused(phase: Phase) -> None:
    state = Founding(me="a", name="a", size=3, phase=phase, founders=ABC)
    said = Word(sender="b", name="b", level=Level.PROPOSES, founders=(), sent=1.0)
    events: list[Event] = [Heard(said), Tick(), Persisted(ABC), Made(), Joined("b"), Admitted(), Missed("no")]
    for event in events:
        if (phase, type(event)) in machine._TABLE:
            assert decide(state, event, 1.0).state.me == "a"
        else:
            with pytest.raises(IllegalTransition):
                decide(state, event, 1.0)
    assert (phase, Heard) in machine._TABLE
    assert (phase, Tick) in machine._TABLE
    assert phase in machine._LEVELS


def test_another_set_on_disk_than_was_asked_for_is_a_bug() -> None:
    state = Founding(me="a", name="a", size=3, phase=Phase.CONFIRMING, founders=ABC)
    with pytest.raises(IllegalTransition, match="on disk"):
        decide(state, Persisted(("a", "b", "d")), 0.0)
