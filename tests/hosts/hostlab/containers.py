"""The lab's hosts as podman containers that boot systemd."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path

from hostlab import image, network
from hostlab.programs import attempt, birth, run, until
from hostlab.settings import Lab, LabError

LABEL = "aware-hosts"
# SYS_ADMIN: without it systemd silently leaves out ProtectSystem, PrivateTmp and their like.
CAPABILITIES = "SYS_ADMIN,NET_ADMIN,NET_RAW,SYS_NICE,SYS_PTRACE,AUDIT_WRITE,IPC_LOCK"
CGROUPS = Path("/sys/fs/cgroup")


def podman(*words: str, timeout_s: float = 120) -> str:
    """A podman command. Raises LabError."""
    return run("podman", *words, env=image.environment(), timeout_s=timeout_s)


def states(lab: Lab) -> dict[str, str]:
    """Hosts that exist, with podman's word for their state: running, paused, exited, created, ..."""
    listed = podman("ps", "--all", "--filter", f"label={LABEL}={lab.name}", "--format", "json")
    found = {str(each["Labels"]["host"]): str(each["State"]) for each in json.loads(listed or "[]")}
    return dict(sorted(found.items(), key=lambda item: int(item[0][1:])))


def profiles(lab: Lab) -> dict[str, str]:
    """The profile that each host was made with."""
    listed = podman("ps", "--all", "--filter", f"label={LABEL}={lab.name}", "--format", "json")
    return {
        str(each["Labels"]["host"]): str(each["Labels"].get("profile", "plain")) for each in json.loads(listed or "[]")
    }


def labs() -> set[str]:
    """Labs that have hosts."""
    listed = podman("ps", "--all", "--filter", f"label={LABEL}", "--format", "json")
    return {str(each["Labels"][LABEL]) for each in json.loads(listed or "[]")}


def _cgroups() -> list[str]:
    """The host's systemd gets its part of the machine's cgroups.

    With version 1 each controller on its own: given all of /sys/fs/cgroup, it would remount that read-only for the
    whole machine, and with a private namespace all hosts would share the groups at the top.
    """
    if (CGROUPS / "cgroup.controllers").exists():
        return ["--cgroupns=private"]
    there = [CGROUPS / name for name in ("memory", "pids", "cpu", "unified") if (CGROUPS / name).is_dir()]
    return ["--cgroupns=host", *(f"--volume={path}:{path}:rw" for path in there)]


def create(lab: Lab, host: str, name: str, profile: str, hostname: str) -> None:
    """A host from the image ``name``; its network is there."""
    words = (
        *("create", "--name", lab.container(host), "--hostname", hostname),
        *("--label", f"{LABEL}={lab.name}", "--label", f"host={host}", "--label", f"profile={profile}"),
        *("--network", f"ns:/run/netns/{lab.namespace_of(host)}", "--dns=none", "--no-hosts"),
        *("--pidfile", str(lab.pid_file(host)), "--systemd=always", *_cgroups()),
        *("--cap-add", CAPABILITIES, "--security-opt", "seccomp=unconfined", "--stop-timeout", "20"),
        name,
    )
    try:
        podman(*words)
    except LabError as error:
        # A create that was killed may have reserved the name in podman's storage, where no list of podman shows it.
        left = re.search(r"already in use by ([0-9a-f]{12,64})", str(error))
        if left is None:
            raise
        podman("rm", "--force", left[1])
        podman(*words)


def start(lab: Lab, host: str, state: str) -> None:
    """Let it run, whatever it does now."""
    if state == "paused":
        podman("unpause", lab.container(host))
    elif state == "created":
        _start_anew(lab, host)
    elif state != "running":
        podman("start", lab.container(host))


def _start_anew(lab: Lab, host: str) -> None:
    """Start what never ran. A killed start may have got as far as runc, and even be on its way there yet."""
    for attempts_left in (2, 1, 0):
        try:
            podman("start", lab.container(host))
            return
        except LabError as error:
            if not attempts_left or "already exists" not in str(error):
                raise
        _forget(lab, host)


