"""Limits of a spec: who is over one gets no new work, with patience both ways and nothing concluded from silence."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aware_agent.colony.errors import Deposed, InvalidInput
from aware_agent.colony.limits import LIMITS, Limits, check_limits, judge
from aware_agent.colony.load import Load
from aware_agent.colony.node import Record
from aware_agent.colony.spec import CasteSpec, Policies
from aware_agent.queen.limits import LOOK_S, LimitsDuty
from tests.memory_colony import MemoryColony, node_id

RULES = Limits(cpu=0.8, memory=0.9, for_s=60.0)
QUIET = Load(cpu=100, load=0, memory_used_mib=10, memory_mib=100, disk_used_mib=10, disk_mib=100)
HOT = msgspec.structs.replace(QUIET, cpu=900)
FULL = msgspec.structs.replace(QUIET, cpu=900, memory_used_mib=95, disk_used_mib=100)


@pytest.mark.parametrize("wrong", [{"cpu": 1.01}, {"memory": 0.0}, {"disk": -1.0}, {"for_s": 29.0}, {"for_s": 1e9}])
def test_limits_that_nobody_could_mean_are_refused_by_name(wrong: dict[str, float]) -> None:
    with pytest.raises(InvalidInput) as caught:
        check_limits(Limits(**wrong), "policies.limits")
    assert caught.value.field == f"policies.limits.{next(iter(wrong))}"
    assert caught.value.hint


class Over:
    """A run of looks at one node."""

    def __init__(self, limits: Limits | None = RULES) -> None:
        self.limits, self.over, self.since = limits, (), {}
        self.said: list[str] = []

    def look(self, now: float, load: Load | None) -> tuple[str, ...]:
        loads = {"a": load} if load else {}
        judged = judge(self.limits, {"a": ("web-1", self.over)}, loads, self.since, now)
        self.since = judged.since
        for change in judged.changed:
            self.over = change.over
            self.said.append(change.message)
        return self.over


def test_a_node_is_over_after_a_while_and_within_again_after_a_while() -> None:
    node = Over()
    assert [node.look(now, HOT) for now in (0, 30, 59)] == [(), (), ()]
    assert node.look(60, HOT) == ("cpu",)
    barely = msgspec.structs.replace(QUIET, cpu=790)
    assert [node.look(now, barely) for now in (70, 200, 400)] == [("cpu",)] * 3, "below, but not clearly"
    assert [node.look(now, QUIET) for now in (410, 469)] == [("cpu",)] * 2
    assert node.look(470, QUIET) == ()
    assert node.said == [
        "web-1 is over its limit of cpu: it gets no new work",
        "web-1 is within its limit of cpu again",
    ]


def test_a_break_and_silence_begin_the_count_anew() -> None:
    node = Over()
    for now, load in ((0, HOT), (50, QUIET), (55, HOT), (100, None), (110, HOT), (165, HOT)):
        assert node.look(now, load) == ()
    assert node.look(170, HOT) == ("cpu",)
    assert [node.look(now, None) for now in (200, 1000)] == [("cpu",)] * 2, "silence proves nothing"


def test_what_has_no_limit_holds_nobody() -> None:
    node = Over()
    node.look(0, FULL)
    assert node.look(60, FULL) == ("cpu", "memory"), "the disk has none"
    node.limits = Limits(memory=0.9, for_s=60.0)
    assert node.look(61, FULL) == ("memory",)
    node.limits = None
    assert node.look(62, FULL) == ()
    assert node.look(1000, FULL) == ()
    assert node.said[1] == "web-1 is within its limit of cpu again, but still over that of memory"


@given(
    st.lists(st.tuples(st.floats(0, 200), st.integers(0, 1000), st.booleans()), max_size=30),
    st.sampled_from([None, RULES, Limits(disk=0.5, for_s=30.0)]),
)
def test_whatever_comes_only_what_is_limited_is_ever_over(
    steps: list[tuple[float, int, bool]], limits: Limits | None
) -> None:
    node, now = Over(limits), 0.0
    allowed = {name for name in LIMITS if limits is not None and getattr(limits, name) is not None}
    for pause, cpu, known in steps:
        now += pause
        load = msgspec.structs.replace(FULL, cpu=cpu) if known else None
        assert set(node.look(now, load)) <= allowed


class Reigning:
    """A queen of three nodes with limits, whose loads a test sets."""

    def __init__(self) -> None:
        self.colony = MemoryColony()
        for number in range(3):
            self.colony.add_node(number)
        self.put(RULES)
        self.colony.begin_reign(0)
        self.writer = self.colony.writer()
        self.loads: dict[str, Load] = {}
        self.now = 1000.0
        self.duty = LimitsDuty(self.writer, lambda: self.loads, clock=lambda: self.now)

    def put(self, limits: Limits | None) -> None:
        self.colony.put_spec(size=3, castes={"web": CasteSpec(count=1)}, policies=Policies(limits=limits))

    def record(self, number: int) -> Record:
        return self.colony.reader.records()[node_id(number)]

    def told(self) -> list[tuple[str, str]]:
        events = [event for _, event in self.colony.history.since(0, 1000)]
        return [(event.type, event.subject) for event in events if event.type.startswith("node.")]


async def test_it_is_on_record_with_one_event_and_survives_the_queen() -> None:
    queen = Reigning()
    queen.loads = {node_id(1): HOT, node_id(2): QUIET}
    assert await queen.duty.once() == LOOK_S
    revision = queen.colony.projection.revision
    queen.now += 59
    await queen.duty.once()
    assert queen.colony.projection.revision == revision, "while nothing changes nothing is written"
    queen.now += 1
    await queen.duty.once()
    await queen.duty.once()
    assert (queen.record(1).over, queen.record(2).over) == (("cpu",), ())
    assert queen.record(1).term == queen.colony.term
    assert queen.told() == [("node.over-limit", node_id(1))]
    view = {node.id: node.over for node in queen.colony.reader.view().nodes}
    assert view[node_id(1)] == ("cpu",)

    queen.loads = {}
    after = LimitsDuty(queen.writer, lambda: queen.loads, clock=lambda: queen.now)
    queen.now += 10_000
    await after.once()
    assert queen.record(1).over == ("cpu",), "a new queen who knows nothing yet changes nothing"


async def test_without_limits_there_is_nothing_to_do_and_their_end_ends_it() -> None:
    queen = Reigning()
    queen.loads = {node_id(1): HOT}
    await queen.duty.once()
    queen.now += 60
    await queen.duty.once()
    queen.put(None)
    await queen.duty.once()
    assert queen.record(1).over == ()
    assert queen.told()[-1] == ("node.within-limit", node_id(1))
    assert await queen.duty.once() is None


async def test_a_new_limit_wakes_a_duty_that_had_none() -> None:
    queen = Reigning()
    queen.put(None)
    assert await queen.duty.once() is None
    queen.duty._loop._nudged.clear()
    queen.duty.refresh()
    assert not queen.duty._loop._nudged.is_set()
    queen.put(RULES)
    queen.duty.refresh()
    assert queen.duty._loop._nudged.is_set()


async def test_a_deposed_queen_puts_nothing_on_record() -> None:
    queen = Reigning()
    queen.loads = {node_id(1): HOT}
    await queen.duty.once()
    queen.colony.begin_reign(2)
    queen.now += 60
    with pytest.raises(Deposed):
        await queen.duty.once()
    assert queen.record(1).over == ()
