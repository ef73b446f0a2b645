"""Role loadbalancer on real hosts: clients reach whoever reigns, and nobody else."""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from hosts_support import PROGRAM, HostsLab, Play
from ops_support import COLONY, NAME, ask, queen_record, start_gateways

from aware_agent.security import pki
from tests.patience import eventually

pytestmark = pytest.mark.hosts

HOSTS = 4  # h1 to h3 are nodes, h4 is the balancer
PLAYBOOK = "playbooks/loadbalancer.yml"
VIP = "10.77.0.200"
NODES = ("h1", "h2", "h3")


@pytest.fixture(scope="module")
def authority() -> pki.Pair:
    return pki.create_ca(COLONY, time.time())


@pytest.fixture(scope="module")
def ca(authority: pki.Pair, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("balancer") / "ca.crt"
    path.write_bytes(authority.certificate)
    return path


@pytest.fixture(scope="module")
def inventory(lab: HostsLab, ca: Path, authority: pki.Pair) -> Path:
    path = ca.with_name("hosts.yml")
    document = json.loads(lab.lab("inventory", "--count", "4", "--connection", "ssh"))
    children = document["all"]["children"]
    children["aware_loadbalancer"] = {"hosts": {"h4": children["aware_bootstrap"]["hosts"].pop("h4")}}
    path.write_text(json.dumps(document))
    start_gateways(lab, authority, *NODES)
    return path


def run(lab: HostsLab, inventory: Path, *words: str, **variables: Any) -> Play:
    given = {"loadbalancer_colony": COLONY, "loadbalancer_ca_file": str(inventory.with_name("ca.crt")), **variables}
    return lab.play(PLAYBOOK, "-i", str(inventory), "-e", json.dumps(given), *words, ssh=True)


def reaches(lab: HostsLab, address: str, ca: Path, host: str) -> None:
    """Clients of ``address`` get to ``host``."""
    eventually(lambda: ask(lab, address, ca) == host, f"{address} leads to {host}")


def test_clients_follow_the_queen(lab: HostsLab, inventory: Path, ca: Path) -> None:
    queen_record(lab, "h1")
    assert run(lab, inventory, "--check").succeeded().counts("changed")["h4"] > 0
    assert lab.sh("h4", "ls -d /etc/aware-loadbalancer", check=False) == ""
    run(lab, inventory).succeeded()
    run(lab, inventory).changed_nothing()
    balancer = lab.address("h4")
    reaches(lab, balancer, ca, "h1")
    queen_record(lab, "h2", "h1")
    reaches(lab, balancer, ca, "h2")
    assert {ask(lab, balancer, ca) for _ in range(10)} == {"h2"}
    lab.kill("h2")
    queen_record(lab, "h3")
    reaches(lab, balancer, ca, "h3")


def test_without_a_queen_nobody_answers_for_her(lab: HostsLab, inventory: Path, ca: Path) -> None:
    lab.sh("h3", "rm -f /run/queen")
    eventually(lambda: ask(lab, lab.address("h4"), ca) == "", "the balancer closes")
    queen_record(lab, "h1")
    reaches(lab, lab.address("h4"), ca, "h1")


def test_a_node_of_another_colony_is_no_queen(lab: HostsLab, inventory: Path, ca: Path, authority: pki.Pair) -> None:
    lab.start("h2")
    start_gateways(lab, pki.create_ca(COLONY, time.time()), "h2")
    queen_record(lab, "h2", "h1")
    eventually(lambda: ask(lab, lab.address("h4"), ca) == "", "the balancer does not take the stranger")
    start_gateways(lab, authority, "h2")
    queen_record(lab, "h2")
    reaches(lab, lab.address("h4"), ca, "h2")


def test_changes_are_reloaded_under_open_connections(lab: HostsLab, inventory: Path, ca: Path) -> None:
    queen_record(lab, "h1", "h2")
    reaches(lab, lab.address("h4"), ca, "h1")
    pid = lab.sh("h4", "systemctl show -P MainPID aware-loadbalancer")
    url = ("--resolve", f"{NAME}:8443:{lab.address('h4')}", f"https://{NAME}:8443/slow")
    with subprocess.Popen(
        [PROGRAM, "enter", "curl", "-sN", "--max-time", "300", "--cacert", str(ca), *url],
        env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "AWARE_LAB": lab.name},
        stdout=subprocess.PIPE,
        text=True,
    ) as slow:
        assert slow.stdout
        assert slow.stdout.readline() == "h1\n"  # the first half is here, the connection is open
        play = run(lab, inventory, loadbalancer_bind=["*:8443", "*:9443"]).succeeded()
        assert play.counts("changed") == {"h4": 2}
        assert lab.sh("h4", "systemctl show -P MainPID aware-loadbalancer") == pid
        eventually(lambda: "9443" in lab.sh("h4", "ss -ltn"), "the new port is open")
        lab.sh("h1", "touch /run/finish")
        assert slow.stdout.read() == "h1\n"
        assert slow.wait(60) == 0


def test_a_wrong_configuration_is_never_loaded(lab: HostsLab, inventory: Path, ca: Path) -> None:
    before = lab.sh("h4", "sha256sum /etc/aware-loadbalancer/*")
    assert run(lab, inventory, loadbalancer_bind=["nowhere:port"]).code != 0
    assert lab.sh("h4", "sha256sum /etc/aware-loadbalancer/*") == before
    for said, variables in {
        "Set loadbalancer_colony": {"loadbalancer_colony": ""},
        "There is no CA certificate at /nowhere": {"loadbalancer_ca_file": "/nowhere"},
        "keepalived needs loadbalancer_vip": {"loadbalancer_kind": "keepalived"},
    }.items():
        play = run(lab, inventory, **variables)
        assert play.code != 0
        assert said in play.output
        assert not any(play.counts("changed").values())
    reaches(lab, lab.address("h4"), ca, "h1")


