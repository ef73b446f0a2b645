"""The lab itself: what tests of roles and colonies take for granted."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import re
import signal
import subprocess
import threading
from pathlib import Path

import pytest
from hosts_support import PROGRAM, HostsLab, run_lab, running_lab

from tests.patience import eventually

pytestmark = pytest.mark.hosts

# Listens until the word arrives, or a minute.
LISTEN = """
import socket, sys
heard = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
heard.bind(("", 20100)); heard.settimeout(60)
open("/run/listening", "w").close()
print(heard.recvfrom(100)[0].decode())
"""
SHOUT = """
import socket, sys
shout = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
shout.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
shout.sendto(sys.argv[1].encode(), (sys.argv[2], 20100))
"""


def traces(name: str) -> list[str]:
    """What a lab leaves behind: namespaces, processes, containers, files."""
    found = [path.name for path in Path("/run/netns").glob(f"aware-hosts.{name}*")]
    found += [str(path) for path in Path("/run/aware-hosts/labs").glob(name)]
    listed = subprocess.run(["ps", "-eo", "stat=,args="], capture_output=True, text=True, check=True).stdout
    found += [line for line in listed.splitlines() if f"aware-hosts.{name}." in line and not line.startswith("Z")]
    return found + [line for line in run_lab(name, "list").stdout.split() if line == name]


def interfaces() -> str:
    """The machine's own network."""
    return subprocess.run(["ip", "-o", "-br", "link"], capture_output=True, text=True, check=True).stdout


def test_three_hosts_boot_without_a_failed_unit(lab: HostsLab) -> None:
    assert re.findall(r"^(\S+)\s+(\S+)\s+(\S+)$", lab.lab("status"), re.MULTILINE) == [
        (host, lab.address(host), "running") for host in ("h1", "h2", "h3")
    ]
    assert len({lab.sh(host, "cat /etc/machine-id") for host in lab.hosts}) == 3
    assert lab.sh("h1", "systemctl is-enabled etcd haproxy keepalived", check=False).split() == ["disabled"] * 3
    assert lab.sh("h1", "ls -A /var/lib/etcd") == ""


def test_a_unit_is_held_in_its_sandbox(lab: HostsLab) -> None:
    sandbox = ("systemd-run", "--quiet", "--wait", "--pipe", "--collect", "-p", "ProtectSystem=strict")
    assert "Read-only file system" in lab.on("h1", *sandbox, "touch", "/usr/lab", check=False).stderr
    assert lab.on("h1", *sandbox, "-p", "PrivateTmp=yes", "ls", "-A", "/tmp").stdout == ""
    assert lab.on("h1", "sysctl", "-w", "kernel.panic=1", check=False).returncode != 0, "the machine's, not the host's"
    assert lab.on("h1", "sysctl", "-w", "net.ipv4.ip_nonlocal_bind=0").returncode == 0


@pytest.mark.parametrize("target", ["255.255.255.255", "10.77.0.255"])
def test_a_broadcast_reaches_all_others(lab: HostsLab, target: str) -> None:
    heard: dict[str, str] = {}

    def listen(host: str) -> None:
        heard[host] = lab.on(host, "python3", "-c", LISTEN, check=False, timeout_s=90).stdout.strip()

    for host in ("h2", "h3"):
        lab.sh(host, "rm -f /run/listening")
    threads = [threading.Thread(target=listen, args=(host,)) for host in ("h2", "h3")]
    for thread in threads:
        thread.start()
    for host in ("h2", "h3"):
        eventually(lambda host=host: lab.sh(host, "ls /run/listening", check=False), f"{host} does not listen")
    lab.on("h1", "python3", "-c", SHOUT, "hear me", target)
    for thread in threads:
        thread.join()
    assert heard == {"h2": "hear me", "h3": "hear me"}


