"""Role ``agent`` with a release from a package index, and from an address: both with a CA that hosts do not know."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from agent_support import build_wheels
from hosts_support import PROGRAM, HostsLab, Play

HOSTS = 1
pytestmark = pytest.mark.hosts
ROOT = Path(__file__).resolve().parents[2]
CA = "/etc/ssl/index-ca.pem"
CONTROLLER = "10.77.0.1"


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_wheels(tmp_path_factory.mktemp("wheels"), "0.1.0")


@pytest.fixture(scope="module")
def index(lab: HostsLab, wheels: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of an index on the controller; its CA is on the host."""
    work = tmp_path_factory.mktemp("index")
    command = [
        PROGRAM,
        "enter",
        sys.executable,
        "-m",
        "tests.package_index",
        wheels,
        CONTROLLER,
        20443,
        work,
        "controller",
    ]
    server = subprocess.Popen(
        [str(word) for word in command],
        env={**os.environ, "AWARE_LAB": lab.name, "PYTHONPATH": str(ROOT)},
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert server.stdout
    try:
        url = server.stdout.readline().strip()
        assert url.startswith("https://")
        lab.on("h1", "sh", "-c", f"cat > {CA}", stdin=(work / "ca.crt").read_text())
        yield url
    finally:
        server.communicate(timeout=30)


def install(lab: HostsLab, folder: Path, **variables: str) -> Play:
    """The release on the host, with nothing but what the index has."""
    book = folder / "install.json"
    book.write_text(
        json.dumps([{"hosts": "h1", "become": True, "gather_facts": False, "roles": ["aware.cluster.agent"]}])
    )
    more = {"aware_agent_state": "installed", "aware_agent_colony": "lab", **variables}
    return lab.play(book, "-i", str(lab.directory / "nsenter.yml"), "-e", json.dumps(more))


def release(lab: HostsLab) -> str:
    """What the installed release says it is, and where it came from."""
    said = lab.sh("h1", "cat /opt/aware/releases/0.1.0/.aware-release", check=False)
    return str(json.loads(said)["source"]) if said else ""


def test_a_release_comes_from_an_index_that_the_host_trusts(lab: HostsLab, index: str, tmp_path: Path) -> None:
    source = {"aware_agent_source": "index", "aware_agent_version": "0.1.0", "aware_agent_index_url": index}
    stranger = install(lab, tmp_path, **source)
    assert stranger.code != 0
    assert "CERTIFICATE_VERIFY_FAILED" in stranger.output
    assert release(lab) == ""

    unknown = install(lab, tmp_path, **source | {"aware_agent_version": "7.7.7"}, aware_agent_index_ca=CA)
    assert unknown.code != 0
    assert "No matching distribution found for aware-agent==7.7.7" in unknown.output
    assert release(lab) == ""

    install(lab, tmp_path, **source, aware_agent_index_ca=CA).succeeded()
    assert release(lab) == "index"
    install(lab, tmp_path, **source, aware_agent_index_ca=CA).changed_nothing()


def test_a_release_comes_from_an_address_and_has_to_be_that_one(
    lab: HostsLab, index: str, wheels: Path, tmp_path: Path
) -> None:
    lab.sh("h1", "rm -r /opt/aware")
    (wheel,) = wheels.glob("aware_agent-*.whl")
    source = {
        "aware_agent_source": "url",
        "aware_agent_url": index.replace("/simple", f"/wheels/{wheel.name}"),
        "aware_agent_sha256": "0" * 64,
        "aware_agent_index_url": index,
        "aware_agent_index_ca": CA,
    }
    other = install(lab, tmp_path, **source)
    assert other.code != 0
    assert "checksum" in other.output
    assert release(lab) == ""

    source["aware_agent_sha256"] = hashlib.sha256(wheel.read_bytes()).hexdigest()
    install(lab, tmp_path, **source).succeeded()
    assert release(lab) == "url"
    install(lab, tmp_path, **source).changed_nothing()
