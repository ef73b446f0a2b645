"""Nodes that are reached at another address from outside: who uses which, in the playbooks as they are."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
COLLECTION = ROOT / "collections" / "ansible_collections" / "aware" / "cluster"
PROGRAM = Path(sys.executable).parent / "ansible-playbook"
HOSTS = {
    "demo-1": {"ansible_host": "203.0.113.1", "aware_address": "10.0.0.1", "aware_outside_address": "203.0.113.1"},
    "demo-2": {"ansible_host": "10.0.0.2", "aware_address": "10.0.0.2", "aware_outside_address": ""},
    "demo-3": {"ansible_host": "2001:db8::3", "aware_address": "10.0.0.3", "aware_outside_address": "2001:db8::3"},
    "demo-4": {"ansible_host": "10.0.0.4", "aware_address": "10.0.0.4"},
}


def rendered(tmp_path: Path, files: list[Path], variables: dict[str, Any], expression: str) -> dict[str, Any]:
    """What ``expression`` is on each host, with the variables of these files."""
    inventory = {"aware_bootstrap": {"hosts": HOSTS}, "aware_etcd": {"hosts": {"demo-1": {}, "demo-2": {}}}}
    (tmp_path / "hosts.yml").write_text(yaml.safe_dump(inventory))
    play = {
        "hosts": "aware_bootstrap",
        "gather_facts": False,
        "connection": "local",
        "vars_files": [str(file) for file in files],
        "vars": {"ansible_python_interpreter": sys.executable, **variables},
        "tasks": [
            {
                "name": "Write it",
                "ansible.builtin.copy": {
                    "content": "{{ " + expression + " | to_json }}",
                    "dest": f"{tmp_path}/{{{{ inventory_hostname }}}}.json",
                },
            }
        ],
    }
    (tmp_path / "play.yml").write_text(yaml.safe_dump([play]))
    done = subprocess.run(
        [PROGRAM, tmp_path / "play.yml", "-i", tmp_path / "hosts.yml"],
        env={**os.environ, "ANSIBLE_INVENTORY_ENABLED": "yaml", "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-1000:]
    return {name: json.loads((tmp_path / f"{name}.json").read_text()) for name in HOSTS}


@pytest.fixture(scope="module")
def of_colony(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the role colony makes of these hosts."""
    role = COLLECTION / "roles" / "colony"
    names = {"endpoints": "endpoints", "here": "endpoints_here", "nodes": "nodes"}
    wanted = "{" + ", ".join(f"'{key}': colony_{name}" for key, name in names.items()) + "}"
    files = [role / "defaults" / "main.yml", role / "vars" / "main.yml"]
    return dict(rendered(tmp_path_factory.mktemp("colony"), files, {"aware_directory": "/nowhere"}, wanted)["demo-1"])


def test_the_controller_asks_gateways_where_it_reaches_them(of_colony: dict[str, Any]) -> None:
    assert of_colony["endpoints"] == [
        "https://203.0.113.1:8443",
        "https://10.0.0.2:8443",
        "https://[2001:db8::3]:8443",
        "https://10.0.0.4:8443",
    ]


def test_those_who_are_expected_to_answer_are_asked_there_as_well(of_colony: dict[str, Any]) -> None:
    assert of_colony["here"] == of_colony["endpoints"]


def test_nodes_know_each_other_at_their_own_addresses(of_colony: dict[str, Any]) -> None:
    assert [node["address"] for node in of_colony["nodes"]] == ["10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4"]


def test_what_the_role_makes_is_what_it_takes(of_colony: dict[str, Any]) -> None:
    """Ansible refuses a role its own defaults when they have a key the argument specification lacks."""
    specs = yaml.safe_load((COLLECTION / "roles" / "colony" / "meta" / "argument_specs.yml").read_text())
    for entry in specs["argument_specs"].values():
        options = entry["options"].get("colony_nodes", {}).get("options")
        assert options is None or set(of_colony["nodes"][0]) <= set(options)


def test_the_controller_pins_the_address_a_node_has_outside(tmp_path: Path) -> None:
    """A node's settings do not say it: its certificate names only what an admin said, or where it was seen."""
    (task,) = yaml.safe_load((COLLECTION / "playbooks" / "tasks" / "hosts_agent.yml").read_text())
    found = rendered(tmp_path, [], {**task["vars"], "aware_directory": "/nowhere"}, "aware_agent_settings")
    assert all("outside_address" not in settings for settings in found.values())
    assert found["demo-3"]["discovery"]["seeds"] == ["https://10.0.0.1:8443", "https://10.0.0.2:8443"]
    plays = yaml.safe_load((COLLECTION / "playbooks" / "parts" / "install.yml").read_text())
    pinning = next(play for play in plays if "pin addresses" in play["name"])
    (tmp_path / "pins").mkdir()
    outside = rendered(tmp_path / "pins", [], pinning["vars"], "aware_outside")["demo-1"]
    assert outside == ["demo-1", "demo-3"]
