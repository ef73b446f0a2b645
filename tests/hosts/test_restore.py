"""All hosts are destroyed, and the controller's keys too. What is left is one backup and its key."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from agent_support import Colony, build_wheels
from hosts_support import HostsLab

from tests.patience import comes_to

HOSTS = 3
HOME = "/var/lib/aware-etcd"
WAIT_S = 180.0
pytestmark = pytest.mark.hosts

CLUSTER = """plugin: aware.cluster.spec
provider: static
colony: lab
size: 3
castes: {web: {count: 2}}
policies: {backup: {every: 6h, keep: {last: 3}}}
"""
SETTINGS = "aware_agent_settings:\n  backup: {key_file: /etc/aware/backup.key, directory: /var/lib/aware/backups}\n"


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_wheels(tmp_path_factory.mktemp("wheels"), "0.1.0")


@pytest.fixture(scope="module")
def colony(lab: HostsLab, wheels: Path, tmp_path_factory: pytest.TempPathFactory) -> Colony:
    """Formed, with a configuration to lose and a backup on the controller."""
    made = Colony(lab, tmp_path_factory.mktemp("colony"), HOSTS)
    (made.folder / "cluster.yml").write_text(CLUSTER)
    (made.folder / "group_vars").mkdir()
    (made.folder / "group_vars" / "all.yml").write_text(SETTINGS)
    made.play("install", wheels).succeeded()
    aware(made, "nodes", "config", "set", "h3", "vars.role=db")
    made.play("backup", wheels).succeeded()
    return made


def aware(colony: Colony, *words: str) -> Any:
    """What the command line says, as JSON where it does."""
    argv = (".venv/bin/aware", *words, "--context", str(colony.context), "--json")
    return json.loads(colony.lab.enter(*argv, timeout_s=60).stdout)


def newest(colony: Colony) -> Path:
    return sorted((colony.folder / ".aware" / "backups").iterdir())[-1]


def who(colony: Colony) -> dict[str, str]:
    return {node["name"]: node["id"] for node in aware(colony, "nodes", "list")["nodes"]}


def test_what_must_not_be_restored_is_refused_and_nothing_changes(colony: Colony, wheels: Path, tmp_path: Path) -> None:
    """A colony that lives, another key, a damaged file: one line each, and no host is touched."""
    other = tmp_path / "other.key"
    other.touch(mode=0o600)
    other.write_text("another key that is long enough\n")
    damaged = tmp_path / "damaged"
    damaged.write_bytes(newest(colony).read_bytes()[:-100])
    term = aware(colony, "status")["term"]
    cases = [
        ((f"backup_file={newest(colony)}",), "Colony lab lives: stop its agents first"),
        ((f"backup_file={newest(colony)}", f"backup_key={other}"), "the key does not open this backup"),
        ((f"backup_file={damaged}",), "it was cut off"),
        (("backup_file=",), "Which backup?"),
    ]
    for variables, says in cases:
        refused = colony.play("restore", wheels, *(word for one in variables for word in ("-e", one)))
        assert refused.code != 0
        assert says in refused.output
        assert not any(refused.counts("changed").values()), refused.output[-3000:]
    assert aware(colony, "status")["term"] == term


def test_a_majority_is_lost_and_what_the_last_host_has_is_moved_aside(colony: Colony, wheels: Path) -> None:
    """What it has may be newer than the backup, so nothing happens to it before somebody says so."""
    before, term = who(colony), aware(colony, "status")["term"]
    aware(colony, "nodes", "config", "set", "h3", "vars.role=newer")
    kept, *lost = colony.nodes
    for host in colony.nodes:
        colony.lab.sh(host, "systemctl stop aware-agent aware-etcd")
    for host in lost:
        colony.lab.sh(host, "rm -rf /var/lib/aware /var/lib/aware-etcd /etc/aware /opt/aware")

    words = ("-e", f"backup_file={newest(colony)}")
    refused = colony.play("restore", wheels, *words)
    assert refused.code != 0
    assert f"{kept}: there is data of etcd of colony lab, which may be newer than the backup" in refused.output
    assert not any(refused.counts("changed").values()), refused.output[-3000:]

    colony.play("restore", wheels, *words, "-e", "backup_replace=true").succeeded()
    assert who(colony) == before
    assert aware(colony, "nodes", "config", "get", "h3")["config"]["vars"] == {"role": "db"}
    assert aware(colony, "status")["term"] > term
    assert all(len(names) == 1 for names in colony.reigns().values())
    assert "member" in colony.lab.sh(kept, f"ls -d {HOME}/data.before-*/member")
    comes_to(colony.seats, colony.nodes, WAIT_S)
    colony.play("backup", wheels).succeeded()  # of this colony from now on


def test_everything_is_destroyed_and_comes_back(colony: Colony, wheels: Path, tmp_path: Path) -> None:
    before, config = who(colony), aware(colony, "nodes", "config", "get", "h3")["config"]
    spec, term = aware(colony, "spec", "show")["spec"], aware(colony, "status")["term"]
    safe = tmp_path / "safe"
    safe.mkdir(mode=0o700)
    shutil.copy2(newest(colony), safe / "backup")
    shutil.copy2(colony.folder / ".aware" / "backup.key", safe / "backup.key")
    colony.lab.lab("down")
    shutil.rmtree(colony.folder / ".aware")
    colony.lab.lab("up", "--count", str(HOSTS))

    words = ("-e", f"backup_file={safe / 'backup'}", "-e", f"backup_key={safe / 'backup.key'}")
    # Killed when the agents of some have been started, and again before any of them.
    for words_before in ("Bring back the data of one member", "Form the colony"):
        colony.play_until(f"[{words_before}", 1, "restore", wheels, *words)
    colony.play("restore", wheels, *words).succeeded()
    assert who(colony) == before
    comes_to(colony.seats, colony.nodes, WAIT_S)
    assert aware(colony, "nodes", "config", "get", "h3")["config"] == config
    assert aware(colony, "spec", "show")["spec"] == spec
    assert aware(colony, "status")["term"] > term
    assert all(len(names) == 1 for names in colony.reigns().values())
    # It is a colony as any other: an install finds nothing to do.
    colony.play("install", wheels).changed_nothing()
