"""What the queen tells of the council's keeper: why a seat is filled, moved or left empty, and the same to replay."""

from __future__ import annotations

import re
from random import Random

import msgspec
import pytest

from aware_agent.agent.member.explain import explain
from aware_agent.agent.member.happenings import happened
from aware_agent.agent.member.link import Explained
from aware_agent.colony import council
from aware_agent.colony.decision_log import LATEST, TELLING, DecisionLog, Machine, keeper_tells
from aware_agent.colony.decoding import from_msgpack
from aware_agent.colony.errors import InvalidInput
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
    Promote,
    Remove,
    TakeSeat,
)
from aware_agent.colony.spec import CouncilSpec
from aware_agent.colony.transcript import recorded
from aware_agent.simulator.faults import Trouble, draw
from aware_agent.simulator.replay import difference, replay
from aware_agent.simulator.run import Settings, build
from tests.explained import AT, NAMES, NOW, machines

WELL = tuple(Candidate(id=node, name=NAMES[node]) for node in "abc")


def look(*members: Member, candidates: tuple[Candidate, ...] = WELL) -> Look:
    seats = {member.node: member.id for member in members}
    return Look(spec=CouncilSpec(size=3), queen="a", members=members, candidates=candidates, seats=seats)


def sits(number: int, node: str, *, healthy: bool = True, leads: bool = False) -> Member:
    return Member(id=number, node=node, name=NAMES[node], healthy=healthy, leads=leads, index=90)


def keep(*events: tuple[float, Event]) -> Machine:
    """A keeper that was told ``events``."""
    state, log = Council(), DecisionLog(keeper_tells)
    for at, event in events:
        decision = council.decide(state, event, at)
        log.add(at, state, event, decision)
        state = decision.state
    return Machine(state, log)


def keeper() -> Machine:
    """Of a: one of three sits; b is given a seat; then etcd refuses, and is not seen."""
    alone = look(sits(1, "a", leads=True))
    return keep(
        (AT - 60, alone),
        (AT - 59, Done(AddLearner("b"))),
        (AT - 57, alone),
        (AT - 56, Failed(AddLearner("b"), "etcd: a member is not connected, or not for long enough")),
        (AT - 30, Blind("etcd does not answer")),
    )


def test_the_queen_tells_what_she_does_about_the_council_and_why() -> None:
    found = explain("demo-1", machines()._replace(keeper=keeper()), name_of=NAMES.__getitem__, now=NOW, at=AT)
    assert "It keeps the council: the council is left as it is: etcd does not answer." in found.sentences
    told = [(one.age_s, one.happened, one.decided) for one in found.decisions if one.machine == "council"]
    refused = "this came to no result: add demo-2 as a learner: etcd: a member is not connected, or not for long enough"
    assert told[0] == (
        60.0,
        "it saw 1 members of etcd and 3 nodes that may sit",
        "demo-2 is given a seat: the council has 1 of 3",
    )
    assert (told[-2][0], told[-2][1]) == (56.0, refused)
    assert told[-2][2].startswith("etcd did not do it")
    assert told[-1][1:] == (
        "etcd did not say who its members are: etcd does not answer",
        "the council is left as it is: etcd does not answer",
    )
    ages = [one.age_s for one in found.decisions]
    assert ages == sorted(ages, reverse=True), "of all three machines, the oldest first"
    assert from_msgpack(msgspec.msgpack.encode(Explained(id=1, explanation=found)), Explained).explanation == found


def test_who_does_not_reign_tells_nothing_of_it() -> None:
    found = explain("demo-2", machines(), name_of=NAMES.__getitem__, now=NOW, at=AT)
    assert "council" not in {one.machine for one in found.decisions}
    assert "recorded 1 council" not in found.transcript


