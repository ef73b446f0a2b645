"""Real agents found a colony by themselves: in any order, with kills in between; never two, and nobody is left out.

AWARE_FOUNDING_ROUNDS chooses how many rounds (make test-founding plays 20).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from aware_agent.agent.member.etcd_access import council_access
from aware_agent.agent.state import NodeState, StateDir
from aware_agent.store.client import EtcdClient
from aware_agent.store.connections import Credentials
from aware_agent.store.errors import StoreError, StoreRefused
from bench.client import ColonyClient
from tests.e2e.founders_support import LONG_S, Agent, Founders

pytestmark = pytest.mark.e2e

ROUNDS = int(os.environ.get("AWARE_FOUNDING_ROUNDS", "1"))


@pytest.mark.parametrize("number", range(1, ROUNDS + 1))
def test_founders_in_any_order_with_kills_in_between(tmp_path: Path, number: int) -> None:
    dice = random.Random(number)
    size = dice.choice([3, 3, 5, 7]) if ROUNDS > 2 else 3
    founders = Founders(tmp_path, size, size + dice.choice([0, 0, 1]))
    try:
        order = list(founders.agents)
        dice.shuffle(order)
        for agent in order:
            agent.start()
            time.sleep(dice.uniform(0.0, 2.0))
        for _ in range(dice.randint(1, 3)):
            victim = dice.choice(order)
            time.sleep(dice.uniform(0.0, 4.0))
            victim.kill()
            time.sleep(dice.uniform(0.0, 2.0))
            victim.start()
        assert_one_colony(founders, size)
    finally:
        founders.close()


@pytest.mark.deep
def test_the_council_grows_and_outlives_its_founder(tmp_path: Path) -> None:
    """Three seats out of four nodes; the founder is killed with its etcd, and the colony goes on and takes it back."""
    founders = Founders(tmp_path, 3, 4)
    try:
        for agent in founders.agents:
            agent.start()
        assert_one_colony(founders, 3)
        founders.wait(lambda: all(len(a.etcd) == 3 for a in founders.agents), "the council has three seats")
        seated = [a for a in founders.agents if (a.state / "etcd" / "plan.json").exists()]
        assert len(seated) == 3
        founder = next(a for a in founders.agents if a.name in founders.founded())
        founder.kill()
        others = [a for a in founders.agents if a is not founder]
        founders.wait(lambda: not founder.ready() and all(a.ready() for a in others), "the others go on")
        founder.start()
        founders.wait(lambda: all(a.ready() for a in founders.agents), "the founder is back")
        assert sorted(founder.etcd) == sorted(others[0].etcd)
        recover_from_one(founders, [a for a in founders.agents if (a.state / "etcd" / "plan.json").exists()])
    finally:
        founders.close()


@pytest.mark.deep
async def test_a_rotation_covers_both_cas_and_etcd_restarts_one_by_one(tmp_path: Path) -> None:
    """etcd is the agents' child: nobody restarts it by hand, and what was worth something before is worth nothing."""
    founders = Founders(tmp_path, 3, 3)
    try:
        for agent in founders.agents:
            agent.start()
        await asyncio.to_thread(assert_one_colony, founders, 3)
        await asyncio.to_thread(
            founders.wait, lambda: all(len(a.etcd) == 3 for a in founders.agents), "the council has three seats"
        )
        before, *_ = (StateDir(agent.state).load() for agent in founders.agents)
        assert before is not None
        assert await lets_in(founders, before) == 3
        down = asyncio.create_task(most_down_at_once(founders))
        await rotate(founders)
        after = StateDir(founders.agents[0].state).load()
        assert after is not None
        assert after.ca != before.ca
        assert council_access(after).ca != council_access(before).ca
        await until_lets_in(founders, before, 0)
        await until_lets_in(founders, after, 3)
        await sees_the_council_whole(founders)
        down.cancel()
        assert (await asyncio.gather(down, return_exceptions=True))[0] in (0, 1), "one at a time"
        await asyncio.to_thread(founders.wait, lambda: all(a.ready() for a in founders.agents), "all are ready")
    finally:
        await asyncio.to_thread(founders.close)


@contextlib.asynccontextmanager
async def admin_of(founders: Founders) -> AsyncIterator[tuple[ColonyClient, str]]:
    """A client that is logged in as admin with what the founder made, and the password."""
    founder = next(agent for agent in founders.agents if agent.name in founders.founded())
    ca, password = (founder.state / "ca.crt").read_bytes(), (founder.state / "admin.password").read_text().strip()
    async with ColonyClient([agent.url for agent in founders.agents], ca) as client:
        await client.login("admin", password, LONG_S)
        yield client, password


async def rotate(founders: Founders) -> None:
    """Start a rotation and follow it to its end, as an operator who waits for nothing."""
    async with admin_of(founders) as (client, password):
        body = {"action": "start", "hold": False, "patience_s": LONG_S}
        assert (await client.call("POST", "/v1/rotation", body, deadline_s=LONG_S)).ok
        state: dict[str, Any] = {}
        end = time.monotonic() + LONG_S
        while (state.get("phase"), state.get("generation")) != ("settled", 2):
            assert time.monotonic() < end, (state, *(a.log.read_text()[-4000:] for a in founders.agents))
            answer = await client.call("GET", "/v1/rotation", deadline_s=LONG_S)
            if answer.status == 401:  # the token was signed with the secret of before
                await client.login("admin", password, LONG_S)
                continue
            state = answer.json()
            client.believe(state["ca"].encode())
            await asyncio.sleep(0.2)


