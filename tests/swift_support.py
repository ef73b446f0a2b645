"""OpenStack's object store on loopback, from Debian's packages: one disk, one replica, Swift's and S3's protocol.

It needs ``swift-proxy swift-account swift-container swift-object memcached``, and a temporary directory whose file
system has user attributes.
"""

from __future__ import annotations

import getpass
import shutil
import socket
import subprocess
import time
from pathlib import Path

from aware_agent.ports import free_ports

SERVERS = ("account", "container", "object", "proxy")
USER, SECRET = "test:tester", "testing-secret"
_PIPELINES = {
    "proxy": "catch_errors gatekeeper healthcheck cache s3api tempauth bulk slo dlo proxy-server",
    "account": "account-server",
    "container": "container-server",
    "object": "object-server",
}


class Swift:
    """Started by :meth:`start`, ended by :meth:`close`; every signal goes to a process of its own."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.ports = dict(zip((*SERVERS, "memcached"), free_ports(len(SERVERS) + 1), strict=True))
        self._processes: list[subprocess.Popen[bytes]] = []

    @staticmethod
    def missing() -> str:
        """Why it cannot run here; empty when it can."""
        programs = (*(f"swift-{name}-server" for name in SERVERS), "memcached", "setpriv")
        gone = [program for program in programs if shutil.which(program) is None]
        packages = "swift-proxy swift-account swift-container swift-object memcached"
        return f"{', '.join(gone)} not found: apt install {packages}" if gone else ""

    @property
    def url(self) -> str:
        """The proxy: S3 as it is, Swift's tempauth below /auth/v1.0."""
        return f"http://127.0.0.1:{self.ports['proxy']}"

    def start(self, limit_s: float = 60.0) -> None:
        """Make rings and settings, start all servers, wait until the proxy is healthy."""
        (self.directory / "disk" / "d1").mkdir(parents=True)
        (self.directory / "swift.conf").write_text(
            "[swift-hash]\nswift_hash_path_suffix = s\nswift_hash_path_prefix = p\n"
            "[storage-policy:0]\nname = only\ndefault = yes\n"
        )
        for name in ("account", "container", "object"):
            self._ring(name)
        for name in SERVERS:
            (self.directory / f"{name}.conf").write_text(self._settings(name))
            self._run(name, [f"swift-{name}-server", str(self.directory / f"{name}.conf")])
        self._run("memcached", ["memcached", "-u", "nobody", "-l", "127.0.0.1", "-p", str(self.ports["memcached"])])
        self._wait(limit_s)

    def close(self) -> None:
        """Kill all servers."""
        for process in self._processes:
            process.kill()
            process.wait()

    def _run(self, name: str, argv: list[str]) -> None:
        with (self.directory / f"{name}.log").open("wb") as log:
            leashed = ["setpriv", "--pdeathsig", "KILL", *argv]
            self._processes.append(subprocess.Popen(leashed, stdout=log, stderr=log, start_new_session=True))

    def _ring(self, name: str) -> None:
        builder = str(self.directory / f"{name}.builder")
        device = f"r1z1-127.0.0.1:{self.ports[name]}/d1"
        for arguments in (["create", "4", "1", "1"], ["add", device, "1"], ["rebalance"]):
            subprocess.run(["swift-ring-builder", builder, *arguments], check=True, capture_output=True, timeout=60)

    def _settings(self, name: str) -> str:
        sections = [
            "[DEFAULT]",
            "bind_ip = 127.0.0.1",
            f"bind_port = {self.ports[name]}",
            "workers = 0",
            f"user = {getpass.getuser()}",
            f"swift_dir = {self.directory}",
            f"devices = {self.directory / 'disk'}",
            "mount_check = false",
            "disable_fallocate = true",
            "[pipeline:main]",
            f"pipeline = {_PIPELINES[name]}",
            f"[app:{name}-server]",
            f"use = egg:swift#{name.removesuffix('-server')}",
        ]
        if name == "proxy":
            sections += [
                "account_autocreate = true",
                "conn_timeout = 20",
                "node_timeout = 60",
                "error_suppression_limit = 1000",
            ]
            for part in _PIPELINES["proxy"].split()[:-1]:
                sections += [f"[filter:{part}]", f"use = egg:swift#{'memcache' if part == 'cache' else part}"]
                if part == "tempauth":
                    account, user = USER.split(":")
                    sections.append(f"user_{account}_{user} = {SECRET} .admin {self.url}/v1/AUTH_test")
                if part == "cache":
                    sections.append(f"memcache_servers = 127.0.0.1:{self.ports['memcached']}")
        return "\n".join(sections) + "\n"

    def _wait(self, limit_s: float) -> None:
        import httpx

        end = time.monotonic() + limit_s
        while True:
            try:
                for port in self.ports.values():
                    socket.create_connection(("127.0.0.1", port), timeout=2).close()
                if httpx.get(f"{self.url}/healthcheck", timeout=5).status_code == 200:
                    return
            except (httpx.HTTPError, OSError):
                pass
            if time.monotonic() > end or any(process.poll() is not None for process in self._processes):
                logs = "\n".join((self.directory / f"{name}.log").read_text()[-500:] for name in SERVERS)
                raise RuntimeError(f"Swift does not start: {logs}")
            time.sleep(0.1)
