"""A founder that waits tells on its own host whom it sees, what it is bound to and what it waits for; and to replay."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import msgspec
import pytest
from typer.testing import CliRunner, Result

from aware_agent.agent.member.founder import Founder
from aware_agent.agent.member.founding_disk import FoundingDisk
from aware_agent.agent.member.founding_line import FoundingLine
from aware_agent.agent.member.founding_told import FILE, SHOWN, FoundingNote, told
from aware_agent.cli.app import app
from aware_agent.colony.decision_log import LATEST, TELLING, DecisionLog, founder_tells
from aware_agent.colony.founders import (
    Admitted,
    Event,
    Founders,
    Founding,
    Heard,
    Joined,
    Level,
    Made,
    Missed,
    Persisted,
    Phase,
    Tick,
    Word,
)
from aware_agent.colony.founding import decide
from aware_agent.colony.transcript import recorded
from aware_agent.ports import free_port
from aware_agent.security.founding_key import make_founding_key
from aware_agent.simulator.replay import difference
from tests.memory_colony import node_id

ABC = ("a", "b", "c")
AT = 1_700_000_000.0


def said(sender: str, at: float, level: Level = Level.PROPOSES, founders: Founders = ()) -> Heard:
    return Heard(Word(sender=sender, name=f"host-{sender}", level=level, founders=founders, sent=at))


def found(*events: tuple[float, Event], me: str = "a") -> tuple[Founding, DecisionLog]:
    """A founder that was told ``events``, as the driver feeds it."""
    state, log = Founding(me=me, name=f"host-{me}", size=3), DecisionLog(founder_tells)
    for at, event in events:
        decision = decide(state, event, at)
        log.add(at, state, event, decision)
        state = decision.state
    return state, log


# a waits for a third; then all are there; then it is bound, and c never confirms
ALONE = [(10.0, Tick()), (10.5, said("b", 1.0)), (10.75, Tick())]
READY = [
    *ALONE,
    *((11.0, said(node, 2.0)) for node in "bc"),
    *((13.0, said(node, 4.0, Level.PROPOSES, ABC)) for node in "bc"),
    (13.1, Tick()),
    *((13.5, said(node, 5.0, Level.READY, ABC)) for node in "bc"),
]
BOUND = [*READY, (13.6, Persisted(ABC)), (14.0, said("b", 6.0, Level.CONFIRMS, ABC)), (14.25, Tick())]


def test_it_tells_whom_it_sees_and_waits_for() -> None:
    state, log = found(*ALONE)
    told_now = told(state, log, 12.0, AT)
    assert told_now.waits == "waiting for 1 more of 3 founders; here are host-a, host-b"
    assert (told_now.confirmed, told_now.phase) == ([], "gathering")
    (b,) = told_now.seen
    assert (b.name, b.counts, b.heard_at, b.stands) == ("host-b", True, AT - 1.5, "would found")
    assert told(state, log, 14.0, AT).seen[0].counts is False, "it was not heard for more than three seconds"


def test_it_tells_what_it_is_bound_to_for_good() -> None:
    state, log = found(*BOUND)
    told_now = told(state, log, 15.0, AT)
    assert told_now.confirmed == ["host-a", "host-b", "host-c"]
    assert told_now.waits == "waiting for host-c to confirm the founders"
    assert [one.stands for one in told_now.seen] == ["has confirmed for good to found", "is ready to found"]
    assert told_now.decisions[0].happened == "time passed"
    assert told_now.decisions[-1].decided == "waiting for host-c to confirm the founders"


@pytest.mark.parametrize("events", [ALONE, READY, BOUND], ids=["alone", "ready", "bound"])
def test_what_is_told_is_decided_the_same_again(events: list[tuple[float, Event]]) -> None:
    state, log = found(*events)
    text = told(state, log, 20.0, AT).transcript
    assert difference(text) == ""
    assert difference(text.replace("gathering: waiting for 2 more", "gathering: waiting for 9 more", 1)) != ""


def test_hours_of_waiting_are_bounded_and_do_not_push_out_how_they_began() -> None:
    hours = [(20.0 + n / 2, said("b", 10.0 + n, Level.CONFIRMS, ABC)) for n in range(5000)]
    state, log = found(*BOUND, *hours)
    kept = log.entries()
    assert len(kept) <= LATEST + TELLING
    assert kept[0].decision.message.startswith("waiting for 2 more of 3 founders")
    told_now = told(state, log, 2600.0, AT)
    assert len(told_now.decisions) <= SHOWN
    assert len(msgspec.json.encode(told_now)) < 256 * 1024
    assert difference(told_now.transcript) == ""


@pytest.mark.parametrize(
    "events",
    [
        [(10.0, Missed("nobody answered"))],
        [*BOUND, (15.0, said("c", 7.0, Level.CONFIRMS, ABC)), (15.1, Made()), (15.2, Joined("b"))],
        [(10.0, said("b", 1.0, Level.FOUNDED, ("b", "c", "d"))), (10.2, Admitted())],
    ],
    ids=["missed", "founds", "joins"],
)
def test_every_event_has_words_and_can_be_replayed(events: list[tuple[float, Event]]) -> None:
    state, log = found(*events)
    told_now = told(state, log, 20.0, AT)
    assert difference(told_now.transcript) == ""
    assert all(one.happened and "(" not in one.happened for one in told_now.decisions)


def explain(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["explain", *arguments])


def test_the_command_reads_it_without_a_colony_and_writes_what_can_be_replayed(tmp_path: Path) -> None:
    state, log = found(*BOUND)
    FoundingNote(tmp_path).keep(state, log, 15.0)
    file = tmp_path / "seen.txt"
    done = explain("--founder", str(tmp_path), "--to-file", str(file))
    assert done.exit_code == 0, done.output
    assert "host-a founds a colony with a council of 3: waiting for host-c to confirm the founders." in done.output
    assert "It has confirmed for good, on its disk: host-a, host-b, host-c." in done.output
    assert "host-b has confirmed for good to found with host-a, host-b, host-c." in done.output
    assert "does not run any more" not in done.output
    assert difference(file.read_text()) == ""
    assert file.read_text().splitlines()[1] == "recorded 1 founding host-a"
    found_json = json.loads(explain("--founder", str(tmp_path), "--json").stdout)
    assert (found_json["runs"], found_json["founding"]["process"]) == (True, os.getpid())


def test_bad_input_is_one_sentence(tmp_path: Path) -> None:
    nobody = explain("--founder", str(tmp_path))
    assert (nobody.exit_code, nobody.stderr.count("\n")) == (4, 1)
    assert "no node founds a colony with the state directory" in nobody.stderr
    assert explain("--founder", str(tmp_path), "--node", "a").exit_code == 2
    (tmp_path / FILE).write_bytes(b'{"node": 3}')
    assert explain("--founder", str(tmp_path)).exit_code == 9


async def test_a_founder_keeps_the_file_and_takes_it_away(tmp_path: Path) -> None:
    """The real driver, its disk and its line; alone with its key, and as many as it wants to be."""
    key, me = make_founding_key("c", os.urandom(32)), node_id(0)

    async def nothing(*_: object) -> None:
        """Founding needs no etcd to be told of."""

    def line(founder: Founder) -> FoundingLine:
        port = free_port()
        where = {"address": "127.0.0.1", "url": "https://127.0.0.1:1"}
        return FoundingLine(key, me=me, name="host-a", links=(), port=port, seeds=(), hear=founder.hear, **where)

    seen: list[str] = []

    class Noted(FoundingNote):
        def keep(self, state: Founding, kept: DecisionLog, now: float) -> None:
            super().keep(state, kept, now)
            seen.append(json.loads((tmp_path / FILE).read_bytes())["phase"])

    disk = FoundingDisk(tmp_path, key.id, 1)
    founder = Founder(Founding(me=me, name="host-a", size=1), disk, nothing, nothing, Noted(tmp_path, time.time))
    assert await founder.run(line(founder)) is Phase.SERVING, "one is the majority of one"
    assert seen, "it was there meanwhile"
    assert not (tmp_path / FILE).exists()
    assert difference(recorded("founding", "host-a", founder.state, founder.decisions.entries())) == ""
