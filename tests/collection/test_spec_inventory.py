"""The bootstrap inventory, as users meet it."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from aware_agent.colony.backup import BackupPolicy
from aware_agent.colony.healing import ServerPolicy
from aware_agent.colony.limits import Limits
from aware_agent.colony.retention import Keep
from aware_agent.colony.spec import JobPolicy, Policies, parse_spec

from .conftest import ROOT


def write(folder: Path, **changes: Any) -> Path:
    whole = {"plugin": "aware.cluster.spec", "colony": "demo", "size": 3, "castes": {"web": {"count": 2}}, **changes}
    whole = {key: value for key, value in whole.items() if value is not None}
    path = folder / "inventory" / "cluster.yml"
    path.parent.mkdir(exist_ok=True)
    path.write_text("".join(f"{key}: {json.dumps(value)}\n" for key, value in whole.items()))
    return path


def plain(value: Any) -> Any:
    """``value`` without the marks ansible-inventory puts on data that is no template."""
    if isinstance(value, dict):
        return (
            plain(value["__ansible_unsafe"]) if "__ansible_unsafe" in value else {k: plain(v) for k, v in value.items()}
        )
    return [plain(each) for each in value] if isinstance(value, list) else value


def test_hosts_and_variables(tmp_path: Path, ansible: Any) -> None:
    write(tmp_path, directory="below/.aware")
    found = ansible("ansible-inventory", "-i", tmp_path / "inventory", "--list").json()
    assert found["aware_bootstrap"]["hosts"] == ["demo-1", "demo-2", "demo-3"]
    values = found["_meta"]["hostvars"]["demo-2"]
    interpreter = Path(values["ansible_python_interpreter"]["__ansible_unsafe"])
    assert interpreter.parent == Path(sys.executable).parent
    assert interpreter.resolve() == Path(sys.executable).resolve()
    assert values["aware_directory"]["__ansible_unsafe"] == str(tmp_path / "inventory" / "below" / ".aware")


# Every policy there is, none at its default.
POLICIES: dict[str, Any] = {
    "dead_after_s": 5.0,
    "replace_dead": "never",
    "keep_events": 1500,
    "keep_audit": 1500,
    "certificate_lifetime_s": 86400.0,
    "session_lifetime_s": 86400.0,
    "service_token_lifetime_s": 86400.0,
    "backup": {"every": "6h", "keep": {"last": 5, "daily": 2, "weekly": 3}, "target": "s3"},
    "jobs": {"keep": 100, "log_kib": 128},
    "limits": {"cpu": 0.9, "memory": 0.8, "disk": 0.7, "for_s": 60.0},
    "servers": {
        "provider": "socket",
        "after_s": 60.0,
        "most": 2,
        "within_s": 600.0,
        "join_s": 300.0,
        "eligible": True,
    },
}


def test_the_agent_understands_the_spec(tmp_path: Path, ansible: Any) -> None:
    requires = {"vcpus": 2, "zone": "z1", "labels": {"tier": "gold"}}
    write(
        tmp_path,
        castes={"web": {"count": 1, "requires": requires}},
        policies=POLICIES,
    )
    play = [
        {
            "hosts": "demo-1",
            "gather_facts": False,
            "tasks": [
                {
                    "ansible.builtin.copy": {
                        "content": "{{ aware_spec | to_json }}",
                        "dest": str(tmp_path / "out.json"),
                        "mode": "0600",
                    }
                }
            ],
        }
    ]
    (tmp_path / "play.txt").write_text(json.dumps(play))
    ran = ansible("ansible-playbook", "-i", tmp_path / "inventory" / "cluster.yml", tmp_path / "play.txt")
    assert ran.rc == 0, ran.out + ran.err
    spec = parse_spec((tmp_path / "out.json").read_bytes())
    assert msgspec.to_builtins(spec)["castes"]["web"]["requires"] == requires
    # None that is at its default is told: each of the agent's policies is here, and reached it through Ansible.
    assert msgspec.to_builtins(spec.policies) == POLICIES
    assert set(POLICIES) == {field.name for field in msgspec.structs.fields(Policies)}
    for name, kind in (("backup", BackupPolicy), ("jobs", JobPolicy), ("limits", Limits), ("servers", ServerPolicy)):
        assert set(POLICIES[name]) == {field.name for field in msgspec.structs.fields(kind)}
    assert set(POLICIES["backup"]["keep"]) == {field.name for field in msgspec.structs.fields(Keep)}


def test_hosts_that_are_there_already(tmp_path: Path, ansible: Any) -> None:
    hosts = {"h-1": "192.0.2.11", "h-2": {"ansible_host": "h-2.example.org", "ansible_user": "admin"}, "h-3": None}
    write(tmp_path, provider="static", size=None, hosts=hosts)
    found = ansible("ansible-inventory", "-i", tmp_path / "inventory", "--list").json()
    assert found["aware_bootstrap"]["hosts"] == ["h-1", "h-2", "h-3"]
    values = plain(found["_meta"]["hostvars"])
    assert values["h-1"]["ansible_host"] == "192.0.2.11"
    assert values["h-2"]["ansible_user"] == "admin"
    assert "ansible_connection" not in values["h-3"]
    assert values["h-3"]["aware_spec"]["size"] == 3
    assert values["h-3"]["aware_provider"] == "static"


def test_hosts_of_another_inventory(tmp_path: Path, ansible: Any) -> None:
    write(tmp_path, provider="static", size=2)
    hosts = tmp_path / "hosts.yml"
    hosts.write_text(json.dumps({"aware_bootstrap": {"hosts": {"h-1": {}, "h-2": {}}}}))
    found = ansible(
        "ansible-inventory", "-i", tmp_path / "inventory", "-i", hosts, "--list", ANSIBLE_INVENTORY_ENABLED="auto,yaml"
    ).json()
    assert found["aware_bootstrap"]["hosts"] == ["h-1", "h-2"]
    assert plain(found["_meta"]["hostvars"]["h-2"]["aware_spec"])["colony"] == "demo"


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"hosts": {"h-1": "192.0.2.1"}}, "hosts are for provider static; provider local makes its own"),
        ({"provider": "static", "hosts": {"h-1": "192.0.2.1"}}, "size is 3, but hosts names 1"),
        ({"provider": "static", "size": None}, "cluster spec: missing required arguments: size"),
        (
            {"provider": "static", "size": None, "hosts": {"H_1": "192.0.2.1"}},
            "hosts: 'H_1' cannot be the name of a node",
        ),
        ({"provider": "static", "size": None, "hosts": {"h-1": 7}}, "hosts.h-1 must be an address"),
        ({"sise": 4}, "cluster spec: unknown key sise"),
        ({"size": 1}, "castes want 2 nodes, but size is 1: raise size or lower a count"),
        ({"castes": {"web": {"count": -2}}}, "castes.web.count is -2"),
        ({"colony": "No!"}, "colony: 'No!' cannot be the name of a colony"),
        ({"council": {"size": 2}}, "council.size 2 is impossible: 1, 3, 5 or 7"),
        ({"council": {"size": 5}}, "council.size 5 is larger than the colony of 3 nodes"),
        ({"council": {"size": 3, "replace_after_s": 1}}, "council.replace_after_s would replace members"),
        ({"castes": ["web"]}, "castes must be a mapping, not a list"),
        ({"castes": {"web": [2]}}, "castes.web must be a mapping like {count: 2}, not a list"),
        ({"size": True}, "size must be a whole number, not true or false (True)"),
    ],
)
def test_impossible_spec_is_one_line_and_nothing_is_made(
    tmp_path: Path, ansible: Any, changes: dict[str, Any], line: str
) -> None:
    write(tmp_path, **changes)
    ran = ansible("ansible-playbook", "-i", tmp_path / "inventory", ROOT / "playbooks" / "site.yml")
    assert ran.rc != 0
    assert line in ran.err
    assert "Traceback" not in ran.err
    assert "_Ansible" not in ran.err
    assert len(ran.err.strip().splitlines()) == 1
    assert [path.name for path in (tmp_path / "inventory").iterdir()] == ["cluster.yml"]


def test_files_of_others_are_left_to_them(tmp_path: Path, ansible: Any) -> None:
    (tmp_path / "cluster.yml").write_text("plugin: ansible.builtin.constructed\n")
    ran = ansible(
        "ansible-inventory", "-i", tmp_path / "cluster.yml", "--list", ANSIBLE_INVENTORY_ENABLED="aware.cluster.spec"
    )
    assert ran.rc != 0
    assert "aware.cluster.spec:" not in ran.err


FAULTS: dict[str, dict[str, Any]] = {
    "size": {"size": 0},
    "council": {"council": {"size": 2}},
    "unknown": {"sizes": 3},
    "colony": {"colony": "Not A Name"},
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize(("playbook", "goes_on"), [("down.yml", True), ("destroy.yml", True), ("scale.yml", False)])
def test_taking_down_does_not_depend_on_the_wish(
    tmp_path: Path, ansible: Any, fault: str, playbook: str, *, goes_on: bool
) -> None:
    write(tmp_path, directory="below", **FAULTS[fault])
    play = [
        {
            "hosts": "localhost",
            "connection": "local",
            "gather_facts": False,
            "tasks": [{"ansible.builtin.debug": {"msg": "{{ aware_provider }} <{{ aware_spec.colony }}>"}}],
        }
    ]
    (tmp_path / playbook).write_text(json.dumps(play))
    ran = ansible("ansible-playbook", "-i", tmp_path / "inventory", tmp_path / playbook)
    assert (ran.rc == 0) is goes_on, ran.out + ran.err
    if goes_on:
        assert ("<>" if fault == "colony" else "<demo>") in ran.out
        assert "What is there is taken down all the same" in ran.out + ran.err
