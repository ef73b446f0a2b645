"""Names: one table of examples, and every door says of each what the table says."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.aware.cluster.plugins.module_utils import _names as theirs
from ansible_collections.aware.cluster.plugins.module_utils._openstack_api import CloudError
from ansible_collections.aware.cluster.plugins.module_utils._openstack_wish import check_colony, checked_castes
from ansible_collections.aware.cluster.plugins.plugin_utils._document import DocumentError, parse_document
from ansible_collections.aware.cluster.plugins.plugin_utils._spec import SpecError, checked_spec

from aware_agent.agent.material import make_material
from aware_agent.agent.settings import SettingsInvalid, load_settings
from aware_agent.colony import names as ours
from aware_agent.colony.errors import AwareError, InvalidInput
from aware_agent.colony.hook import HookOperation, Order, check_order
from aware_agent.colony.inventory import build_inventory
from aware_agent.colony.names import Kind, check_labels, is_name, usable_labels
from aware_agent.colony.spec import check_apart, parse_spec
from aware_agent.security.joining import parse_join_request
from tests.gateway.memory import MemoryContext

ROOT = Path(__file__).resolve().parents[2]
GOOD_FOR: list[tuple[str, list[str]]] = [
    ("node caste colony", ["web", "a", "w2", "a" * 48]),
    ("node colony", ["demo-1", "a--b", "db-east"]),
    ("node caste", ["a" * 63]),
    ("node", ["a" * 49 + "-1"]),
    ("caste", ["db_east", "w_2"]),
    ("", ["web-", "-web", "_web", "web_", "Web", "WEB", "we b", " web", "web ", "web\n", "we\nb", "we\0b"]),
    ("", ["", "-", ".", "..", "../x", "a/b", "web.", ".web", "db.east", "db.west", "a" * 64, "{{ x }}", "%s"]),
    ("", ["1", "007", "10.0.0.1", "::1", "1e5", "0x1f", "1-2"]),
    ("", ["zürich", "東", "we\u0301b", "web\u200b", "\uff57eb"]),
    ("", ["aware_queen", "aware_alive", "aware_status_ready", "aware_web", *sorted(ours.RESERVED)]),
]
TABLE = {
    name: {kind: kind in kinds.split() for kind in ("node", "caste", "colony")}
    for kinds, names in GOOD_FOR
    for name in names
}


def accepts(door: Callable[[str], object], name: str) -> bool:
    try:
        door(name)
    except (AwareError, SpecError, CloudError, DocumentError) as error:
        text = str(error)
        assert "\n" not in text
        assert "Traceback" not in text
        return False
    return True


def spec(colony: str = "demo", **castes: int) -> bytes:
    return json.dumps({"colony": colony, "size": 3, "castes": {c: {"count": n} for c, n in castes.items()}}).encode()


def bootstrap(**changes: Any) -> None:
    checked_spec({"plugin": "aware.cluster.spec", "colony": "demo", "size": 3, **changes})


def join(name: str) -> None:
    request = {"colony": "demo", "token_id": "0" * 16, "secret": "s" * 43, "csr": "-----BEGIN", "node_id": "0" * 26}
    where = {"address": "127.0.0.1", "url": "https://127.0.0.1:1"}
    parse_join_request(json.dumps({**request, **where, "box_key": "A" * 43 + "=", "name": name}).encode())


def read_as_host(name: str) -> None:
    whole = {"complete": True, "colony": "demo", "revision": 1, "term": 1, "groups": {"some": []}}
    parse_document(json.dumps({**whole, "hosts": {name: {}}}).encode())


DOORS: dict[str, tuple[str, Callable[[str], object]]] = {
    "join request": ("node", join),
    "static spec": ("node", lambda name: bootstrap(provider="static", size=None, hosts={name: "192.0.2.1"})),
    "inventory reader": ("node", read_as_host),
    "gateway's spec": ("colony", lambda name: parse_spec(spec(name))),
    "bootstrap spec": ("colony", lambda name: bootstrap(colony=name)),
    "OpenStack module": ("colony", check_colony),
    "caste of the gateway's spec": ("caste", lambda name: parse_spec(spec(**{name: 1}))),
    "caste of the bootstrap spec": ("caste", lambda name: bootstrap(castes={name: {"count": 1}})),
    "caste of the OpenStack module": ("caste", lambda name: checked_castes({"castes": {name: {"count": 1}}})),
    "caste of a hook": (
        "caste",
        lambda name: check_order(Order(operation=HookOperation.SCALE, delta=1, caste=name or " ")),
    ),
}


@pytest.mark.parametrize("name", TABLE, ids=ascii)
def test_every_door_says_the_same_of_a_name(name: str) -> None:
    assert {door: accepts(enter, name) for door, (_, enter) in DOORS.items()} == {
        door: TABLE[name][kind] for door, (kind, _) in DOORS.items()
    }


@pytest.mark.parametrize("name", [name for name in TABLE if name and "\0" not in name], ids=ascii)
def test_settings_and_environment_say_it_too(name: str, tmp_path: Path) -> None:
    file = tmp_path / "agent.toml"

    def settings(environment: Mapping[str, str] = {}, **changes: str) -> None:
        values = {"colony": "demo", "name": "demo-1", "state_dir": str(tmp_path), "address": "127.0.0.1", **changes}
        file.write_text("".join(f"{key} = {json.dumps(value)}\n" for key, value in values.items()))
        load_settings(file, environment)

    assert accepts(lambda text: settings(name=text), name) is TABLE[name]["node"]
    assert accepts(lambda text: settings({"AWARE_NAME": text}), name) is TABLE[name]["node"]
    assert accepts(lambda text: settings(colony=text), name) is TABLE[name]["colony"]
    assert accepts(lambda text: settings({"AWARE_COLONY": text}), name) is TABLE[name]["colony"]


@pytest.mark.parametrize("name", ["web-", "Web", "all", "..", "", "a" * 64, "db.east"])
def test_the_founder_is_judged_before_anything_is_made(name: str, tmp_path: Path) -> None:
    place = tmp_path / "material"
    with pytest.raises(InvalidInput):
        make_material(
            "demo",
            place,
            etcd_addresses=["127.0.0.1:1"],
            founder_name=name,
            founder_address="127.0.0.1",
            founder_state=tmp_path / "state",
            now=1.0,
        )
    assert list(tmp_path.iterdir()) == []
    options = ["--colony", "demo", "--directory", str(place), "--address", "127.0.0.1", "--etcd", "https://127.0.0.1:1"]
    command = [sys.executable, "-m", "aware_agent.cli", "colony", "material", *options]
    command += [f"--founder-name={name}", "--founder-state", str(tmp_path / "state")]
    result = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert (result.returncode, result.stdout) == (2, "")
    assert "cannot be the name of a node" in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_what_names_are_not_text_is_refused() -> None:
    for name in (None, True, 7, 1.5, b"web", ["web"]):
        assert not any(is_name(kind, name) for kind in Kind)
        for door in (
            lambda name=name: bootstrap(castes={name: {"count": 1}}),
            lambda name=name: bootstrap(colony=name),
            lambda name=name: checked_castes({"castes": {name: {"count": 1}}}),
        ):
            if not isinstance(name, list):
                with pytest.raises((SpecError, CloudError)):
                    door()


def test_both_code_bases_have_one_rule() -> None:
    assert {str(kind): pattern for kind, pattern in ours.PATTERNS.items()} == {
        kind: pattern for kind, pattern in theirs.PATTERNS.items() if kind != "keypair"
    }
    assert {str(kind): hint for kind, hint in ours.HINTS.items()} == {
        kind: hint for kind, hint in theirs.HINTS.items() if kind != "keypair"
    }
    assert (ours.RESERVED, ours.GROUPS) == (theirs.RESERVED, theirs.GROUPS)
    assert (ours.MAX_LABELS, ours.MAX_LABEL_VALUE) == (theirs.MAX_LABELS, theirs.MAX_LABEL_VALUE)
    for name in [*TABLE, "a@b", "a.b", "A/b"]:
        assert {str(kind): is_name(kind, name) for kind in Kind} == {
            str(kind): theirs.is_name(str(kind), name) for kind in Kind
        }


def test_heat_has_it_too() -> None:
    pattern = ours.PATTERNS[Kind.COLONY]
    heat = ROOT / "deploy" / "heat"
    templates = [yaml.safe_load(path.read_text())["parameters"] for path in sorted(heat.glob("*.yaml"))]
    assert len(templates) == 3
    for parameters in templates:
        assert [rule["allowed_pattern"] for rule in parameters["colony"]["constraints"]] == [pattern]
    # A founding key holds the colony's name.
    (key,) = [
        rule["allowed_pattern"]
        for parameters in templates
        if "founding_key" in parameters
        for rule in parameters["founding_key"]["constraints"]
    ]
    assert key.startswith(f"aware-found1\\.{pattern}\\.")
    bootstrap = (heat / "bootstrap.sh").read_text()
    assert f"check colony '{pattern}'" in bootstrap
    assert f"check founding 'aware-found1\\.{pattern}\\." in bootstrap


def test_servers_of_the_longest_colony_have_names() -> None:
    assert is_name(Kind.NODE, "a" * 48 + "-10000")


def test_a_caste_and_a_node_are_told_apart() -> None:
    check_apart(["web", "store"], ["web-1", "demo-1"])
    with pytest.raises(InvalidInput) as refused:
        check_apart(["web", "store"], ["demo-1", "web"])
    assert refused.value.field == "castes.web"
    with pytest.raises(SpecError, match="web is also a caste"):
        bootstrap(provider="static", size=1, hosts={"web": "192.0.2.1"}, castes={"web": {"count": 1}})


def test_the_inventory_never_has_a_host_and_a_group_of_one_name() -> None:
    import msgspec

    view = MemoryContext(5).view()
    for name in [*TABLE, *(caste.name for caste in view.castes)]:
        nodes = (msgspec.structs.replace(view.nodes[0], name=name), *view.nodes[1:])
        document = build_inventory(msgspec.structs.replace(view, nodes=nodes))
        assert len(document["hosts"]) == len(nodes)
        assert not document["hosts"].keys() & document["groups"].keys()
        assert all(is_name(Kind.NODE, host) for host in document["hosts"])
        parsed = parse_document(json.dumps(document).encode())
        assert (len(parsed.hosts), parsed.warnings) == (len(nodes), [])


LABELS: list[tuple[dict[str, str | None], bool]] = [
    ({"rack": "r7", "a.b/c-d_e": "", "A": "x" * 255, "k" * 63: "Zürich 東"}, True),
    ({"gone": None}, True),
    ({"": "x"}, False),
    ({"k" * 64: "x"}, False),
    ({"a": "x" * 256}, False),
    ({"a b": "x"}, False),
    ({"a\n": "x"}, False),
    ({"-a": "x"}, False),
    ({"a.": "x"}, False),
    ({"ü": "x"}, False),
    ({"a": "x\ny"}, False),
    ({"a": "\x1b[2J"}, False),
    ({f"k{number}": "v" for number in range(64)}, True),
    ({f"k{number}": "v" for number in range(65)}, False),
]


@pytest.mark.parametrize(("labels", "good"), LABELS)
def test_labels_have_one_limit(labels: dict[str, str | None], good: bool, tmp_path: Path) -> None:
    assert accepts(lambda _: check_labels(labels), "") is good
    assert (theirs.label_flaw(labels) == "") is good
    if None in labels.values():
        return
    caste = {"web": {"count": 1, "requires": {"labels": labels}}}
    raw = json.dumps({"colony": "demo", "size": 1, "castes": caste}).encode()
    assert accepts(lambda _: parse_spec(raw), "") is good
    assert accepts(lambda _: bootstrap(castes=caste), "") is good
    file = tmp_path / "agent.toml"
    lines = "".join(f"{json.dumps(key)} = {json.dumps(value, ensure_ascii=False)}\n" for key, value in labels.items())
    file.write_text(f'colony = "demo"\nname = "a"\nstate_dir = "/x"\naddress = "127.0.0.1"\n[labels]\n{lines}', "utf-8")
    assert accepts(lambda _: load_settings(file, {}), "") is good
    assert (usable_labels(labels) == labels) is good  # type: ignore[arg-type]


def test_labels_of_the_environment_are_pairs(tmp_path: Path) -> None:
    file = tmp_path / "agent.toml"
    file.write_text('colony = "demo"\nname = "a"\nstate_dir = "/x"\naddress = "127.0.0.1"\n')
    assert load_settings(file, {"AWARE_LABELS": "rack=r7, tier=a=b"}).labels == {"rack": "r7", "tier": "a=b"}
    with pytest.raises(SettingsInvalid, match="AWARE_LABELS"):
        load_settings(file, {"AWARE_LABELS": "rack"})
