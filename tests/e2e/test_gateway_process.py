"""The gateway as a process of its own: it dies, it hangs, its agent hangs, etcd goes, and who may hurt whom."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import os
import re
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import psutil
import pytest

from aware_agent.agent.member.etcd_access import council_access
from aware_agent.agent.member.gateway_keys import FILE
from aware_agent.agent.member.gateway_pairs import GatewayPairs
from aware_agent.agent.member.link import socket_address
from aware_agent.agent.state import StateDir
from aware_agent.security.jwt import TokenSigner, token_key
from aware_agent.store.client import EtcdClient
from aware_agent.store.connections import Credentials
from aware_agent.store.errors import StoreError, StoreRefused
from bench.lab import Agent, Lab
from tests.e2e.one_node import OneNode
from tests.patience import UNHURRIED

pytestmark = pytest.mark.e2e

LIMIT_S = 90.0


def gateways(agent: Agent) -> list[psutil.Process]:
    """The gateway processes of an agent; one, in quiet times."""
    with contextlib.suppress(psutil.NoSuchProcess):
        children = psutil.Process(agent.pid).children()
        return [child for child in children if "aware_agent.gateway.process" in " ".join(child.cmdline())]
    return []


async def until(what: str, found: Callable[[], Any], lab: Lab) -> Any:
    try:
        async with asyncio.timeout(LIMIT_S):
            while not (result := found()):
                await asyncio.sleep(0.05)
    except TimeoutError:
        raise AssertionError(f"never {what}\n{lab.tails(12)}") from None
    return result


async def test_a_killed_gateway_is_started_again_and_the_reign_goes_on_where_nobody_could_follow() -> None:
    async with Lab(1, settings=UNHURRIED) as lab:
        await lab.form()
        queen = await lab.queen()
        agent = lab.agent(queen["name"])
        (before,) = gateways(agent)
        os.kill(before.pid, signal.SIGKILL)
        await until("another gateway", lambda: [p for p in gateways(agent) if p.pid != before.pid], lab)
        assert (await lab.ask("PUT", "/v1/nodes/lab-1/config", {"config": {"vars": {"a": 1}}}, deadline_s=LIMIT_S)).ok
        assert (await lab.queen())["term"] == queen["term"]


async def test_a_gateway_ends_with_its_agent_however_that_ends() -> None:
    async with Lab(1) as lab:
        await lab.form()
        agent = lab.agent("lab-1")
        (gateway,) = gateways(agent)
        agent.kill()
        await until("the end of the gateway", lambda: not gateway.is_running(), lab)
        agent.start()
        await lab.wait_ready(1)
        (gateway,) = gateways(agent)
        assert agent.stop() == 0
        assert not gateway.is_running()


async def test_a_queen_whose_gateway_does_not_come_up_hands_over() -> None:
    """It is killed as often as it is started."""
    async with Lab(2) as lab:
        await lab.form()
        await lab.wait_serving()
        queen = await lab.queen()
        agent = lab.agent(queen["name"])
        other = next(a for a in lab.agents.values() if a is not agent)
        asker = OneNode(lab, other)
        stop = asyncio.Event()

        async def murder() -> None:
            while not stop.is_set():
                for gateway in gateways(agent):
                    with contextlib.suppress(psutil.NoSuchProcess):
                        gateway.kill()
                await asyncio.sleep(0.02)

        murderer = asyncio.create_task(murder())
        reigns = await asker.get("/v1/queen", lambda a: a.ok and a.json()["name"] == other.name)
        stop.set()
        await murderer
        assert reigns.json()["term"] > queen["term"]
        events = (await asker.get("/v1/events?since=0&limit=500")).json()["events"]
        asker.close()
        (handed,) = [e for e in events if e["type"] == "queen.stepped-down"]
        # Which one is told depends on whether the heir was well when it ended for the first time.
        assert re.search(r"its gateway (ended|does not come up)", handed["message"])
        await lab.wait_ready(2)


async def test_the_socket_lets_in_nobody_but_the_child() -> None:
    """Not even a process of the same user, who passes the file's mode."""
    async with Lab(1) as lab:
        await lab.form()
        agent = lab.agent("lab-1")
        path = agent.state_dir / "gateway.sock"
        assert path.stat().st_mode & 0o777 == 0o600
        assert await asyncio.to_thread(_said_to_a_stranger, path) == b""
        assert "was turned away at the gateway's socket" in agent.log.read_text()
        assert (await lab.ask("GET", "/v1/cluster")).ok


def _said_to_a_stranger(path: Path) -> bytes:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as stranger, socket_address(path) as address:
        stranger.settimeout(LIMIT_S)
        stranger.connect(address)
        with contextlib.suppress(ConnectionError):
            stranger.sendall(b"\0\0\0\1\xc0")
            return stranger.recv(100)
        return b""


async def test_an_agent_that_hangs_is_not_ready_and_its_gateway_reads_on() -> None:
    async with Lab(3) as lab:
        await lab.form()
        queen = (await lab.queen())["name"]
        agent = lab.agent(queen)
        asker = OneNode(lab, agent)
        assert (await asker.get("/readyz/queen")).ok
        agent.signal(signal.SIGSTOP)
        try:
            silent = (await asker.get("/readyz", lambda a: a.status == 503)).json()
            assert silent["reason"] == "this node's agent does not answer"
            assert (await asker.get("/healthz")).json()["status"] == "ok"
            assert b"aware_agent_answers 0" in (await asker.get("/metrics", lambda a: b"answers 0" in a.body)).body
            # Another one reigns meanwhile, and this gateway tells who.
            after = await asker.get("/v1/queen", lambda a: a.ok and a.json()["name"] != queen)
            assert after.headers["x-aware-role"] in ("heir", "member")
        finally:
            agent.signal(signal.SIGCONT)
        assert (await asker.get("/readyz")).ok
        asker.close()


