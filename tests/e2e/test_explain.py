"""A colony explains its election to a person: who follows a killed queen and why; what it told can be replayed."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bench.lab import Lab
from tests.patience import UNHURRIED

pytestmark = pytest.mark.e2e

LIMIT_S = 180.0


async def run(*argv: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """A Python program, without its own event loop being held up."""
    command = [sys.executable, "-m", *argv]
    return await asyncio.to_thread(
        subprocess.run,
        command,
        capture_output=True,
        text=True,
        check=False,
        timeout=LIMIT_S,
        cwd=cwd,
        env=dict(os.environ),
    )


async def explained(lab: Lab, *options: str) -> dict[str, Any]:
    """The members of ``aware explain --json`` by name."""
    done = await run(
        "aware_agent.cli", "explain", "--json", *options, "--context", str(lab.write_context()), cwd=lab.directory
    )
    assert done.returncode == 0, done.stderr
    return {one["name"]: one for one in json.loads(done.stdout)["members"]}


def followers(members: dict[str, Any], queen: str) -> list[tuple[str, str, int]]:
    """Phase, queen and place of all but the queen, the heir first."""
    told = [one["election"] for name, one in members.items() if name != queen]
    return sorted(((one["phase"], one["queen"], one["place"]) for one in told), key=lambda one: one[2])


def terms(members: dict[str, Any]) -> set[int]:
    """The terms of the queens they know, of all that answer."""
    return {one["election"]["term"] for one in members.values() if one["election"] is not None}


def decided(member: dict[str, Any]) -> str:
    return "\n".join(one["decided"] for one in member["election"]["decisions"])


async def test_a_queen_is_killed_and_the_others_explain_who_follows_and_why() -> None:
    async with Lab(3, settings=UNHURRIED) as lab:
        await lab.form()
        await lab.wait_serving()
        await lab.admin()
        queen = await lab.queen()
        dead = queen["name"]
        before = await explained(lab)
        assert set(before) == set(lab.agents)
        assert before[dead]["election"]["phase"] == "reigning"
        assert before[dead]["election"]["lease_left_s"] > 0
        async with asyncio.timeout(LIMIT_S):  # the line moves until all gateways are known to answer
            while followers(before, dead) != [("watching", dead, 0), ("watching", dead, 1)]:
                before = await explained(lab)

        lab.agent(dead).kill_tree()
        next_queen = await lab.new_queen(queen["term"])
        async with asyncio.timeout(LIMIT_S):  # a member tells for half a second what it told last
            while terms(await explained(lab)) != {next_queen["term"]}:
                pass
        file = lab.directory / "field.txt"
        after = await explained(lab, "--to-file", str(file))
        assert after[dead]["election"] is None
        assert after[dead]["trouble"], "a member that does not answer is named with the reason"
        successor = after.pop(next_queen["name"])
        assert f"I am queen of term {next_queen['term']}" in decided(successor)
        assert "there is no queen; I campaign" in decided(successor)
        (third,) = (one for name, one in after.items() if name != dead)
        assert f"{next_queen['name']} is queen of term {next_queen['term']}" in decided(third)
        assert f"I suspect the queen of term {queen['term']}" in decided(successor) + decided(third)

        order = {"command": {"type": "diagnostics"}}
        answer = await lab.ask("POST", f"/v1/nodes/{next_queen['name']}/commands", order)
        assert f"It reigns under term {next_queen['term']}." in answer.json()["answer"]["election"][0]

        text = file.read_text(encoding="utf-8")
        assert f"# {dead} told nothing" in text
        replayed = await run("aware_agent.simulator", "--replay", str(file), cwd=lab.directory)
        assert replayed.returncode == 0, replayed.stdout + replayed.stderr
        assert "today's rules decide the same" in replayed.stdout


async def test_nobody_reigns_and_each_member_still_explains_itself() -> None:
    """etcd is gone: no queen, no election, and that is when somebody asks."""
    async with Lab(2, settings=UNHURRIED) as lab:
        await lab.form()
        await lab.wait_serving()
        await lab.admin()
        lab.etcd.members[0].kill()
        async with asyncio.timeout(LIMIT_S):
            while any(one["election"]["phase"] == "reigning" for one in (await explained(lab)).values()):
                await asyncio.sleep(0.2)
            while not all("no contact with etcd" in one["ready"] for one in (await explained(lab)).values()):
                await asyncio.sleep(0.2)
        done = await run("aware_agent.cli", "explain", "--context", str(lab.write_context()), cwd=lab.directory)
        assert done.returncode == 0, done.stderr
        assert "I am no longer queen" in done.stdout
