"""Role monitoring on real hosts: Prometheus reads nodes over verified TLS, reloads, and leaves others' work alone."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hosts_support import HostsLab, Play, lab_name, running_lab
from ops_support import COLONY, start_gateways

from aware_agent.security import pki
from tests.patience import eventually

pytestmark = pytest.mark.hosts

PLAYBOOK = "playbooks/monitoring.yml"
NODES = ("h1", "h2")


@pytest.fixture(scope="module")
def lab(hosts_possible: None) -> Iterator[HostsLab]:
    """h1 and h2 are nodes; h3 gets Prometheus, whose package is in the image: hosts have no internet."""
    with running_lab(lab_name("monitoring"), 3, LAB_EXTRA_PACKAGES="prometheus") as made:
        made.sh("h3", "systemctl disable --now prometheus", check=False)
        yield made


@pytest.fixture(scope="module")
def inventory(lab: HostsLab, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("monitoring") / "hosts.yml"
    authority = pki.create_ca(COLONY, time.time())
    path.with_name("ca.crt").write_bytes(authority.certificate)
    document = json.loads(lab.lab("inventory", "--count", "3", "--connection", "ssh"))
    children = document["all"]["children"]
    children["aware_monitoring"] = {"hosts": {"h3": children["aware_bootstrap"]["hosts"].pop("h3")}}
    children["aware_etcd"]["hosts"] = {"h1": {}}
    path.write_text(json.dumps(document))
    start_gateways(lab, authority, *NODES)
    return path


def run(lab: HostsLab, inventory: Path, *words: str, **variables: Any) -> Play:
    given = {"monitoring_colony": COLONY, "monitoring_ca_file": str(inventory.with_name("ca.crt")), **variables}
    return lab.play(PLAYBOOK, "-i", str(inventory), "-e", json.dumps(given), *words, ssh=True)


def query(lab: HostsLab, path: str) -> Any:
    """``data`` of an answer of Prometheus on h3, {} while it does not answer."""
    text = lab.on("h3", "curl", "-sf", "--max-time", "5", f"http://127.0.0.1:9090/api/v1/{path}", check=False).stdout
    return json.loads(text)["data"] if text else {}


def healths(lab: HostsLab) -> dict[str, str]:
    """What Prometheus says of each node it asks."""
    targets = query(lab, "targets").get("activeTargets", [])
    return {t["labels"]["node"]: t["health"] for t in targets if t["labels"]["job"] == "aware"}


def test_somebodys_configuration_is_refused(lab: HostsLab, inventory: Path) -> None:
    lab.sh("h3", "cp -p /etc/prometheus/prometheus.yml /root/; echo '# mine' >> /etc/prometheus/prometheus.yml")
    play = run(lab, inventory)
    assert play.code != 0
    assert "is somebody's own" in play.output
    assert play.counts("changed") == {"h3": 0}
    lab.sh("h3", "cp -p /root/prometheus.yml /etc/prometheus/")


def test_nodes_are_asked_over_verified_tls(lab: HostsLab, inventory: Path) -> None:
    assert run(lab, inventory, "--check", "--diff").succeeded().counts("changed")["h3"] > 0
    assert lab.sh("h3", "ls -d /etc/prometheus/aware", check=False) == ""
    run(lab, inventory).succeeded()
    run(lab, inventory).changed_nothing()
    eventually(lambda: healths(lab) == {"h1": "up", "h2": "up"}, "both nodes are up")
    rules = [rule["name"] for group in query(lab, "rules")["groups"] for rule in group["rules"]]
    assert "AwareNoQueen" in rules
    # A node with a certificate of somebody else's CA is not believed.
    start_gateways(lab, pki.create_ca(COLONY, time.time()), "h2")
    eventually(lambda: healths(lab) == {"h1": "up", "h2": "down"}, "a stranger is not believed")


def test_changes_are_reloaded_without_a_restart(lab: HostsLab, inventory: Path) -> None:
    run(lab, inventory).succeeded()
    pid = lab.sh("h3", "systemctl show -P MainPID prometheus")
    run(lab, inventory, monitoring_disk_percent=25).succeeded()
    eventually(lambda: "0.25" in json.dumps(query(lab, "rules")), "the new threshold counts")
    assert lab.sh("h3", "systemctl show -P MainPID prometheus") == pid
    # As if a run had written its files and was killed before the reload.
    lab.sh("h3", "sed -i 's/< 0.25/< 0.5/' /etc/prometheus/aware/aware-rules.yml")
    assert run(lab, inventory, monitoring_disk_percent=50).succeeded().counts("changed") == {"h3": 2}
    eventually(lambda: "0.5" in json.dumps(query(lab, "rules")), "the run after it reloads")


def test_secrets_are_closed_and_removed_when_not_given(lab: HostsLab, inventory: Path) -> None:
    play = run(lab, inventory, "--diff", monitoring_token="token-of-a-test").succeeded()
    assert "token-of-a-test" not in play.output
    assert lab.sh("h3", "stat -c '%a %U %G' /etc/prometheus/aware/token") == "640 root prometheus"
    assert lab.sh("h3", "cat /etc/prometheus/aware/token") == "token-of-a-test"
    run(lab, inventory).succeeded()
    assert lab.sh("h3", "ls /etc/prometheus/aware/token", check=False) == ""


def test_what_is_wrong_is_said_before_anything_changes(lab: HostsLab, inventory: Path) -> None:
    for said, variables in {
        "Set monitoring_colony": {"monitoring_colony": ""},
        "Not on the controller: /nowhere": {"monitoring_ca_file": "/nowhere"},
        "belong together": {"monitoring_etcd_certificate": "/nowhere"},
    }.items():
        play = run(lab, inventory, **variables)
        assert play.code != 0
        assert said in play.output
        assert play.counts("changed") == {"h3": 0}


def test_grafana_gets_its_files_and_absent_removes_all(lab: HostsLab, inventory: Path) -> None:
    run(lab, inventory, monitoring_grafana=True).succeeded()
    run(lab, inventory, monitoring_grafana=True).changed_nothing()
    assert lab.sh("h3", "ls /etc/grafana/aware").split() == ["aware-colony.json", "aware-etcd.json"]
    run(lab, inventory, monitoring_state="absent").succeeded()
    run(lab, inventory, monitoring_state="absent").changed_nothing()
    assert lab.sh("h3", "ls -d /etc/prometheus/aware /etc/grafana/aware", check=False) == ""
    assert lab.sh("h3", "systemctl is-active prometheus", check=False) == "inactive"
