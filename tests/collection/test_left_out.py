"""What the playbooks make of hosts that are left out, from facts as a look at the others gives them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from .conftest import ROOT

TASKS = ROOT / "collections" / "ansible_collections" / "aware" / "cluster" / "playbooks" / "tasks"
HOSTS = [f"d{number}" for number in range(1, 6)]


def decided(out: list[str], may_sit: list[str]) -> list[dict[str, Any]]:
    """Tasks that decide who founds and who may sit when ``out`` are left out and the inventory names ``may_sit``."""
    inventory = [{"name": host, "groups": ["aware_bootstrap"]} for host in HOSTS]
    inventory += [{"name": host, "groups": ["aware_etcd"]} for host in may_sit]
    inventory += [{"name": host, "groups": ["aware_left_out"]} for host in out]
    founders = "{{ groups.aware_founders | default([]) | sort | join('+') or 'nobody' }}"
    said = f"{founders} of {{{{ groups.aware_etcd | sort | join('+') }}}}"
    decide = [
        {"ansible.builtin.include_tasks": str(TASKS / "hosts_council.yml")},
        {"ansible.builtin.debug": {"msg": f"SAID: {said}"}},
    ]
    refused = [{"ansible.builtin.debug": {"msg": "SAID: {{ ansible_failed_result.msg }}"}}]
    return [
        *({"ansible.builtin.add_host": entry} for entry in inventory),
        {"block": decide, "rescue": refused},
    ]


def outcome(ansible: Any, folder: Path, tasks: list[dict[str, Any]], **more: Any) -> str:
    """What the tasks said at their end."""
    spec = {"colony": "demo", "size": len(HOSTS), "castes": {}, **more}
    variables = {"aware_spec": spec, "aware_directory": str(folder / "colony")}
    play = {"hosts": "localhost", "gather_facts": False, "vars": variables, "tasks": tasks}
    (folder / "play.yml").write_text(json.dumps([play]))
    ran = ansible("ansible-playbook", folder / "play.yml")
    said = re.findall(r'"msg": "SAID: (.*?)"', " ".join(ran.out.split()))
    assert said, ran.out + ran.err
    return str(said[-1])


ALL = "+".join(HOSTS)


def founded_before(folder: Path, *names: str) -> None:
    """What lies in the colony's directory."""
    (folder / "colony").mkdir()
    for name in names:
        (folder / "colony" / name).write_text("d4\nd2\n")


def test_hosts_that_answer_found(ansible: Any, tmp_path: Path) -> None:
    assert outcome(ansible, tmp_path, decided(["d2"], [])) == f"d1+d3+d4 of {ALL}"


def test_only_those_that_may_sit_do(ansible: Any, tmp_path: Path) -> None:
    assert outcome(ansible, tmp_path, decided(["d1"], ["d2", "d4", "d5"])) == "d2+d4+d5 of d2+d4+d5"


def test_the_spec_says_how_many(ansible: Any, tmp_path: Path) -> None:
    assert outcome(ansible, tmp_path, decided([], []), council={"size": 5}) == f"{ALL} of {ALL}"


def test_a_founding_that_was_killed_goes_on_with_those_it_began_with(ansible: Any, tmp_path: Path) -> None:
    founded_before(tmp_path, "founders", "founding.key", "admin.password")
    assert outcome(ansible, tmp_path, decided([], [])) == f"d1+d2+d4 of {ALL}"


def test_nobody_founds_a_colony_that_is_founded(ansible: Any, tmp_path: Path) -> None:
    founded_before(tmp_path, "admin.password")
    assert outcome(ansible, tmp_path, decided(["d1", "d2", "d3"], [])) == f"nobody of {ALL}"


def test_too_few_that_answer_cannot_found(ansible: Any, tmp_path: Path) -> None:
    said = outcome(ansible, tmp_path, decided(["d1", "d2", "d3"], []))
    assert said.startswith("The council is founded by 3 hosts, and 2 answer (d1, d2, d3 left out)")


def test_a_council_larger_than_those_who_may_sit_is_refused(ansible: Any, tmp_path: Path) -> None:
    said = outcome(ansible, tmp_path, decided([], ["d1", "d2"]), council={"size": 3})
    assert said.startswith("The council shall have 3 seats, and 2 hosts may sit (group aware_etcd): d1, d2")
