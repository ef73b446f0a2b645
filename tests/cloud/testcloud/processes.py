"""Starting, finding and ending the cloud's programs. Works inside the cloud's namespaces, where it sees no others."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from testcloud.services import Service, environment, log_of
from testcloud.settings import CloudError, Settings


def birth(pid: int) -> int | None:
    """When a process began (ticks since boot; tells it from a later namesake), None when it is gone or a zombie."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else int(fields[19])


def record(settings: Settings, name: str) -> Path:
    """The file that says which process a service is."""
    return settings.run / f"{name}.json"


def recorded(settings: Settings, name: str) -> dict[str, object] | None:
    """The record of a service that runs, else None."""
    try:
        known = json.loads(record(settings, name).read_text())
        return known if birth(known["pid"]) == known["birth"] else None
    except (OSError, ValueError, KeyError):
        return None


def configuration(service: Service) -> str:
    """Digest of the programs and configuration files that its command line and environment name."""
    digest = hashlib.sha256()
    for path in map(Path, [*service.argv, *service.env.values()]):
        files = sorted(path.glob("*.conf")) if path.is_dir() else [path]
        for file in [file for file in files if file.suffix in (".conf", ".py") and file.is_file()]:
            digest.update(file.read_bytes())
    return digest.hexdigest()


def start(settings: Settings, service: Service) -> None:
    """Start it unless it runs; one that runs with another command line or configuration is started anew."""
    what = {"argv": service.argv, "env": service.env, "configuration": configuration(service)}
    if known := recorded(settings, service.name):
        if known["what"] == what:
            return
        stop(settings, service.name)
    with log_of(settings, service.name).open("ab") as output:
        process = subprocess.Popen(
            service.argv,
            env={**environment(settings), **service.env},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            cwd=settings.directory / "home",
        )
    draft = record(settings, service.name).with_suffix(".new")
    draft.write_text(json.dumps({"pid": process.pid, "birth": birth(process.pid), "what": what}))
    draft.replace(record(settings, service.name))


def stop(settings: Settings, name: str, limit_s: float = 15) -> bool:
    """End a service and the processes of its session: politely, then not. False when it did not run."""
    known = recorded(settings, name)
    if known is None:
        return False
    pid = int(str(known["pid"]))
    deadline = time.monotonic() + limit_s
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGTERM)
        while group_lives(pid) and time.monotonic() < deadline:
            time.sleep(0.1)
        os.killpg(pid, signal.SIGKILL)
    record(settings, name).unlink(missing_ok=True)
    return True


def group_lives(group: int) -> bool:
    """Whether a process of the group is left that is no zombie."""
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        with contextlib.suppress(OSError):
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
            if fields[2] == str(group) and fields[0] not in "ZX":
                return True
    return False


def answers(port: int) -> bool:
    """Whether something listens on the port."""
    try:
        socket.create_connection(("127.0.0.1", port), 2).close()
    except OSError:
        return False
    return True


def wait(settings: Settings, service: Service, limit_s: float = 180) -> None:
    """Until its port answers."""
    port = service.port
    if port is not None:
        until(settings, service.name, lambda: answers(port), f"does not listen on port {port}", limit_s)


def until(settings: Settings, name: str, done: Callable[[], bool], otherwise: str, limit_s: float = 180) -> None:
    """Wait for a service to get somewhere. Raises CloudError, with its last words, when it ends or takes too long."""
    deadline = time.monotonic() + limit_s
    while not done():
        if recorded(settings, name) is None:
            raise CloudError(f"{name} ended by itself\n{last_words(settings, name)}")
        if time.monotonic() > deadline:
            raise CloudError(f"{name} {otherwise} after {limit_s:.0f} s\n{last_words(settings, name)}")
        time.sleep(0.1)


def last_words(settings: Settings, name: str, lines: int = 8) -> str:
    """The end of what a program wrote, and where to read the rest."""
    path = log_of(settings, name)
    try:
        text = path.read_text(errors="replace").splitlines()[-lines:]
    except OSError:
        text = []
    return "\n".join([*(f"    {line}" for line in text), f"    (more in {settings.log})"])


def run_all(settings: Settings) -> dict[str, int]:
    """Services that run, with their process ids inside the namespaces."""
    found = {}
    for path in sorted(settings.run.glob("*.json")):
        if known := recorded(settings, path.stem):
            found[path.stem] = int(str(known["pid"]))
    return found
