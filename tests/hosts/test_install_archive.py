"""Debian 12 and Ubuntu 24.04: another Python, and etcd from an archive as their own is old; a host for each way."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from agent_support import build_wheels
from hosts_support import HostsLab, Play, lab_name, running_lab

pytestmark = pytest.mark.hosts
PYTHON = {"bookworm": "3.11", "noble": "3.12"}


@pytest.fixture(scope="module", params=PYTHON)
def suite(request: pytest.FixtureRequest) -> str:
    """The release of the hosts."""
    return str(request.param)


@pytest.fixture(scope="module")
def lab(hosts_possible: None, suite: str) -> Iterator[HostsLab]:
    """Two hosts of that release."""
    with running_lab(lab_name(), 2, LAB_SUITE=suite) as made:
        yield made


@pytest.fixture(scope="module")
def archive(hosts_possible: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An archive as etcd's authors publish them, with the programs of Debian 13, which run on older systems as well."""
    path = tmp_path_factory.mktemp("etcd") / "etcd-v3.5.16-linux-amd64.tar.gz"
    with running_lab(lab_name("donor"), 1) as donor, tarfile.open(path, "w:gz") as tar:
        for name in ("etcd", "etcdctl", "etcdutl"):
            found = donor.sh("h1", f"[ ! -e /usr/bin/{name} ] || base64 /usr/bin/{name}", timeout_s=120)
            if found:
                member = tarfile.TarInfo(f"etcd-v3.5.16-linux-amd64/{name}")
                content = base64.b64decode(found)
                member.size, member.mode = len(content), 0o755
                tar.addfile(member, io.BytesIO(content))
    return path


def site(lab: HostsLab, folder: Path, host: str) -> Path:
    """The user's directory, with one host."""
    reach = json.loads((lab.directory / "ssh.yml").read_text())["all"]["vars"]
    hosts = {host: {"ansible_host": lab.address(host), **reach}}
    folder.mkdir()
    (folder / "cluster.yml").write_text(
        f"plugin: aware.cluster.spec\nprovider: static\ncolony: old\nhosts: {json.dumps(hosts)}\n"
    )
    return folder


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory, suite: str) -> Path:
    return build_wheels(tmp_path_factory.mktemp("wheels"), "0.1.0", python=PYTHON[suite])


def install(lab: HostsLab, site: Path, wheels: Path, **variables: str) -> Play:
    more = ("-e", json.dumps(variables)) if variables else ()
    return lab.play("playbooks/site.yml", "-i", str(site), *more, timeout_s=1800, AWARE_WHEELS=str(wheels))


def running(lab: HostsLab, host: str, suite: str) -> str:
    """The program etcd runs from, on a host where all is well."""
    assert lab.sh(host, "systemctl is-active aware-etcd aware-agent").split() == ["active", "active"]
    assert lab.sh(host, "/opt/aware/current/bin/python --version").startswith(f"Python {PYTHON[suite]}")
    return lab.sh(host, "readlink -f /proc/$(systemctl show -P MainPID aware-etcd)/exe")


def test_an_archive_with_another_checksum_is_not_unpacked_and_the_right_one_makes_a_colony(
    lab: HostsLab, tmp_path: Path, wheels: Path, archive: Path, suite: str
) -> None:
    made = site(lab, tmp_path / "site", "h1")
    source = {"etcd_source": "archive", "etcd_archive_url": str(archive), "etcd_archive_sha256": "0" * 64}
    refused = install(lab, made, wheels, **source)
    assert refused.code != 0
    assert "it was not unpacked" in " ".join(refused.output.split())
    assert lab.sh("h1", "find / -xdev -name etcdctl -path '*aware*'") == ""

    source["etcd_archive_sha256"] = hashlib.sha256(archive.read_bytes()).hexdigest()
    install(lab, made, wheels, **source).succeeded()
    assert running(lab, "h1", suite).startswith("/opt/aware/etcd/")
    install(lab, made, wheels, **source).changed_nothing()


def test_the_package_of_the_system_makes_a_colony_too(lab: HostsLab, tmp_path: Path, wheels: Path, suite: str) -> None:
    made = site(lab, tmp_path / "site", "h2")
    install(lab, made, wheels).succeeded()
    assert running(lab, "h2", suite) == "/usr/bin/etcd"
    assert lab.sh("h2", "etcd --version").split()[2].startswith("3.4.")
    install(lab, made, wheels).changed_nothing()
