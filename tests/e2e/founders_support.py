"""Founders as real agents on loopback: processes, etcd, beacons."""

from __future__ import annotations

import json
import os
import signal
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from aware_agent.ports import free_ports
from aware_agent.security.founding_key import make_founding_key

LONG_S = 180.0


class Agent:
    """One founder: its settings, its process, its log."""

    def __init__(
        self, root: Path, number: int, key: str, size: int, ports: list[int], beacon_port: int, more: str = ""
    ) -> None:
        self.name = f"f{number}"
        self.directory = root / self.name
        self.directory.mkdir()
        self.key_file = self.directory / "founding.key"
        self.key_file.write_text(key)
        self.key_file.chmod(0o600)
        self.state = self.directory / "state"
        self.log = self.directory / "agent.log"
        self.url = f"https://127.0.0.1:{ports[0]}"
        self.config = self.directory / "agent.toml"
        self.config.write_text(
            f"""
colony = "found"
name = "{self.name}"
address = "127.0.0.1"
state_dir = "{self.state}"
founding_key_file = "{self.key_file}"
[gateway]
port = {ports[0]}
[channel]
port = {ports[1]}
[council]
size = {size}
client_port = {ports[2]}
peer_port = {ports[3]}
{more}
[discovery]
port = {beacon_port}
find_timeout_s = 20.0
[store]
production = false
startup_timeout_s = 60.0
[log]
format = "text"
"""
        )
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        if self.process is not None and self.process.poll() is None:
            return
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "aware_agent.daemon", "run", "--config", str(self.config)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, "AWARE_TOKEN": ""},
            )

    def kill(self) -> None:
        """kill -9; its etcd dies with it."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    @property
    def joined(self) -> bool:
        return (self.state / "colony.json").exists()

    def record(self) -> dict[str, Any]:
        path = self.state / "founding.json"
        return json.loads(path.read_text()) if path.exists() else {}

    @property
    def etcd(self) -> list[str]:
        """Where it reaches etcd, as it would after a restart."""
        path = self.state / "colony.json"
        return list(json.loads(path.read_text())["etcd"]) if path.exists() else []

    def ready(self) -> bool:
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        try:
            with urllib.request.urlopen(f"{self.url}/readyz", timeout=2, context=context) as answer:
                return bool(answer.status == 200)
        except (OSError, urllib.error.URLError):
            return False


class Founders:
    """Some agents with one founding key. ``council``: more lines of that section of their settings."""

    def __init__(self, root: Path, size: int, holders: int, *, council: str = "") -> None:
        key = make_founding_key("found", os.urandom(32)).text()
        ports = free_ports(4 * holders + 1)
        self.agents = [
            Agent(root, n + 1, key, size, ports[1 + 4 * n : 5 + 4 * n], ports[0], council) for n in range(holders)
        ]

    def wait(self, condition: Any, what: str, limit_s: float = LONG_S) -> None:
        end = time.monotonic() + limit_s
        while not condition():
            if time.monotonic() > end:
                logs = "\n".join(f"== {a.name}\n{a.log.read_text()[-3000:]}" for a in self.agents if a.log.exists())
                raise AssertionError(f"{what} did not come true\n{logs}")
            time.sleep(0.1)

    def close(self) -> None:
        for agent in self.agents:
            agent.stop()

    def founded(self) -> list[str]:
        return [agent.name for agent in self.agents if agent.record().get("made")]
