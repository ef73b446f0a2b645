"""From bare hosts to a colony with the playbooks of the checkout, and what befalls it then."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hosts_support import HostsLab
from install_support import Site

from tests.patience import eventually

pytestmark = pytest.mark.hosts
HOSTS = 4
FIRST = ["h1", "h2", "h3"]


@pytest.fixture(scope="module")
def site(lab: HostsLab, tmp_path_factory: pytest.TempPathFactory) -> Site:
    """Three of the four hosts, installed. The tests below follow each other."""
    made = Site(lab, tmp_path_factory.mktemp("site"))
    made.write(*FIRST)
    made.play().succeeded()
    return made


def test_a_colony_is_formed(site: Site) -> None:
    assert site.ready() == FIRST
    document = site.aware("inventory")
    assert len(document["groups"]["aware_queen"]) == 1
    assert {name: host["aware_address"] for name, host in document["hosts"].items()} == {
        host: site.lab.address(host) for host in FIRST
    }


def test_ansible_works_over_the_queens_inventory(site: Site) -> None:
    graph = site.inventory("ansible-inventory", "--list").stdout
    assert sorted(json.loads(graph)["_meta"]["hostvars"]) == FIRST
    pinged = site.inventory("ansible", "all", "-m", "ansible.builtin.ping").stdout
    assert pinged.count("SUCCESS") == 3


def test_no_secret_of_the_colony_is_left_on_hosts(site: Site) -> None:
    material = site.folder / ".aware" / "material"
    for host in FIRST:
        assert site.lab.sh(host, "ls -d /etc/aware/join-token /run/aware-etcd-admin 2>/dev/null; true") == ""
        for name in ("ca.key", "founder.key", "material.json"):
            line = (material / name).read_text().splitlines()[1 if name.endswith(".key") else 0]
            found = site.lab.on(
                host, "grep", "-rlsF", "-e", line, "/etc", "/var", "/root", "/tmp", "/opt/aware", check=False
            )
            assert found.stdout == "", f"{name} on {host}"
        assert site.lab.sh(host, "stat -c %a:%U:%G /etc/etcd-aware/member.key") == "640:root:etcd"
        assert site.lab.sh(host, "stat -c %a:%U /var/lib/etcd/aware-lab") == "700:etcd"


def test_etcd_takes_nobody_without_a_certificate(site: Site) -> None:
    address = site.lab.address("h1")
    for port in (2379, 2380):
        refused = site.lab.on("h2", "curl", "-sk", "-m", "10", f"https://{address}:{port}/version", check=False)
        assert refused.returncode != 0, refused.stdout
    assert site.lab.on("h2", "curl", "-s", "-m", "10", f"http://{address}:2379/version", check=False).returncode != 0


def test_a_node_is_no_member_of_etcd(site: Site) -> None:
    """Peers are told by the name in their certificate, which no node has."""
    site.lab.sh("h2", "test -s /var/lib/aware/node.key")
    curl = "curl -s --http1.1 -m 10 -o /dev/null -w '%{http_code}' --cacert /etc/etcd-aware/ca.crt"
    url = f"https://{site.lab.address('h1')}:2380/members"
    node = site.lab.sh("h2", f"{curl} --cert /var/lib/aware/node.crt --key /var/lib/aware/node.key {url}; true")
    member = site.lab.sh("h2", f"{curl} --cert /etc/etcd-aware/member.crt --key /etc/etcd-aware/member.key {url}")
    assert (node, member) == ("000", "200")


def test_etcd_knows_the_nodes_and_lets_in_nobody_else(site: Site) -> None:
    """Every certificate below is of the colony's CA; only nodes are users."""
    ask = f"etcdctl --endpoints=https://{site.lab.address('h1')}:2379 --cacert=/etc/etcd-aware/ca.crt"
    node, member = (
        f"{ask} --cert={name}.crt --key={name}.key" for name in ("/var/lib/aware/node", "/etc/etcd-aware/member")
    )
    assert "/aware/lab/colony" in site.lab.sh("h2", f"{node} get --prefix --keys-only /aware/lab/").split()
    for refused in (f"{node} get --prefix --keys-only /", f"{node} user list", f"{member} get /aware/lab/colony"):
        assert "permission denied" in site.lab.on("h2", "sh", "-c", refused, check=False).stderr


