"""Role ``agent`` on real hosts: what it makes, what it refuses, what the sandbox keeps, what it removes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from agent_support import STATE, Colony, build_wheels
from hosts_support import HostsLab, Play

from tests.patience import eventually

HOSTS = 2
pytestmark = pytest.mark.hosts

UNIT = "aware-agent"


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_wheels(tmp_path_factory.mktemp("wheels"), "0.1.0")


@pytest.fixture(scope="module")
def bare(lab: HostsLab, wheels: Path, tmp_path_factory: pytest.TempPathFactory) -> Colony:
    """Hosts on which nothing was done yet."""
    return Colony(lab, tmp_path_factory.mktemp("colony"), HOSTS)


def role(colony: Colony, wheels: Path, state: str, host: str, *words: str, **variables: Any) -> Play:
    """The role alone on one host, or on all of a group."""
    play = [{"hosts": host, "become": True, "gather_facts": False, "roles": ["aware.cluster.agent"]}]
    book = colony.folder.with_name("role.json")
    book.write_text(json.dumps(play))
    more = {"aware_agent_state": state, "aware_agent_colony": "lab", **variables}
    inventory = ("-i", str(colony.lab.directory / "nsenter.yml"))
    return colony.lab.play(book, *inventory, *words, "-e", json.dumps(more), AWARE_WHEELS=str(wheels))


def main_pid(colony: Colony, host: str) -> str:
    """Of the process systemd takes for the agent."""
    return colony.lab.sh(host, f"systemctl show --property MainPID --value {UNIT}")


REFUSED: list[tuple[dict[str, str], str]] = [
    ({"aware_agent_room": "99999999"}, "MiB are free for /opt/aware, a release needs 99999999"),
    ({"aware_agent_python": "/usr/bin/python2"}, "/usr/bin/python2 does not run there"),
    ({"aware_agent_source": "index"}, "Say which release to install from the index"),
    ({"aware_agent_source": "url", "aware_agent_url": "http://x/y.whl"}, "aware_agent_source=url needs"),
    ({"aware_agent_user": "daemon"}, "there is a user daemon"),
    ({"aware_agent_version": "9.9"}, "but aware_agent_version is 9.9"),
]


def test_what_cannot_be_is_refused_in_one_line_before_anything_is_changed(bare: Colony, wheels: Path) -> None:
    """One host under a name for each mistake: a play costs ten times what a case does."""
    names = [f"case-{number}" for number in range(len(REFUSED))]
    address = {"ansible_host": bare.lab.address("h1")}
    hosts = {name: {**address, **wrong} for name, (wrong, _) in zip(names, REFUSED, strict=True)}
    inventory = bare.folder.with_name("refused.yml")
    inventory.write_text(json.dumps({"refused": {"hosts": hosts}}))
    done = role(bare, wheels, "installed", "refused", "-i", str(inventory))
    failed = {line.split("[")[1].split("]")[0]: line for line in done.output.splitlines() if line.startswith("fatal: ")}
    for name, (_, said) in zip(names, REFUSED, strict=True):
        assert said in failed[name]
    assert done.counts("changed") == dict.fromkeys(names, 0)
    assert bare.lab.sh("h1", "ls -d /opt/aware /etc/aware; getent passwd aware", check=False) == ""


def test_check_mode_on_a_bare_host_changes_nothing(bare: Colony, wheels: Path) -> None:
    role(bare, wheels, "started", "h1", "--check", "--diff").succeeded()
    assert bare.lab.sh("h1", "ls -d /opt/aware /etc/aware; getent passwd aware", check=False) == ""


@pytest.fixture(scope="module")
def colony(bare: Colony, wheels: Path) -> Colony:
    """The same hosts, a colony by now."""
    bare.play("install", wheels).succeeded()
    return bare


def test_the_node_that_joined_is_the_process_systemd_knows(colony: Colony) -> None:
    main = main_pid(colony, "h2")
    joined = colony.lab.sh("h2", f"journalctl -u {UNIT} -o json --no-pager | grep 'joined colony' | tail -n 1")
    assert json.loads(joined)["_PID"] == main
    status = colony.lab.sh("h2", f"systemctl show --property StatusText --value {UNIT}")
    assert status.startswith(("council member under queen h1, term ", "queen of colony lab, term "))
    assert all(
        json.loads(line)["node"] == "h2" for line in colony.lab.sh("h2", f"journalctl _PID={main} -o cat").splitlines()
    )


def test_a_restart_that_was_forgotten_is_made_up_for_then_nothing_changes_and_no_token_is_left(
    colony: Colony, wheels: Path
) -> None:
    """Forgotten as by a run that was killed between the change and the restart."""
    before = {host: main_pid(colony, host) for host in colony.lab.hosts}
    colony.lab.sh("h2", "echo 'something else' >/opt/aware/applied")
    colony.play("install", wheels).succeeded()
    assert main_pid(colony, "h1") == before["h1"]
    assert main_pid(colony, "h2") != before["h2"]
    colony.play("install", wheels).changed_nothing()
    for host in colony.lab.hosts:
        assert colony.lab.sh(host, "ls /etc/aware") == "agent.toml"


@pytest.mark.parametrize(
    ("script", "allowed"),
    [
        (f"touch {STATE}/x && rm {STATE}/x", True),
        ("touch /etc/x", False),
        ("touch /opt/aware/x", False),
        ("ls /home", False),
        ("ls /root", False),
        ("test -e /dev/kmsg", False),
    ],
)
def test_the_sandbox_has_effect(colony: Colony, script: str, allowed: bool) -> None:
    as_agent = "setpriv --reuid aware --regid aware --clear-groups"
    enter = f"nsenter --target $(systemctl show --property MainPID --value {UNIT}) --mount -- {as_agent}"
    assert (colony.lab.on("h1", "sh", "-c", f"{enter} sh -c '{script}'", check=False).returncode == 0) is allowed


def test_the_process_has_no_rights_and_others_cannot_read_its_state(colony: Colony) -> None:
    status = colony.lab.sh("h1", f"cat /proc/$(systemctl show --property MainPID --value {UNIT})/status")
    fields = dict(line.split(":", 1) for line in status.splitlines())
    assert int(fields["CapBnd"], 16) == int(fields["CapEff"], 16) == 0
    assert fields["NoNewPrivs"].strip() == "1"
    assert fields["Seccomp"].strip() == "2"
    nobody = "setpriv --reuid nobody --regid nogroup --clear-groups cat"
    for path in (f"{STATE}/node.key", f"{STATE}/node.crt", "/etc/aware/agent.toml"):
        assert colony.lab.on("h1", "sh", "-c", f"{nobody} {path}", check=False).returncode != 0


def test_an_agent_that_hangs_is_ended_by_the_watchdog_and_started_anew(colony: Colony) -> None:
    def incarnation() -> str:
        return colony.lab.sh("h2", f"systemctl show --property InvocationID --value {UNIT}")

    drop = "/run/systemd/system/aware-agent.service.d"
    # Five seconds instead of thirty; else as it is.
    settings = f"mkdir -p {drop}; printf '[Service]\\nWatchdogSec=5\\n' >{drop}/t.conf"
    colony.lab.sh("h2", f"{settings}; systemctl daemon-reload; systemctl restart {UNIT}", timeout_s=150)
    hung, before = main_pid(colony, "h2"), incarnation()
    colony.lab.sh("h2", f"kill -STOP {hung}")
    eventually(lambda: incarnation() not in ("", before), "the agent that hangs is not started anew", 120)
    colony.lab.sh("h2", f"rm -r {drop}; systemctl daemon-reload; systemctl restart {UNIT}", timeout_s=150)
    told = colony.lab.sh("h2", f"journalctl -u {UNIT} _SYSTEMD_INVOCATION_ID={before} + INVOCATION_ID={before} -o cat")
    assert "Watchdog timeout" in told
    assert "Fatal Python error: Aborted" in told  # where each thread was
    assert main_pid(colony, "h2") not in ("0", hung)


def test_settings_that_cannot_be_are_refused_and_the_agent_goes_on(colony: Colony, wheels: Path) -> None:
    before = colony.lab.sh("h2", "cat /etc/aware/agent.toml"), main_pid(colony, "h2")
    refused = role(colony, wheels, "started", "h2", aware_agent_settings={"gateway": {"port": 70000}})
    assert refused.code != 0
    assert "70000 is not a port" in refused.output
    assert (colony.lab.sh("h2", "cat /etc/aware/agent.toml"), main_pid(colony, "h2")) == before


def test_absent_removes_what_the_role_made_and_nothing_else(colony: Colony, wheels: Path) -> None:
    colony.lab.sh("h2", "touch /etc/aware/of-somebody-else")
    role(colony, wheels, "absent", "h2").succeeded()
    left = "ls -A /opt/aware /etc/aware /var/lib/aware /usr/local/bin /etc/systemd/system/aware-agent.service"
    assert colony.lab.sh("h2", f"{left} 2>/dev/null", check=False).split() == [
        "/etc/aware:", "of-somebody-else", "/opt/aware:", "etcd", "/usr/local/bin:",
    ]  # fmt: skip
    # /opt/aware/etcd is role etcd's, which takes it away when it is told to (test_etcd_unit.py).
    assert colony.lab.sh("h2", "getent passwd aware; getent group aware", check=False) == ""
    role(colony, wheels, "absent", "h2").changed_nothing()
