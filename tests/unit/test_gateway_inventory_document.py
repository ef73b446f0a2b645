"""The inventory document: complete, grouped, and safe whatever a node says of itself."""

from __future__ import annotations

import re
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aware_agent.colony.away import Away
from aware_agent.colony.inventory import ALIVE, build_inventory, group_name, host_names
from aware_agent.colony.names import Kind, is_name
from aware_agent.colony.node import Capabilities, Status
from aware_agent.colony.view import ColonyView, NodeView
from tests.gateway.memory import MemoryContext, node_id

GROUP = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
EVIL = "{{ lookup('pipe', 'id') }}"


def _view(**node: Any) -> ColonyView:
    """The demo colony, with changes of demo-2."""
    view = MemoryContext().view()
    nodes = tuple(msgspec.structs.replace(n, **node) if n.id == node_id(1) else n for n in view.nodes)
    return msgspec.structs.replace(view, nodes=nodes)


def test_a_healthy_colony() -> None:
    document = build_inventory(_view())
    assert document["complete"] is True
    assert document["queen"] == "demo-1"
    assert document["members"][0] == "https://127.0.0.1:20101"
    assert len(document["members"]) == len(document["hosts"]) == 5
    assert document["groups"] == {
        "aware_queen": ["demo-1"],
        "aware_council": ["demo-1", "demo-2", "demo-3", "demo-4", "demo-5"],
        "aware_workers": [],
        "aware_alive": ["demo-1", "demo-2", "demo-3", "demo-4", "demo-5"],
        "aware_away": [],
        "aware_status_ready": ["demo-1", "demo-2", "demo-3", "demo-4", "demo-5"],
        "aware_zone_a": ["demo-1", "demo-2", "demo-3", "demo-4", "demo-5"],
        "web": ["demo-2", "demo-3"],
        "store": ["demo-4"],
        "spare": ["demo-1", "demo-5"],
    }
    assert document["hosts"]["demo-2"]["ansible_host"] == "127.0.0.1"
    assert document["hosts"]["demo-2"]["aware_caste"] == "web"


def test_who_was_sent_away_is_in_a_group_of_its_own_and_says_why() -> None:
    away = Away(by="ada", since=1000.0, reason="a new disk", until=2000.0, here=True, caste="web")
    document = build_inventory(_view(status=Status.AWAY, away=away, labels={"a": "b"}, cordoned=True))
    groups = [name for name, hosts in document["groups"].items() if "demo-2" in hosts]
    assert sorted(groups) == ["aware_away", "aware_status_away"]
    told = {name: value for name, value in document["hosts"]["demo-2"].items() if name.startswith("aware_away")}
    assert told == {
        "aware_away_since": 1000.0,
        "aware_away_until": 2000.0,
        "aware_away_by": "ada",
        "aware_away_reason": "a new disk",
    }
    assert "https://127.0.0.1:20102" not in document["members"]
    assert not any(name.startswith("aware_away") for name in document["hosts"]["demo-3"])


@pytest.mark.parametrize("status", [Status.DEAD, Status.LEFT])
def test_nodes_that_are_gone_get_no_work(status: Status) -> None:
    document = build_inventory(_view(status=status, labels={"a": "b"}, cordoned=True))
    assert "demo-2" in document["hosts"]
    groups = [name for name, hosts in document["groups"].items() if "demo-2" in hosts]
    assert groups == [f"aware_status_{status}"]
    assert "https://127.0.0.1:20102" not in document["members"]


def test_suspect_and_cordoned_nodes_keep_their_caste() -> None:
    document = build_inventory(_view(status=Status.SUSPECT, cordoned=True))
    groups = {name for name, hosts in document["groups"].items() if "demo-2" in hosts}
    assert {"web", "aware_cordoned", "aware_status_suspect", "aware_council"} <= groups
    assert ALIVE not in groups


@pytest.mark.parametrize(
    ("role", "group"), [("heir", "aware_council"), ("member", "aware_council"), ("worker", "aware_workers")]
)
def test_who_has_a_seat_is_no_worker(role: str, group: str) -> None:
    document = build_inventory(_view(role=role))
    groups = {name for name, hosts in document["groups"].items() if "demo-2" in hosts}
    assert {"aware_queen", "aware_council", "aware_workers"} & groups == {group}
    assert document["hosts"]["demo-2"]["aware_role"] == role