def test_the_queens_host_dies_and_comes_back(site: Site) -> None:
    fallen = site.queen()
    assert fallen in FIRST
    others = [host for host in FIRST if host != fallen]
    site.lab.kill(fallen)
    heir = eventually(lambda: site.queen() if site.queen() != fallen else "", "nobody reigns after her", 180)
    assert heir in others
    eventually(lambda: site.ready() == others, "the dead host counts as ready", 120)
    site.lab.start(fallen)
    eventually(lambda: site.ready() == FIRST, "the host does not come back", 180)


def with_admin_key(site: Site) -> list[str]:
    """Hosts on which the certificate of etcd's user root was left."""
    return [host for host in FIRST if site.lab.sh(host, "ls -d /run/aware-etcd-admin 2>/dev/null; true")]


def test_a_fourth_host_joins_while_a_lost_member_of_etcd_is_replaced(site: Site) -> None:
    """One run does both, and touches nobody else."""
    bystanders = ["h1", "h3"]
    pids = {host: site.lab.sh(host, "systemctl show -P MainPID aware-agent aware-etcd") for host in bystanders}
    before = {member["name"]: member["ID"] for member in site.etcd_members("h1")}
    assert sorted(before) == FIRST
    wish = site.aware("spec", "show")["spec"]
    site.lab.sh("h2", "systemctl stop aware-etcd && rm -rf /var/lib/etcd/aware-lab /etc/etcd-aware")
    # In front of the others: who founded and who carries etcd must not depend on the order of hosts.
    site.write("h4", *FIRST)
    played = site.play().succeeded()
    assert site.ready() == [*FIRST, "h4"]
    assert {host: site.lab.sh(host, "systemctl show -P MainPID aware-agent aware-etcd") for host in bystanders} == pids
    assert site.lab.sh("h4", "ls /etc/etcd-aware /etc/aware/join-token 2>/dev/null; true") == ""
    after = site.etcd_members("h2")
    assert sorted(member["name"] for member in after) == FIRST
    assert not any(member.get("isLearner") for member in after)
    ids = {member["name"]: member["ID"] for member in after}
    assert ids["h2"] != before["h2"]
    assert (ids["h1"], ids["h3"]) == (before["h1"], before["h3"])
    assert site.aware("spec", "show")["spec"] == {**wish, "size": 4}
    # Members change in tasks that run once, for h1 as well as for any other.
    assert played.counts("changed")["h3"] == 0
    assert with_admin_key(site) == []


def test_a_run_killed_while_a_lost_member_comes_back_is_completed_by_the_next(site: Site, tmp_path: Path) -> None:
    """Between its admission, as a member without a vote, and its vote."""
    site.lab.sh("h2", "systemctl stop aware-etcd && rm -rf /var/lib/etcd/aware-lab /etc/etcd-aware")
    assert site.play_until_killed(1, tmp_path / "log", "Give a vote, when it has caught up, to")
    site.lab.sh("h3", "mkdir -p /run/aware-etcd-admin && touch /run/aware-etcd-admin/founder.key")  # an earlier one's
    site.play().succeeded()
    members = site.etcd_members("h2")
    assert sorted(member["name"] for member in members) == FIRST
    assert not any(member.get("isLearner") for member in members)
    assert with_admin_key(site) == []


def test_a_second_run_changes_nothing_whatever_became_of_the_controllers_session(site: Site) -> None:
    (site.folder / ".aware" / "token").unlink()
    site.play().changed_nothing()


def test_settings_of_etcd_change_one_member_after_the_other_and_a_host_left_out_stays(site: Site) -> None:
    began = {host: site.lab.sh(host, "systemctl show -P MainPID aware-etcd") for host in FIRST}
    site.write(*FIRST)
    played = site.play("site", "-e", json.dumps({"etcd_settings": {"max-request-bytes": 2000000}})).succeeded()
    now = {host: site.lab.sh(host, "systemctl show -P MainPID aware-etcd") for host in FIRST}
    assert not set(began.values()) & set(now.values())
    restarts = [line for line in played.output.splitlines() if line.startswith("TASK") and "Restart etcd of" in line]
    assert len(restarts) == 3
    assert "nodes that are not in the inventory: h4" in " ".join(played.output.split())
    assert site.ready() == [*FIRST, "h4"]


def test_a_host_left_out_goes_when_it_is_told_to(site: Site) -> None:
    site.play("site", "-e", "aware_remove_absent=true").succeeded()
    assert site.ready() == FIRST
    state = "systemctl show -P ActiveState aware-agent"
    eventually(lambda: site.lab.sh("h4", state) in ("inactive", "failed"), "its agent goes on", 120)
