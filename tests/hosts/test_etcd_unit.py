"""etcd under systemd, asked for by an agent without privileges: it starts, outlives the agent, comes back, and goes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hosts_support import HostsLab, Play
from install_support import BIN, wheels

from tests.patience import eventually

pytestmark = pytest.mark.hosts
HOSTS = 3
HOME = "/var/lib/aware-etcd"
FOUNDING_KEY = "/var/lib/aware/founding.key"
PLAY_LIMIT_S = 1800
WAIT_S = 300.0


def founders(key: Path, size: int = HOSTS) -> list[dict[str, object]]:
    """A playbook: the roles agent and etcd, and a founding key, on every host."""
    owner = {"owner": "aware", "group": "aware"}
    agent = {
        "aware_agent_colony": "lab",
        "aware_agent_address": "{{ ansible_host }}",
        "aware_agent_settings": {"founding_key_file": FOUNDING_KEY, "council": {"etcd": "systemd", "size": size}},
    }
    tasks: list[dict[str, object]] = [
        {"include_role": {"name": "aware.cluster.agent", "tasks_from": "install"}},
        {"include_role": {"name": "aware.cluster.etcd"}},
        {"file": {"path": "/var/lib/aware", "state": "directory", "mode": "0700", **owner}},
        {
            "copy": {"src": str(key), "dest": FOUNDING_KEY, "mode": "0600", **owner},
            "when": "not aware_agent_host.joined",
            "no_log": True,
        },
        {"include_role": {"name": "aware.cluster.agent"}, "vars": agent},
    ]
    return [{"hosts": "aware_bootstrap", "gather_facts": True, "become": True, "tasks": tasks}]


def role(lab: HostsLab, folder: Path, host: str, state: str, *words: str) -> Play:
    """The role etcd alone, on one host."""
    playbook = folder / "role.yml"
    task = {"include_role": {"name": "aware.cluster.etcd"}, "vars": {"etcd_state": state}}
    playbook.write_text(json.dumps([{"hosts": host, "gather_facts": False, "become": True, "tasks": [task]}]))
    return lab.play(str(playbook), *words, timeout_s=PLAY_LIMIT_S).succeeded()


def pid(lab: HostsLab, host: str, unit: str = "aware-etcd") -> int:
    return int(lab.sh(host, f"systemctl show -P MainPID {unit}"))


def voters(lab: HostsLab, host: str) -> list[str]:
    """Addresses of the members that vote, as one of them says."""
    own = f"--cacert={HOME}/ca.crt --cert={HOME}/etcd.crt --key={HOME}/etcd.key"
    ask = f"etcdctl --endpoints=https://{lab.address(host)}:2379 {own} -w json member list"
    done = lab.on(host, "sh", "-c", ask, check=False)
    members = json.loads(done.stdout)["members"] if done.returncode == 0 else []
    return sorted(str(m["clientURLs"][0]) for m in members if not m.get("isLearner") and m.get("clientURLs"))


@pytest.fixture(scope="module")
def council(lab: HostsLab, tmp_path_factory: pytest.TempPathFactory) -> HostsLab:
    """All hosts have founded, and each sits. The tests below follow each other."""
    folder = tmp_path_factory.mktemp("founders")
    key = folder / "founding.key"
    lab.enter(str(BIN / "aware"), "colony", "key", "--colony=lab", f"--to-file={key}")
    playbook = folder / "founders.yml"
    playbook.write_text(json.dumps(founders(key)))
    lab.play(str(playbook), timeout_s=PLAY_LIMIT_S, AWARE_WHEELS=str(wheels())).succeeded()
    eventually(lambda: len(voters(lab, "h1")) == HOSTS, "the council is not full", WAIT_S)
    return lab


def test_another_size_is_no_reason_to_restart_who_has_founded(council: HostsLab, tmp_path: Path) -> None:
    before = [pid(council, host, "aware-agent") for host in council.hosts]
    playbook = tmp_path / "again.yml"
    playbook.write_text(json.dumps(founders(tmp_path / "gone.key", 5)))
    council.play(str(playbook), timeout_s=PLAY_LIMIT_S, AWARE_WHEELS=str(wheels())).changed_nothing()
    assert [pid(council, host, "aware-agent") for host in council.hosts] == before


def test_each_member_runs_as_etcds_user_from_files_that_only_the_agent_writes(council: HostsLab) -> None:
    for host in council.hosts:
        assert council.sh(host, f"stat -c %U /proc/{pid(council, host)}") == "etcd"
        assert council.sh(host, f"stat -c %a:%U:%G {HOME} {HOME}/etcd.key").split() == [
            "2750:aware:etcd",
            "640:aware:etcd",
        ]
        assert council.sh(host, f"ls {FOUNDING_KEY} 2>/dev/null; true") == ""
        refused = council.on(
            host, "setpriv", "--reuid=etcd", "--regid=etcd", "--init-groups", "touch", f"{HOME}/etcd.json", check=False
        )
        assert "Permission denied" in refused.stderr


def test_an_agent_that_restarts_leaves_its_etcd_alone(council: HostsLab) -> None:
    before = pid(council, "h1")
    council.sh("h1", "systemctl restart aware-agent")
    assert pid(council, "h1") == before
    council.sh("h1", "systemctl kill -s KILL aware-agent")
    eventually(lambda: council.sh("h1", "systemctl is-active aware-agent; true") == "active", "no agent", WAIT_S)
    assert pid(council, "h1") == before


def test_a_killed_etcd_is_started_again_and_one_that_somebody_stopped_too(council: HostsLab) -> None:
    before, agent = pid(council, "h2"), pid(council, "h2", "aware-agent")
    council.sh("h2", "systemctl kill -s KILL aware-etcd")
    eventually(lambda: pid(council, "h2") not in (0, before), "systemd does not start it again", WAIT_S)
    council.sh("h2", "systemctl stop aware-etcd")
    eventually(lambda: pid(council, "h2") != 0, "the agent does not ask for it", WAIT_S)
    assert pid(council, "h2", "aware-agent") == agent
    eventually(lambda: len(voters(council, "h2")) == HOSTS, "it does not serve", WAIT_S)


def test_why_it_does_not_run_is_one_sentence_of_the_agent(council: HostsLab) -> None:
    """A port that is taken, by somebody who came while etcd was down."""
    listen = f'import socket,time; s = socket.create_server(("{council.address("h3")}", 2380)); time.sleep(600)'
    council.sh("h3", "systemctl stop aware-agent aware-etcd")
    council.sh("h3", f"systemd-run -q --unit=squatter python3 -c '{listen}'")
    council.sh("h3", "systemctl start --no-block aware-agent")
    said = "journalctl -u aware-agent -o cat --no-pager"
    taken = f"port 2380 of {council.address('h3')} is taken by another program"
    eventually(lambda: taken in council.sh("h3", said), "it is not said", WAIT_S)
    council.sh("h3", "systemctl stop squatter")
    eventually(lambda: len(voters(council, "h3")) == HOSTS, "it does not come back", WAIT_S)


def test_a_host_that_was_off_takes_its_seat_again(council: HostsLab) -> None:
    council.kill("h2")
    council.start("h2")
    eventually(lambda: len(voters(council, "h2")) == HOSTS, "it does not come back", WAIT_S)


def test_root_obeys_no_other_word(council: HostsLab) -> None:
    before = pid(council, "h1")
    for word in ("restart aware-agent", "stop;reboot", "poweroff", "stop", "restart x", "$(touch /run/owned)"):
        council.sh("h1", f"printf %s '{word}' > {HOME}/wanted; systemctl start aware-etcd-control")
    assert council.sh("h1", "ls /run/owned 2>/dev/null; true") == ""
    assert (pid(council, "h1"), council.sh("h1", "systemctl is-active aware-agent")) == (before, "active")


def test_what_is_stopped_stays_so_for_its_agent_and_through_a_boot(council: HostsLab, tmp_path: Path) -> None:
    running = pid(council, "h3")
    role(council, tmp_path, "h3", "stopped", "--check")
    assert pid(council, "h3") == running
    council.sh("h3", "systemctl stop aware-agent")
    role(council, tmp_path, "h3", "stopped")
    role(council, tmp_path, "h3", "stopped").changed_nothing()
    council.sh("h3", "systemctl start --no-block aware-agent")
    unheard = "journalctl -b -u aware-agent -o cat --no-pager"
    asked = "systemd did not start aware-etcd.service"
    eventually(lambda: asked in council.sh("h3", unheard), "the agent does not say that nobody hears it", WAIT_S)
    assert pid(council, "h3") == 0
    council.kill("h3")
    council.start("h3")
    eventually(lambda: asked in council.sh("h3", unheard), "the agent does not say it after the boot", WAIT_S)
    assert (pid(council, "h3"), council.sh("h3", "systemctl list-units --failed --no-legend 'aware-etcd*'")) == (0, "")
    role(council, tmp_path, "h3", "present")
    council.sh("h3", "systemctl restart --no-block aware-agent")
    eventually(lambda: len(voters(council, "h3")) == HOSTS, "it does not come back", WAIT_S)


def test_one_without_a_seat_stops_it_and_moves_its_data_aside(council: HostsLab) -> None:
    """The agent's own leaving, as when the queen has taken the seat away."""
    council.sh("h3", "systemctl stop aware-agent")
    leave = (
        "import asyncio, pathlib; from aware_agent.agent.member.etcd_unit import EtcdUnit;"
        "asyncio.run(EtcdUnit(pathlib.Path('/var/lib/aware'), production=True, systemd=True).leave())"
    )
    user = ("setpriv", "--reuid=aware", "--regid=aware", "--clear-groups")
    council.on("h3", *user, "/opt/aware/current/bin/python", "-c", leave)
    assert pid(council, "h3") == 0
    assert sorted(council.sh("h3", f"ls {HOME}").split()) == ["data.old", "wanted"]


