"""What a member keeps of its decisions, how it explains them, and that what it tells is decided the same again."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from random import Random

import msgspec
import pytest

from aware_agent.agent.member.explain import Machines, explain
from aware_agent.agent.member.happenings import happened
from aware_agent.agent.member.link import Explained
from aware_agent.colony import ballot, election, suspicion
from aware_agent.colony.decision_log import LATEST, TELLING, DecisionLog
from aware_agent.colony.decoding import from_msgpack
from aware_agent.colony.election import Handover, QueenRecord, QueenSeen, Renewed, Succession, Vacant, Won
from aware_agent.colony.errors import InvalidInput
from aware_agent.colony.suspicion import Looked, Suspicion
from aware_agent.colony.timing import Timing
from aware_agent.colony.transcript import recorded
from aware_agent.simulator import __main__ as command
from aware_agent.simulator import suspicion_transcript, transcript
from aware_agent.simulator.agent import Agent
from aware_agent.simulator.faults import Trouble, draw
from aware_agent.simulator.replay import difference, replay
from aware_agent.simulator.run import Settings, build
from tests.explained import AT, LIFE, NAMES, NOW, QUEEN, doubt, elect, explanation

WON = ((0.0, Succession(("a", "b"))), (0.1, Vacant()), (0.2, Won(7, 3.2)))


def kinds(log: DecisionLog) -> list[str]:
    return [type(entry.event).__name__ for entry in log.entries()]


# What is kept ----------------------------------------------------------------------------------------------------


def test_a_reign_of_hours_does_not_push_out_how_it_began() -> None:
    renewed = [(1.0 + n, Renewed(4.0 + n)) for n in range(5000)]
    _, log = elect("a", *WON, *renewed)
    assert kinds(log)[:3] == ["Succession", "Vacant", "Won"]
    assert kinds(log)[3:] == ["Renewed"] * LATEST


def test_thousands_of_looks_do_not_push_out_what_they_led_to() -> None:
    looks = [(10.0 + n / 8, Looked(True, heard_at=10.0 + n / 8)) for n in range(4000)]
    reigns, council = suspicion.Reigns(5, "a", "a"), suspicion.Council(("a", "b", "c"), 0)
    broke = (510.0, Looked(False, broken=True, heard_at=509.9))
    quiet = [(510.1 + n / 8, Looked(False, broken=True, heard_at=509.9)) for n in range(4000)]
    _, log = doubt("b", [(9.0, council), (9.1, reigns), *looks, broke, *quiet])
    kept = log.entries()
    assert [type(entry.event).__name__ for entry in kept[:3]] == ["Council", "Reigns", "Looked"]
    assert "the channel to a broke: I suspect the queen of term 5" in [entry.decision.message for entry in kept]
    assert len(kept) <= LATEST + TELLING


def test_what_is_kept_is_bounded_whatever_happens() -> None:
    _, log = elect("b", *((float(n), Succession(("a", "b") if n % 2 else ("b", "a"))) for n in range(10_000)))
    numbers = [entry.number for entry in log.entries()]
    assert numbers == list(range(10_000 - TELLING + 1, 10_001))


# What is told ----------------------------------------------------------------------------------------------------


def test_it_says_what_the_member_does_and_why() -> None:
    told = explanation()
    assert (told.phase, told.term, told.queen, told.place) == ("campaigning", 0, "", 0)
    assert told.line == ["demo-1", "demo-2", "demo-3"]
    assert told.suspects_because == "the channel to demo-1 broke"
    assert told.sentences == [
        "It campaigns: it asks etcd to create the queen's key, and has no answer yet.",
        "It suspects demo-1, since 1.10 s: the channel to demo-1 broke.",
    ]
    assert [(one.age_s, one.machine, one.happened, one.decided) for one in told.decisions][-1] == (
        1.0,
        "election",
        "etcd shows no queen",
        "there is no queen; I campaign",
    )


def test_no_incarnation_is_told_to_anybody() -> None:
    assert LIFE not in msgspec.json.encode(explanation()).decode()


@pytest.mark.parametrize(
    ("events", "said"),
    [
        ((), "It has not read yet whether anybody reigns."),
        (
            ((0.0, Succession(("a", "b"))), (1.0, QueenSeen(QUEEN, 5))),
            "It is number 1 in line to follow her, the heir.",
        ),
        (((0.0, Succession(("a",))), (1.0, QueenSeen(QUEEN, 5))), "It is no candidate: others are in line."),
        (((0.0, Succession(("c", "b"))), (109.9, Vacant())), "It is number 2 in line and campaigns in 0.05 s."),
        (
            ((0.0, Succession(("b", "c"))), (109.5, Vacant(Handover(term=4, to="c")))),
            "It leaves the reign to demo-3, who was named, for 0.50 s more.",
        ),
        ((*((at, event) for at, event in WON[:2]), (109.0, Won(7, 112.0))), "It reigns under term 7."),
        ((*WON[:2], (109.0, Won(7, 112.0)), (109.5, ballot.Resign())), "It resigned and does not campaign for 2.50 s"),
        (((0.0, ballot.GatewayLost("its gateway ended")),), "It cannot take writes: its gateway ended."),
        (((0.0, ballot.Quit()),), "It is shutting down"),
    ],
)
def test_each_phase_has_its_sentence(events: tuple[tuple[float, ballot.Event], ...], said: str) -> None:
    me = "a" if any(isinstance(event, Won) for _, event in events) else "b"
    state, log = elect(me, *events)
    found = Machines(state, log, Suspicion(me=me, timing=Timing()), DecisionLog(), "")
    told = explain(me, found, name_of=lambda one: NAMES.get(one, one), now=NOW, at=AT)
    assert any(said in sentence for sentence in told.sentences), told.sentences


def test_every_event_has_words_of_its_own() -> None:
    kinds_of = [*election.Event.__args__, *suspicion.Event.__args__]  # type: ignore[attr-defined]
    record = QueenRecord(id="a", name="demo-1", url="", incarnation="x", since=0.0)
    fields = {"queen_record": record, "reason": "a reason", "ids": ("a",), "members": ("a",), "handover": None}
    fields |= {"term": 5, "deadline": 1.0, "to": "", "place": 0, "open": True}
    for kind in kinds_of:
        event = kind(**{name: fields[name] for name in kind.__struct_fields__ if name in fields})
        assert happened(event, str) != kind.__name__, kind


# What is told can be replayed --------------------------------------------------------------------------------------


def test_what_is_told_is_decided_the_same_again() -> None:
    text = explanation().transcript
    assert text.count("recorded 1 ") == 2
    assert "events that decided nothing are left out" in text
    assert difference(text) == ""


def test_another_rule_is_noticed() -> None:
    changed = difference(explanation().transcript.replace("there is no queen; I campaign", "I sleep"))
    assert "-    campaigning: I sleep" in changed
    assert "+    campaigning: there is no queen; I campaign" in changed


def test_it_is_bounded_in_size_however_many_candidates_there_are() -> None:
    many = tuple(f"{n:026}" for n in range(1000))
    state, log = elect("b", *((float(n), Succession((*many[n:], "b"))) for n in range(200)))
    text = recorded("election", "b", state, log.entries())
    assert 100_000 < len(text) <= 256 * 1024 + 1000
    assert text.splitlines()[1].startswith("state ")
    assert difference(text) == ""


def test_words_that_look_like_a_comment_or_end_a_line_are_kept() -> None:
    name = 'a # {"b"} \u2028 c'
    record = msgspec.structs.replace(QUEEN, name=name)
    state, log = elect("b", (1.5, QueenSeen(record, 5)), (2.0, Vacant()))
    text = recorded("election", "b", state, log.entries())
    assert difference(text) == ""
    assert len(text.splitlines()) == 6


def test_what_a_member_wrote_into_etcd_by_hand_hinders_nobody_who_asks() -> None:
    """A key of suspicion may have any name: no decoder has seen it, and the answer goes through several."""
    odd = ("b", "\x07\n # {", "c" * 5000)
    council, reigns = suspicion.Council(("a", "b", "c"), 0), suspicion.Reigns(5, "a", "a")
    doubts, log = doubt("b", [(1.0, council), (2.0, reigns), (3.0, suspicion.Told(5, odd))])
    state, elected = elect("b", (1.0, Succession(("a", "b"))), (2.0, QueenSeen(QUEEN, 5)))
    told = explain("b", Machines(state, elected, doubts, log, "\x07"), name_of=str, now=NOW, at=AT)
    sent = msgspec.msgpack.encode(Explained(id=1, explanation=told))
    assert from_msgpack(sent, Explained).explanation == told
    assert difference(told.transcript) == ""
    assert max(map(len, told.suspected_by)) == 255


@pytest.mark.parametrize("seed", [2, 3, 5])
def test_a_simulated_colony_told_at_any_moment_is_decided_the_same_again(seed: int) -> None:
    """The agents' own drivers under faults: whatever they kept at whichever moment is decided the same again."""
    random = Random(seed)
    world = build(Settings(nodes=5, council=0), random)
    for host in world.hosts.values():
        world.queue.at(random.uniform(0.0, 1.0), world.start, host)
    Trouble(world).plan(draw(random, 4.0, 60.0, 4.0))
    decided: Counter[str] = Counter()
    try:
        for at in sorted(random.uniform(2.0, 60.0) for _ in range(8)):
            world.queue.run(at)
            for agent in world.agents():
                text = told_by(agent)
                assert difference(text) == "", text
                decided.update(
                    re.findall(r"campaigning: there is no queen|reigning: I am queen|I suspect the queen", text)
                )
    finally:
        world.close()
    assert set(decided) == {"campaigning: there is no queen", "reigning: I am queen", "I suspect the queen"}


