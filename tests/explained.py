"""A member's explanation of a small election, made by the real decisions and the real words."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from aware_agent.agent.explanation import Explanation
from aware_agent.agent.member.explain import Machines, explain
from aware_agent.colony import election, suspicion
from aware_agent.colony.decision_log import DecisionLog
from aware_agent.colony.election import Election, QueenRecord, QueenSeen, Succession, Vacant
from aware_agent.colony.suspicion import Council, Looked, Reigns, Suspicion
from aware_agent.colony.timing import Timing

LIFE = "01JSECRETOFTHEPROCESS"
AT, NOW = 1_700_000_000.0, 110.0
NAMES = {"a": "demo-1", "b": "demo-2", "c": "demo-3"}
QUEEN = QueenRecord(id="a", name="demo-1", url="https://127.0.0.1:1", incarnation=LIFE, since=AT)


def elect(me: str, *events: tuple[float, election.Event]) -> tuple[Election, DecisionLog]:
    """A machine that was told ``events``, as an elector feeds it."""
    state, log = Election(me=me, incarnation=f"{LIFE}{me}", timing=Timing()), DecisionLog()
    for at, event in events:
        decision = election.decide(state, event, at)
        log.add(at, state, event, decision)
        state = decision.state
    return state, log


def doubt(me: str, events: Sequence[tuple[float, suspicion.Event]]) -> tuple[Suspicion, DecisionLog]:
    """The same for its suspicion."""
    state, log = Suspicion(me=me, timing=Timing()), DecisionLog()
    for at, event in events:
        decision = suspicion.decide(state, event, at)
        log.add(at, state, event, decision)
        state = decision.state
    return state, log


def machines() -> Machines:
    """Of member b: queen a of term 5 reigned, her channel broke, she is suspected, and her key is gone."""
    line = Succession(("a", "b", "c"))
    elected, log = elect("b", (100.0, line), (100.1, QueenSeen(QUEEN, 5)), (109.0, Vacant()))
    events: list[tuple[float, suspicion.Event]] = [
        (100.0, Council(("a", "b", "c"), 0)),
        (100.1, Reigns(5, "a", "demo-1")),
    ]
    events += [(100.125 + 0.125 * n, Looked(True, heard_at=100.125 + 0.125 * n)) for n in range(70)]
    events.append((108.9, Looked(False, broken=True, heard_at=108.75)))
    doubts, doubted = doubt("b", events)
    return Machines(elected, log, doubts, doubted, "the channel to demo-1 broke")


def explanation(node: str = "b") -> Explanation:
    """The explanation of member b."""
    made = explain("demo-2", machines(), name_of=lambda one: NAMES.get(one, one), now=NOW, at=AT)
    return msgspec.structs.replace(made, node=node)
