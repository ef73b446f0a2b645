"""Plans say in sentences what would follow."""

from __future__ import annotations

from colony_support import a_record, records

from aware_agent.colony.node import Status
from aware_agent.colony.plan import plan
from aware_agent.colony.spec import CasteSpec, CouncilSpec, Policies, Requirements, Spec

THREE = records(*(a_record(f"n{i}", joined_at=float(i)) for i in (1, 2, 3)))
BASE = Spec(colony="c", size=3, castes={"web": CasteSpec(count=1)})


def change(**fields: object) -> Spec:
    return Spec(**{"colony": "c", "size": 3, "castes": BASE.castes, **fields})  # type: ignore[arg-type]


def test_the_first_spec() -> None:
    outcome = plan(None, BASE, THREE, {}, queen="n1")
    assert outcome.changed
    assert outcome.steps == ("first spec: 3 nodes", "n2 joins caste web")
    assert (outcome.missing_nodes, outcome.surplus_nodes) == (0, 0)


def test_the_same_spec_changes_nothing() -> None:
    outcome = plan(BASE, BASE, THREE, {"web": ["n2"]})
    assert not outcome.changed
    assert outcome.steps == ()


def test_growing() -> None:
    after = change(size=5, castes={"web": CasteSpec(count=2), "store": CasteSpec(count=1)})
    outcome = plan(BASE, after, THREE, {"web": ["n2"]}, queen="n1")
    assert outcome.steps == (
        "size 3 -> 5",
        "new caste store: 1 node",
        "caste web: 1 -> 2 nodes",
        "n3 joins caste store",
        "n1 joins caste web",
        "2 nodes missing: to be provisioned",
    )
    assert outcome.missing_nodes == 2


def test_shrinking() -> None:
    outcome = plan(BASE, change(size=1, castes={}), THREE, {"web": ["n2"]})
    assert outcome.steps == (
        "size 3 -> 1",
        "caste web ends; its nodes become spare",
        "n2 leaves caste web",
        "2 nodes more than wanted: remove them when you like",
    )
    assert outcome.surplus_nodes == 2


def test_requirements_and_policies() -> None:
    after = change(
        castes={"web": CasteSpec(count=1, requires=Requirements(vcpus=1))}, policies=Policies(dead_after_s=20)
    )
    assert plan(BASE, after, THREE, {"web": ["n2"]}).steps == (
        "caste web: requirements change",
        "policies change",
        "n2 leaves caste web",
        "caste web lacks 1 node",
    )


def test_the_dead_and_those_who_left_do_not_count() -> None:
    given = {
        **THREE,
        "n2": a_record("n2", status=Status.DEAD),
        "n3": a_record("n3", status=Status.LEFT),
        "n4": a_record("n4", status=Status.SUSPECT),
    }
    assert plan(BASE, BASE, given, {"web": ["n1"]}).missing_nodes == 1


def test_for_who_is_away_no_other_is_made() -> None:
    given = {**THREE, "n3": a_record("n3", status=Status.AWAY)}
    assert plan(BASE, BASE, given, {"web": ["n1"]}).missing_nodes == 0


def test_the_council_changes() -> None:
    three = change(council=CouncilSpec(size=3))
    later = change(council=CouncilSpec(size=3, replace_after_s=0))
    one = change(council=CouncilSpec(size=1))

    def steps(before: Spec, after: Spec) -> tuple[str, ...]:
        return plan(before, after, THREE, {"web": ["n2"]}).steps

    assert steps(BASE, three) == ("the council is kept at 3 seats from now on",)
    assert steps(three, one) == ("council: 3 -> 1 seat, one member at a time",)
    assert steps(three, later) == ("council: lost members are replaced after another time",)
    assert steps(three, BASE) == ("the council is left as it is from now on",)


def test_a_council_larger_than_the_nodes_that_may_sit_is_said() -> None:
    few = records(a_record("n1"), a_record("n2", eligible=False), a_record("n3", status=Status.DEAD))
    outcome = plan(BASE, change(council=CouncilSpec(size=3)), few, {"web": ["n1"]})
    assert "the council of 3 lacks 2 nodes allowed into it" in outcome.steps