def test_a_run_killed_before_the_reload_is_healed(lab: HostsLab, inventory: Path) -> None:
    run(lab, inventory).succeeded()
    # As if an earlier run had written the new configuration and was killed.
    lab.sh("h4", "sed -i s/4000/5000/ /etc/aware-loadbalancer/haproxy.cfg")
    play = run(lab, inventory, loadbalancer_maxconn=5000).succeeded()
    assert play.counts("changed") == {"h4": 1}
    run(lab, inventory, loadbalancer_maxconn=5000).changed_nothing()


def test_absent_removes_it(lab: HostsLab, inventory: Path) -> None:
    run(lab, inventory, loadbalancer_state="absent").succeeded()
    run(lab, inventory, loadbalancer_state="absent").changed_nothing()
    assert "8443" not in lab.sh("h4", "ss -ltn")
    assert lab.sh("h4", "systemctl is-active haproxy", check=False) == "inactive"


def holders(lab: HostsLab) -> list[str]:
    """Nodes that have the virtual address."""
    return [host for host in NODES if f" {VIP}/24 " in lab.sh(host, "ip -4 -o addr show dev eth0", check=False)]


KEEPALIVED = {"loadbalancer_kind": "keepalived", "loadbalancer_vip": f"{VIP}/24"}


def with_nodes(inventory: Path, *hosts: str) -> Path:
    """The inventory with these nodes only."""
    document = json.loads(inventory.read_text())
    nodes = document["all"]["children"]["aware_bootstrap"]["hosts"]
    document["all"]["children"] = {"aware_bootstrap": {"hosts": {host: nodes[host] for host in hosts}}}
    path = inventory.with_name(f"{'-'.join(hosts)}.yml")
    path.write_text(json.dumps(document))
    return path


def test_what_keepalived_cannot_do_is_refused_before_anything_is_changed(lab: HostsLab, inventory: Path) -> None:
    before = lab.sh("h1", "ls /etc/aware-loadbalancer", check=False)
    cases: list[tuple[str, Path, tuple[str, ...], dict[str, Any]]] = [
        ("This run leaves out h1, h2,", inventory, ("--limit", "h3"), {}),
        ("the colony has 1:", with_nodes(inventory, "h1"), (), {}),
        ("impossible prefix: 10.77.0.200/33", inventory, (), {"loadbalancer_vip": "10.77.0.200/33"}),
        ("is the own address of a node", inventory, (), {"loadbalancer_vip": f"{lab.address('h2')}/24"}),
        ("of different families", inventory, (), {"loadbalancer_vip": "2001:db8::1/64"}),
        ("has no interface eth7", inventory, (), {"loadbalancer_interface": "eth7"}),
        ("loadbalancer_router_id is 300", inventory, (), {"loadbalancer_router_id": 300}),
    ]
    for said, path, words, variables in cases:
        play = run(lab, path, *words, **{**KEEPALIVED, **variables})
        assert play.code != 0, said
        assert said in " ".join(play.output.split())
        assert not any(play.counts("changed").values()), said
    assert lab.sh("h1", "ls /etc/aware-loadbalancer", check=False) == before


def test_after_growth_the_queen_alone_holds_the_address_whatever_peers_her_nodes_know(
    lab: HostsLab, inventory: Path, authority: pki.Pair
) -> None:
    """h1 and h2 know each other, h3 knows them: as after a run that left them out."""
    lab.start("h3")
    start_gateways(lab, authority, *NODES)
    queen_record(lab, "h1", "h2", "h3")
    run(lab, with_nodes(inventory, "h1", "h2"), **KEEPALIVED).succeeded()
    run(lab, inventory, "--limit", "h3", aware_away=["h1", "h2"], **KEEPALIVED).succeeded()
    for host, others in (("h1", ("h2", "h3")), ("h3", ("h1", "h2"))):
        queen_record(lab, host, *others)
        eventually(lambda h=host: holders(lab) == [h], f"the address is at {host}")
        # Her check may fail on a busy machine; then nobody holds it.
        assert all(holders(lab) in ([], [host]) for _ in range(8))
    lab.sh("h3", "rm -f /run/queen")
    eventually(lambda: holders(lab) == [], "without a queen nobody holds it")
    assert all(holders(lab) == [] for _ in range(8))


def test_the_virtual_address_is_at_the_queen(lab: HostsLab, inventory: Path, ca: Path) -> None:
    vip = KEEPALIVED
    queen_record(lab, "h2", "h1")
    run(lab, inventory, **vip).succeeded()
    run(lab, inventory, **vip).changed_nothing()
    eventually(lambda: holders(lab) == ["h2"], "the address is at h2, and only there")
    reaches(lab, VIP, ca, "h2")
    queen_record(lab, "h3", "h2")
    eventually(lambda: holders(lab) == ["h3"], "the address moved")
    reaches(lab, VIP, ca, "h3")
    lab.kill("h3")
    queen_record(lab, "h1")
    reaches(lab, VIP, ca, "h1")
    run(lab, inventory, "--limit", "h1,h2", loadbalancer_state="absent", **vip).succeeded()
    eventually(lambda: holders(lab) == [], "the address is gone")