def test_what_is_told_is_decided_the_same_again_and_an_edited_line_is_seen() -> None:
    made = keeper()
    text = recorded("council", "demo-1", made.state, made.kept.entries())
    assert difference(text) == ""
    assert "AddLearner node='b'" in text
    wrong = text.replace("AddLearner node='b'", "AddLearner node='c'", 1)
    assert "+        AddLearner node='b'" in difference(wrong)
    assert difference(recorded("council", "demo-1", Council(silent_since={7: 1.5}), [])) == ""


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('"phase": "watching"', '"phase": "sleeping"', "Invalid enum value 'sleeping'"),
        ('"failures": 0', '"failures": 0, "mood": 1', "nobody knows its mood"),
        ("Blind {", "Deaf {", "makes no sense"),
    ],
)
def test_what_was_edited_is_refused_with_its_line(old: str, new: str, said: str) -> None:
    made = keeper()
    text = recorded("council", "demo-1", made.state, made.kept.entries())
    assert old in text
    with pytest.raises(InvalidInput, match=r"^line \d+") as refused:
        replay(text.replace(old, new, 1))
    assert said in refused.value.message


def test_days_of_looks_do_not_push_out_what_was_done_and_all_of_it_is_bounded() -> None:
    full = look(sits(1, "a"), sits(2, "b", leads=True), sits(3, "c"))
    many = [(AT + 2.0 * n, full) for n in range(5000)]
    made = keep((AT - 60, look(sits(1, "a", leads=True))), (AT - 59, Done(AddLearner("b"))), *many)
    kept = made.kept.entries()
    assert [type(entry.event).__name__ for entry in kept[:2]] == ["Look", "Done"]
    assert len(kept) <= LATEST + TELLING
    crowd = tuple(Candidate(id=f"n{n}", name="n" * 200, zone="z" * 200) for n in range(300))
    large = look(sits(1, "a", leads=True), candidates=crowd)
    huge = [entry for n in range(60) for entry in keep((AT + n, large)).kept.entries()]
    text = recorded("council", "demo-1", made.state, huge)
    assert len(text) <= 256 * 1024 + 1000


@pytest.mark.parametrize(
    ("event", "words"),
    [
        (Done(AddLearner("b")), "this was done: add demo-2 as a learner"),
        (Done(GiveSeat("b", 17)), "this was done: tell demo-2 which seat it has"),
        (Done(TakeSeat("c")), "this was done: tell demo-3 that it has no seat"),
        (Done(Promote(10)), "this was done: give member a a vote"),
        (Done(Remove(10)), "this was done: remove member a"),
        (Done(MoveLeader(10)), "this was done: let member a lead etcd"),
        (Done(EndMove()), "this was done: forget the move that was asked for"),
    ],
)
def test_each_step_has_words(event: Event, words: str) -> None:
    assert happened(event, NAMES.__getitem__) == words


def test_a_lost_member_and_who_takes_its_seat() -> None:
    """Why a seat is not filled at once, and why it is then."""
    spare = (*WELL, Candidate(id="d", name="demo-4"))
    dead = tuple(msgspec.structs.replace(c, status=Status.DEAD, status_since=AT) if c.id == "c" else c for c in spare)
    away = look(sits(1, "a"), sits(2, "b", leads=True), sits(3, "c", healthy=False), candidates=dead)
    made = keep((AT + 1, away), (AT + 3, away), (AT + 301, away))
    told = [entry.decision.message for entry in made.kept.entries() if entry.decision.message]
    assert told == [
        "demo-3 is silent; after 300 s demo-4 takes the seat",
        "demo-3 loses its seat: it is silent for 301 s",
    ]
    assert difference(recorded("council", "demo-1", made.state, made.kept.entries())) == ""


@pytest.mark.parametrize("seed", [2, 5])
def test_the_keepers_of_a_simulated_colony_tell_what_is_decided_the_same_again(seed: int) -> None:
    """The real driver under faults, with a council that loses members and is wished larger and smaller."""
    random = Random(seed)
    world = build(Settings(nodes=5, council=3), random)
    for host in world.hosts.values():
        world.queue.at(random.uniform(0.0, 1.0), world.start, host)
    Trouble(world).plan(draw(random, 4.0, 60.0, 4.0))
    steps: set[str] = set()
    try:
        for at in sorted(random.uniform(5.0, 90.0) for _ in range(8)):
            world.queue.run(at)
            for agent in world.agents():
                if (made := agent.keeping()) is not None:
                    text = recorded("council", agent.host.id, made.state, made.kept.entries())
                    assert difference(text) == "", text
                    steps.update(re.findall(r"^        (\w+)", text, re.MULTILINE))
    finally:
        world.close()
    assert {"AddLearner", "Promote", "GiveSeat"} <= steps
