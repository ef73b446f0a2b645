"""Playbooks on the queen, by a fixed table: a caller chooses an operation and nothing else.

ansible-runner runs in a process of its own, in a directory of its own (0700) that is removed afterwards. That process
ends its playbook when its standard input is closed: by us when the reign ends, by the kernel when we die. What nodes
say of themselves reaches Ansible only as ``{"__ansible_unsafe": ...}``, never as a template.
"""

from __future__ import annotations

import asyncio
import importlib.util
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType
from typing import Any

import msgspec

from aware_agent.colony.decoding import UNDECODABLE, from_json
from aware_agent.colony.errors import AwareError
from aware_agent.colony.hook import Operation
from aware_agent.colony.inventory import host_names
from aware_agent.colony.node import Status
from aware_agent.colony.urls import gateway_url
from aware_agent.colony.view import ColonyView
from aware_agent.queen import child
from aware_agent.security.files import PUBLIC_MODE, make_directory, write_atomic

PLAYBOOKS = MappingProxyType({Operation.JOIN: "verify.yml", Operation.VERIFY: "verify.yml"})
RUN_S = 600.0  # a playbook may take so long
IDLE_S = 120.0  # and be silent so long
END_S = 10.0  # a cancelled one gets so long to end by itself
MAX_ANSWER = 64 * 1024
_HERE = Path(__file__).resolve().parent / "playbooks"
_ENVIRONMENT = ("LANG", "LC_ALL", "PATH", "TMPDIR", "TZ")


class RunnerMissing(AwareError):
    """The operation needs a playbook, and this node has no ansible-runner."""

    code = "runner-missing"
    exit_code = 10
    status = 501


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """How an order went, in one sentence."""

    ok: bool
    message: str


def require_runner(operation: Operation) -> None:
    """Raise :class:`RunnerMissing` unless this node can carry out ``operation``."""
    if operation in PLAYBOOKS and importlib.util.find_spec("ansible_runner") is None:
        raise RunnerMissing(
            f"{operation} runs a playbook, and the queen's node has no ansible-runner",
            hint="pip install 'aware-agent[runner]' on every node that may reign",
        )


class PlaybookRunner:
    """Runs one playbook at a time below ``directory``. ``ca_pem`` tells which CAs are believed now."""

    def __init__(self, directory: Path, ca_pem: Callable[[], bytes]) -> None:
        self._directory = directory
        self._ca_pem = ca_pem

    async def run(self, operation: Operation, view: ColonyView) -> Outcome:
        """Run the operation's playbook against the living nodes of ``view``. Cancelling it ends the playbook."""
        require_runner(operation)
        make_directory(self._directory)
        await asyncio.to_thread(_sweep, self._directory)
        private = Path(tempfile.mkdtemp(prefix="run-", dir=self._directory))  # 0700
        try:
            await asyncio.to_thread(_furnish, private, PLAYBOOKS[operation], hosts(view), self._ca_pem())
            return await _play(private)
        finally:
            await asyncio.shield(asyncio.to_thread(shutil.rmtree, private, ignore_errors=True))


def hosts(view: ColonyView) -> dict[str, dict[str, Any]]:
    """Living nodes by inventory name, with the one variable the playbooks read."""
    names = host_names(view.nodes)
    return {
        names[node.id]: {"aware_url": unsafe(node.url)}
        for node in view.nodes
        if node.status not in (Status.DEAD, Status.LEFT) and gateway_url(node.url)
    }


def unsafe(text: str) -> dict[str, str]:
    """``text`` for Ansible's JSON: a string that is never a template."""
    return {"__ansible_unsafe": text}


def _furnish(private: Path, playbook: str, inventory: dict[str, dict[str, Any]], ca_pem: bytes) -> None:
    """The directory as ansible-runner wants it."""
    for name in ("project", "inventory"):
        (private / name).mkdir(mode=0o700)
    write_atomic(private / "ca.crt", ca_pem, PUBLIC_MODE)
    write_atomic(private / "project" / playbook, (_HERE / playbook).read_bytes())
    write_atomic(private / "project" / "ansible.cfg", b"[defaults]\nretry_files_enabled = False\n")
    common = {"aware_ca": unsafe(str(private / "ca.crt"))}
    write_atomic(
        private / "inventory" / "hosts.json", msgspec.json.encode({"all": {"hosts": inventory, "vars": common}})
    )
    job = {"playbook": playbook, "job_timeout": RUN_S, "idle_timeout": IDLE_S}
    write_atomic(private / "job.json", msgspec.json.encode(job))


async def _play(private: Path) -> Outcome:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "aware_agent.queen.runner_process",
        str(private),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        cwd=private,
        env=_environment(private),
        start_new_session=True,
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(RUN_S + END_S):
            answer = await _read(process.stdout)
            await process.wait()
        return from_json(answer, Outcome)
    except TimeoutError:
        return Outcome(ok=False, message=f"the playbook took longer than {RUN_S:.0f} s")
    except UNDECODABLE:
        return Outcome(ok=False, message="ansible-runner ended without an answer")
    finally:
        await child.end(process, END_S)


async def _read(stream: asyncio.StreamReader) -> bytes:
    """All of it, up to a bound."""
    answer = bytearray()
    while chunk := await stream.read(8192):
        answer += chunk[: MAX_ANSWER - len(answer)]
    return bytes(answer)


def _environment(private: Path) -> dict[str, str]:
    """Nothing of ours that could steer Ansible: no AWARE_*, no ANSIBLE_*, no home with settings."""
    kept = {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ}
    path = os.pathsep.join((str(Path(sys.executable).parent), kept.get("PATH", os.defpath)))
    config = str(private / "project" / "ansible.cfg")
    return {**kept, "PATH": path, "HOME": str(private), "ANSIBLE_CONFIG": config}


def _sweep(directory: Path) -> None:
    """Remove what a killed agent left; nothing that runs is that old."""
    for entry in directory.glob("run-*"):
        with suppress(OSError):
            if time.time() - entry.stat().st_mtime > 2 * RUN_S:
                shutil.rmtree(entry, ignore_errors=True)
