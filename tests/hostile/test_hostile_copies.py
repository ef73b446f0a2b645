"""A disk that was copied: the copy ends with one sentence, and the node it was copied from does not notice."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
from typing import Any

import pytest

from aware_agent.agent.parts import IdentityInUse
from bench.agent import Agent
from bench.lab import Lab

pytestmark = pytest.mark.e2e

LIMIT_S = 240.0


def _copy(lab: Lab, name: str) -> Agent:
    """Another machine with this node's disk: all is the same but where it can be reached."""
    original = lab.agent(name)
    copy = lab.add_agent(f"copy-{name}")
    copy.write_settings(name=name)
    # The agent is at work meanwhile: what it is about to put in place of a file is gone before it is copied.
    passing = shutil.ignore_patterns("*.sock", "*.tmp")
    shutil.copytree(original.state_dir, copy.state_dir, ignore=passing, dirs_exist_ok=True)
    return copy


async def _ended(copies: list[Agent]) -> None:
    async with asyncio.timeout(LIMIT_S):
        while any(copy.running for copy in copies):
            await asyncio.sleep(0.2)


async def _node(lab: Lab, name: str) -> dict[str, Any]:
    node: dict[str, Any] = (await lab.ask("GET", f"/v1/nodes/{name}")).json()
    return node


async def test_copies_of_queen_member_and_worker_end_and_change_nothing() -> None:
    async with Lab(2) as lab:
        await lab.form()
        lab.add_agent("drone", token_file=str(await lab.make_token())).start()
        await lab.wait_ready(3)
        queen = await lab.queen()
        names = [*sorted(lab.agents)]
        before = {name: await _node(lab, name) for name in names}

        copies = [_copy(lab, name) for name in names]
        for copy in copies:
            copy.start()
        await _ended(copies)

        for copy in copies:
            assert copy.exit_code == IdentityInUse.exit_code, copy.tail(20)
            said = copy.tail(3)
            assert "another process with the identity of" in said, said
            assert "aware-agent rejoin" in said, said
        after = await lab.queen()
        assert (after["id"], after["term"]) == (queen["id"], queen["term"]), "nobody was deposed"
        for name in names:
            node = await _node(lab, name)
            assert (node["status"], node["url"]) == ("ready", before[name]["url"])
        events = (await lab.ask("GET", "/v1/events?since=0&limit=1000")).json()["events"]
        told = {event["subject"] for event in events if event["type"] == "node.duplicate"}
        assert told == {before[name]["id"] for name in names}
        assert not [event for event in events if event["type"] in ("node.suspect", "node.left", "node.dead")]


@pytest.mark.parametrize("name", ["lab-2", pytest.param("drone", marks=pytest.mark.deep)])
async def test_of_an_original_that_was_stopped_and_its_copy_one_stays(name: str) -> None:
    """A host that is frozen (moved, saved to disk) while its copy starts: they do not take turns."""
    async with Lab(2) as lab:
        await lab.form()
        lab.add_agent("drone", token_file=str(await lab.make_token())).start()
        await lab.wait_ready(3)
        original, copy = lab.agent(name), _copy(lab, name)
        os.kill(original.pid, signal.SIGSTOP)
        copy.start()
        await asyncio.sleep(10.0)
        os.kill(original.pid, signal.SIGCONT)
        async with asyncio.timeout(LIMIT_S):
            while original.running and copy.running:
                await asyncio.sleep(0.2)
        ended, stays = (original, copy) if copy.running else (copy, original)
        assert ended.exit_code == IdentityInUse.exit_code, ended.tail(20)
        await lab.wait_ready(3, healthy=False)
        assert stays.running
        assert (await _node(lab, name))["url"] == stays.url
        events = (await lab.ask("GET", "/v1/events?since=0&limit=1000")).json()["events"]
        assert [event["type"] for event in events].count("node.left") == 0


async def test_a_node_that_restarts_is_no_copy() -> None:
    """Its predecessor's report and channels are still there, and it is back at once all the same."""
    async with Lab(2) as lab:
        await lab.form()
        lab.add_agent("drone", token_file=str(await lab.make_token())).start()
        await lab.wait_ready(3)
        for name in sorted(lab.agents):
            lab.agent(name).kill()
            lab.agent(name).start()
        await lab.wait_ready(3)
        assert all(agent.running for agent in lab.agents.values()), [
            a.log.read_text()[-1500:] for a in lab.agents.values()
        ]


def test_what_it_says_names_the_place_if_it_is_known() -> None:
    assert (
        IdentityInUse("db", "10.0.0.9").message
        == "another process with the identity of db is in the colony at 10.0.0.9"
    )
    assert IdentityInUse("db", "").message == "another process with the identity of db is in the colony"