async def sees_the_council_whole(founders: Founders) -> None:
    """The queen herself shows certificates to etcd, of the CA that it believes."""
    async with admin_of(founders) as (client, _):
        # Longer than she needs to see one that does not answer.
        for _ in range(20):
            await asyncio.sleep(0.5)
            members = (await client.call("GET", "/v1/council/members", deadline_s=LONG_S)).json()["members"]
        assert [member["healthy"] for member in members] == [True, True, True]


async def lets_in(founders: Founders, state: NodeState) -> int:
    """How many members of etcd complete a handshake with who has ``state``."""
    access = council_access(state)
    roots = b"".join(council_access(s).ca for a in founders.agents if (s := StateDir(a.state).load()))
    shown = Credentials(ca=access.ca + roots, cert=access.certificate, key=state.key)

    async def one(endpoint: str) -> bool:
        try:
            async with EtcdClient([endpoint], shown, timeout_s=1.0, deadline_s=2.0) as client:
                await client.status()
        except StoreRefused:
            return True
        except StoreError:
            return False
        return True

    return sum(await asyncio.gather(*(one(endpoint) for endpoint in founders.agents[0].etcd)))


async def until_lets_in(founders: Founders, state: NodeState, wanted: int) -> None:
    end = time.monotonic() + LONG_S
    while (seen := await lets_in(founders, state)) != wanted:
        logs = [a.log.read_text()[-4000:] for a in founders.agents]
        assert time.monotonic() < end, (seen, wanted, *logs)


async def most_down_at_once(founders: Founders) -> int:
    """How many members were ever seen not to listen, until cancelled."""
    most = 0
    with contextlib.suppress(asyncio.CancelledError):
        while True:
            down = 0
            for endpoint in founders.agents[0].etcd:
                host, _, port = endpoint.partition(":")
                try:
                    _, writer = await asyncio.open_connection(host, int(port))
                    writer.close()
                except OSError:
                    down += 1
            most = max(most, down)
            await asyncio.sleep(0.05)
    return most


def recover_from_one(founders: Founders, seated: list[Agent]) -> None:
    """Two of three members are lost for good: the third goes on alone, and the council fills itself again."""
    survivor, *lost = seated
    for agent in lost:
        agent.kill()
        (agent.state / "etcd" / "plan.json").unlink()
        (agent.state / "etcd" / "member.json").unlink()
    aware = [sys.executable, "-m", "aware_agent.cli", "council"]
    at = [f"--state-dir={survivor.state}"]
    running = subprocess.run([*aware, "recover", *at, "--yes", "--any-etcd"], capture_output=True, text=True)
    assert running.returncode != 0
    assert "in use by another agent" in running.stderr
    survivor.kill()
    unsure = subprocess.run([*aware, "recover", *at], capture_output=True, text=True)
    assert "what only the lost members had would be gone" in unsure.stderr
    done = subprocess.run([*aware, "recover", *at, "--yes", "--any-etcd"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "goes on alone" in done.stdout
    for agent in founders.agents:
        agent.start()
    founders.wait(lambda: all(a.ready() for a in founders.agents), "the colony lives again")
    founders.wait(lambda: len(survivor.etcd) == 3, "the council is full again")


def assert_one_colony(founders: Founders, size: int) -> None:
    def all_in() -> bool:
        for agent in founders.agents:
            agent.start()  # one that gave up for a while is started again, as systemd would
        return all(agent.joined and agent.ready() for agent in founders.agents)

    founders.wait(all_in, "every founder is in a colony and ready")
    assert len(founders.founded()) == 1
    sets = {tuple(agent.record()["confirmed"]) for agent in founders.agents if agent.record()}
    assert len(sets) == 1
    assert len(next(iter(sets))) == size
    for bundle in ("ca.crt", "council-ca.crt"):
        assert len({(agent.state / bundle).read_bytes() for agent in founders.agents}) == 1
    founders.wait(lambda: not any(a.key_file.exists() for a in founders.agents), "every node deleted the founding key")
    founder = next(agent for agent in founders.agents if agent.name in founders.founded())
    assert not (founder.state / "founding").exists(), "the CA's key does not lie about"
    assert (founder.state / "admin.password").stat().st_mode & 0o077 == 0


def refusal(agent: Agent) -> str:
    """How an agent ends that cannot begin."""
    agent.start()
    assert agent.process is not None
    assert agent.process.wait(60) != 0
    return agent.log.read_text().strip().splitlines()[-1]


def test_what_a_node_refuses(tmp_path: Path) -> None:
    founders = Founders(tmp_path, 3, 1)
    agent = founders.agents[0]
    key = agent.key_file.read_text()
    agent.key_file.chmod(0o644)
    assert "lets other users read it" in refusal(agent)
    agent.key_file.chmod(0o600)
    agent.key_file.write_text(key.replace("found.", "fount.", 1))
    assert "has a typo" in refusal(agent)
    agent.key_file.unlink()
    assert "there is no founding key" in refusal(agent)
    agent.config.write_text(agent.config.read_text().replace("size = 3", "size = 4"))
    assert "council.size 4 is impossible" in refusal(agent)


def test_a_node_that_confirmed_with_another_key_stays_with_it(tmp_path: Path) -> None:
    founders = Founders(tmp_path, 3, 1)
    agent = founders.agents[0]
    agent.state.mkdir(mode=0o700)
    record = agent.state / "founding.json"
    record.write_text('{"key_id":"00000000deadbeef","size":3,"confirmed":["a","b","c"]}')
    record.chmod(0o600)
    said = refusal(agent)
    assert "has confirmed founders with founding key 00000000deadbeef" in said
