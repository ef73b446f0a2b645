"""Bad input at the start of an agent: one clear line, no traceback, its own exit code, and no harm done."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from aware_agent.security.token import parse_token
from bench.client import Connection
from bench.lab import Agent, Lab
from tests.e2e.one_node import until_wanted

pytestmark = pytest.mark.e2e

QUICK = {"discovery": {"find_timeout_s": 4.0}, "store": {"startup_timeout_s": 8.0, "production": False}}


@pytest.fixture
async def lab() -> AsyncIterator[Lab]:
    """A colony of one queen that newcomers may fail to join."""
    async with Lab(1, settings=QUICK) as lab:
        await lab.form()
        yield lab


def complaint(agent: Agent, code: int) -> str:
    """The one line the agent ended with."""
    assert agent.wait(40) == code, agent.tail(20)
    text = (agent.directory / "agent.log").read_text()
    assert "Traceback" not in text
    last = text.strip().splitlines()[-1]
    assert last.startswith("aware-agent: error: ")
    return last


async def readiness(lab: Lab, agent: Agent, wanted: Callable[[Any], bool]) -> Any:
    """What the agent says of itself as soon as that is ``wanted``."""
    tls = ssl.create_default_context(cadata=lab.material.ca.certificate.decode())
    with contextlib.closing(Connection(agent.url, tls)) as connection:
        return (await until_wanted(connection, "/readyz", lambda answer: wanted(answer.json()))).json()


async def unharmed(lab: Lab) -> None:
    """The colony is as it was: one node, ready, the same term."""
    cluster = (await lab.ask("GET", "/v1/cluster")).json()
    assert cluster["size"]["total"] == 1
    assert cluster["status"] == "healthy"


def start(lab: Lab, **settings: object) -> Agent:
    """A newcomer called lab-2."""
    agent = lab.add_agent("lab-2", **settings)
    agent.start()
    return agent


async def test_wrong_join_token_by_broadcast(lab: Lab, tmp_path: Path) -> None:
    """Nobody answers a token the colony does not know."""
    token = parse_token(lab.token_file.read_text())
    wrong = tmp_path / "token"
    wrong.touch(mode=0o600)
    wrong.write_text(f"aware1.{token.id}.{'A' * 43}.{token.ca_pin}")
    line = complaint(start(lab, token_file=str(wrong)), 14)
    assert "no node of" in line
    assert "join token" in line
    assert "AAAA" not in line
    await unharmed(lab)


async def test_wrong_join_token_by_seed(lab: Lab, tmp_path: Path) -> None:
    """The queen refuses a token she does not know."""
    token = parse_token(lab.token_file.read_text())
    wrong = tmp_path / "token"
    wrong.touch(mode=0o600)
    wrong.write_text(f"aware1.{token.id}.{'A' * 43}.{token.ca_pin}")
    seeds = [lab.agent("lab-1").url]
    line = complaint(start(lab, token_file=str(wrong), discovery={"seeds": seeds}), 12)
    assert "unknown or wrong" in line
    await unharmed(lab)


async def test_wrong_ca_pin(lab: Lab, tmp_path: Path) -> None:
    """The colony found is not the one the token names: nothing is shown to it."""
    token = parse_token(lab.token_file.read_text())
    wrong = tmp_path / "token"
    wrong.touch(mode=0o600)
    wrong.write_text(f"aware1.{token.id}.{token.secret}.{'B' * 43}")
    line = complaint(start(lab, token_file=str(wrong)), 13)
    assert "pin" in line.lower() or "CA" in line
    await unharmed(lab)


async def test_damaged_join_token(lab: Lab, tmp_path: Path) -> None:
    """Half a token is refused before anything is sent."""
    wrong = tmp_path / "token"
    wrong.touch(mode=0o600)
    wrong.write_text(lab.token_file.read_text()[:40])
    line = complaint(start(lab, token_file=str(wrong)), 2)
    assert "join token" in line


async def test_taken_name(lab: Lab) -> None:
    """Two nodes cannot have one name."""
    agent = lab.add_agent("other")
    agent.write_settings(name="lab-1")
    agent.start()
    line = complaint(agent, 19)
    assert "'lab-1'" in line
    await unharmed(lab)


async def test_unreachable_etcd(lab: Lab) -> None:
    """A member whose etcd does not answer says so to whoever asks, and gives up after its start-up timeout."""
    founder = lab.agent("lab-1")
    founder.stop()
    founder.write_settings(store={"endpoints": ["127.0.0.1:9"]})
    founder.start()
    told = await readiness(lab, founder, lambda document: bool(document["store"]["trouble"]))
    assert told["reason"].startswith("starting: etcd is unreachable from here: 127.0.0.1:9 (connection refused)")
    line = complaint(founder, 15)
    assert "127.0.0.1:9" in line
    founder.write_settings(store={"endpoints": []})
    founder.start()
    await lab.wait_ready(1)


async def test_old_etcd_is_refused_in_production(lab: Lab) -> None:
    """Version 3.5.1 can lose data: not in production."""
    founder = lab.agent("lab-1")
    founder.stop()
    founder.write_settings(store={"production": True})
    founder.start()
    if founder.running:
        async with lab.etcd_client() as etcd:
            version = (await etcd.status()).version
        if not version.startswith(("3.5.0", "3.5.1", "3.5.2", "3.5.3", "3.5.4", "3.5.5")) or len(version) > 5:
            pytest.skip(f"the etcd of this machine is {version}, which production accepts")
    line = complaint(founder, 15)
    assert "3.5.16" in line


async def test_port_in_use(lab: Lab) -> None:
    """The gateway's port belongs to somebody else."""
    founder = lab.agent("lab-1")
    founder.stop()
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", founder.settings["gateway"]["port"]))
        other.listen()
        founder.start()
        line = complaint(founder, 17)
    assert str(founder.settings["gateway"]["port"]) in line
    founder.start()
    await lab.wait_ready(1)