def told_by(agent: Agent) -> str:
    """What it would tell now; nothing before it has read etcd."""
    elector, detector = agent._elector, agent._detector
    if elector is None or detector is None:
        return ""
    found = Machines(elector.state, elector.decisions, detector.state, detector.decisions, detector.reason)
    return explain(agent.host.id, found, name_of=str, now=agent.now(), at=AT).transcript


# Bad input -------------------------------------------------------------------------------------------------------


def edited(old: str, new: str) -> str:
    text = explanation().transcript
    assert old in text
    return text.replace(old, new, 1)


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        (lambda: edited("recorded 1 ", "recorded 2 "), 1, "recorded in format 2 by another version of AWARE"),
        (lambda: edited("recorded 1 election demo-2", "recorded"), 1, "recorded in format none by another version"),
        (lambda: edited("recorded 1 election", "recorded 1 weather"), 1, "'weather' is no decision machine"),
        (lambda: edited('"phase": "watching"', '"phase": "sleeping"'), 2, "Invalid enum value 'sleeping'"),
        (lambda: edited('"known": false, ', ""), 2, "it has no known"),
        (lambda: edited('"known": false, ', '"known": false, "mood": 1, '), 2, "nobody knows its mood"),
        (lambda: edited('"margin_s": 0.3, ', ""), 2, "it has no timing.margin_s"),
        (lambda: edited('"margin_s"', '"margin"'), 2, "timing"),
        (lambda: edited('"known": false, ', '"known": false'), 2, "this is no state of an election"),
        (lambda: edited('"unserved": []}\n', '"unserved": 3}\n'), 3, "this is no Succession"),
        (lambda: edited(" Succession {", " Procession {"), 3, "makes no sense"),
        (lambda: edited("100.0 Succession", "noon Succession"), 3, "makes no sense"),
        (lambda: edited("state {", "# state {"), 3, "makes no sense"),
        (lambda: "state " + "[" * 100_000 + "\n", 1, "this is no state of an election"),
        (lambda: "state\n", 1, "makes no sense"),
    ],
)
def test_bad_input_is_one_sentence_that_names_the_line(text: Callable[[], str], line: int, said: str) -> None:
    with pytest.raises(InvalidInput, match=f"^line {line}[ :]") as refused:
        replay(text())
    assert said in refused.value.message
    assert len(refused.value.message) < 500


def test_a_recorded_file_is_replayed_from_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "field.txt"
    file.write_text("# Colony demo\n" + explanation().transcript, encoding="utf-8")
    assert command.main(["--replay", str(file)]) == 0
    assert "today's rules decide the same" in capsys.readouterr().out
    file.write_text(edited("I campaign", "I rest"), encoding="utf-8")
    assert command.main(["--replay", str(file)]) == 1
    assert "today's rules decide otherwise" in capsys.readouterr().out
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(InvalidInput, match="not text in UTF-8"):
        command.main(["--replay", str(file)])


def test_a_state_may_begin_a_transcript_of_each_kind() -> None:
    """Of one machine alone, as a person would cut it out."""
    elected, doubted = explanation().transcript.split("recorded 1 suspicion demo-2\n")
    alone = elected.partition("\n")[2]
    assert transcript.difference(alone) == ""
    assert suspicion_transcript.difference(doubted) == ""
