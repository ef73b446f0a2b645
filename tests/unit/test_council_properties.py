"""The council's keeper against a model of etcd that refuses what etcd refuses, under losses, returns and new specs."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from msgspec.structs import replace

from aware_agent.colony import council as keeper
from aware_agent.colony.council import decide
from aware_agent.colony.errors import IllegalTransition
from aware_agent.colony.node import Status
from aware_agent.colony.seats import (
    AddLearner,
    Blind,
    Candidate,
    Council,
    Done,
    EndMove,
    Event,
    Failed,
    GiveSeat,
    Look,
    Member,
    MoveLeader,
    Phase,
    Promote,
    Refuse,
    Remove,
    SeatMove,
    Step,
    TakeSeat,
    Wait,
)
from aware_agent.colony.spec import CouncilSpec

pytestmark = pytest.mark.no_cover

NODES = tuple("abcdefgh")
HEALTH_S = 5.0


class Etcd:
    """Membership as etcd 3.5 with its strict reconfiguration check judges it."""

    def __init__(self) -> None:
        self.members: dict[int, tuple[str, bool]] = {1: ("a", False)}  # id: node, learner
        self.leader = 1
        self.changed = -100.0
        self.last = 1

    def voters(self) -> list[int]:
        return [m for m, (_, learner) in self.members.items() if not learner]

    def do(self, step: Step, alive: set[str], now: float) -> str:
        """Carry it out; the reason when it is refused."""
        voters = self.voters()
        up = [m for m in voters if self.members[m][0] in alive]
        if len(up) < len(voters) // 2 + 1:
            return "no leader"
        if isinstance(step, AddLearner):
            if len(up) < len(voters) or now - self.changed < HEALTH_S:
                return "unhealthy cluster"
            if len(voters) < len(self.members):
                return "too many learner members in cluster"
            self.last += 1
            self.members[self.last] = (step.node, True)
        elif isinstance(step, Promote):
            if self.members[step.member][0] not in alive:
                return "can only promote a learner member which is in sync with leader"
            self.members[step.member] = (self.members[step.member][0], False)
            self.changed = now
        elif isinstance(step, Remove):
            stays = [m for m in voters if m != step.member]
            if step.member in voters and len([m for m in up if m != step.member]) < len(stays) // 2 + 1:
                return "unhealthy cluster"
            del self.members[step.member]
            if self.leader == step.member:
                self.leader = next(m for m in stays if self.members[m][0] in alive)
        elif isinstance(step, MoveLeader):
            assert self.members[step.member][0] in alive, "leadership moved to a dead member"
            self.leader = step.member
        return ""


class Colony(RuleBasedStateMachine):
    """One queen, on node a, who keeps the council."""

    @initialize(
        size=st.sampled_from((3, 5, 7, 1)),
        after=st.sampled_from((30.0, 0.0)),
        zones=st.integers(1, 3),
        grown=st.sampled_from((True, True, False)),
    )
    def begin(self, size: int, after: float, zones: int, grown: bool) -> None:
        self.now = 1000.0
        self.state = Council()
        self.etcd = Etcd()
        self.spec = CouncilSpec(size=size, replace_after_s=after)
        self.alive = set(NODES)
        self.broken: set[str] = set()  # etcd does not run there, although the node lives
        self.since = dict.fromkeys(NODES, 0.0)
        self.allowed = dict.fromkeys(NODES, True)
        self.able = dict.fromkeys(NODES, True)
        self.zone = {node: f"z{i % zones}" for i, node in enumerate(NODES)}
        self.seats: dict[str, int] = {"a": 1}
        self.sentences: list[str] = []
        self.move: SeatMove | None = None
        self.forgot = 0.0  # when a queen came who does not know of the last change
        if grown:
            self.works(60)

    # What there is to see

    def running(self) -> set[str]:
        return {n for n in self.alive - self.broken if n in self.seats}

    def look(self) -> Look:
        up = self.running()
        return Look(
            spec=self.spec,
            queen="a",
            members=tuple(
                Member(
                    id=m,
                    node=node,
                    name=node,
                    learner=learner,
                    healthy=node in up,
                    leads=m == self.etcd.leader,
                    index=9,
                )
                for m, (node, learner) in self.etcd.members.items()
            ),
            candidates=tuple(
                Candidate(
                    id=n,
                    name=n,
                    zone=self.zone[n],
                    status=Status.READY if n in self.alive else Status.DEAD,
                    status_since=self.since[n],
                    etcd=self.able[n],
                )
                for n in NODES
                if self.allowed[n]
            ),
            seats=dict(self.seats),
            move=self.move,
        )

    def step(self, *, lost_answer: bool = False) -> Step | None:
        """One look and what follows of it."""
        before = self.etcd.voters()
        decision = decide(self.state, self.look(), self.now)
        self.state = decision.state
        if decision.message:
            self.sentences.append(decision.message)
        step = decision.effect
        if step is None or isinstance(step, Wait | Refuse):
            assert self.state.phase is Phase.WATCHING
            return None
        assert decision.message, "a step without a word"
        self.check(step, before)
        refused = self.carry_out(step)
        if isinstance(step, Remove | Promote | MoveLeader):
            assert not refused, f"{step} was bound to be refused: {refused}"
        if isinstance(step, AddLearner):
            assert not refused or self.forgot + keeper.REST_S > self.now, f"{step}: {refused}"
        answer: Event = Failed(step, refused or "no answer") if refused or lost_answer else Done(step)
        self.state = decide(self.state, answer, self.now).state
        up = [m for m in self.etcd.voters() if self.etcd.members[m][0] in self.running()]
        assert len(up) > len(self.etcd.voters()) // 2, f"{step} cost the majority"
        return step

    def carry_out(self, step: Step) -> str:
        if isinstance(step, GiveSeat):
            self.seats[step.node] = step.member
        elif isinstance(step, TakeSeat):
            del self.seats[step.node]
        elif isinstance(step, EndMove):
            self.move = None
        else:
            return self.etcd.do(step, self.running(), self.now)
        return ""

    def check(self, step: Step, voters: list[int]) -> None:
        """What no step may do, whatever the world looks like."""
        if isinstance(step, AddLearner):
            assert self.allowed[step.node]
            assert self.able[step.node]
            assert step.node in self.alive
            moves = self.move is not None and self.move.target == step.node and len(voters) == self.spec.size
            assert moves or len(voters) < self.spec.size
            assert len(voters) == len(self.etcd.members), "a second learner"
        if isinstance(step, Remove):
            node, learner = self.etcd.members[step.member]
            assert learner or node != "a", "the queen removes herself"
        if isinstance(step, TakeSeat):
            assert self.seats[step.node] not in self.etcd.members, "a member loses its data"

    # What happens

    @rule(seconds=st.floats(0.1, 40))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @rule(lost=st.booleans())
    def keeper_looks(self, lost: bool) -> None:
        if not self.majority():
            assert not isinstance(decide(self.state, self.look(), self.now).effect, AddLearner | Promote | Remove)
            return
        self.step(lost_answer=lost)

    @rule(looks=st.integers(2, 30))
    def works(self, looks: int) -> None:
        for _ in range(looks if self.majority() else 0):
            self.now += 3.0
            self.step()

    def majority(self) -> bool:
        up = [m for m in self.etcd.voters() if self.etcd.members[m][0] in self.running()]
        return len(up) > len(self.etcd.voters()) // 2

    @rule(node=st.sampled_from(NODES[1:]), sits=st.booleans())
    def dies(self, node: str, sits: bool) -> None:
        if sits:
            node = next((n for n in self.seats if n in self.alive and n != "a"), node)
        self.alive.discard(node)
        self.since[node] = self.now

    @rule(node=st.sampled_from(NODES[1:]))
    def comes_back(self, node: str) -> None:
        self.alive.add(node)
        self.broken.discard(node)

    @rule(node=st.sampled_from(NODES[1:]))
    def etcd_breaks(self, node: str) -> None:
        self.broken.add(node)

    @rule(node=st.sampled_from(NODES[1:]), may=st.booleans())
    def admin_says(self, node: str, may: bool) -> None:
        self.allowed[node] = may

    @rule(node=st.sampled_from(NODES[1:]), able=st.booleans())
    def etcd_is_installed(self, node: str, able: bool) -> None:
        self.able[node] = able

    @rule(size=st.sampled_from((1, 3, 5, 7)))
    def spec_changes(self, size: int) -> None:
        self.spec = replace(self.spec, size=size)

    @rule(source=st.sampled_from(NODES), to=st.sampled_from(NODES), sits=st.booleans())
    def admin_moves_a_seat(self, source: str, to: str, sits: bool) -> None:
        """Also what nobody lets him ask for: the picture may have changed since he was told that it could be."""
        if sits:
            source = next((node for node in sorted(self.seats) if node != "a"), source)
        self.move = self.move or SeatMove(source=source, target=to, asked_at=self.now)

    @rule()
    def queen_forgets(self) -> None:
        """Another one on the same seat, or the same after a restart."""
        self.state, self.forgot = Council(), self.now

    @rule()
    def blind(self) -> None:
        self.state = decide(self.state, Blind("etcd does not answer"), self.now).state

    @precondition(lambda self: self.majority())
    @rule()
    def all_is_well_in_the_end(self) -> None:
        """When everybody lives and may sit, the council becomes what the spec says, and then nothing happens."""
        self.alive, self.broken = set(NODES), set()
        self.allowed, self.able = dict.fromkeys(NODES, True), dict.fromkeys(NODES, True)
        self.now += keeper.AVOID_S + 1
        for _ in range(120):
            self.now += 3.0
            self.step()
        voters = self.etcd.voters()
        assert len(voters) == len(self.etcd.members) == self.spec.size, self.sentences[-8:]
        assert self.etcd.members[self.etcd.leader][0] != "a" or self.spec.size == 1
        assert self.seats == {node: m for m, (node, _) in self.etcd.members.items()}
        assert self.move is None
        for _ in range(10):
            self.now += 30.0
            assert self.step() is None, self.sentences[-3:]

    @invariant()
    def sane(self) -> None:
        state = self.state
        assert state.phase is Phase.WATCHING
        assert state.step is None
        assert set(state.silent_since) <= set(range(1, self.etcd.last + 1))


Colony.TestCase.settings = settings(max_examples=100, stateful_step_count=25, deadline=None)
TestColony = Colony.TestCase


@pytest.mark.parametrize("phase", list(Phase))
def test_every_pair_is_decided_or_refused(phase: Phase) -> None:
    step = AddLearner("b")
    state = Council(phase=phase, step=step if phase is Phase.CHANGING else None)
    look = Look(spec=CouncilSpec(size=1), queen="a", members=(), candidates=())
    allowed = {Phase.WATCHING: (Look, Blind), Phase.CHANGING: (Done, Failed)}[phase]
    for event in (look, Blind("x"), Done(step), Failed(step, "x")):
        if isinstance(event, allowed):
            assert decide(state, event, 0.0).state is not None
        else:
            with pytest.raises(IllegalTransition):
                decide(state, event, 0.0)


def test_an_answer_to_another_step_is_a_bug() -> None:
    state = Council(phase=Phase.CHANGING, step=AddLearner("b"))
    with pytest.raises(IllegalTransition, match="on its way"):
        decide(state, Done(AddLearner("c")), 0.0)


def test_seats_are_spread_over_zones() -> None:
    """Three zones of unequal size: a council of three has one seat in each."""
    zones = {"a": "x", "b": "x", "c": "x", "d": "y", "e": "y", "f": "z"}
    candidates = tuple(Candidate(id=n, name=n, zone=z) for n, z in zones.items())
    members = [Member(id=1, node="a", leads=True)]
    for _ in range(2):
        look = Look(
            spec=CouncilSpec(size=5),
            queen="q",
            members=tuple(members),
            candidates=candidates,
            seats={m.node: m.id for m in members},
        )
        step = decide(Council(), look, 0.0).effect
        assert isinstance(step, AddLearner)
        members.append(Member(id=len(members) + 1, node=step.node))
    assert sorted(zones[m.node] for m in members) == ["x", "y", "z"]
