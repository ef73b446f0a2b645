"""A server as Heat makes it, without Heat: the bootstrap joins a real colony, calls its hook, and the spec follows."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import json
from pathlib import Path

import pytest

from aware_agent.ports import free_ports
from bench.client import Answer
from bench.lab import Lab
from tests.heat_support import Guest, Signals, guest, wheel

pytestmark = pytest.mark.e2e
HAS_RUNNER = importlib.util.find_spec("ansible_runner") is not None
GROW = {"operation": "scale", "delta": 1, "max_size": 4, "ttl_s": 600}


async def signed(lab: Lab, **changes: object) -> str:
    """The path of a signed URL."""
    answer = await lab.ask("POST", "/v1/hooks/sign", {**GROW, **changes})
    assert answer.status == 201, answer.body
    return str(answer.json()["path"])


async def call(lab: Lab, path: str) -> Answer:
    """A call by somebody without a token."""
    with contextlib.closing(lab.client()) as stranger:
        return await stranger.call("POST", path)


async def ended(lab: Lab, hook_id: str) -> dict[str, object]:
    """The order once it has ended."""
    async with asyncio.timeout(180):
        while True:
            document: dict[str, object] = (await lab.ask("GET", f"/v1/jobs/{hook_id}")).json()
            if document["state"] in ("succeeded", "failed"):
                return document
            await asyncio.sleep(0.05)


async def size(lab: Lab) -> int:
    """What the spec wants."""
    return int((await lab.ask("GET", "/v1/spec")).json()["spec"]["size"])


def at_home(lab: Lab, server: Guest) -> None:
    """Fit the guest into the lab: ports of its own, and the lab's etcd, which production would refuse."""
    gateway, channel = free_ports(2)
    server.environment |= {
        "AWARE_GATEWAY_PORT": str(gateway),
        "AWARE_CHANNEL_PORT": str(channel),
        "AWARE_DISCOVERY_PORT": str(lab.discovery_port),
        "AWARE_STORE__PRODUCTION": "false",
    }


async def test_a_server_joins_and_the_spec_follows(tmp_path: Path) -> None:
    heat = Signals()
    async with Lab(2) as lab:
        await lab.form()
        path = await signed(lab, uses=2)
        values = {
            "colony": lab.colony,
            "token": lab.token_file.read_text(),
            "source": str(wheel(tmp_path / "wheel")),
            "seeds": lab.agents["lab-2"].url,
            "zone": "az-9",
            "hook": path,
            "endpoint": heat.url,
            "auth": "t",
        }
        with guest(tmp_path, "heat-node-1", values) as server:
            at_home(lab, server)
            done = await asyncio.to_thread(server.boot)
            assert done.returncode == 0, done.stdout + done.stderr + server.log
            await lab.wait_ready(3)
            hooks = (await lab.ask("GET", "/v1/jobs")).json()["jobs"]
            assert [(h["operation"], h["reference"]) for h in hooks] == [("scale", "heat-node-1")]
            assert (await ended(lab, hooks[0]["id"]))["state"] == "succeeded"
            assert await size(lab) == 3
            host = (await lab.ask("GET", "/v1/inventory")).json()["hosts"]["heat-node-1"]
            assert (host["aware_status"], host["aware_zone"]) == ("ready", "az-9")
            again = await asyncio.to_thread(server.boot)
            assert again.returncode == 0
            assert await size(lab) == 3, "the same server counts once"
        assert [signal["status"] for signal in heat.got] == ["SUCCESS", "SUCCESS"]
    heat.close()


async def test_a_signed_url_is_spent_for_every_queen_that_follows() -> None:
    async with Lab(3) as lab:
        await lab.form()
        queen = await lab.queen()
        path = await signed(lab, max_size=9)
        async with asyncio.timeout(60):
            first = await call(lab, path)
            assert first.status == 202, first.body
            assert (await ended(lab, first.json()["id"]))["state"] == "succeeded"
            lab.agent(queen["name"]).kill()
            await lab.new_queen(queen["term"])
            second = await call(lab, path)
        assert second.status == 409, second.body
        assert json.loads(second.body)["code"] == "replayed"
        assert await size(lab) == 4
        kinds = [e["type"] for e in (await lab.ask("GET", "/v1/events?since=0")).json()["events"]]
        assert [kind for kind in kinds if kind.startswith(("hook.", "job."))] == [
            "hook.signed", "job.queued", "job.succeeded",
        ]  # fmt: skip


@pytest.mark.skipif(not HAS_RUNNER, reason="ansible-runner is not installed (extra: runner)")
async def test_join_and_verify_run_their_playbook_on_the_queen() -> None:
    async with Lab(3) as lab:
        await lab.form()
        answers = [
            await lab.ask("POST", "/v1/hooks/heat/lab", {"operation": "verify"}),
            await call(lab, await signed(lab, operation="join", delta=0, max_size=0)),
        ]
        for answer in answers:
            assert answer.status == 202, answer.body
            document = await ended(lab, answer.json()["id"])
            assert (document["state"], document["message"]) == ("succeeded", "done on 3 hosts")
        queen = lab.agent((await lab.queen())["name"])
        assert not list((queen.state_dir / "jobs").glob("*"))


@pytest.mark.skipif(HAS_RUNNER, reason="ansible-runner is installed")
async def test_without_ansible_runner_the_problem_says_what_to_install() -> None:
    async with Lab(1) as lab:
        await lab.form()
        path = await signed(lab, operation="verify", delta=0, max_size=0)
        answer = await call(lab, path)
        assert answer.status == 501
        problem = answer.json()
        assert problem["code"] == "runner-missing"
        assert "aware-agent[runner]" in problem["hint"]
        assert (await lab.ask("GET", "/v1/jobs")).json() == {"jobs": []}
