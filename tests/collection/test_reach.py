"""How a controller reaches hosts lies beside the inventory that follows the queen, who knows nothing of SSH."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from .conftest import FakeColony, FakeMember, make_document

PASSWORD = "not to be written anywhere"
PLAY = """\
- hosts: localhost
  gather_facts: false
  tasks:
    - ansible.builtin.include_role:
        name: aware.cluster.colony
        tasks_from: reach
"""
HOSTS = {
    "d1": {
        "ansible_host": "203.0.113.1",
        "aware_address": "10.0.0.1",
        "ansible_port": 2222,
        "ansible_password": PASSWORD,
    },
    "d2": {
        "ansible_host": "192.0.2.2",
        "aware_address": "192.0.2.2",
        "ansible_ssh_common_args": "-o ProxyJump=bastion",
    },
    "d3": {"ansible_host": "192.0.2.3", "aware_address": "192.0.2.3"},
    "d4": {"ansible_host": "192.0.2.4"},  # not looked at in this run: a limit leaves it out
}


def plain(value: Any) -> Any:
    """What the queen says is marked as data in the output."""
    return value["__ansible_unsafe"] if isinstance(value, dict) else value


def written(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("reach.yml"))


def test_the_queens_inventory_reaches_hosts_as_the_spec_does(
    colony: FakeColony, queen: FakeMember, ansible: Any, tmp_path: Path
) -> None:
    site = tmp_path / "site"
    site.mkdir()
    (tmp_path / "play.yml").write_text(PLAY)

    def run(hosts: dict[str, Any], *words: str) -> Any:
        common = {"ansible_user": "debian", "ansible_become_password": PASSWORD}
        named = {name: {**variables, **common} for name, variables in hosts.items()}
        spec = {"provider": "static", "colony": "demo", "directory": str(colony.folder), "hosts": named}
        lines = [f"{key}: {json.dumps(value)}\n" for key, value in spec.items()]
        (site / "cluster.yml").write_text("plugin: aware.cluster.spec\n" + "".join(lines))
        ran = ansible("ansible-playbook", tmp_path / "play.yml", "-i", site, *words)
        assert ran.rc == 0, ran.out + ran.err
        return ran

    run(HOSTS, "--check")
    assert written(colony.folder) == []
    run(HOSTS)
    kept = ["group_vars/all/reach.yml", *(f"host_vars/{name}/reach.yml" for name in ("d1", "d2"))]
    assert written(colony.folder) == kept
    for name in kept:
        assert PASSWORD not in (colony.folder / name).read_text()
        assert (colony.folder / name).stat().st_mode & 0o777 == 0o600
    again = run(HOSTS)
    assert "changed=0 " in again.out

    queen.say(inventory="inventory.json")
    (queen.folder / "inventory.json").write_text(json.dumps(make_document(["d1", "d2", "d3", "d4"])))
    listed = ansible("ansible-inventory", "-i", colony.inventory_file([queen.url]), "--list").json()
    seen = listed["_meta"]["hostvars"]
    assert {host: (plain(seen[host]["ansible_host"]), seen[host].get("ansible_port")) for host in seen} == {
        "d1": ("203.0.113.1", 2222),
        "d2": ("127.0.0.1", None),  # as the queen says: the spec has no other way
        "d3": ("127.0.0.1", None),
        "d4": ("127.0.0.1", None),
    }
    assert {seen[host]["ansible_user"] for host in seen} == {"debian"}
    assert seen["d2"]["ansible_ssh_common_args"] == "-o ProxyJump=bastion"

    # One that is not looked at, as with a limit, keeps what was written when it was.
    unseen = {name: {key: value for key, value in HOSTS[name].items() if key != "aware_address"} for name in HOSTS}
    assert "changed=0 " in run(unseen).out
    assert written(colony.folder) == kept

    # A host that goes takes its way with it; what a user put beside it stays.
    (colony.folder / "host_vars" / "d1" / "mine.yml").write_text("mine: 1\n")
    run({name: HOSTS[name] for name in ("d2", "d3")})
    assert written(colony.folder) == ["group_vars/all/reach.yml", "host_vars/d2/reach.yml"]
    assert (colony.folder / "host_vars" / "d1" / "mine.yml").exists()
