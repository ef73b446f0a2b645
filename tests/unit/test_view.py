"""The picture readers get."""

from __future__ import annotations

import msgspec
import pytest
from colony_support import a_record, a_report
from hypothesis import given
from hypothesis import strategies as st

from aware_agent.colony.election import QueenRecord
from aware_agent.colony.node import Record, Report, Status
from aware_agent.colony.spec import CasteSpec, Spec
from aware_agent.colony.view import SPARE, ColonyData, Entry, build_view, without_queen

QUEEN = QueenRecord(id="n1", name="n1", url="https://q", incarnation="1", since=1.0)
SPEC = Spec(colony="c", size=3, castes={"web": CasteSpec(count=2)})
IDS = ("n1", "n2", "n3")


def a_colony(*changed: Record, **fields: object) -> ColonyData:
    nodes = {i: a_record(i, joined_at=float(i[1:])) for i in IDS} | {r.id: r for r in changed}
    values = {
        "colony": "c",
        "revision": 42,
        "spec": SPEC,
        "spec_revision": 7,
        "queen_record": QUEEN,
        "term": 5,
        "entries": {i: Entry(record, 10 + n) for n, (i, record) in enumerate(nodes.items())},
        "presence": {i: a_report(i, joined_at=float(i[1:])) for i in IDS},
        "castes": {"web": ["n2", "n3"]},
        **fields,
    }
    return ColonyData(**values)  # type: ignore[arg-type]


def test_a_healthy_colony() -> None:
    view = build_view(a_colony())
    assert (view.status, view.reason) == ("healthy", "3 nodes are ready")
    assert (view.revision, view.term, view.spec_revision) == (42, 5, 7)
    assert view.queen is not None
    assert (view.queen.id, view.queen.term, view.heir) == ("n1", 5, "n2")
    assert [(n.name, n.role, n.caste, n.rank) for n in view.nodes] == [
        ("n1", "queen", SPARE, None),
        ("n2", "heir", "web", 0),
        ("n3", "member", "web", 1),
    ]
    assert [n.revision for n in view.nodes] == [10, 11, 12]
    assert view.castes[0].missing == 0


def test_no_queen_is_degraded() -> None:
    view = build_view(a_colony(queen_record=None, term=0))
    assert (view.status, view.reason, view.queen) == ("degraded", "no queen", None)
    assert [n.role for n in view.nodes] == ["heir", "member", "member"], "n1 would win again"


@pytest.mark.parametrize(
    ("seats", "roles"),
    [
        (frozenset({"n1", "n2", "n3"}), ["queen", "heir", "member", "worker"]),
        (frozenset({"n1"}), ["queen", "heir", "worker", "worker"]),
        (None, ["queen", "heir", "member", "worker"]),
    ],
    ids=["who-sits", "who-may-sit-does-not-yet", "etcd-of-its-operators"],
)
def test_a_role_is_what_a_node_is_in_the_council(seats: frozenset[str] | None, roles: list[str]) -> None:
    """``n3`` is dead, and has its seat still; ``n4`` may never sit."""
    dead, worker = a_record("n3", joined_at=3.0, status=Status.DEAD), a_record("n4", joined_at=4.0, eligible=False)
    here = {i: a_report(i, joined_at=float(i[1:])) for i in ("n1", "n2", "n4")}
    view = build_view(a_colony(dead, worker, presence=here, seats=seats))
    assert [n.role for n in view.nodes] == roles
    assert without_queen(view).nodes[0].role == "member"


def test_the_troubled_are_named_but_not_all_of_many() -> None:
    few = build_view(a_colony(a_record("n2", status=Status.SUSPECT), a_record("n3", status=Status.DEAD)))
    assert (few.status, few.reason) == ("degraded", "silent or dead: n2, n3")
    many = build_view(a_colony(*(a_record(f"d{i}", status=Status.DEAD) for i in range(9))))
    assert many.reason == "silent or dead: d0, d1, d2, d3, d4 ..."


def test_a_formed_colony_is_not_forming_while_a_node_restarts() -> None:
    left = build_view(a_colony(a_record("n3", joined_at=3.0, status=Status.LEFT)))
    assert (left.status, left.reason) == ("degraded", "said good-bye: n3")


def test_forming_and_gaps() -> None:
    forming = build_view(a_colony(spec=Spec(colony="c", size=4)))
    assert (forming.status, forming.reason) == ("forming", "3 of 4 nodes are ready")
    gap = build_view(a_colony(castes={"web": ["n2"]}))
    assert (gap.status, gap.reason) == ("degraded", "missing 1 in web")
    nothing_wanted = build_view(a_colony(spec=None, castes={}))
    assert (nothing_wanted.status, nothing_wanted.castes) == ("healthy", ())


def test_a_node_without_presence_is_shown_as_last_known() -> None:
    known = a_record("n3", status=Status.DEAD, reported_labels={"a": "reported"}, labels={"a": "set"}, vcpus=3)
    node = build_view(a_colony(known, presence={})).find("n3")
    assert node is not None
    assert (node.address, node.labels, node.capabilities.vcpus, node.rank) == ("127.0.0.1", {"a": "set"}, 3, None)
    never = Record(id="n3", name="n3", joined_at=0.0)
    node = build_view(a_colony(never, presence={})).find("n3")
    assert node is not None
    assert (node.address, node.candidate, node.config_applied) == ("", False, False)


def test_a_configuration_is_applied_when_the_node_says_so() -> None:
    entries = {"n1": Entry(a_record("n1"), 1, config_version=2)}
    for reported, applied in ((1, False), (2, True)):
        view = build_view(a_colony(entries=entries, presence={"n1": a_report("n1", config_version=reported)}))
        assert view.nodes[0].config_applied is applied


def test_find_by_id_or_name() -> None:
    view = build_view(a_colony(a_record("01X", name="demo-1")))
    assert view.find("01X") is view.find("demo-1") is not None
    assert view.find("demo-2") is None


def test_names_sort_as_people_count() -> None:
    names = ["demo-10", "demo-2", "demo-1", "a", "demo", "7", "demo-2b"]
    view = build_view(a_colony(entries={n: Entry(a_record(n), 1) for n in names}))
    assert [n.name for n in view.nodes] == ["7", "a", "demo", "demo-1", "demo-2", "demo-2b", "demo-10"]


@given(st.lists(st.text(max_size=6), unique=True), st.randoms(use_true_random=False))
def test_the_same_data_give_the_same_bytes(names: list[str], random: object) -> None:
    """Whatever the names, and in whatever order the store told of them."""
    entries = {f"id{i}": Entry(a_record(f"id{i}", name=name), 1) for i, name in enumerate(names)}
    presence: dict[str, Report] = {i: a_report(e.record.name) for i, e in entries.items()}

    def view(order: list[str]) -> bytes:
        data = a_colony(entries={i: entries[i] for i in order}, presence={i: presence[i] for i in order}, castes={})
        return msgspec.json.encode(build_view(data))

    order = list(entries)
    first = view(order)
    random.shuffle(order)  # type: ignore[attr-defined]
    assert view(order) == first
