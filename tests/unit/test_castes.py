"""Castes by example."""

from __future__ import annotations

import pytest
from colony_support import SILENT, a_record, records

from aware_agent.colony.caste_report import report
from aware_agent.colony.castes import assign, fits
from aware_agent.colony.node import Record, Status
from aware_agent.colony.spec import CasteSpec, Policies, Requirements, Spec


def spec(size: int = 9, replace_dead: str = "spare", **castes: CasteSpec) -> Spec:
    return Spec(colony="c", size=size, castes=castes, policies=Policies(replace_dead=replace_dead))  # type: ignore[arg-type]


def want(count: int, **requires: object) -> CasteSpec:
    return CasteSpec(count=count, requires=Requirements(**requires))  # type: ignore[arg-type]


FIVE = records(*(a_record(f"n{i}", vcpus=2, ram_mib=2048, joined_at=float(i)) for i in range(1, 6)))


def test_first_assignment_takes_the_oldest_and_the_queen_last() -> None:
    outcome = assign(spec(web=want(2), store=want(1)), FIVE, {}, queen="n1")
    assert outcome.castes == {"web": ["n3", "n4"], "store": ["n2"]}
    assert outcome.sentences == ("n2 joins caste store", "n3 joins caste web", "n4 joins caste web")
    everybody = assign(spec(web=want(5)), FIVE, {}, queen="n1")
    assert everybody.castes["web"] == ["n2", "n3", "n4", "n5", "n1"]


def test_the_smallest_that_fits_serves() -> None:
    given = records(a_record("big", vcpus=8), a_record("small", vcpus=2, joined_at=5.0), a_record("tiny", vcpus=1))
    assert assign(spec(web=want(1, vcpus=2)), given, {}).castes == {"web": ["small"]}


def test_the_scarcest_caste_chooses_first() -> None:
    given = records(a_record("plain", vcpus=2, zone="b"), a_record("special", vcpus=1, zone="a"))
    outcome = assign(spec(any_=want(1), zoned=want(1, zone="a")), given, {})
    assert outcome.castes == {"any_": ["plain"], "zoned": ["special"]}


def test_what_is_pinned_is_not_a_nodes_own_word() -> None:
    """Who lies about zone and labels gets no work by it; who was given them by a person does, whatever it says."""
    lying = a_record("liar", zone="vault", reported_labels={"zone": "vault", "trust": "high"})
    given = a_record("known", zone="elsewhere", labels={"zone": "vault", "trust": "high"}, joined_at=9.0)
    needs = {"zone": "vault", "labels": {"trust": "high"}}
    assert assign(spec(web=want(1, **needs)), records(lying, given), {}).castes == {"web": ["liar"]}
    outcome = assign(spec(web=want(2, pinned=True, **needs)), records(lying, given), {"web": ["liar"]})
    assert outcome.castes == {"web": ["known"]}, "nor does it keep what it had"
    assert outcome.missing == {"web": 1}
    for wrong in ({"zone": "vault"}, {"trust": "high"}, {"zone": "other", "trust": "high"}):
        assert not fits(a_record("n", zone="vault", labels=wrong), Requirements(pinned=True, **needs))  # type: ignore[arg-type]


def test_a_dead_node_is_replaced_by_a_spare_and_does_not_get_its_place_back() -> None:
    before = {"web": ["n1", "n2"]}
    died = {**FIVE, "n1": a_record("n1", status=Status.DEAD)}
    outcome = assign(spec(web=want(2)), died, before)
    assert outcome.castes == {"web": ["n2", "n3"]}
    assert outcome.sentences == ("n3 joins caste web", "n1 leaves caste web")
    assert assign(spec(web=want(2)), FIVE, outcome.castes).castes == outcome.castes


def test_a_drained_node_serves_until_another_that_fits_is_free() -> None:
    before = {"web": ["n1", "n2"], "store": ["n3"]}
    drained = {**FIVE, "n1": a_record("n1", vcpus=8, cordoned=True, drained=True)}
    outcome = assign(spec(web=want(2), store=want(1)), drained, before)
    assert outcome.castes == {"web": ["n2", "n4"], "store": ["n3"]}
    assert outcome.sentences == ("n4 joins caste web", "n1 leaves caste web")
    nobody = assign(spec(web=want(2, vcpus=8)), drained, {"web": ["n1"]})
    assert nobody.castes == {"web": ["n1"]}
    assert nobody.missing == {"web": 1}, "it keeps its place and is no reason to report a gap"
    gap = assign(spec(web=want(2), store=want(3)), drained, before)
    assert gap.castes == {"web": ["n1", "n2"], "store": ["n3", "n4", "n5"]}, "a gap is filled before it is relieved"


def test_dead_nodes_keep_their_place_when_the_policy_says_never() -> None:
    died = {**FIVE, "n1": a_record("n1", status=Status.DEAD)}
    outcome = assign(spec(replace_dead="never", web=want(2)), died, {"web": ["n1", "n2"]})
    assert outcome.castes == {"web": ["n1", "n2"]}
    assert outcome.sentences == ()