def test_a_cut_separates_exactly_one_pair(lab: HostsLab) -> None:
    pairs = list(itertools.permutations(lab.hosts, 2))
    with lab.cut("h1", "h2"):
        assert {pair for pair in pairs if not lab.reaches(*pair)} == {("h1", "h2"), ("h2", "h1")}
        assert lab.lab("impair", "show") == "cut   h1 h2\n"
        with lab.cut("controller", "h3"):
            assert not lab.reaches("h3", "controller")
            assert lab.reaches("h1", "controller")
    assert all(lab.reaches(*pair) for pair in [*pairs, ("h3", "controller")])


def test_a_pulled_cable_has_no_carrier_and_comes_back_with_its_route(lab: HostsLab) -> None:
    with lab.unplugged("h3"):
        assert lab.sh("h3", "cat /sys/class/net/eth0/operstate || ip -br link show eth0").find("UP") < 0
        assert not lab.reaches("h1", "h3")
        assert lab.reaches("h1", "h2")
    assert lab.reaches("h1", "h3")
    assert "default via 10.77.0.1" in lab.sh("h3", "ip route")


def test_a_slow_line_delays_both_ways_and_respects_cuts(lab: HostsLab) -> None:
    def fastest_ms(host: str) -> float:
        said = lab.on(host, "ping", "-q", "-c", "5", "-i", "0.2", "-W", "5", "10.77.0.12").stdout
        return float(re.search(r"rtt [^=]*= ([\d.]+)/", said).group(1))  # type: ignore[union-attr]

    with lab.slow("h1", delay=100):
        assert fastest_ms("h1") >= 200, "100 ms each way"
        with lab.cut("h1", "h2"):
            assert not lab.reaches("h1", "h2")
            assert lab.reaches("h1", "h3")
    with lab.slow("h1", loss=100):
        assert not lab.reaches("h1", "h2")
    assert lab.reaches("h1", "h2")


def test_a_killed_host_is_silent_and_keeps_its_disk(lab: HostsLab) -> None:
    lab.sh("h2", "echo kept >/var/lib/kept; sync")
    booted = lab.sh("h2", "stat -c %Y /run/systemd")
    lab.kill("h2")
    assert not lab.reaches("h1", "h2"), "its kernel's network must not answer for it"
    assert lab.on("h2", "true", check=False).returncode == 1
    lab.kill("h2")
    lab.start("h2")
    assert lab.sh("h2", "cat /var/lib/kept") == "kept"
    assert lab.sh("h2", "stat -c %Y /run/systemd") >= booted
    assert lab.reaches("h1", "h2")


def test_a_paused_host_answers_pings_but_does_nothing(lab: HostsLab) -> None:
    lab.on("h3", "systemd-run", "--unit=tick", "sh", "-c", "while :; do date +%s%N >/run/tick; sleep 0.1; done")
    eventually(lambda: lab.sh("h3", "cat /run/tick", check=False), "h3 does not tick")
    with lab.paused("h3"):
        ticks = {lab.sh("h3", "cat /run/tick") for _ in range(5)}
        assert lab.reaches("h1", "h3")
        assert len(ticks) == 1, "a process that enters the host runs; the host's own are frozen"
    last = ticks.pop()
    eventually(lambda: lab.sh("h3", "cat /run/tick") != last, "h3 does not tick again")


PLAY = """
- hosts: all
  tasks:
    - name: Who the login makes of us
      ansible.builtin.command: id -un
      become: true
      register: me
      changed_when: false
    - ansible.builtin.copy:
        dest: /etc/lab-play
        content: "{{ me.stdout }} {{ ansible_facts.service_mgr }}"
        mode: "0644"
      become: true
    - name: Each works on another host
      ansible.builtin.copy: {dest: /etc/lab-guest, content: "{{ inventory_hostname }}", mode: "0644"}
      become: true
      delegate_to: "{{ {'h1': 'h2', 'h2': 'h3', 'h3': 'h1'}[inventory_hostname] }}"
- hosts: localhost
  gather_facts: false
  tasks:
    - ansible.builtin.wait_for: {host: "{{ hostvars.h1.ansible_host }}", port: 22, timeout: 10}
"""


