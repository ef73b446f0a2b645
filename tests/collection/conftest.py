"""Fixtures: a colony of fake members as processes, and Ansible as its users run it."""

from __future__ import annotations

import datetime
import ipaddress
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from ansible.plugins.loader import init_plugin_loader
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from aware_agent.ports import free_port

from .real_gateway import THERE, takes

ROOT = Path(__file__).resolve().parents[2]
# Before anything imports from ansible_collections: only then does Ansible's own loader find our plugins.
init_plugin_loader([str(ROOT / "collections")])
TOKEN = "access-token-of-a-test"
COLONY = "demo"


def make_authority() -> tuple[Any, Any]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "AWARE colony CA"),
            x509.NameAttribute(NameOID.COMMON_NAME, COLONY),
        ]
    )
    now = datetime.datetime.now(datetime.UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(now - datetime.timedelta(hours=1)).not_valid_after(
        now + datetime.timedelta(days=1)
    )
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    return key, builder.sign(key, hashes.SHA256())


def make_server_pem(authority: tuple[Any, Any], *, worker: bool = False) -> bytes:
    ca_key, ca = authority
    key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.datetime.now(datetime.UTC)
    builder = x509.CertificateBuilder().subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "member")]))
    builder = builder.issuer_name(ca.subject).public_key(key.public_key()).serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(now - datetime.timedelta(hours=1)).not_valid_after(
        now + datetime.timedelta(days=1)
    )
    council = [] if worker else [x509.DNSName(f"council.{COLONY}.aware")]
    names = x509.SubjectAlternativeName([*council, x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    certificate = builder.add_extension(names, critical=False).sign(ca_key, hashes.SHA256())
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ) + certificate.public_bytes(serialization.Encoding.PEM)


@dataclass
class FakeMember:
    """One process of fake_gateway.py."""

    folder: Path
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        scheme = "https" if (self.folder / "server.pem").exists() else "http"
        return f"{scheme}://127.0.0.1:{self.port}"

    def say(self, **state: Any) -> None:
        """Set what the member does from its next request on."""
        temporary = self.folder / "state.new"
        temporary.write_text(json.dumps({"token": TOKEN, **state}))
        temporary.replace(self.folder / "state.json")

    def give(self, document: dict[str, Any], **state: Any) -> None:
        """Be queen and serve ``document`` as the inventory."""
        (self.folder / "inventory.json").write_text(json.dumps(document))
        etag = f'"{document.get("revision")}-{document.get("term")}"'
        self.say(**{"role": "queen", "inventory": "inventory.json", "etag": etag, **state})

    def requests(self) -> list[list[Any]]:
        log = self.folder / "requests.log"
        return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []

    def check_writes(self) -> None:
        """The real gateway could have read all that was written to this one."""
        for method, path, _, _, _, body in self.requests():
            if method != "GET" and THERE:
                takes(method, path, body)

    def start(self) -> None:
        (self.folder / "ready").unlink(missing_ok=True)
        command = [sys.executable, str(Path(__file__).with_name("fake_gateway.py")), str(self.folder), str(self.port)]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for _ in range(500):
            if (self.folder / "ready").exists():
                return
            time.sleep(0.02)
        raise RuntimeError("fake member did not start")

    def kill(self) -> None:
        if self.process:
            self.process.kill()
            self.process.wait()
            self.process = None


class FakeColony:
    """Members of one CA, and the ways to reach them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.authority = make_authority()
        self.members: list[FakeMember] = []
        self.ca = folder / "ca.crt"
        self.ca.write_bytes(self.authority[1].public_bytes(serialization.Encoding.PEM))

    def member(self, *, tls: bool = True, authority: tuple[Any, Any] | None = None, worker: bool = False) -> FakeMember:
        folder = self.folder / f"member-{len(self.members)}"
        folder.mkdir()
        if tls:
            (folder / "server.pem").write_bytes(make_server_pem(authority or self.authority, worker=worker))
        member = FakeMember(folder)
        member.say(role="lost")
        member.start()
        self.members.append(member)
        return member

    def inventory_file(self, endpoints: list[str] | None, **options: Any) -> Path:
        path = self.folder / "test.aware.yml"
        values = {
            "plugin": "aware.cluster.gateway",
            "endpoints": endpoints,
            "token": TOKEN,
            "ca_path": "ca.crt",
            "stale_path": "last",
            "deadline": 4,
            "timeout": 2,
            **options,
        }
        path.write_text(json.dumps({key: value for key, value in values.items() if value is not None}))
        return path


@pytest.fixture
def colony(tmp_path: Path) -> Iterator[FakeColony]:
    made = FakeColony(tmp_path)
    yield made
    for member in made.members:
        member.kill()
    for member in made.members:
        member.check_writes()


@dataclass
class Ran:
    """What an Ansible command did."""

    rc: int
    out: str
    err: str

    def json(self) -> Any:
        assert self.rc == 0, self.err
        return json.loads(self.out)


@pytest.fixture
def ansible(tmp_path: Path) -> Callable[..., Ran]:
    """Run an Ansible command as a user in the checkout would, with a home of its own."""

    def run(command: str, *arguments: str | Path, cwd: Path = ROOT, **environment: str) -> Ran:
        home = tmp_path / "home"
        home.mkdir(exist_ok=True)
        variables = {
            **{key: value for key, value in os.environ.items() if not key.startswith(("ANSIBLE_", "AWARE_"))},
            "HOME": str(home),
            "LC_ALL": "C.UTF-8",
            "ANSIBLE_NOCOLOR": "1",
            "COLUMNS": "400",
            **environment,
        }
        tool = Path(sys.executable).with_name(command)
        done = subprocess.run(
            [tool, *map(str, arguments)],
            cwd=cwd,
            env=variables,
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
        # Older cores break lines of warnings wherever the terminal ends.
        return Ran(done.returncode, done.stdout, " ".join(done.stderr.split()))

    return run


def make_document(names: list[str], *, revision: int = 10, term: int = 3, **changes: Any) -> dict[str, Any]:
    """An inventory document as the gateway gives it."""
    hosts = {
        name: {
            "ansible_host": "127.0.0.1",
            "aware_id": f"01J{index:023d}",
            "aware_name": name,
            "aware_address": f"127.0.0.{index + 1}",
            "aware_url": f"https://127.0.0.1:{21000 + index}",
            "aware_role": "queen" if index == 0 else "heir" if index == 1 else "worker",
            "aware_status": "ready",
            "aware_caste": "web" if index % 2 else "store",
            "aware_zone": f"z{index % 3}",
            "aware_cordoned": False,
            "aware_labels": {"tier": "gold" if index % 2 else "tin"},
            "aware_vars": {},
            "aware_vcpus": 2,
            "aware_ram_mib": 2048,
            "aware_disk_gib": 10,
            "aware_version": "0.1.0",
            "aware_eligible": True,
            "aware_candidate": True,
        }
        for index, name in enumerate(names)
    }
    groups = {
        "aware_queen": names[:1],
        "aware_council": names[:2],
        "aware_workers": names[2:],
        "aware_status_ready": names,
        "store": names[::2],
        "web": names[1::2],
        "spare": [],
    }
    document = {
        "revision": revision,
        "term": term,
        "colony": "demo",
        "complete": True,
        "queen": names[0] if names else "",
        "members": [],
        "hosts": hosts,
        "groups": groups,
    }
    return {**document, **changes}


@pytest.fixture
def queen(colony: FakeColony) -> FakeMember:
    return colony.member()


@pytest.fixture
def module(colony: FakeColony, queen: FakeMember, ansible: Any) -> Callable[..., tuple[Ran, dict[str, Any]]]:
    """Run one module with ``ansible localhost`` and return its result."""

    def run(name: str, options: dict[str, Any], *flags: str) -> tuple[Ran, dict[str, Any]]:
        common = {"endpoints": [queen.url], "ca_path": str(colony.ca), "deadline": 3}
        arguments = json.dumps({**common, **options})
        # At this verbosity the difference is part of the result that is printed.
        ran = ansible(
            "ansible", "localhost", "-vvv", "-m", f"aware.cluster.{name}", "-a", arguments, *flags, AWARE_TOKEN=TOKEN
        )
        found = re.search(r"^localhost \| [A-Z]+!? => ", ran.out, re.MULTILINE)
        assert found, ran.out + ran.err
        return ran, json.JSONDecoder().raw_decode(ran.out[found.end() :])[0]

    return run
