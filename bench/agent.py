"""One agent process of a laboratory, and its settings file."""

from __future__ import annotations

import compileall
import functools
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import aware_agent
from bench.measure import children, descendants
from bench.processes import Process, clean_environment

ROOT = Path(aware_agent.__file__).resolve().parent.parent


class Agent(Process):
    """One agent process and its files: ``agent.toml``, ``state/``, ``agent.log`` below ``directory``."""

    def __init__(self, name: str, directory: Path, settings: Mapping[str, Any], *, prefix: Sequence[str] = ()) -> None:
        """``prefix`` is put before its command line, as in :class:`Process`."""
        self.name = name
        self.directory = directory
        self.state_dir = directory / "state"
        self.config = directory / "agent.toml"
        self.settings = dict(settings)
        argv = [sys.executable, "-m", "aware_agent.daemon", "run", "--config", str(self.config)]
        super().__init__(argv, directory / "agent.log", cwd=ROOT, env=clean_environment(), prefix=prefix)
        compile_once()
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.write_settings()

    @property
    def gateway_pid(self) -> int:
        """Of the gateway it started. Raises RuntimeError when none runs at this moment."""
        for pid in children(self.pid):
            if "aware_agent.gateway.process" in Path(f"/proc/{pid}/cmdline").read_text():
                return pid
        raise RuntimeError(f"{self.name} has no gateway")

    @property
    def etcd_pid(self) -> int:
        """Of the etcd it runs. Raises RuntimeError when none runs at this moment."""
        for pid in descendants(self.pid):
            if b"etcd\0--config-file" in Path(f"/proc/{pid}/cmdline").read_bytes():
                return pid
        raise RuntimeError(f"{self.name} runs no etcd")

    @property
    def url(self) -> str:
        """Base URL of its gateway."""
        gateway = self.settings["gateway"]
        return f"https://{self.settings['address']}:{gateway['port']}"

    def write_settings(self, **changes: Any) -> None:
        """Write ``agent.toml`` with ``changes`` (sections are merged); it counts from the next start."""
        for key, value in changes.items():
            old = self.settings.get(key)
            self.settings[key] = {**old, **value} if isinstance(old, dict) and isinstance(value, dict) else value
        self.config.write_text(to_toml(self.settings), encoding="utf-8")


@functools.cache
def compile_once() -> None:
    """Compile the package to bytecode, as every installer does: an agent of a fresh checkout would compile all it loads
    at each start, which costs it as much as everything else. Where nothing can be written, so it stays.
    """
    compileall.compile_dir(Path(aware_agent.__file__).parent, quiet=2)


def to_toml(document: Mapping[str, Any]) -> str:
    """Scalars and lists first, then one section for each mapping; deep enough for an agent's settings."""
    plain = [f"{key} = {json.dumps(value)}" for key, value in document.items() if not isinstance(value, dict)]
    sections = [
        "\n".join([f"\n[{key}]", *(f"{name} = {json.dumps(inner)}" for name, inner in value.items())])
        for key, value in document.items()
        if isinstance(value, dict)
    ]
    return "\n".join([*plain, *sections, ""])
