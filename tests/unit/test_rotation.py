"""The state table of a rotation, and what holds whatever happens in whatever order."""

from __future__ import annotations

import itertools

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aware_agent.colony.errors import Conflict
from aware_agent.colony.rotation import (
    Abort,
    Continue,
    Event,
    Forget,
    Look,
    Make,
    Phase,
    Promote,
    Start,
    Trust,
    decide,
)
from aware_agent.colony.verification import Evidence, Standing, verify

NOW = 1_750_000_000.0
SETTLED = Trust()
DISTRIBUTING = Trust(phase=Phase.DISTRIBUTING, generation=1, other=2, last=2, since=NOW)
SWITCHED = Trust(phase=Phase.SWITCHED, generation=2, other=1, last=2, since=NOW)
FINISHING = Trust(phase=Phase.FINISHING, generation=2, other=0, last=2, since=NOW)
RETURNING = Trust(phase=Phase.RETURNING, generation=1, other=2, last=2, since=NOW)
START, GO, STOP, YES, NO = Start("ada"), Continue(), Abort(), Look(complete=True), Look(complete=False)
REFUSED = None
# from, event, to (phase, signing, other), effects
TABLE = [
    (SETTLED, START, ("distributing", 1, 2), (Make(2),)),
    (SETTLED, GO, REFUSED, ()),
    (SETTLED, STOP, REFUSED, ()),
    (SETTLED, YES, ("settled", 1, 0), ()),
    (SETTLED, NO, ("settled", 1, 0), ()),
    (DISTRIBUTING, START, REFUSED, ()),
    (DISTRIBUTING, GO, ("distributing", 1, 2), ()),
    (DISTRIBUTING, STOP, ("finishing", 1, 0), (Forget(2),)),
    (DISTRIBUTING, NO, ("distributing", 1, 2), ()),
    (DISTRIBUTING, YES, ("switched", 2, 1), (Promote(2, 1),)),
    (SWITCHED, START, REFUSED, ()),
    (SWITCHED, GO, ("switched", 2, 1), ()),
    (SWITCHED, STOP, ("returning", 1, 2), (Promote(1, 2),)),
    (SWITCHED, NO, ("switched", 2, 1), ()),
    (SWITCHED, YES, ("finishing", 2, 0), (Forget(1),)),
    (RETURNING, START, REFUSED, ()),
    (RETURNING, STOP, ("returning", 1, 2), ()),
    (RETURNING, GO, ("returning", 1, 2), ()),
    (RETURNING, NO, ("returning", 1, 2), ()),
    (RETURNING, YES, ("finishing", 1, 0), (Forget(2),)),
    (FINISHING, START, ("distributing", 2, 3), (Make(3),)),
    (FINISHING, GO, ("finishing", 2, 0), ()),
    (FINISHING, STOP, REFUSED, ()),
    (FINISHING, NO, ("finishing", 2, 0), ()),
    (FINISHING, YES, ("settled", 2, 0), ()),
]


@pytest.mark.parametrize(("trust", "event", "wanted", "effects"), TABLE)
def test_the_table(
    trust: Trust, event: Event, wanted: tuple[str, int, int] | None, effects: tuple[object, ...]
) -> None:
    if wanted is None:
        with pytest.raises(Conflict, match="aware rotation"):
            decide(trust, event, NOW + 1)
        return
    decision = decide(trust, event, NOW + 1)
    after = decision.trust
    assert (after.phase.value, after.generation, after.other) == wanted
    assert decision.effects == effects
    assert bool(decision.message) == (after != trust)
    assert (after.since == NOW + 1) == (after.phase is not trust.phase)


def test_the_table_has_every_pair_of_phase_and_event_once() -> None:
    rows = [(trust.phase, event) for trust, event, *_ in TABLE]
    assert len(rows) == len(set(rows))
    assert set(rows) == set(itertools.product(Phase, (START, GO, STOP, YES, NO)))


