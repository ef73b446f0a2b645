"""Servers of deploy/heat/colony.yaml, without Heat: real bootstraps found a colony, and its key opens it once."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from aware_agent.ports import free_ports
from aware_agent.security.founding_key import make_founding_key
from tests.heat_support import Guest, Signals, guest, wheel

pytestmark = pytest.mark.e2e
SIZE = 3


def beside_each_other(servers: list[Guest]) -> list[str]:
    """Ports of their own on one loopback, and an etcd that production would refuse; returns their gateways."""
    ports = free_ports(4 * len(servers) + 1)
    names = ("AWARE_GATEWAY_PORT", "AWARE_CHANNEL_PORT", "AWARE_ETCD_PORT", "AWARE_ETCD_PEER_PORT")
    for number, server in enumerate(servers):
        own = dict(zip(names, map(str, ports[1 + 4 * number : 5 + 4 * number]), strict=True))
        server.environment |= {**own, "AWARE_DISCOVERY_PORT": str(ports[0]), "AWARE_STORE__PRODUCTION": "false"}
    return [f"https://127.0.0.1:{server.environment['AWARE_GATEWAY_PORT']}" for server in servers]


# The command line, killed when the gateway has begun the rotation and before a word of the answer was heeded.
KILLED = """
import os, signal, sys
from aware_agent.cli.client import Gateway
follow = Gateway._follow_rotation
def kill(client, host, response):
    if (response.request.method, response.request.url.path) == ("POST", "/v1/rotation"):
        os.kill(os.getpid(), signal.SIGKILL)
    follow(client, host, response)
Gateway._follow_rotation = kill
from aware_agent.cli.main import main
main()
"""


def aware(
    *arguments: str | Path, program: tuple[str, str] = ("-m", "aware_agent.cli")
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *program, *map(str, arguments)],
        env={**os.environ, "COLUMNS": "200"},
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )


def opened(key: Path, endpoint: str, home: Path) -> Path:
    """Log in for the first time, with nothing but the key and the address of one server; killed once on the way."""
    context = home / "context.json"
    arguments = ("colony", "open", "--key-file", key, "--endpoint", endpoint, "--context", context)
    killed = aware(*arguments, program=("-c", KILLED))
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    for when in ("now", "already"):
        done = aware(*arguments)
        assert done.returncode == 0, done.stderr
        said = done.stdout.splitlines()
        assert said[0].startswith("logged in to colony hive as admin"), said
        assert said[-1] == f"the founding key is worthless {when}: delete {key}", (said, done.stderr)
        # Nothing goes on while nobody is there who could believe the new CAs.
        assert any(line.startswith("new CAs and a new secret go") for line in said) == (when == "now"), said
    assert (home / "admin.password").stat().st_mode & 0o077 == 0
    status = aware("status", "--json", "--context", context)
    assert status.returncode == 0, status.stderr
    nodes = json.loads(aware("nodes", "list", "--json", "--context", context).stdout)["nodes"]
    assert len(nodes) == SIZE
    again = aware("login", "--password-file", home / "admin.password", "--force", "--context", context)
    assert again.returncode == 0, again.stderr
    return context


def worthless(key: Path, endpoint: str, home: Path) -> None:
    """Who finds the key afterwards is nobody to the colony, and nothing is written for him."""
    done = aware("colony", "open", "--key-file", key, "--endpoint", endpoint, "--context", home / "context.json")
    assert done.returncode == 7, done.stderr
    assert "is not signed by this colony's CA (a running colony that does not know this key" in done.stderr, done.stderr
    assert not (home / "context.json").exists()


def refused(key: Path, endpoint: str, home: Path, context: Path) -> None:
    """A key that is not this colony's opens nothing, and what was there stays."""
    other = home / "other.key"
    other.write_text(make_founding_key("hive", os.urandom(32)).text())
    before = context.with_name("ca.crt").read_bytes()
    done = aware("colony", "open", "--key-file", other, "--endpoint", endpoint, "--context", context)
    assert done.returncode != 0
    assert "certificate" in done.stderr
    other.write_text(make_founding_key("ant", os.urandom(32)).text())
    done = aware("colony", "open", "--key-file", other, "--endpoint", endpoint, "--context", context)
    assert (done.returncode, "was left alone" in done.stderr) == (5, True), done.stderr
    other.write_text(key.read_text().replace(".", ",", 1))
    done = aware("colony", "open", "--key-file", other, "--endpoint", endpoint, "--context", context)
    assert "this is not a founding key" in done.stderr
    assert context.with_name("ca.crt").read_bytes() == before


async def test_servers_with_one_key_are_a_colony_that_the_key_opens(tmp_path: Path) -> None:
    heat = Signals()
    key = tmp_path / "founding.key"
    key.write_text(make_founding_key("hive", os.urandom(32)).text() + "\n")
    values = {
        "colony": "hive",
        "founding": key.read_text(),
        "council": str(SIZE),
        "source": str(wheel(tmp_path / "wheel")),
        "zone": "az-9",
        "endpoint": heat.url,
        "auth": "t",
        "wait": "170",
    }
    with contextlib.ExitStack() as stack:
        servers = [stack.enter_context(guest(tmp_path, f"hive-{n}", values)) for n in range(SIZE)]
        gateways = beside_each_other(servers)
        booted = await asyncio.gather(*(asyncio.to_thread(server.boot) for server in servers))
        for done, server in zip(booted, servers, strict=True):
            assert done.returncode == 0, done.stdout + done.stderr + server.log
        assert [signal["status"] for signal in heat.got] == ["SUCCESS"] * SIZE
        assert not any(server.file("/var/lib/aware/founding.key").exists() for server in servers)
        context = await asyncio.to_thread(opened, key, gateways[1], tmp_path / "home")
        await asyncio.to_thread(worthless, key, gateways[0], tmp_path / "thief")
        await asyncio.to_thread(refused, key, gateways[0], tmp_path, context)
    heat.close()
