"""From bare hosts to a colony with the playbooks of the checkout, and what befalls it then."""

from __future__ import annotations

import json

import pytest
from hosts_support import HostsLab
from install_support import Site

from tests.patience import comes_to, eventually

pytestmark = pytest.mark.hosts
HOSTS = 4
FIRST = ["h1", "h2", "h3"]


# A lost member gives way soon, but not one that a busy machine keeps silent for a while. In three of three nobody can
# take its seat, and it keeps it.
COUNCIL = {"size": 3, "replace_after_s": 40}
WAIT_S = 300.0


@pytest.fixture(scope="module")
def site(lab: HostsLab, tmp_path_factory: pytest.TempPathFactory) -> Site:
    """Three of the four hosts, installed. The tests below follow each other."""
    made = Site(lab, tmp_path_factory.mktemp("site"))
    made.write(*FIRST, council=COUNCIL)
    made.play().succeeded()
    return made


def test_a_colony_is_formed_and_its_council_is_full(site: Site) -> None:
    comes_to(site.ready, FIRST, WAIT_S)
    comes_to(site.seats, FIRST, WAIT_S)
    document = site.aware("inventory")
    assert len(document["groups"]["aware_queen"]) == 1
    assert {name: host["aware_address"] for name, host in document["hosts"].items()} == {
        host: site.lab.address(host) for host in FIRST
    }


def test_a_second_run_changes_nothing_whatever_became_of_the_controllers_session(site: Site) -> None:
    (site.folder / ".aware" / "token").unlink()
    site.play().changed_nothing()


def test_the_colony_is_verified(site: Site) -> None:
    site.play("verify").changed_nothing()


def test_ansible_works_over_the_queens_inventory(site: Site) -> None:
    graph = site.inventory("ansible-inventory", "--list").stdout
    assert sorted(json.loads(graph)["_meta"]["hostvars"]) == FIRST
    pinged = site.inventory("ansible", "all", "-m", "ansible.builtin.ping").stdout
    assert pinged.count("SUCCESS") == 3


def test_no_secret_is_left_that_only_the_founding_needed(site: Site) -> None:
    """Founding key, CA keys, password and tokens are gone from hosts; on the controller the password stays."""
    kept = {path.name for path in (site.folder / ".aware").iterdir()}
    assert not kept & {"founding.key", "founders", "join-token", "council-token", "material"}
    password = (site.folder / ".aware" / "admin.password").read_text().strip()
    founding = "/var/lib/aware/founding.key /var/lib/aware/founding /var/lib/aware/admin.password /etc/aware/join-token"
    for host in FIRST:
        assert site.lab.sh(host, f"ls -d {founding} 2>/dev/null; true") == ""
        secret = site.lab.on(
            host, "grep", "-rlsF", "-e", password, "/etc", "/var", "/root", "/tmp", "/opt/aware", check=False
        )
        assert secret.stdout == "", host
        assert site.lab.sh(host, "stat -c %a:%U:%G /var/lib/aware-etcd/etcd.key") == "640:aware:etcd"
        assert site.lab.sh(host, "stat -c %a:%U:%G /var/lib/aware-etcd/data") == "770:aware:etcd"


def test_etcd_takes_nobody_without_a_certificate(site: Site) -> None:
    address = site.lab.address("h1")
    for port in (2379, 2380):
        refused = site.lab.on("h2", "curl", "-sk", "-m", "10", f"https://{address}:{port}/version", check=False)
        assert refused.returncode != 0, refused.stdout
    assert site.lab.on("h2", "curl", "-s", "-m", "10", f"http://{address}:2379/version", check=False).returncode != 0


def test_etcd_knows_the_nodes_and_lets_in_nobody_else(site: Site) -> None:
    """Certificates of the council CA get to speak, and of those only nodes are users; others get no handshake."""
    ask = f"etcdctl --endpoints=https://{site.lab.address('h1')}:2379 --cacert=/var/lib/aware-etcd/ca.crt"
    node = f"{ask} --cert=/var/lib/aware/council.crt --key=/var/lib/aware/node.key"
    identity = f"{ask} --dial-timeout=5s --cert=/var/lib/aware/node.crt --key=/var/lib/aware/node.key"
    assert "/aware/lab/colony" in site.lab.sh("h2", f"{node} get --prefix --keys-only /aware/lab/").split()
    for refused in (f"{node} get --prefix --keys-only /", f"{node} user list"):
        assert "permission denied" in site.lab.on("h2", "sh", "-c", refused, check=False).stderr
    said = site.lab.on("h2", "sh", "-c", f"{identity} lease grant 60", check=False)
    assert "permission denied" not in said.stderr
    assert said.returncode != 0, "what a node is to everybody else is nobody to etcd"