@pytest.mark.parametrize("ssh", [False, True], ids=["nsenter", "ssh"])
def test_ansible_changes_the_hosts_once(lab: HostsLab, tmp_path: Path, ssh: bool) -> None:
    (tmp_path / "play.yml").write_text(PLAY)
    for host in lab.hosts:
        lab.sh(host, "rm -f /etc/lab-play /etc/lab-guest")
    first = lab.play(tmp_path / "play.yml", ssh=ssh).succeeded()
    assert first.counts("changed") == {"h1": 2, "h2": 2, "h3": 2}
    lab.play(tmp_path / "play.yml", ssh=ssh).changed_nothing()
    assert {lab.sh(host, "cat /etc/lab-play") for host in lab.hosts} == {"root systemd"}
    assert [lab.sh(host, "cat /etc/lab-guest") for host in lab.hosts] == ["h3", "h1", "h2"]


def test_two_labs_do_not_meet_and_nothing_is_left(lab: HostsLab) -> None:
    name, before = f"{lab.name}-b", interfaces()
    with running_lab(name, 2) as other:
        # Ansible keeps a connection for each address, and both labs have the same addresses.
        reaches = [json.loads((one.directory / "ssh.yml").read_text())["all"]["vars"] for one in (lab, other)]
        paths = [reach["ansible_control_path_dir"] for reach in reaches]
        assert paths == [str(one.directory / "ssh") for one in (lab, other)]
        other.sh("h1", "echo other >/etc/lab-name")
        other.lab("up", "--count=1")
        assert [line.split()[0] for line in other.lab("status").splitlines()] == ["h1"]
        assert other.sh("h1", "cat /etc/lab-name") == "other", "a second up left the host alone"
        assert lab.sh("h1", "cat /etc/lab-name", check=False) == ""
        other.lab("impair", "delay", "h1", "--delay=10")
        assert traces(name) != []
    assert traces(name) == []
    assert interfaces() == before
    assert lab.lab("status").count("running") == 3


def known_to_runc() -> set[str]:
    return set(subprocess.run(["runc", "list", "--quiet"], capture_output=True, text=True, check=True).stdout.split())


@pytest.mark.parametrize("after_s", [0.2, 0.35, 0.45, 0.55, 0.65, 0.9, 1.5])
def test_an_up_that_was_killed_is_finished_by_the_next(lab: HostsLab, after_s: float) -> None:
    name = f"{lab.name}-killed"
    before = known_to_runc()
    words = [PROGRAM, "up", "--count=2", f"--name={name}"]
    try:
        # With podman and whatever else it just ran.
        first = subprocess.Popen(words, stdout=subprocess.DEVNULL, start_new_session=True)
        with contextlib.suppress(subprocess.TimeoutExpired):
            first.wait(after_s)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(first.pid, signal.SIGKILL)
        first.wait()
        run_lab(name, "up", "--count=2")
        assert run_lab(name, "status").stdout.count("running") == 2
    finally:
        run_lab(name, "down")
    assert traces(name) == []
    assert known_to_runc() == before


def test_words_that_mean_nothing_get_one_line(hosts_possible: None) -> None:
    for words in (["up", "--count=101"], ["up", "--name=Big.Lab"], ["status", "--name=no-such-lab"]):
        done = run_lab("lab", *words, check=False)
        assert done.returncode == 1
        assert re.fullmatch(r"error: .+\n", done.stderr), done.stderr


def test_a_process_id_that_was_given_away_is_not_entered(lab: HostsLab) -> None:
    pid_file = lab.directory / "h1.pid"
    kept = pid_file.read_text()
    try:
        pid_file.write_text(str(os.getpid()))
        assert "does not run" in lab.on("h1", "true", check=False).stderr
    finally:
        pid_file.write_text(kept)