def _forget(lab: Lab, host: str) -> None:
    """Have runc end and forget a container that podman says is not started."""
    known = podman("container", "inspect", "--format", "{{.Id}}", lab.container(host)).strip()
    run("runc", "delete", "--force", known)


def pause(lab: Lab, host: str) -> None:
    """Freeze all its processes. Its kernel still answers pings and opens connections."""
    podman("pause", lab.container(host))


def kill(lab: Lab, host: str) -> None:
    """Power off: the cable first, because the namespace's kernel would go on answering for the dead."""
    network.unplug(lab, host)
    podman("kill", "--signal", "KILL", lab.container(host))
    if not until(lambda: states(lab).get(host) == "exited", 30):
        raise LabError(f"{host} was killed and still runs")


def stop(lab: Lab, host: str) -> None:
    """Shut down in order."""
    podman("stop", lab.container(host))
    network.unplug(lab, host)


def remove(lab: Lab, hosts: Mapping[str, str]) -> None:
    """Away with them and their disks; their states are podman's words."""
    for host, state in hosts.items():
        if state == "created":
            _forget(lab, host)
    if hosts:
        podman("rm", "--force", "--time", "0", "--volumes", *(lab.container(host) for host in hosts))


def _pid(lab: Lab, host: str) -> int:
    """The machine's process id of the host's systemd; 0 when it does not run."""
    try:
        found = int(lab.pid_file(host).read_text())
        # A later process with this number would let us work on the machine itself.
        theirs, ours = Path(f"/proc/{found}/ns/net").stat(), Path("/run/netns", lab.namespace_of(host)).stat()
    except (OSError, ValueError):
        return 0
    same = (theirs.st_dev, theirs.st_ino) == (ours.st_dev, ours.st_ino)
    return found if same and birth(found) is not None else 0


def runs(lab: Lab, host: str) -> bool:
    """Whether its systemd lives, also when it is paused."""
    return _pid(lab, host) != 0


def pid(lab: Lab, host: str) -> int:
    """The machine's process id of the host's systemd. Raises LabError when it does not run."""
    found = _pid(lab, host)
    if not found:
        raise LabError(f"{host} of lab {lab.name} does not run: tests/hosts/lab start {host}")
    return found


def inside(lab: Lab, host: str, *argv: str) -> list[str]:
    """The command line that runs ``argv`` in the host, with no more rights than its root has."""
    leader = pid(lab, host)
    bounds = Path(f"/proc/{leader}/status").read_text().partition("CapBnd:")[2].split()[0]
    kept = ",".join(f"+cap_{bit}" for bit in range(64) if int(bounds, 16) >> bit & 1)
    entering = ["nsenter", "-t", str(leader), "-m", "-u", "-i", "-n", "-p", "--"]
    limits = ["setpriv", f"--bounding-set=-all,{kept}", "--"]
    # nsenter's own --wd is looked up before it enters.
    home = [
        "env",
        "-i",
        "--chdir=/root",
        "HOME=/root",
        "USER=root",
        "LANG=C.UTF-8",
        f"TERM={os.environ.get('TERM', 'dumb')}",
    ]
    path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    return [*entering, *limits, *home, path, *argv]


def health(lab: Lab, host: str) -> str:
    """systemd's word: starting, running, degraded, ...; "" before it answers."""
    try:
        return attempt(inside(lab, host, "systemctl", "is-system-running")).stdout.strip()
    except LabError:
        return ""


def wait(lab: Lab, host: str, limit_s: float = 120) -> None:
    """Until it has booted. Raises LabError when it does not, or when a unit failed."""
    if not until(lambda: health(lab, host) in ("running", "degraded"), limit_s, step_s=0.1):
        raise LabError(f"{host} did not boot within {limit_s:.0f} s: it is {health(lab, host) or 'silent'}")