def test_the_queens_host_dies_and_comes_back(site: Site) -> None:
    fallen = site.queen()
    assert fallen in FIRST
    others = [host for host in FIRST if host != fallen]
    site.lab.kill(fallen)
    heir = eventually(lambda: site.queen() if site.queen() != fallen else "", "nobody reigns after her", 180)
    assert heir in others
    comes_to(site.ready, others, 120)
    site.lab.start(fallen)
    comes_to(site.ready, FIRST, 180)
    comes_to(site.seats, FIRST, WAIT_S)


def test_a_fourth_host_joins_while_a_lost_member_is_replaced(site: Site) -> None:
    """It is let in by one run, and the colony gives it the seat; nobody else is touched."""
    bystanders = ["h1", "h3"]
    pids = {host: site.lab.sh(host, "systemctl show -P MainPID aware-agent aware-etcd") for host in bystanders}
    wish = site.aware("spec", "show")["spec"]
    site.lab.kill("h2")
    # In front of the others: who founded and who sits must not depend on the order of hosts.
    site.write("h4", *FIRST, council=COUNCIL)
    played = site.play("site", "-e", "aware_away=h2").succeeded()
    assert played.counts("changed")["h3"] == 0
    comes_to(site.seats, ["h1", "h3", "h4"], WAIT_S)
    assert {host: site.lab.sh(host, "systemctl show -P MainPID aware-agent aware-etcd") for host in bystanders} == pids
    assert site.aware("spec", "show")["spec"] == {**wish, "size": 4}


def etcd_unit(site: Site, host: str) -> str:
    """``inactive``, or what else it is and why."""
    state = site.lab.sh(host, "systemctl is-active aware-etcd; true")
    if state == "inactive":
        return state
    said = "journalctl --no-pager -o short-precise -n 20 -u aware-etcd; journalctl --no-pager -n 20 -u aware-agent"
    seats = json.dumps(site.aware("council", "list"))
    return f"{state}\n{seats}\n" + site.lab.sh(
        host, f"ls -l /var/lib/aware-etcd; cat /var/lib/aware-etcd/wanted; {said}"
    )


def test_the_one_that_was_replaced_comes_back_without_a_seat(site: Site) -> None:
    site.lab.start("h2")
    comes_to(site.ready, [*FIRST, "h4"], WAIT_S)
    site.play().changed_nothing()
    comes_to(site.seats, ["h1", "h3", "h4"], WAIT_S)
    comes_to(lambda: etcd_unit(site, "h2"), "inactive")
    comes_to(lambda: site.lab.sh("h2", "ls -d /var/lib/aware-etcd/data 2>/dev/null; true"), "")


def test_a_host_that_lost_its_disk_is_a_new_node_under_its_name(site: Site) -> None:
    before = {node["name"]: node["id"] for node in site.aware("nodes", "list")["nodes"]}
    site.lab.sh("h3", "systemctl stop aware-agent aware-etcd")
    site.lab.sh("h3", "rm -rf /var/lib/aware /var/lib/aware-etcd /etc/aware /opt/aware")
    eventually(lambda: "h3" not in site.ready(), "the lost host counts as ready", WAIT_S)
    site.play().succeeded()
    comes_to(site.ready, [*FIRST, "h4"], WAIT_S)
    now = {node["name"]: node["id"] for node in site.aware("nodes", "list")["nodes"]}
    assert {name for name in now if now[name] != before[name]} == {"h3"}
    eventually(lambda: len(site.seats()) == 3, "the council is not full", WAIT_S)


def test_a_host_that_sits_goes_when_it_is_told_to_and_the_council_moves(site: Site) -> None:
    site.write(*FIRST, council=COUNCIL)
    played = site.play().succeeded()
    assert "nodes that are not in the inventory: h4" in " ".join(played.output.split())
    comes_to(site.ready, [*FIRST, "h4"], WAIT_S)
    site.play("site", "-e", "aware_remove_absent=true").succeeded()
    comes_to(site.ready, FIRST, WAIT_S)
    comes_to(site.seats, FIRST, WAIT_S)
    state = "systemctl show -P ActiveState aware-agent"
    eventually(lambda: site.lab.sh("h4", state) in ("inactive", "failed"), "its agent goes on", 120)
    comes_to(lambda: site.lab.sh("h4", "systemctl is-active aware-etcd; true"), "inactive")
