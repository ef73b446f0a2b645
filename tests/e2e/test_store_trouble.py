"""When etcd is the reason, every node says so to whoever asks: without a majority, and full."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from typing import Any

import pytest

from aware_agent.store.client import EtcdClient
from aware_agent.store.errors import StoreError
from bench.client import Answer
from bench.lab import Agent, Lab
from tests.e2e.one_node import Wanted, ask_one

pytestmark = pytest.mark.e2e


async def heard(lab: Lab, agent: Agent, path: str, wanted: Wanted) -> Any:
    """What ``agent`` itself tells at ``path`` as soon as that is ``wanted``."""
    return (await ask_one(lab, agent, path, wanted)).json()


def not_ready_for_want_of_a_majority(answer: Answer) -> bool:
    return answer.status == 503 and "etcd has no majority" in answer.json().get("reason", "")


async def fill(etcd: EtcdClient, prefix: bytes) -> None:
    """Write until etcd refuses."""
    for number in range(200):
        await etcd.put(prefix + b"%d" % number, b"x" * 200_000)


def aware_status(lab: Lab) -> str:
    """What ``aware status`` says, on both streams."""
    argv = [sys.executable, "-m", "aware_agent.cli", "status", "--context", str(lab.write_context())]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=120, env=dict(os.environ))
    return done.stdout + done.stderr


async def test_without_a_majority_every_node_names_the_members_that_are_missing() -> None:
    async with Lab(2, etcd_members=3) as lab:
        await lab.form()
        lab.write_context()
        for agent in lab.running():
            await heard(lab, agent, "/v1/cluster", lambda answer: answer.ok)
        _, second, third = lab.etcd.members
        second.kill()
        third.kill()
        for agent in lab.running():
            # What it knew is still told, and that it may be old.
            cluster = await heard(lab, agent, "/v1/cluster", lambda answer: b"majority" in answer.body)
            assert cluster["status"] == "degraded"
            for member in (second, third):
                assert f"{member.endpoint} (connection refused)" in cluster["reason"]
            assert "start its members" in cluster["reason"]
            # It is patient with a silence of a few seconds before it calls itself not ready. Agent and gateway look
            # each for itself at what is wrong with etcd: the reason is the agent's, the store beside it the gateway's.
            ready = await heard(lab, agent, "/readyz", not_ready_for_want_of_a_majority)
            assert ready["store"]["trouble"] == "no-quorum"
        # A node that is started now says it just as well.
        late = lab.running()[0]
        late.stop()
        late.start()
        starting = await heard(lab, late, "/readyz", lambda answer: b"no-quorum" in answer.body)
        assert starting["reason"].startswith("starting: etcd has no majority")
        said = await asyncio.to_thread(aware_status, lab)
        assert "etcd has no majority" in said
        assert "an election takes seconds" not in said
        second.start()
        third.start()
        await lab.wait_ready(2, timeout_s=120)


async def test_a_colony_whose_etcd_is_full_is_not_healthy() -> None:
    async with Lab(1, etcd_extra=["--quota-backend-bytes=4194304"]) as lab:
        await lab.form()
        async with lab.etcd_client() as etcd:
            with pytest.raises(StoreError, match="full"):
                await fill(etcd, lab.keys.key("fill", ""))
        (agent,) = lab.running()
        cluster = await heard(lab, agent, "/v1/cluster", lambda answer: b"NOSPACE" in answer.body)
        assert cluster["status"] == "degraded"
        assert "etcd is full and takes no writes" in cluster["reason"]
        # Agent and gateway look each for itself at what is wrong with etcd.
        ready = await heard(lab, agent, "/readyz", lambda answer: b"reigning, but etcd is full" in answer.body)
        assert ready["ready"] is True, "she still reads"
        said = await asyncio.to_thread(aware_status, lab)
        assert "degraded (etcd is full" in said
