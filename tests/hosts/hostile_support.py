"""Hosts as they are on a bad day: paths that cannot be written, full disks, wrong clocks, no internet.

What is done here is seen by units that run: a unit has mounts of its own (ProtectSystem and its like), so mounts are
made there too. Nothing of it survives a kill or stop of the host.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from hosts_support import HostsLab

from tests.patience import eventually

# faketime reads it at each look at the clock, so the clock can jump under a running process.
CLOCK = "/run/lab-clock"


def _spaces(lab: HostsLab, host: str, units: tuple[str, ...]) -> list[str]:
    """Words that enter each mount namespace that matters: the host's, then those of the units that run."""
    pids = [lab.sh(host, f"systemctl show --property MainPID --value {unit}") for unit in units]
    return ["", *(f"nsenter --target {pid} --mount -- " for pid in pids if pid not in ("", "0"))]


@contextmanager
def read_only(lab: HostsLab, host: str, path: str, *units: str) -> Iterator[None]:
    """``path`` can be read but not written: by new processes, and by ``units`` as they run."""
    spaces = _spaces(lab, host, units)
    done = []
    try:
        for space in spaces:
            lab.sh(host, f"{space}mount --bind {path} {path}")
            done.append(space)
            # The kernel refuses while somebody has a file open for writing just then ("mount point is busy").
            tries = f"for n in $(seq 50); do {space}mount -o remount,bind,ro {path} && exit 0; sleep 0.1; done; exit 1"
            lab.sh(host, tries)
        yield
    finally:
        for space in reversed(done):
            # A unit that ended took its mounts along.
            lab.sh(host, f"{space}umount --lazy {path}", check=not space)


def small_disk(lab: HostsLab, host: str, path: str, megabytes: int, *units: str) -> None:
    """Put ``path``, with what is in it, on a file system of its own. ``units`` that run are restarted around it.

    It can be a directory that does not exist yet: then root owns it, until a unit's StateDirectory= takes it.
    """
    running = [
        unit for unit in units if lab.on(host, "systemctl", "is-active", "-q", unit, check=False).returncode == 0
    ]
    if running:
        lab.on(host, "systemctl", "stop", *running)
    lab.sh(
        host,
        f"set -e; mkdir -p {path} /run/lab-disk; mount -t tmpfs -o size={megabytes}m,mode=755 lab-disk /run/lab-disk; "
        f"cp --archive {path}/. /run/lab-disk/; chown --reference={path} /run/lab-disk; "
        f"chmod --reference={path} /run/lab-disk; mount --move /run/lab-disk {path} 2>/dev/null || "
        f"{{ mount --bind /run/lab-disk {path}; umount /run/lab-disk; }}; rmdir /run/lab-disk",
    )
    if running:
        lab.on(host, "systemctl", "start", *running)


@contextmanager
def full_disk(lab: HostsLab, host: str, path: str) -> Iterator[None]:
    """No byte is free below ``path``, which ``small_disk`` made: it would fill the machine's disk otherwise."""
    kind = lab.sh(host, f"stat --file-system --format %T {path}")
    assert kind == "tmpfs", f"{path} is on {kind}, the machine's disk: call small_disk first"
    ballast = f"{path}/.lab-ballast"
    # Again and again: what a process removes in the meantime must not give it room.
    fill = f"while :; do cat /dev/zero >>{ballast}; sleep 0.05; done"
    lab.on(host, "systemd-run", "--quiet", "--collect", "--unit=lab-ballast", "sh", "-c", fill)
    try:
        free = f"test $(stat --file-system --format %f {path}) = 0"
        eventually(lambda: lab.on(host, "sh", "-c", free, check=False).returncode == 0, f"{path} does not fill")
        yield
    finally:
        lab.sh(host, f"systemctl stop lab-ballast; rm -f {ballast}")


def jump(lab: HostsLab, host: str, offset_s: float) -> None:
    """Set how far the clocks of units under ``wrong_clock`` are off, while they run; 0 is right."""
    # Renamed into place: faketime would read half a line.
    lab.sh(host, f"echo '{offset_s:+g}' >{CLOCK}.new && chmod 644 {CLOCK}.new && mv {CLOCK}.new {CLOCK}")


@contextmanager
def wrong_clock(lab: HostsLab, host: str, unit: str, offset_s: float) -> Iterator[None]:
    """The wall clock of ``unit`` is off by ``offset_s``; it is restarted for that, and again at the end when it runs.

    By preloading libfaketime, as the kernel has no wall clock of a host's own. The monotonic clock is right. Programs
    that do not ask the C library see the true time: etcd, and anything else in Go.
    """
    library = lab.sh(host, "dpkg -L libfaketime | grep -m 1 '/libfaketime.so.1$'")
    lines = [
        "[Service]",
        f"Environment=LD_PRELOAD={library} FAKETIME_TIMESTAMP_FILE={CLOCK} FAKETIME_NO_CACHE=1",
        "Environment=FAKETIME_DONT_FAKE_MONOTONIC=1 FAKETIME_DONT_RESET=1",
    ]
    directory = f"/run/systemd/system/{unit.removesuffix('.service')}.service.d"
    jump(lab, host, offset_s)
    lab.sh(host, f"mkdir -p {directory} && printf '%s\\n' '{chr(10).join(lines)}' >{directory}/lab-clock.conf")
    try:
        lab.sh(host, f"systemctl daemon-reload && systemctl try-restart {unit}")
        yield
    finally:
        lab.sh(
            host, f"rm -f {directory}/lab-clock.conf {CLOCK}; rmdir {directory} 2>/dev/null; systemctl daemon-reload"
        )
        lab.sh(host, f"systemctl try-restart {unit}")


@contextmanager
def no_internet(lab: HostsLab, host: str, how: str = "silent") -> Iterator[None]:
    """Nothing but the lab's own network can be reached; hosts never have more, this is about how it fails.

    ``silent``: packets and look-ups vanish, as behind a firewall that drops; what waits for an answer waits long.
    ``no-route``: there is no way, and every attempt fails at once.
    """
    assert how in ("silent", "no-route")
    if how == "no-route":
        lab.sh(host, "ip route del default")
    # An address kept for documentation (RFC 5737): nobody answers.
    lab.sh(host, "cp /etc/resolv.conf /run/lab-resolv.conf; echo nameserver 192.0.2.53 >/etc/resolv.conf")
    try:
        yield
    finally:
        lab.sh(host, "cat /run/lab-resolv.conf >/etc/resolv.conf; ip route replace default via 10.77.0.1")
