"""Role firewall on real hosts: who gets in, who does not, and that nobody is locked out, Ansible least of all."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hosts_support import HostsLab, Play

from tests.patience import eventually

pytestmark = pytest.mark.hosts

HOSTS = 4  # h4 is no node: a stranger in the same network
PLAYBOOK = "playbooks/firewall.yml"
OTHERS = ["h2", "h3"]
TCP = (22, 8443, 8444, 2379, 2380, 9999)
KNOCK = """
import socket, sys
passed = []
for port in map(int, sys.argv[2:]):
    try:
        socket.create_connection((sys.argv[1], port), 1.5).close()
        passed.append(port)
    except TimeoutError:
        pass
print(*passed)
"""
SERVE = """
import selectors, socket
selector = selectors.DefaultSelector()
for port in (8443, 8444, 2379, 2380, 9999):
    server = socket.create_server(("", port))
    selector.register(server, selectors.EVENT_READ, lambda server=server: server.accept()[0].close())
heard = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
heard.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
heard.bind(("", 20100))
def note():
    data, source = heard.recvfrom(100)
    with open("/run/heard", "a") as log:
        log.write(f"{source[0]} {data.decode()}\\n")
selector.register(heard, selectors.EVENT_READ, note)
open("/run/serving", "w").close()
while True:
    for key, _ in selector.select():
        key.data()
"""
SHOUT = """
import socket, sys
shout = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for _ in range(int(sys.argv[2])):
    shout.sendto(sys.argv[3].encode(), (sys.argv[1], 20100))
"""
# Stands in the table of the role, but before everything else: what a careless administrator might add.
CARELESS = "}\n chain careless {\n type filter hook input priority raw; tcp dport 22 drop"


@pytest.fixture(scope="module")
def inventory(lab: HostsLab, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """h1 to h3 are nodes, h1 and h2 have etcd; Ansible comes through sshd and sudo."""
    path = tmp_path_factory.mktemp("firewall") / "hosts.yml"
    document = json.loads(lab.lab("inventory", "--count", "3", "--connection", "ssh"))
    document["all"]["children"]["aware_etcd"]["hosts"] = {"h1": {}, "h2": {}}
    path.write_text(json.dumps(document))
    lab.on("h1", "systemd-run", "--quiet", "--unit=serving", "python3", "-c", SERVE)
    eventually(lambda: lab.on("h1", "test", "-e", "/run/serving", check=False).returncode == 0, "the servers listen")
    lab.sh("h1", "nft add table inet foreign; nft 'add chain inet foreign c { type filter hook input priority 5; }'")
    lab.sh("h1", "nft add rule inet foreign c tcp dport 9 drop; nft add table ip nat")
    return path


def run(lab: HostsLab, inventory: Path, *words: str, **variables: Any) -> Play:
    """The playbook as root's colleague would run it."""
    given = {"firewall_management_cidrs": ["10.77.0.1"], "firewall_confirm_timeout": 30, **variables}
    return lab.play(PLAYBOOK, "-i", str(inventory), "-e", json.dumps(given), *words, ssh=True)


def passing(lab: HostsLab, source: str, ports: tuple[int, ...] = TCP) -> list[int]:
    """Ports of h1 that ``source`` gets through to."""
    argv = ("/usr/bin/python3", "-c", KNOCK, lab.address("h1"), *map(str, ports))
    done = lab.enter(*argv) if source == "controller" else lab.on(source, *argv)
    return [int(port) for port in done.stdout.split()]


def foreign(lab: HostsLab) -> str:
    return lab.sh("h1", "nft list table inet foreign; nft list table ip nat")


def table(lab: HostsLab) -> str:
    return lab.sh("h1", "nft -s -t list table inet aware", check=False)


def test_check_mode_says_so_and_changes_nothing(lab: HostsLab, inventory: Path) -> None:
    play = run(lab, inventory, "--check", "--diff", firewall_default_drop=True).succeeded()
    assert play.counts("changed")["h1"] > 0
    assert "policy drop" in play.output
    assert table(lab) == ""
    assert passing(lab, "h4") == list(TCP)


@pytest.mark.parametrize("drop", [False, True])
def test_lets_in_who_needs_it_and_nobody_else(lab: HostsLab, inventory: Path, drop: bool) -> None:
    before = foreign(lab)
    run(lab, inventory, firewall_default_drop=drop).succeeded()
    run(lab, inventory, firewall_default_drop=drop).changed_nothing()
    rest = [] if drop else [9999]
    assert passing(lab, "h2") == [8443, 8444, 2379, 2380, *rest]
    assert passing(lab, "h3") == [8443, 8444, *rest], "a node without etcd has no business at etcd"
    assert passing(lab, "h4") == rest
    assert passing(lab, "controller") == [22, 8443, *rest]
    assert lab.reaches("h4", "h1"), "ICMP echo is no secret"
    # And out: what a host asks for comes back.
    assert passing_out(lab) == "answered"
    assert foreign(lab) == before


def passing_out(lab: HostsLab) -> str:
    """Whether h1 gets answers from outside: to the controller, where sshd of the machine does not listen, from h4."""
    script = f"import socket; socket.create_connection(('{lab.address('h4')}', 22), 5).recv(4); print('answered')"
    return str(lab.on("h1", "python3", "-c", script).stdout).strip()


