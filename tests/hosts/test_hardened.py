"""On hosts as hardened as many companies' are, all the way: install, upgrade, backup, rotate, restore.

By SSH on another port, as a user whose sudo makes a terminal of its own and gives root another umask on each host;
programs in /tmp do not run; proxies are set for everybody; Python lacks ensurepip; hosts do not know their own names.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from agent_support import build_wheels, give_umasks, has_sound_modes
from hosts_support import HostsLab, Play
from install_support import PLAY_LIMIT_S, Site
from install_support import wheels as present_wheels

HOSTS = 3
LAB_PROFILE = "hardened"
pytestmark = pytest.mark.hosts
SETTINGS = "aware_agent_settings:\n  backup: {key_file: /etc/aware/backup.key, directory: /var/lib/aware/backups}\n"


@pytest.fixture(scope="module")
def site(lab: HostsLab, tmp_path_factory: pytest.TempPathFactory) -> Site:
    """A colony on all three. The tests below follow each other."""
    give_umasks(lab)
    made = Site(lab, tmp_path_factory.mktemp("site"))
    (made.folder / "group_vars").mkdir()
    (made.folder / "group_vars" / "all.yml").write_text(SETTINGS)
    made.write(*lab.hosts, policies={"backup": {"every": "6h"}})
    made.play().succeeded()
    return made


def with_release(site: Site, playbook: str, wheels: Path, *more: str) -> Play:
    """A playbook with these wheels."""
    path, *rest = site.words(playbook, *more)
    return site.lab.play(path, *rest, timeout_s=PLAY_LIMIT_S, AWARE_WHEELS=str(wheels))


def is_sound(site: Site) -> None:
    """All nodes are ready, modes are as they should be, and no unit has a proxy."""
    assert site.ready() == site.lab.hosts
    for host in site.lab.hosts:
        assert has_sound_modes(site.lab, host), host
        for unit in ("aware-agent", "aware-etcd"):
            environment = f"tr '\\0' '\\n' </proc/$(systemctl show -P MainPID {unit})/environ"
            assert "PATH=" in site.lab.sh(host, environment)
            assert "proxy" not in site.lab.sh(host, environment).lower(), (host, unit)


def test_the_hosts_are_what_they_are_said_to_be(lab: HostsLab, tmp_path: Path) -> None:
    """As Ansible finds them: by SSH and sudo."""
    book = tmp_path / "look.yml"
    look = (
        "umask; printenv https_proxy; python3 -m ensurepip --version 2>&1 | tail -n 1; getent hosts $(hostname);"
        " cp /bin/true /tmp/true; /tmp/true; rm /tmp/true; echo $SSH_CONNECTION; systemd-run --quiet --pipe --wait env"
    )
    task = {"name": "Look", "ansible.builtin.shell": look, "register": "seen"}
    show = {"name": "Show", "ansible.builtin.debug": {"msg": "{{ seen.stdout_lines + seen.stderr_lines }}"}}
    play = {"hosts": "h1", "become": True, "gather_facts": False, "tasks": [task, show]}
    book.write_text(json.dumps([play]))
    said = lab.play(book, ssh=True).succeeded().output
    assert '"0027"' in said
    assert "http://192.0.2.9:3128" in said
    assert "No module named ensurepip" in said
    assert "/tmp/true: Permission denied" in said or "/tmp/true: cannot execute" in said
    assert said.count("https_proxy=http://192.0.2.9:3128") == 1  # what a unit without a word about it gets
    assert lab.sh("h1", "ss -Htln 'sport = 22'") == ""


def test_a_colony_is_formed_and_the_second_run_changes_nothing(site: Site) -> None:
    is_sound(site)
    site.play().changed_nothing()


def test_it_is_upgraded(site: Site, tmp_path: Path) -> None:
    newer = build_wheels(tmp_path, "0.1.1")
    with_release(site, "upgrade", newer).succeeded()
    is_sound(site)
    assert {node["version"] for node in site.aware("nodes", "list")["nodes"]} == {"0.1.1"}
    # What follows goes on with it.
    with_release(site, "install", newer).changed_nothing()
    with_release(site, "rollback", present_wheels()).succeeded()
    is_sound(site)


def test_ca_and_secret_are_rotated(site: Site) -> None:
    site.play("rotate").succeeded()
    is_sound(site)
    now = site.aware("rotation", "status")
    assert (now["phase"], now["generation"], now["etcd"]) == ("settled", 2, [])


def test_all_is_lost_and_comes_back(site: Site, tmp_path: Path) -> None:
    site.play("backup").succeeded()
    before = {node["name"]: node["id"] for node in site.aware("nodes", "list")["nodes"]}
    backup = sorted((site.folder / ".aware" / "backups").iterdir())[-1]
    safe = tmp_path / "safe"
    safe.mkdir(mode=0o700)
    shutil.copy2(backup, safe / "backup")
    shutil.copy2(site.folder / ".aware" / "backup.key", safe / "backup.key")
    for host in site.lab.hosts:
        site.lab.sh(host, "systemctl stop aware-agent aware-etcd")
        site.lab.sh(host, "rm -rf /var/lib/aware /var/lib/aware-etcd /etc/aware /opt/aware")
    shutil.rmtree(site.folder / ".aware")
    site.play("restore", "-e", f"backup_file={safe / 'backup'}", "-e", f"backup_key={safe / 'backup.key'}").succeeded()
    assert {node["name"]: node["id"] for node in site.aware("nodes", "list")["nodes"]} == before
    is_sound(site)
