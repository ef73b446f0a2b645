"""When a member suspects the queen, and when she is deposed: recorded states, single rules, and any order of events."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aware_agent.colony import suspicion as s
from aware_agent.colony.errors import IllegalTransition, InvalidInput
from aware_agent.colony.node import Record, Status
from aware_agent.colony.seats import CouncilRecord, Seat
from aware_agent.colony.suspicion import Suspicion, decide, electorate, majority
from aware_agent.colony.timing import Timing
from aware_agent.simulator.suspicion_transcript import difference, replay
from tests.recorded import check_recorded

STATES = Path(__file__).parent.parent / "states" / "suspicion"


@pytest.mark.parametrize("path", sorted(STATES.glob("*.txt")), ids=lambda p: p.stem)
def test_recorded_state(path: Path) -> None:
    check_recorded(path, replay, difference)


@pytest.mark.parametrize("line", ["0 dance", "soon open", "0 queen a", "timing tempo=3", "every 1 until x open", "0"])
def test_nonsense_names_its_line(line: str) -> None:
    with pytest.raises(InvalidInput, match="line 2 makes no sense"):
        replay(f"me b\n{line}\n")


def record(node: str, joined_at: float = 0.0, *, eligible: bool = True, status: Status = Status.READY) -> Record:
    return Record(id=node, name=node, joined_at=joined_at, eligible=eligible, status=status)


def test_the_members_of_etcd_are_asked_where_nodes_are_these() -> None:
    seats = (Seat(member=1, node="c", name="c"), Seat(member=2, node="a", name="a"), Seat(member=3, node="d", name="d"))
    learning = msgspec.structs.replace(seats[2], learner=True)
    records = {node: record(node) for node in "abcd"}
    assert electorate(CouncilRecord(seats=seats), records) == ("a", "c", "d")
    assert electorate(CouncilRecord(seats=(*seats[:2], learning)), records) == ("a", "c")


def test_where_etcd_is_somebody_elses_the_eligible_nodes_are_asked() -> None:
    foreign = CouncilRecord(seats=(Seat(member=1, node="", name="etcd-1"),))
    records = {
        "a": record("a"),
        "b": record("b", eligible=False),
        "c": record("c", status=Status.DEAD),
        "d": record("d", status=Status.LEFT),
        "e": record("e", status=Status.SUSPECT),
    }
    assert electorate(foreign, records) == ("a", "e")
    assert electorate(None, records) == ("a", "e")
    many = {f"n{number:02}": record(f"n{number:02}", joined_at=99.0 - number) for number in range(20)}
    assert electorate(None, many) == tuple(f"n{number}" for number in range(13, 20)), "the longest in the colony"


@pytest.mark.parametrize(("size", "needed"), [(1, 1), (2, 2), (3, 2), (4, 3), (5, 3), (7, 4)])
def test_a_majority(size: int, needed: int) -> None:
    assert majority(["x"] * size) == needed


def test_what_is_no_event_is_refused() -> None:
    with pytest.raises(IllegalTransition, match="str is no event"):
        decide(Suspicion(me="b", timing=Timing()), "dance", 0.0)  # type: ignore[arg-type]


NODES = ("a", "b", "c", "d", "e")
steps = st.lists(
    st.one_of(
        st.tuples(st.just("look"), st.booleans(), st.booleans(), st.floats(0, 2), st.integers(0, 60), st.booleans()),
        st.tuples(st.just("reigns"), st.integers(0, 3), st.sampled_from(NODES)),
        st.tuples(st.just("told"), st.integers(0, 3), st.lists(st.sampled_from(NODES), unique=True)),
        st.tuples(st.just("council"), st.integers(0, 5), st.sampled_from((None, 0, 1, 2))),
    ),
    max_size=60,
)


@given(steps=steps, gaps=st.lists(st.floats(0, 2), min_size=60, max_size=60))
@settings(max_examples=300, deadline=None)
def test_any_order_of_events_keeps_the_promises(steps: list[tuple], gaps: list[float]) -> None:
    """Suspicion and its retraction come in turn; nobody is deposed by a minority, by herself, or under another term."""
    state, now = Suspicion(me="b", timing=Timing()), 10.0
    said: set[int] = set()
    for (kind, *rest), gap in zip(steps, gaps, strict=False):
        now += gap
        event: s.Event
        if kind == "look":
            broken = rest[1] and not rest[0]
            event = s.Looked(rest[0], broken=broken, heard_at=now - rest[2], waiting=rest[3], absent=broken and rest[4])
        elif kind == "reigns":
            event = s.Reigns(rest[0], rest[1] if rest[0] else "")
        elif kind == "told":
            event = s.Told(rest[0], tuple(rest[1]))
        else:
            event = s.Council(NODES[: rest[0]], rest[1])
        decision = decide(state, event, now)
        assert decision == decide(state, event, now), "not a function"
        state = decision.state
        for effect in decision.effects:
            assert decision.message, "without a word"
            match effect:
                case s.Suspect(term):
                    assert term == state.term > 0
                    assert state.queen != state.me
                    assert term not in said
                    said.add(term)
                case s.Retract(term):
                    said.remove(term)
                case s.Depose(term, members):
                    assert term == state.term > 0
                    assert len(members) == majority(state.council)
                    assert set(members) <= set(state.seen) - {state.queen}
                    assert state.queen != state.me
                    assert state.place is not None
        assert said == ({state.term} if state.suspects else set())
        assert 0 <= state.strain <= s.MOST_STRAIN