def test_beacons_are_limited_by_sender(lab: HostsLab, inventory: Path) -> None:
    run(
        lab, inventory, firewall_default_drop=True, firewall_discovery_cidrs=[], firewall_beacons_per_source=20
    ).succeeded()
    heard = {"h2": 0, "h3": 0, "h4": 0}
    lab.sh("h1", "rm -f /run/heard")
    lab.on("h4", "python3", "-c", SHOUT, lab.address("h1"), "50", "stranger")
    lab.on("h2", "python3", "-c", SHOUT, lab.address("h1"), "2000", "loud")
    lab.on("h3", "python3", "-c", SHOUT, lab.address("h1"), "5", "quiet")
    eventually(lambda: "quiet" in lab.sh("h1", "cat /run/heard", check=False), "a quiet member is heard")
    for line in lab.sh("h1", "cat /run/heard").splitlines():
        heard[f"h{int(line.split()[0].rpartition('.')[2]) - 10}"] += 1
    assert heard["h4"] == 0
    assert heard["h3"] == 5
    assert 20 <= heard["h2"] < 400  # 20 at once and 20 for each second the sending took


def test_what_somebody_changed_by_hand_is_put_right(lab: HostsLab, inventory: Path) -> None:
    run(lab, inventory).succeeded()
    before = table(lab)
    lab.sh("h1", "nft add element inet aware management4 '{ 10.77.0.14 }'; nft insert rule inet aware input accept")
    assert lab.sh("h1", "aware-firewall status") == "different"
    play = run(lab, inventory).succeeded()
    assert play.counts("changed") == {"h1": 2, "h2": 0, "h3": 0}
    assert table(lab) == before
    lab.sh("h1", "nft delete table inet aware")
    assert lab.sh("h1", "aware-firewall status") == "absent"
    run(lab, inventory).succeeded()
    assert table(lab) == before


def test_rules_outlive_a_reboot_and_a_flush_of_all(lab: HostsLab, inventory: Path) -> None:
    run(lab, inventory).succeeded()
    before = table(lab)
    lab.kill("h3")
    lab.start("h3")
    assert lab.sh("h3", "nft -s -t list table inet aware") == before
    run(lab, inventory).changed_nothing()
    for verb in ("start", "restart", "reload"):  # each of them flushes all tables
        lab.sh("h3", f"systemctl {verb} nftables")
        eventually(lambda: lab.sh("h3", "nft -s -t list table inet aware", check=False) == before, f"back after {verb}")
    lab.sh("h3", "systemctl stop nftables")  # who ends all filtering means ours too, until
    assert lab.sh("h3", "nft list tables") == ""
    lab.sh("h3", "systemctl start aware-firewall")
    assert lab.sh("h3", "nft -s -t list table inet aware") == before


def test_a_run_that_leaves_members_out_is_refused(lab: HostsLab, inventory: Path) -> None:
    play = run(lab, inventory, "--limit", "h1")
    assert play.code != 0
    assert f"This run leaves out {', '.join(OTHERS)}" in play.output
    assert play.counts("changed") == {"h1": 0}


def test_refuses_to_lock_ansible_out(lab: HostsLab, inventory: Path) -> None:
    before = table(lab)
    refused = {
        "it connects from 10.77.0.1 to port 22": {"firewall_management_cidrs": ["10.99.0.0/16"]},
        "to port 2222 only": {"firewall_ssh_ports": [2222]},
        "list in firewall_management_cidrs": {"firewall_management_cidrs": [], "firewall_default_drop": True},
        "firewall_members: 'h9.example' is no IP address": {"firewall_members": ["h9.example"]},
    }
    for said, variables in refused.items():
        play = run(lab, inventory, "--limit", "h1", aware_away=OTHERS, **variables)
        assert play.code != 0
        assert said in play.output
        assert play.counts("changed") == {"h1": 0}
    assert table(lab) == before


def test_rules_nft_does_not_take_are_never_loaded(lab: HostsLab, inventory: Path) -> None:
    before = table(lab)
    play = run(lab, inventory, "--limit", "h1", aware_away=OTHERS, firewall_extra_rules=["tcp dport nonsense accept"])
    assert play.code != 0
    assert "nonsense" in play.output
    assert table(lab) == before
    run(lab, inventory).changed_nothing()


def test_rules_that_cut_ansible_off_are_taken_back_by_the_host(lab: HostsLab, inventory: Path) -> None:
    run(lab, inventory).succeeded()
    before = table(lab)
    careless = {"firewall_extra_rules": [CARELESS], "firewall_confirm_timeout": 12}
    play = run(lab, inventory, "--limit", "h1", aware_away=OTHERS, **careless)
    assert play.code != 0
    assert "so h1 took them back" in play.output
    assert table(lab) == before
    # The next run with good rules heals what is left of the attempt.
    run(lab, inventory).succeeded()
    run(lab, inventory).changed_nothing()


def test_a_run_killed_in_a_trial_is_taken_back_and_healed(lab: HostsLab, inventory: Path) -> None:
    run(lab, inventory).succeeded()
    before = table(lab)
    lab.sh("h1", "sed -i 's/policy accept/policy drop/' /etc/aware-firewall/candidate.nft; aware-firewall try 2")
    eventually(lambda: table(lab) == before, "the rules of before come back by themselves")
    assert lab.on("h1", "aware-firewall", "confirm", check=False).returncode == 1
    run(lab, inventory).succeeded()
    assert lab.sh("h1", "aware-firewall status") == "current"


def test_absent_removes_its_own_and_nothing_else(lab: HostsLab, inventory: Path) -> None:
    before = foreign(lab)
    run(lab, inventory, "--check", firewall_state="absent").succeeded()
    assert table(lab) != ""
    run(lab, inventory, firewall_state="absent").succeeded()
    run(lab, inventory, firewall_state="absent").changed_nothing()
    assert foreign(lab) == before
    assert table(lab) == ""
    assert lab.sh("h1", "ls -d /etc/aware-firewall /usr/local/sbin/aware-firewall", check=False) == ""
    assert passing(lab, "h4") == list(TCP)