@pytest.mark.parametrize("status", SILENT)
def test_the_silent_are_never_chosen(status: Status) -> None:
    outcome = assign(spec(web=want(1)), records(a_record("n", status=status)), {})
    assert outcome.castes == {"web": []}
    assert outcome.missing == {"web": 1}


def test_a_suspect_keeps_her_place_but_is_not_chosen_anew() -> None:
    doubted = {**FIVE, "n1": a_record("n1", vcpus=2, ram_mib=2048, status=Status.SUSPECT)}
    assert assign(spec(web=want(1)), doubted, {"web": ["n1"]}).castes == {"web": ["n1"]}
    assert "n1" not in assign(spec(web=want(4)), doubted, {}).castes["web"]


def test_a_node_over_a_limit_keeps_its_place_but_is_not_chosen_anew() -> None:
    full = {**FIVE, "n1": a_record("n1", vcpus=2, ram_mib=2048, over=("memory",))}
    assert assign(spec(web=want(1)), full, {"web": ["n1"]}).castes == {"web": ["n1"]}
    outcome = assign(spec(web=want(5)), full, {})
    assert "n1" not in outcome.castes["web"]
    assert "over the limit of memory" in report("web", spec(web=want(5)), full, outcome.castes).reason


def test_a_cordoned_node_keeps_its_place_but_is_not_chosen_anew() -> None:
    cordoned = {**FIVE, "n1": a_record("n1", vcpus=2, ram_mib=2048, cordoned=True)}
    assert assign(spec(web=want(1)), cordoned, {"web": ["n1"]}).castes == {"web": ["n1"]}
    assert "n1" not in assign(spec(web=want(5)), cordoned, {}).castes["web"]


def test_shrinking_sends_away_suspects_then_cordoned_then_the_youngest() -> None:
    given = records(
        a_record("suspect", status=Status.SUSPECT),
        a_record("cordoned", cordoned=True),
        a_record("young", joined_at=9.0),
        a_record("old", joined_at=1.0),
    )
    before = {"web": ["suspect", "cordoned", "young", "old"]}
    assert assign(spec(web=want(3)), given, before).castes == {"web": ["cordoned", "young", "old"]}
    assert assign(spec(web=want(2)), given, before).castes == {"web": ["young", "old"]}
    assert assign(spec(web=want(1)), given, before).castes == {"web": ["old"]}


def test_who_no_longer_fits_leaves() -> None:
    outcome = assign(spec(web=want(1, vcpus=4)), {**FIVE, "big": a_record("big", vcpus=4)}, {"web": ["n1"]})
    assert outcome.castes == {"web": ["big"]}


def test_a_caste_that_ends_frees_its_nodes() -> None:
    outcome = assign(spec(web=want(1)), records(a_record("n1")), {"old": ["n1"]})
    assert outcome.castes == {"web": ["n1"]}
    assert outcome.sentences == ("n1 leaves caste old", "n1 joins caste web")


def test_a_node_that_was_removed_leaves_under_its_id() -> None:
    assert assign(spec(web=want(1)), {}, {"web": ["01ARZ"]}).sentences == ("01ARZ leaves caste web",)


def test_repeated_and_doubly_assigned_nodes_count_once() -> None:
    """A damaged assignment must not make a caste look full."""
    outcome = assign(spec(web=want(2), store=want(1)), FIVE, {"web": ["n1", "n1"], "store": ["n1"]})
    assert sorted(outcome.castes["web"])[0] == "n1"
    assert len(set(outcome.castes["web"])) == 2
    assert "n1" not in outcome.castes["store"]


@pytest.mark.parametrize(
    ("needs", "good"),
    [
        ({"vcpus": 4}, True),
        ({"vcpus": 5}, False),
        ({"ram_mib": 4096}, True),
        ({"ram_mib": 4097}, False),
        ({"disk_gib": 20}, True),
        ({"disk_gib": 21}, False),
        ({"zone": "a"}, True),
        ({"zone": "b"}, False),
        ({"labels": {"ssd": "yes"}}, True),
        ({"labels": {"ssd": "no"}}, False),
        ({"labels": {"gpu": "yes"}}, False),
        ({}, True),
    ],
)
def test_fits(needs: dict[str, object], good: bool) -> None:
    node = a_record(
        "n", vcpus=4, ram_mib=4096, disk_gib=20, zone="a", reported_labels={"ssd": "no"}, labels={"ssd": "yes"}
    )
    assert fits(node, Requirements(**needs)) is good  # type: ignore[arg-type]


def test_a_node_that_never_reported_fits_only_what_asks_nothing() -> None:
    silent = Record(id="n", name="n", joined_at=0.0)
    assert fits(silent, Requirements())
    assert not fits(silent, Requirements(vcpus=1))
