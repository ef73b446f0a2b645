"""Castes: what holds for every spec, colony and earlier assignment."""

from __future__ import annotations

from colony_support import a_record
from hypothesis import given
from hypothesis import strategies as st

from aware_agent.colony.castes import assign, fits
from aware_agent.colony.node import Record, Status
from aware_agent.colony.spec import CasteSpec, Policies, Requirements, Spec

IDS = [f"n{i}" for i in range(8)]
CASTES = ("web", "store", "edge")

requirements = st.builds(
    Requirements,
    vcpus=st.integers(0, 4),
    zone=st.sampled_from(("", "a", "b")),
    labels=st.sampled_from(({}, {}, {"ssd": "yes"})),
)
specs = st.builds(
    Spec,
    colony=st.just("c"),
    size=st.just(20),
    castes=st.dictionaries(
        st.sampled_from(CASTES), st.builds(CasteSpec, count=st.integers(0, 5), requires=requirements)
    ),
    policies=st.builds(Policies, replace_dead=st.sampled_from(("spare", "never"))),
)


@st.composite
def colonies(draw: st.DrawFn) -> dict[str, Record]:
    return {
        node: a_record(
            node,
            status=draw(st.sampled_from((Status.READY, Status.READY, *Status))),
            cordoned=draw(st.sampled_from((False, False, True))),
            joined_at=float(draw(st.integers(0, 3))),
            labels=draw(st.sampled_from(({}, {"ssd": "yes"}))),
            vcpus=draw(st.integers(0, 4)),
            zone=draw(st.sampled_from(("", "a", "b"))),
        )
        for node in draw(st.lists(st.sampled_from(IDS), unique=True))
    }


before_maps = st.dictionaries(st.sampled_from((*CASTES, "gone")), st.lists(st.sampled_from(IDS), max_size=6))
queens = st.sampled_from(("", *IDS))


@given(specs, colonies(), before_maps, queens)
def test_an_assignment_is_sound(spec: Spec, nodes: dict[str, Record], before: dict[str, list[str]], queen: str) -> None:
    outcome = assign(spec, nodes, before, queen)
    everybody = [node for members in outcome.castes.values() for node in members]
    assert len(everybody) == len(set(everybody)), "a node in two castes"
    assert set(outcome.castes) == set(spec.castes)
    for name, members in outcome.castes.items():
        caste = spec.castes[name]
        assert len(members) <= caste.count
        assert outcome.missing.get(name, 0) == caste.count - len(members)
        for node in members:
            assert fits(nodes[node], caste.requires)
            if node not in before.get(name, []):
                assert nodes[node].status is Status.READY, "newly chosen though not ready"
                assert not nodes[node].cordoned, "newly chosen though cordoned"


@given(specs, colonies(), before_maps, queens)
def test_assigning_again_changes_nothing(
    spec: Spec, nodes: dict[str, Record], before: dict[str, list[str]], queen: str
) -> None:
    once = assign(spec, nodes, before, queen)
    for other_queen in (queen, "n0"):
        again = assign(spec, nodes, once.castes, other_queen)
        assert again.castes == once.castes
        assert again.missing == once.missing
        assert again.sentences == ()


@given(specs, colonies(), before_maps, queens)
def test_a_gap_stays_only_if_nobody_free_fits(
    spec: Spec, nodes: dict[str, Record], before: dict[str, list[str]], queen: str
) -> None:
    outcome = assign(spec, nodes, before, queen)
    taken = {node for members in outcome.castes.values() for node in members}
    free = [r for r in nodes.values() if r.id not in taken and r.status is Status.READY and not r.cordoned]
    for name in outcome.missing:
        assert not [r.id for r in free if fits(r, spec.castes[name].requires)]


@given(specs, colonies(), queens, st.sampled_from(IDS))
def test_one_death_moves_nobody_else(spec: Spec, nodes: dict[str, Record], queen: str, victim: str) -> None:
    first = assign(spec, nodes, {}, queen)
    if victim not in nodes:
        return
    after = {**nodes, victim: a_record(victim, status=Status.DEAD)}
    second = assign(spec, after, first.castes, queen)
    for name, members in first.castes.items():
        assert set(members) - {victim} <= set(second.castes[name])


@given(specs, colonies(), before_maps, queens, st.randoms(use_true_random=False))
def test_the_order_of_records_does_not_matter(
    spec: Spec, nodes: dict[str, Record], before: dict[str, list[str]], queen: str, random: object
) -> None:
    shuffled = list(nodes.items())
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert assign(spec, dict(shuffled), before, queen) == assign(spec, nodes, before, queen)
