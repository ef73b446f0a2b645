"""Hosts that cannot carry etcd are refused in one sentence, and nothing is touched; nor by a run that only looks."""

from __future__ import annotations

from pathlib import Path

import pytest
from hosts_support import HostsLab, Play
from install_support import Site

from tests.patience import eventually

pytestmark = pytest.mark.hosts
HOSTS = 2


@pytest.fixture
def site(lab: HostsLab, tmp_path: Path) -> Site:
    made = Site(lab, tmp_path / "site")
    made.write(*lab.hosts)
    return made


def traces(lab: HostsLab) -> dict[str, str]:
    """What an installation would leave on each host."""
    places = "/var/lib/aware-etcd /etc/aware /opt/aware /var/lib/aware /etc/systemd/system/{aware-*,etcd.service}"
    return {
        host: lab.sh(host, f"bash -c 'ls -d {places} 2>/dev/null'; getent passwd aware; true") for host in lab.hosts
    }


def refused(played: Play, sentence: str) -> None:
    """The run failed with ``sentence``, and changed nothing on any host."""
    assert played.code != 0
    assert sentence in " ".join(played.output.split()), played.output[-3000:]
    changed = {host: count for host, count in played.counts("changed").items() if host != "localhost"}
    assert not any(changed.values()), changed


def test_a_foreign_etcd_that_runs(site: Site) -> None:
    lab = site.lab
    lab.sh("h1", "systemctl start etcd && ETCDCTL_API=3 etcdctl put mine kept")
    try:
        refused(
            site.play(), "Port 2379, 2380 of h1 is in use by /usr/bin/etcd (etcd.service), which is not of this colony"
        )
        assert lab.sh("h1", "ETCDCTL_API=3 etcdctl get --print-value-only mine") == "kept"
        assert not any(traces(lab).values())
    finally:
        lab.sh("h1", "systemctl stop etcd; rm -rf /var/lib/etcd/*")


def test_a_foreign_etcd_that_does_not_run_is_left_alone(site: Site) -> None:
    """Its data lies elsewhere, and its unit may be started again."""
    lab = site.lab
    lab.sh("h1", "systemctl start etcd && ETCDCTL_API=3 etcdctl put mine kept && systemctl stop etcd")
    try:
        site.play("site", "--check").succeeded()
        lab.sh("h1", "systemctl start etcd")
        eventually(
            lambda: lab.sh("h1", "ETCDCTL_API=3 etcdctl get --print-value-only mine", check=False) == "kept",
            "data is lost",
        )
        assert not any(traces(lab).values())
    finally:
        lab.sh("h1", "systemctl stop etcd; rm -rf /var/lib/etcd/*")


@pytest.mark.parametrize(
    ("variables", "sentence"),
    [
        ("etcd_min_free_mb=99999999", "MiB left for /var/lib/aware-etcd, but etcd_min_free_mb asks for 99999999"),
        ("etcd_source=archive", "needs etcd_archive_url and etcd_archive_sha256"),
        ("etcd_source=floppy", "etcd_source is floppy"),
    ],
)
def test_what_makes_no_sense(site: Site, variables: str, sentence: str) -> None:
    refused(site.play("site", "-e", variables), sentence)
    assert not any(traces(site.lab).values())


def test_a_council_larger_than_the_colony(site: Site) -> None:
    """That fewer hosts may sit than there are is told too: tests/collection/test_left_out.py."""
    site.write(*site.lab.hosts, council={"size": 3})
    refused(site.play(), "council.size 3 is larger than the colony of 2 nodes")
    assert not any(traces(site.lab).values())


def test_a_version_that_can_lose_data(site: Site) -> None:
    lab = site.lab
    lab.sh("h1", "mv /usr/bin/etcd /usr/bin/etcd.kept")
    old = "#!/bin/sh\necho etcd Version: 3.5.4\n"
    lab.on("h1", "sh", "-c", "cat >/usr/bin/etcd; chmod +x /usr/bin/etcd", stdin=old)
    try:
        refused(site.play(), "etcd 3.5.4 is too old or can lose data on h1: use 3.5.16 or newer")
        assert not any(traces(lab).values())
    finally:
        lab.sh("h1", "mv /usr/bin/etcd.kept /usr/bin/etcd")


def test_an_inventory_that_does_not_fit(site: Site) -> None:
    (site.folder / "cluster.yml").write_text("plugin: aware.cluster.spec\nprovider: static\ncolony: lab\nsize: 3\n")
    played = site.play()
    assert "Group aware_bootstrap has no hosts" in played.output
    assert not any(traces(site.lab).values())


def test_check_mode_on_bare_hosts(site: Site) -> None:
    site.play("site", "--check").succeeded()
    assert not any(traces(site.lab).values())
    assert not site.context.parent.exists()