async def test_corrupted_state_directory(lab: Lab) -> None:
    """A damaged file is named; nothing is overwritten."""
    founder = lab.agent("lab-1")
    founder.stop()
    membership = founder.state_dir / "colony.json"
    whole = membership.read_bytes()
    membership.write_bytes(whole[: len(whole) // 2])
    founder.start()
    line = complaint(founder, 11)
    assert "colony.json" in line
    assert membership.read_bytes() == whole[: len(whole) // 2]
    membership.write_bytes(whole)
    founder.start()
    await lab.wait_ready(1)


async def test_two_agents_in_one_state_directory(lab: Lab) -> None:
    """A second agent with the same identity is turned away."""
    founder = lab.agent("lab-1")
    twin = Agent("twin", founder.directory.parent / "twin", {**founder.settings, "gateway": {"port": 31999}})
    twin.start()
    line = complaint(twin, 11)
    assert str(founder.state_dir) in line
    await unharmed(lab)


async def test_clock_off_by_an_hour(lab: Lab) -> None:
    """A newcomer whose clock is wrong is told by how much, and joins once it is right."""
    faketime = shutil.which("faketime")
    if faketime is None:
        pytest.skip("the program faketime is not installed (Debian package faketime)")
    agent = lab.add_agent("lab-2")
    agent.argv = ["env", "FAKETIME_DONT_FAKE_MONOTONIC=1", faketime, "-f", "+3600s", *agent.argv]
    agent.start()
    line = complaint(agent, 16)
    assert "3600 s ahead" in line or "3599 s ahead" in line or "3601 s ahead" in line
    await unharmed(lab)


def small_disk(size_kib: int, command: list[str]) -> subprocess.CompletedProcess[str]:
    """Run ``command`` where /mnt is a file system of ``size_kib``, in a mount namespace of its own."""
    script = f'mount -t tmpfs -o size={size_kib}k tmpfs /mnt && exec "$@"'
    unshare = ["unshare", "--map-root-user", "--mount"]
    return subprocess.run([*unshare, "sh", "-c", script, "sh", *command], capture_output=True, text=True, timeout=60)


async def test_full_disk(lab: Lab) -> None:
    """No room for the state directory: told before the join token is spent."""
    if small_disk(64, ["true"]).returncode:
        pytest.skip("this machine lets nobody mount a tmpfs in a namespace of their own")
    agent = lab.add_agent("lab-2")
    agent.write_settings(state_dir="/mnt/state")
    done = small_disk(16, [sys.executable, "-m", "aware_agent.daemon", "run", "--config", str(agent.config)])
    assert done.returncode == 18, done.stderr
    assert "Traceback" not in done.stderr
    assert "/mnt/state" in done.stderr.strip().splitlines()[-1]
    await unharmed(lab)


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ("colour = 'red'", "colour"),
        ("[timing]\nqueen_ttl_s = 1", "queen_ttl_s"),
        ("[gateway]\nport = 0", "gateway.port"),
        ("name = 'Not A Name'", "name"),
        ("this is not TOML", "TOML"),
    ],
)
def test_settings_that_cannot_be_used(tmp_path: Path, change: str, word: str) -> None:
    """Each rule names the field it is about."""
    config = tmp_path / "agent.toml"
    base = "" if "name =" in change else "name = 'lab-1'\n"
    config.write_text(f"colony = 'lab'\nstate_dir = '{tmp_path}/state'\naddress = '127.0.0.1'\n{base}{change}\n")
    command = [sys.executable, "-m", "aware_agent.daemon", "run", "--config", str(config)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, env={**os.environ})
    assert done.returncode == 10
    assert word in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "state").exists()