def test_one_that_holds_waits_for_a_word_before_each_step() -> None:
    trust = decide(SETTLED, Start("ada", hold=True), NOW).trust
    assert decide(trust, YES, NOW).trust == trust
    released = decide(trust, GO, NOW).trust
    assert decide(released, NO, NOW).trust == released, "a word is no proof that all nodes are ready"
    switched = decide(released, YES, NOW).trust
    assert switched.phase is Phase.SWITCHED
    assert decide(switched, YES, NOW).trust == switched, "each step has its own word"
    done = decide(decide(switched, GO, NOW).trust, YES, NOW).trust
    assert (done.phase, done.hold) == (Phase.FINISHING, False)
    assert decide(done, NO, NOW).trust == done, "it is over when no node believes the old one any more"
    assert decide(done, YES, NOW).trust.phase is Phase.SETTLED, "and needs no word for that"


@given(st.lists(st.sampled_from([START, Start("ada", hold=True), GO, STOP, YES, NO]), max_size=40))
def test_nothing_is_signed_with_that_was_not_believed_before(events: list[Event]) -> None:
    trust = SETTLED
    for event in events:
        before = trust
        try:
            decision = decide(trust, event, NOW)
        except Conflict:
            continue
        trust = decision.trust
        assert trust.generation in before.believed
        assert len(before.believed - trust.believed) <= 1
        assert trust.last >= max(trust.believed)
        assert trust.last >= before.last
        forgotten = {effect.generation for effect in decision.effects if isinstance(effect, Forget)}
        assert forgotten == before.believed - trust.believed
        if isinstance(event, Look) and not event.complete:
            assert trust == before


def seen(name: str, *proved: int, here: bool = True, by: int = 1, fits: bool = True) -> Evidence:
    return Evidence(id=name, name=name, here=here, proved=frozenset(proved), signed_by=by, bundle_fits=fits)


@pytest.mark.parametrize(
    ("trust", "evidence", "standing", "lacks"),
    [
        (DISTRIBUTING, seen("a", 1, 2), Standing.READY, ""),
        (DISTRIBUTING, seen("a", 1), Standing.WAITING, "secret 2"),
        (DISTRIBUTING, seen("a", 1, 2, fits=False), Standing.WAITING, "the CAs to believe"),
        (DISTRIBUTING, seen("a", 1, here=False), Standing.SILENT, "secret 2"),
        (DISTRIBUTING, seen("a", 1, 2, here=False), Standing.READY, ""),
        (SWITCHED, seen("a", 1, 2, by=1), Standing.WAITING, "a certificate of CA 2"),
        (SWITCHED, seen("a", 1, 2, by=2), Standing.READY, ""),
        (RETURNING, seen("a", 1, 2, by=2), Standing.WAITING, "a certificate of CA 1"),
        (SETTLED, seen("a", 1), Standing.READY, ""),
        (Trust(generation=2, last=2), seen("a", 1, here=False), Standing.LEFT_BEHIND, "secret 2"),
    ],
)
def test_how_a_node_stands(trust: Trust, evidence: Evidence, standing: Standing, lacks: str) -> None:
    report = verify(trust, [evidence], NOW)
    assert (report.nodes[0].standing, report.nodes[0].lacks) == (standing, lacks)
    assert report.complete is (standing in (Standing.READY, Standing.LEFT_BEHIND))


def test_who_was_sent_away_is_waited_for_by_nobody() -> None:
    for here in (True, False):
        line = msgspec.structs.replace(seen("a", 1, here=here), away=True)
        assert verify(DISTRIBUTING, [line], NOW).nodes[0].standing is Standing.LEFT_BEHIND
        assert verify(DISTRIBUTING, [line], NOW).complete
    has_all = msgspec.structs.replace(seen("a", 1, 2), away=True)
    assert verify(DISTRIBUTING, [has_all], NOW).nodes[0].standing is Standing.READY


def test_who_is_silent_is_waited_for_a_while_and_who_is_here_for_ever() -> None:
    silent, slow = seen("silent", 1, here=False), seen("slow", 1)
    assert not verify(DISTRIBUTING, [silent], NOW + 299).complete
    assert verify(DISTRIBUTING, [silent], NOW + 300).complete
    report = verify(DISTRIBUTING, [slow, silent], NOW + 1e6)
    assert [(line.name, line.standing) for line in report.nodes] == [("silent", "left-behind"), ("slow", "waiting")]
    assert not report.complete
