"""Bad days do what they say, to units that run in a sandbox, and are over when they are over."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hostile_support import full_disk, jump, no_internet, read_only, small_disk, wrong_clock
from hosts_support import HostsLab

from tests.patience import eventually

HOSTS = 1
pytestmark = pytest.mark.hosts

STATE = "/var/lib/diary"
# Hardened as the agent's unit is. Writes a line five times a second: wall clock, monotonic clock; or why it could not.
UNIT = """
[Service]
User=nobody
StateDirectory=diary
ProtectSystem=strict
PrivateTmp=yes
PrivateDevices=yes
NoNewPrivileges=yes
MemoryDenyWriteExecute=yes
RuntimeDirectory=diary
ExecStart=/usr/bin/python3 -u /usr/local/bin/diary
"""
PROGRAM = f"""
import os, time
while True:
    try:
        with open("{STATE}/draft", "w") as draft:
            draft.write("x" * 5000)
        os.replace("{STATE}/draft", "{STATE}/page")
        line = "fine"
    except OSError as error:
        line = type(error).__name__ + str(error.errno)
    with open("/run/diary/new", "w") as out:
        print(line, time.time(), time.monotonic(), file=out)
    os.replace("/run/diary/new", "/run/diary/now")
    time.sleep(0.2)
"""


@pytest.fixture
def diary(lab: HostsLab) -> Iterator[HostsLab]:
    """The lab, whose h1 runs the unit on the host's own disk."""
    lab.on("h1", "tee", "/usr/local/bin/diary", stdin=PROGRAM)
    lab.on("h1", "tee", "/run/systemd/system/diary.service", stdin=UNIT)
    lab.sh("h1", "systemctl daemon-reload && systemctl restart diary")
    says(lab, "fine")
    yield lab
    lab.sh("h1", f"systemctl stop diary; umount -q {STATE}; rm -rf {STATE}/* /run/systemd/system/diary.service")


def last(lab: HostsLab) -> list[str]:
    """What the unit said last: word, wall clock, monotonic clock; nothing while it starts."""
    return lab.sh("h1", "cat /run/diary/now", check=False).split()


def says(lab: HostsLab, word: str) -> None:
    """Wait until the unit says it."""
    eventually(lambda: last(lab)[:1] == [word], f"the unit does not say {word}")


def ahead_s(lab: HostsLab) -> float:
    """By how much the unit's wall clock is ahead of the host's."""
    lab.sh("h1", "rm -f /run/diary/now")
    said = eventually(lambda: last(lab), "the unit is silent")
    return float(said[1]) - float(lab.sh("h1", "date +%s.%N"))


def test_a_read_only_path_is_so_for_a_running_unit_too(diary: HostsLab) -> None:
    with read_only(diary, "h1", STATE, "diary"):
        says(diary, "OSError30")
        assert diary.on("h1", "touch", f"{STATE}/mine", check=False).returncode == 1
        assert diary.sh("h1", f"wc -c <{STATE}/page") == "5000"
    says(diary, "fine")
    diary.on("h1", "touch", f"{STATE}/mine")
    assert diary.sh("h1", "grep -c lab /proc/mounts; grep -c diary /proc/mounts", check=False) == "0\n0"


def test_a_read_only_path_whose_unit_ends_meanwhile(diary: HostsLab) -> None:
    with read_only(diary, "h1", STATE, "diary"):
        diary.on("h1", "systemctl", "restart", "diary")
        says(diary, "OSError30")
    diary.on("h1", "systemctl", "restart", "diary")
    says(diary, "fine")


def test_a_disk_runs_full_under_a_unit_and_is_freed(diary: HostsLab) -> None:
    diary.sh("h1", f"echo kept >{STATE}/kept")
    small_disk(diary, "h1", STATE, 8, "diary")
    says(diary, "fine")
    assert diary.sh("h1", f"cat {STATE}/kept; stat -c %U {STATE}/") == "kept\nnobody"
    with full_disk(diary, "h1", STATE):
        says(diary, "OSError28")
    says(diary, "fine")


def test_the_machines_disk_is_never_filled(diary: HostsLab) -> None:
    with pytest.raises(AssertionError, match="call small_disk first"), full_disk(diary, "h1", STATE):
        pass


def test_a_clock_is_wrong_for_one_unit_only_and_jumps_while_it_runs(diary: HostsLab) -> None:
    with wrong_clock(diary, "h1", "diary", 3600):
        assert ahead_s(diary) > 3000
        pid = diary.sh("h1", "systemctl show -p MainPID --value diary")
        jump(diary, "h1", -3600)
        eventually(lambda: ahead_s(diary) < -3000, "the clock did not jump")
        jump(diary, "h1", 0)
        eventually(lambda: abs(ahead_s(diary)) < 600, "the clock did not jump back")
        assert diary.sh("h1", "systemctl show -p MainPID --value diary") == pid
        monotonic, uptime = float(last(diary)[2]), float(diary.sh("h1", "cut -d' ' -f1 /proc/uptime"))
        assert abs(monotonic - uptime) < 600, "the monotonic clock is left alone"
    assert abs(ahead_s(diary)) < 600
    assert diary.sh("h1", "systemctl show -p Environment --value diary") == ""


def test_no_internet_is_silent_or_says_so_at_once(lab: HostsLab) -> None:
    fetch = ("curl", "--silent", "--show-error", "--connect-timeout", "3", "http://192.0.2.1/")
    with no_internet(lab, "h1", "silent"):
        assert lab.on("h1", *fetch, check=False).returncode == 28, "a time-out"
        assert lab.reaches("h1", "controller")
    with no_internet(lab, "h1", "no-route"):
        refused = lab.on("h1", *fetch, check=False)
        assert refused.returncode == 7
        assert "after 0 ms" in refused.stderr or "unreachable" in refused.stderr.lower(), refused.stderr
        assert lab.reaches("h1", "controller")
    assert lab.sh("h1", "cat /etc/resolv.conf; ip route show default") == (
        "nameserver 10.77.0.1\ndefault via 10.77.0.1 dev eth0"
    )