async def _settled_roles(askers: dict[str, OneNode]) -> dict[str, str]:
    """What each says it is, when they agree: the line of succession moves as gateways begin to serve."""
    roles: dict[str, str] = {}
    for _ in range(1200):
        roles = {name: (await asker.get("/v1/nodes")).headers["x-aware-role"] for name, asker in askers.items()}
        if sorted(roles.values()) == ["heir", "member", "queen"]:
            return roles
        await asyncio.sleep(0.1)
    raise AssertionError(f"never one queen and one heir: {roles}")


async def test_every_member_reads_while_there_is_no_queen_and_while_etcd_is_away() -> None:
    async with Lab(3) as lab:
        await lab.form()
        queen = await lab.queen()
        askers = {name: OneNode(lab, agent) for name, agent in lab.agents.items()}
        roles = await _settled_roles(askers)
        assert roles[queen["name"]] == "queen"
        terms = {(await asker.get("/v1/nodes")).headers["x-aware-term"] for asker in askers.values()}
        assert terms == {str(queen["term"])}
        lab.etcd.members[0].kill()
        for asker in askers.values():
            # For some seconds she that was queen may yet become it again; then nobody is.
            refused = await asker.get("/v1/rotation", lambda a: b"no-queen" in a.body)
            assert refused.status == 503
            read = await asker.get("/v1/nodes")
            assert len(read.json()["nodes"]) == 3
            assert read.headers["x-aware-role"] in ("heir", "member")
            # Each process sees for itself that etcd is away, at its next look.
            degraded = await asker.get("/v1/cluster", lambda a: a.json()["status"] == "degraded")
            assert degraded.json()["queen"] is None or degraded.json()["reason"]
        lab.etcd.members[0].start()
        await lab.etcd.wait_ready(lab.etcd.members[0])
        await lab.wait_ready(3)
        for asker in askers.values():
            asker.close()


async def test_what_a_gateway_holds_opens_nothing_but_reads() -> None:
    """Its account at etcd writes nothing, its server certificate is no client's, and neither key is its node's."""
    async with Lab(1, etcd_auth=True) as lab:
        await lab.form()
        state = StateDir(lab.agent("lab-1").state_dir).load()
        assert state is not None
        pairs = msgspec.msgpack.decode((lab.agent("lab-1").state_dir / FILE).read_bytes(), type=GatewayPairs)
        access = council_access(state)
        assert len({state.key, pairs.tls_key, pairs.etcd_key}) == 3
        reading = Credentials(ca=access.ca, cert=pairs.etcd_certificate, key=pairs.etcd_key)
        async with EtcdClient(lab.etcd.endpoints, reading, deadline_s=20.0) as client:
            assert await client.get(lab.keys.queen) is not None
            suspicion = lab.keys.suspicions(7) + state.identity.id.encode()  # or a gateway could depose queens
            presence = lab.keys.key("presence", state.identity.id)
            for key in (lab.keys.queen, presence, suspicion, lab.keys.key("users", "eve")):
                with pytest.raises(StoreRefused):
                    await client.put(key, b"mine")
            with pytest.raises(StoreRefused):
                await client.delete(lab.keys.queen)
        serving = Credentials(ca=access.ca, cert=pairs.tls_certificate, key=pairs.tls_key)
        async with EtcdClient(lab.etcd.endpoints, serving, deadline_s=2.0) as client:
            with pytest.raises(StoreError):
                await client.get(lab.keys.queen)


async def test_the_key_that_signs_access_tokens_lies_nowhere() -> None:
    """The agent derives it and hands it on by a pipe: whoever reads files or looks at processes does not find it."""
    async with Lab(1, etcd_auth=True) as lab:
        await lab.form()
        token = (await lab.admin()).token
        agent = lab.agent("lab-1")
        state = StateDir(agent.state_dir).load()
        assert state is not None
        key = token_key(state.membership.colony, state.membership.secret)
        assert TokenSigner(lab.colony, key).verify(token, now=time.time()).name == "admin", "it is this key"
        (gateway,) = gateways(agent)
        shown = [Path(f"/proc/{pid}/{what}") for pid in (agent.pid, gateway.pid) for what in ("environ", "cmdline")]
        places = {path: path.read_bytes() for path in (*lab.directory.rglob("*"), *shown) if path.is_file()}
        assert any(state.key in content for content in places.values()), "what lies in a file is found"
        coded = {base64.b64encode(key), base64.urlsafe_b64encode(key)}
        spellings = {key, key.hex().encode(), *(text.rstrip(b"=") for text in coded)}
        assert [path for path, content in places.items() if any(one in content for one in spellings)] == []


async def test_a_token_used_at_a_member_that_does_not_reign_is_on_record_with_the_queen() -> None:
    async with Lab(2, settings=UNHURRIED) as lab:
        await lab.form()
        assert (await lab.ask("POST", "/v1/service-accounts", {"name": "ci", "role": "viewer"})).status == 201
        made = await lab.ask("POST", "/v1/service-accounts/ci/tokens", {"ttl_s": 3600})
        queen = await lab.queen()
        (other,) = (agent for name, agent in lab.agents.items() if name != queen["name"])
        client = lab.client()
        client.token = made.json()["token"]
        client.endpoints = [other.url]
        began = time.time()
        assert (await client.call("GET", "/v1/nodes")).status == 200
        client.close()
        used_at = 0.0
        async with asyncio.timeout(LIMIT_S):
            while not used_at:
                account = (await lab.ask("GET", "/v1/service-accounts/ci")).json()
                used_at = account["tokens"][0].get("last_used_at") or 0.0
                await asyncio.sleep(0.5)
        assert began <= used_at <= time.time()
