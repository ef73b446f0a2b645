"""A release on a host, whatever the umask and however full the disk: whole and usable by its user, or not there."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from agent_support import give_umasks, has_sound_modes
from hostile_support import small_disk
from hosts_support import HostsLab, Play
from install_support import wheels as present_wheels

HOSTS = 3
LAB_PROFILE = "hardened"
pytestmark = pytest.mark.hosts
AS_AGENT = "setpriv --reuid=aware --regid=aware --init-groups"


@pytest.fixture(scope="module")
def book(lab: HostsLab, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The role alone; Ansible comes by SSH and sudo, which gives root another umask on each host."""
    give_umasks(lab)
    path = tmp_path_factory.mktemp("release") / "role.json"
    path.write_text(
        json.dumps([{"hosts": "all", "become": True, "gather_facts": False, "roles": ["aware.cluster.agent"]}])
    )
    return path


def install(lab: HostsLab, book: Path, *words: str, **variables: Any) -> Play:
    given = json.dumps({"aware_agent_state": "installed", **variables})
    return lab.play(book, *words, "-e", given, ssh=True, timeout_s=1800, AWARE_WHEELS=str(present_wheels()))


def is_sound(lab: HostsLab, host: str) -> None:
    assert has_sound_modes(lab, host), host
    assert lab.sh(host, f"{AS_AGENT} /opt/aware/current/bin/aware-agent --version").startswith("aware-agent ")
    assert lab.sh(host, "aware --version").startswith("aware ")
    assert lab.sh(host, "ls /opt/aware") == "current\nreleases"
    # Made elsewhere, it names the place where it is.
    assert lab.sh(host, "grep -rlI /opt/aware/incoming /opt/aware/releases/*/bin; true") == ""


def test_modes_are_those_of_the_role_and_not_of_the_umask(lab: HostsLab, book: Path) -> None:
    install(lab, book).succeeded()
    for host in lab.hosts:
        is_sound(lab, host)
    install(lab, book).changed_nothing()


def test_one_that_the_agents_user_cannot_run_or_others_can_write_is_made_anew(lab: HostsLab, book: Path) -> None:
    release = "/opt/aware/releases/*"
    lab.sh("h1", f"chmod -R go= {release}")
    lab.sh("h2", f"chmod -R g+w {release}/lib")
    lab.sh("h3", f"chmod 0700 {release}/bin/aware-agent")
    played = install(lab, book).succeeded()
    assert all(played.counts("changed").values())
    for host in lab.hosts:
        is_sound(lab, host)
    install(lab, book).changed_nothing()


def test_a_full_disk_keeps_no_half_of_a_release(lab: HostsLab, book: Path) -> None:
    """Found before anything is done; and, if it fills later, nothing of the release stays, and what was there does."""
    for host in ("h1", "h2"):
        lab.sh(host, "rm -rf /opt/aware")
        small_disk(lab, host, "/opt/aware", 60)
    refused = install(lab, book, "--limit", "h1")
    assert refused.code != 0
    assert "60 MiB are free for /opt/aware, a release needs" in refused.output
    assert refused.counts("changed") == {"h1": 0}
    failed = install(lab, book, "--limit", "h2", aware_agent_room=1)
    assert failed.code != 0
    assert "was not installed and nothing of it is left: the disk of /opt/aware ran full" in failed.output
    assert lab.sh("h2", "find /opt/aware -type f") == ""
    lab.sh("h2", "umount /opt/aware")
    install(lab, book, "--limit", "h2").succeeded()
    is_sound(lab, "h2")