def test_empty_castes_are_there() -> None:
    view = MemoryContext(1).view()
    document = build_inventory(view)
    assert document["groups"]["web"] == []
    assert document["groups"]["store"] == []


def test_without_a_queen_nobody_is_called_one() -> None:
    view = msgspec.structs.replace(_view(), queen=None, nodes=tuple(
        msgspec.structs.replace(n, role="member") for n in _view().nodes
    ))  # fmt: skip
    document = build_inventory(view)
    assert document["queen"] is None
    assert document["groups"]["aware_queen"] == []


@pytest.mark.parametrize(
    "name",
    ["", "all", "localhost", "a b", "x" * 300, "-x", "x-", "X", "x.y", "7", "web", "../etc", EVIL, "a\nb", "ünode"],
)
def test_names_that_are_no_host_names_become_ids(name: str) -> None:
    document = build_inventory(_view(name=name))
    assert name not in document["hosts"]
    host = f"aware-{node_id(1).lower()}"
    assert document["hosts"][host]["aware_id"] == node_id(1)
    assert document["hosts"][host]["aware_name"] == name
    assert host in document["groups"]["web"]


def test_a_stolen_name_stays_with_its_owner() -> None:
    nodes = MemoryContext().view().nodes
    thief = msgspec.structs.replace(nodes[4], name="demo-2", joined_at=9e9)
    owner = nodes[1]
    names = host_names([thief, owner])
    assert names[owner.id] == "demo-2"
    assert names[thief.id] != "demo-2"
    gone = msgspec.structs.replace(owner, status=Status.DEAD)
    assert host_names([gone, thief])[thief.id] == "demo-2"


@pytest.mark.parametrize("address", ["", EVIL, "-oProxyCommand=id", "host.example", "fe80::1%$(id)", "127.0.0.1 "])
def test_only_an_ip_address_becomes_ansible_host(address: str) -> None:
    variables = build_inventory(_view(address=address))["hosts"]["demo-2"]
    assert "ansible_host" not in variables
    assert variables["aware_address"] == address


def test_labels_and_zones_make_safe_groups() -> None:
    capabilities = Capabilities(zone="rack 1/b")
    document = build_inventory(
        _view(labels={"tier": "gold", EVIL: EVIL, "a.b": "c", "a_b": "c"}, capabilities=capabilities)
    )
    groups = [name for name, hosts in document["groups"].items() if "demo-2" in hosts]
    assert "aware_label_tier_gold" in groups
    assert "aware_zone_rack_1_b" in groups
    assert document["groups"]["aware_label_a_b_c"] == ["demo-2"]
    assert all(GROUP.fullmatch(name) for name in document["groups"])


@given(st.text())
def test_group_names_are_identifiers(text: str) -> None:
    assert GROUP.fullmatch(group_name(text))


_TEXT = st.text(max_size=20)
_NODE = st.fixed_dictionaries(
    {
        "name": _TEXT,
        "address": _TEXT,
        "url": _TEXT,
        "caste": _TEXT,
        "status": st.sampled_from(Status),
        "labels": st.dictionaries(_TEXT, _TEXT, max_size=3),
        "vars": st.dictionaries(_TEXT, _TEXT, max_size=3),
        "capabilities": st.builds(Capabilities, zone=_TEXT),
        "version": _TEXT,
    }
)
_TEMPLATE: NodeView = MemoryContext(1).view().nodes[0]
_BASE = MemoryContext(1).view()


@settings(max_examples=200)
@given(st.lists(_NODE, max_size=5))
def test_whatever_nodes_say_the_document_is_whole(said: list[dict[str, Any]]) -> None:
    nodes = tuple(msgspec.structs.replace(_TEMPLATE, id=node_id(i), **fields) for i, fields in enumerate(said))
    document = build_inventory(msgspec.structs.replace(_BASE, nodes=nodes))
    assert len(document["hosts"]) == len(nodes)
    for group, hosts in document["groups"].items():
        assert GROUP.fullmatch(group)
        assert len(hosts) == len(set(hosts))
        assert set(hosts) <= set(document["hosts"])
    for variables in document["hosts"].values():
        assert {name for name in variables if not name.startswith("aware_")} <= {"ansible_host"}
    msgspec.json.encode(document)


@pytest.mark.parametrize("kind", [Kind.NODE, Kind.CASTE])
def test_nothing_else_can_be_called_like_the_group_of_the_living(kind: Kind) -> None:
    assert not is_name(kind, ALIVE)
