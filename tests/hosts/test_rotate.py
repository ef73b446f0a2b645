"""``playbooks/rotate.yml`` on hosts, under a client that writes and reads; given up, and killed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from agent_support import Colony
from hosts_support import HostsLab
from install_support import wheels as present_wheels

HOSTS = 3
pytestmark = pytest.mark.hosts
STATE, OLD = "/var/lib/aware", "/root/before"


@pytest.fixture(scope="module")
def wheels() -> Path:
    return present_wheels()


@pytest.fixture(scope="module")
def colony(lab: HostsLab, wheels: Path, tmp_path_factory: pytest.TempPathFactory) -> Colony:
    made = Colony(lab, tmp_path_factory.mktemp("colony"), HOSTS)
    made.play("install", wheels).succeeded()
    return made


@contextmanager
def client(colony: Colony, node: str) -> Iterator[None]:
    """Writes and reads all the time; nothing of that may fail."""
    seen: dict[str, Any] = {}
    with colony.restless_client(node, seen, "rotate_client.py"):
        yield
    assert (seen["failed"], seen["lost"]) == ([], [])
    assert seen["writes"] > 20


def rotation(colony: Colony) -> dict[str, Any]:
    argv = (".venv/bin/aware", "rotation", "status", "--context", str(colony.context), "--json")
    return dict(json.loads(colony.lab.enter(*argv).stdout))


def is_settled(colony: Colony, generation: int) -> None:
    """All nodes are ready and hold that generation alone; so does the controller."""
    now = rotation(colony)
    assert (now["phase"], now["generation"], now["etcd"]) == ("settled", generation, [])
    assert {(node["standing"], *node["holds"], node["signed_by"]) for node in now["nodes"]} == {
        ("ready", generation, generation)
    }
    assert {node["status"] for node in colony.ask("/v1/nodes")["nodes"]} == {"ready"}
    directory = colony.folder / ".aware"
    assert (directory / "ca.crt").read_text().count("BEGIN CERTIFICATE") == 1
    assert not (directory / ".rotating").exists()


def answers(lab: HostsLab, host: str, url: str, trust: str, state: str = "", shown: str = "council") -> bool:
    """Whether ``url`` answers a client on ``host`` that believes ``trust`` and shows a certificate out of ``state``."""
    pair = f"--cert {state}/{shown}.crt --key {state}/node.key" if state else ""
    script = f"curl -s -m 10 -o /dev/null -w '%{{http_code}}' --cacert {trust} {pair} {url}; true"
    return lab.sh(host, script) == "200"


def test_ca_and_secret_are_rotated_and_nobody_notices(colony: Colony, wheels: Path) -> None:
    """Then the old certificate is refused by every member of etcd, and the old CA proves no gateway."""
    lab = colony.lab
    lab.sh("h2", f"mkdir -m 0700 {OLD} && cp {STATE}/*.crt {STATE}/node.key {OLD}/")
    started = {host: lab.sh(host, "systemctl show -P ActiveEnterTimestampMonotonic aware-etcd") for host in lab.hosts}
    etcds = [f"https://{lab.address(host)}:2379/health" for host in lab.hosts]
    gateway = f"https://{lab.address('h1')}:8443/healthz"
    assert all(answers(lab, "h2", url, f"{OLD}/council-ca.crt", OLD) for url in etcds)
    assert not any(answers(lab, "h2", url, f"{OLD}/council-ca.crt", OLD, "node") for url in etcds)
    assert answers(lab, "h2", gateway, f"{OLD}/ca.crt")
    with client(colony, "h2"):
        colony.play("rotate", wheels).succeeded()
    is_settled(colony, 2)
    # The agents did that, one after the other: no playbook asked for it, and the client noticed nothing.
    assert all(
        lab.sh(host, "systemctl show -P ActiveEnterTimestampMonotonic aware-etcd") != started[host]
        for host in lab.hosts
    )
    assert all(answers(lab, "h2", url, "/var/lib/aware-etcd/ca.crt", STATE) for url in etcds)
    assert not any(answers(lab, "h2", url, "/var/lib/aware-etcd/ca.crt", OLD) for url in etcds)
    assert answers(lab, "h2", gateway, f"{STATE}/ca.crt")
    assert not answers(lab, "h2", gateway, f"{OLD}/ca.crt")
    colony.play("install", wheels).changed_nothing()


def test_one_that_was_killed_half_way_is_given_up_and_all_works(colony: Colony, wheels: Path) -> None:
    refused = colony.play("rotate", wheels, "-e", "aware_rotation_abort=true")
    assert refused.code != 0
    assert "No rotation is under way" in refused.output
    with client(colony, "h3"):
        colony.play_until("PLAY [Forget the old CA and secret]", 1, "rotate", wheels)
        assert (rotation(colony)["phase"], rotation(colony)["generation"]) == ("switched", 3)
        colony.play("rotate", wheels, "-e", "aware_rotation_abort=true").succeeded()
    is_settled(colony, 2)


def test_one_that_was_killed_at_its_end_is_completed_and_no_other_is_begun(colony: Colony, wheels: Path) -> None:
    with client(colony, "h1"):
        colony.play_until("PLAY [Make sure of it]", 1, "rotate", wheels)
        completed = colony.play("rotate", wheels).succeeded()
    assert "a run before this one had rotated them" in completed.output
    is_settled(colony, 4)