def test_absent_removes_what_the_role_made_and_nothing_else(council: HostsLab, tmp_path: Path) -> None:
    """On the host whose agent was stopped and has left the council, in the test before."""
    made = f"{HOME} /opt/aware/etcd /etc/systemd/system/aware-etcd* /run/aware-etcd*"
    others = "ls -d /usr/bin/etcd /opt/aware/current; getent passwd etcd aware | cut -d: -f1"
    before = council.sh("h3", f"ls {made}"), council.sh("h3", others)
    role(council, tmp_path, "h3", "absent", "--check")
    assert council.sh("h3", f"ls {made}") == before[0]
    role(council, tmp_path, "h3", "absent")
    assert council.sh("h3", f"ls -d {made}", check=False) == ""
    # The agent's own unit names aware-etcd.service, so systemd may go on knowing that name, and nothing else of it.
    assert council.sh("h3", "systemctl list-unit-files --no-legend 'aware-etcd*'", check=False) == ""
    assert council.sh("h3", "systemctl list-units --all --no-legend --state=loaded,failed,active 'aware-etcd*'") == ""
    assert council.sh("h3", others) == before[1]
    assert before[1].split() == ["/opt/aware/current", "/usr/bin/etcd", "etcd", "aware"]
    role(council, tmp_path, "h3", "absent").changed_nothing()
