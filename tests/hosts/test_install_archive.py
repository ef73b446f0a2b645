"""Debian 12, whose own etcd is too old: etcd comes from an archive, and Python is 3.11."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import os
import tarfile
from pathlib import Path

import pytest
from agent_support import build_wheels
from hosts_support import HostsLab, Play, running_lab

pytestmark = pytest.mark.hosts
HOSTS = 1
LAB_SUITE = "bookworm"


@pytest.fixture(scope="module")
def archive(hosts_possible: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An archive as etcd's authors publish them, with the programs of Debian 13, which run on 12 as well."""
    path = tmp_path_factory.mktemp("etcd") / "etcd-v3.5.16-linux-amd64.tar.gz"
    with running_lab(f"test-{os.getpid()}-donor", 1) as donor, tarfile.open(path, "w:gz") as tar:
        for name in ("etcd", "etcdctl", "etcdutl"):
            found = donor.sh("h1", f"[ ! -e /usr/bin/{name} ] || base64 /usr/bin/{name}", timeout_s=120)
            if found:
                member = tarfile.TarInfo(f"etcd-v3.5.16-linux-amd64/{name}")
                content = base64.b64decode(found)
                member.size, member.mode = len(content), 0o755
                tar.addfile(member, io.BytesIO(content))
    return path


@pytest.fixture(scope="module")
def site(lab: HostsLab, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The user's directory, with one host."""
    folder = tmp_path_factory.mktemp("site")
    reach = json.loads((lab.directory / "ssh.yml").read_text())["all"]["vars"]
    hosts = {"h1": {"ansible_host": lab.address("h1"), **reach}}
    (folder / "cluster.yml").write_text(
        f"plugin: aware.cluster.spec\nprovider: static\ncolony: old\nhosts: {json.dumps(hosts)}\n"
    )
    return folder


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_wheels(tmp_path_factory.mktemp("wheels"), "0.1.0", python="3.11")


def install(lab: HostsLab, site: Path, wheels: Path, **variables: str) -> Play:
    more = ("-e", json.dumps(variables)) if variables else ()
    return lab.play("playbooks/site.yml", "-i", str(site), *more, timeout_s=1800, AWARE_WHEELS=str(wheels))


def test_what_the_system_has_is_refused_with_the_way_out(lab: HostsLab, site: Path, wheels: Path) -> None:
    refused = install(lab, site, wheels)
    assert refused.code != 0
    said = " ".join(refused.output.split())
    assert "by etcd_source archive if need be. Nothing was changed." in said
    assert lab.sh("h1", "ls -d /etc/etcd-aware /opt/aware 2>/dev/null; true") == ""


def test_an_archive_with_another_checksum_is_not_unpacked(
    lab: HostsLab, site: Path, wheels: Path, archive: Path
) -> None:
    refused = install(
        lab, site, wheels, etcd_source="archive", etcd_archive_url=str(archive), etcd_archive_sha256="0" * 64
    )
    assert refused.code != 0
    assert "it was not unpacked" in " ".join(refused.output.split())
    assert lab.sh("h1", "find / -xdev -name etcdctl -path '*aware*'") == ""


def test_a_colony_is_formed_with_the_archive(lab: HostsLab, site: Path, wheels: Path, archive: Path) -> None:
    checksum = hashlib.sha256(archive.read_bytes()).hexdigest()
    source = {"etcd_source": "archive", "etcd_archive_url": str(archive), "etcd_archive_sha256": checksum}
    install(lab, site, wheels, **source).succeeded()
    assert lab.sh("h1", "systemctl is-active aware-etcd aware-agent").split() == ["active", "active"]
    assert lab.sh("h1", "readlink -f /proc/$(systemctl show -P MainPID aware-etcd)/exe").startswith("/opt/aware/etcd/")
    assert lab.sh("h1", "/opt/aware/current/bin/python --version").startswith("Python 3.11")
    install(lab, site, wheels, **source).changed_nothing()
