"""Any sequence of events a driver may send keeps the promises of a single node."""

from __future__ import annotations

import ast
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

import aware_agent.colony
from aware_agent.colony import election as e
from aware_agent.colony.election import Decision, Election, Event, Phase, decide
from aware_agent.colony.timing import Timing

NODES = ("a", "b", "c", "d")
terms = st.integers(1, 40)
nodes = st.sampled_from(NODES)
lives = st.integers(0, 2)


def queen_record(node: str, life: int) -> e.QueenRecord:
    return e.QueenRecord(id=node, name=node, url="", incarnation=f"{node}.{life}", since=0.0)


class OneNode(RuleBasedStateMachine):
    """Node b, told anything in any order; only what the driver can never send is left out."""

    def __init__(self) -> None:
        super().__init__()
        self.state = Election(me="b", incarnation="b.1", timing=Timing())
        self.now = 10.0
        self.campaigns = 0  # started and not concluded

    def post(self, event: Event) -> Decision:
        before = self.state
        decision = decide(before, event, self.now)
        assert decide(before, event, self.now) == decision, "not a function"
        self.state = decision.state
        self.campaigns += sum(isinstance(f, e.Campaign) for f in decision.effects)
        kinds = [type(f) for f in decision.effects]
        assert len(kinds) == len(set(kinds)), "the same effect twice"
        assert all(f.when >= self.now for f in decision.effects if isinstance(f, e.WakeAt)), "woken in the past"
        assert decision.message or before.phase is self.state.phase, "a change of phase without a word"
        if before.phase is Phase.REIGNING and self.state.phase is not Phase.REIGNING:
            assert e.Abdicate in kinds
        if e.Reign in kinds:
            assert before.phase is Phase.CAMPAIGNING
            assert e.WakeAt in kinds
        return decision

    @rule(seconds=st.floats(0, 6))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @rule(node=nodes, life=lives, term=terms)
    def queen_seen(self, node: str, life: int, term: int) -> None:
        self.post(e.QueenSeen(queen_record(node, life), term))

    @rule(term=terms, to=st.sampled_from(("", *NODES)), word=st.booleans())
    def vacant(self, term: int, to: str, word: bool) -> None:
        self.post(e.Vacant(e.Handover(term=term, to=to) if word else None))

    @rule(line=st.permutations(NODES), length=st.integers(0, 4))
    def line(self, line: list[str], length: int) -> None:
        self.post(e.Succession(tuple(line[:length])))

    @precondition(lambda self: self.campaigns > 0)
    @rule(outcome=st.sampled_from(("won", "lost", "failed")), node=nodes, life=lives, term=terms, age=st.floats(0, 4))
    def concluded(self, outcome: str, node: str, life: int, term: int, age: float) -> None:
        self.campaigns -= 1
        events: dict[str, Event] = {
            "won": e.Won(term, self.now - age + 3),
            "lost": e.Lost(queen_record(node, life if node != "b" else 0), term),
            "failed": e.Failed("no answer"),
        }
        self.post(events[outcome])

    @rule(age=st.floats(0, 9))
    def renewed(self, age: float) -> None:
        self.post(e.Renewed(self.now - age + 3))

    @rule(event=st.sampled_from((e.LeaseLost(), e.Tick(), e.Resign(), e.Resign("b"), e.Resign("d"))))
    def other(self, event: Event) -> None:
        self.post(event)

    @precondition(lambda self: self.state.phase is not Phase.GONE)
    @rule()
    def tick_in_time(self) -> None:
        """A tick at the very end of a reign ends it."""
        if self.state.phase is Phase.REIGNING:
            self.now = max(self.now, self.state.deadline - self.state.timing.margin_s)
            self.post(e.Tick())
            assert self.state.phase is Phase.WATCHING

    @rule(really=st.integers(0, 9))
    def quit(self, really: int) -> None:
        if really == 0:
            self.post(e.Quit())

    @invariant()
    def sane(self) -> None:
        state = self.state
        assert (state.term > 0) is (state.phase is Phase.REIGNING)
        assert (state.deadline > 0) is (state.phase is Phase.REIGNING)
        assert self.campaigns == (1 if state.phase is Phase.CAMPAIGNING else self.campaigns)
        assert self.campaigns <= 1, "a second campaign before the first came to an end"
        if state.phase is not Phase.WATCHING:
            assert state.campaign_at is None

    @invariant()
    def never_waits_for_ever(self) -> None:
        """A candidate that knows of no queen has a time at which it will do something about it."""
        state = self.state
        vacant = state.phase is Phase.WATCHING and state.known and state.queen_record is None and state.me in state.line
        assert not vacant or state.campaign_at is not None


OneNode.TestCase.settings = settings(max_examples=120, stateful_step_count=40, deadline=None)
TestOneNode = OneNode.TestCase


def test_the_colony_floor_touches_nothing() -> None:
    """No I/O, clock or asyncio below colony/."""
    allowed = {
        *(
            "__future__",
            "ast",
            "collections",
            "collections.abc",
            "dataclasses",
            "datetime",
            "difflib",
            "enum",
            "heapq",
            "math",
        ),
        *("msgspec", "msgspec.structs", "random", "re", "typing", "itertools", "functools", "ipaddress", "json"),
        *("hashlib", "zlib"),  # bytes in, bytes out
        "urllib.parse",  # takes texts apart; opens nothing
        *("contextlib", "types"),
        "zoneinfo",  # tables of time zones are read from files, and are as constant as a calendar
    }
    root = Path(aware_agent.colony.__file__).parent
    for path in root.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            foreign = [n for n in names if n not in allowed and not n.startswith("aware_agent.colony")]
            assert not foreign, f"{path.relative_to(root)} imports {foreign}"
            if isinstance(node, ast.ImportFrom) and node.module == "random":
                assert [a.name for a in node.names] == ["Random"], "only a generator made from a seed"
            clock = isinstance(node, ast.Attribute) and node.attr in ("now", "utcnow", "today")
            assert not (clock and isinstance(node.value, ast.Name) and node.value.id in ("date", "datetime"))
