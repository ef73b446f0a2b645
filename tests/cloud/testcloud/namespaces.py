"""The namespaces of the cloud, and process 1 in them (programs/holder.py).

No file says which process that is: it is found by its command line, so no stale file can mislead after a crash.
"""

from __future__ import annotations

import json
import os
import selectors
import signal
import subprocess
import time
from pathlib import Path

from testcloud.settings import HERE, CloudError, Settings

PYTHON = "/usr/bin/python3"
NAME = "aware-cloud-holder"
ALL = ("--mount", "--net", "--pid", "--uts", "--ipc")


def processes(directory: Path) -> list[int]:
    """Process ids of the holder of ``directory`` and of the ``unshare`` that started it."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            words = (entry / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue  # gone meanwhile
        if NAME.encode() in words and words[words.index(NAME.encode()) + 1 :][:1] == [os.fsencode(directory)]:
            found.append(int(entry.name))
    return found


def named(pid: int) -> str:
    """The process name, "" when it is gone."""
    try:
        return (Path("/proc") / str(pid) / "comm").read_text().strip()
    except OSError:
        return ""


def find(directory: Path) -> int | None:
    """The holder of a cloud whose namespaces are complete, else None."""
    return next((pid for pid in processes(directory) if named(pid) == "aware-cloud"), None)


def start(settings: Settings) -> int:
    """The holder that runs, or a new one. Raises CloudError."""
    if pid := find(settings.directory):
        return pid
    end(settings.directory)  # one whose starter was killed and which never got ready
    told = json.dumps(
        {name: getattr(settings, name) for name in ("hostname", "ip", "gateway", "flat_outer", "flat_inner")}
    )
    holder = [PYTHON, "-I", str(HERE / "programs" / "holder.py"), NAME, str(settings.directory), told]
    new = ["--net", "--mount", "--pid", "--uts", "--ipc", "--fork", "--mount-proc", "--propagation", "private"]
    reading, writing = os.pipe()
    # setsid lets go of it: no child of ours, no terminal, no signal meant for us.
    argv = ["setsid", "--fork", "unshare", *new, *holder]
    subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=writing, stderr=writing, cwd="/", check=True)
    os.close(writing)
    said = first_words(reading)
    os.close(reading)
    pid = find(settings.directory) if said == "ready" else None
    if pid is None:
        end(settings.directory)
        reason = said or "it said nothing for 30 s"
        raise CloudError(
            f"namespaces cannot be made (root with CAP_SYS_ADMIN is needed; containers: privileged): {reason}"
        )
    return pid


def first_words(descriptor: int, limit_s: float = 30) -> str:
    """What the holder says before it goes quiet: "ready", or its last words."""
    text = b""
    deadline = time.monotonic() + limit_s
    with selectors.DefaultSelector() as selector:
        selector.register(descriptor, selectors.EVENT_READ)
        while time.monotonic() < deadline and selector.select(deadline - time.monotonic()):
            piece = os.read(descriptor, 4096)
            text += piece
            if not piece or text.strip() == b"ready":
                break
    return text.decode(errors="replace").strip()[-500:]


def end(directory: Path, limit_s: float = 30) -> bool:
    """Kill process 1; the kernel ends everything else. True when something ran. Raises CloudError when it stays."""
    ran = False
    deadline = time.monotonic() + limit_s
    while pids := processes(directory):
        if 1 in pids:
            raise CloudError("this is the inside of the cloud; end it from outside")
        ran = True
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        if time.monotonic() > deadline:
            raise CloudError(f"processes {pids} of the cloud in {directory} do not end")
        time.sleep(0.05)
    return ran


def visitors(directory: Path) -> list[int]:
    """Commands that ``enter`` started and that still use the network of a running cloud; they are not ours to end."""
    pid = find(directory)
    if pid is None:
        return []
    own = {*processes(directory), os.getpid()}
    mine = {kind: os.readlink(f"/proc/{pid}/ns/{kind}") for kind in ("net", "pid")}
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            theirs = {kind: os.readlink(entry / "ns" / kind) for kind in mine}
        except OSError:
            continue
        if theirs["net"] == mine["net"] and theirs["pid"] != mine["pid"] and int(entry.name) not in own:
            found.append(int(entry.name))
    return sorted(found)


def entering(pid: int, *, only_network: bool) -> list[str]:
    """The start of a command line that runs the rest in the namespaces of the holder ``pid``.

    Network only: files, /proc and process ids stay the caller's, and killing the command kills just that.
    """
    chosen = ("--net",) if only_network else ALL
    return ["nsenter", "--target", str(pid), *chosen, "--"]
