"""Workers come to a colony whose council is there: how long until the queen hears all, and what each of them costs.

That is how a colony grows: a few nodes may reign, and know all that etcd holds; everybody else has channels to two of
them and knows the council alone. What a join costs whom is said apart: the newcomer, the queen's agent, her gateway.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import sys
import time
from typing import NamedTuple

from bench.client import Unreachable
from bench.lab import Agent, Lab, LabError
from bench.measure import cpu_seconds
from bench.processes import clean_environment

MEMBERS = 3
_LIMIT_S = 180.0
_LOOK_S = 0.1
_NAME = "worker-"
_FLOOR = "import asyncio, ssl, uvloop, msgspec, websockets.asyncio.client, uvicorn, httptools"


class Cost(NamedTuple):
    """Monotonic moments of one run, and CPU seconds in it."""

    first: float
    last: float
    ready: float
    each: float  # of one agent, from its start until the queen heard it
    queen: float  # of the queen's agent for each of them
    gateway: float  # of her gateway for each of them; the bench asks it ten times a second


def floor(at_once: int) -> float:
    """CPU seconds of one Python process that loads what a worker stands on and ends; ``at_once`` of them meet."""
    before = os.times()
    made = [subprocess.Popen([sys.executable, "-c", _FLOOR], env=clean_environment()) for _ in range(at_once)]
    codes = [process.wait(_LIMIT_S) for process in made]
    if any(codes):
        raise LabError("a process that only imports failed")
    after = os.times()
    spent = after.children_user + after.children_system - before.children_user - before.children_system
    return spent / at_once


async def workers(nodes: int, at_once: int) -> tuple[Cost, Cost]:
    """A colony of ``nodes`` of which all but :data:`MEMBERS` are workers: they join, then they start again.

    Raises LabError.
    """
    async with Lab(nodes=MEMBERS) as lab:
        await lab.form()
        token = await lab.make_token(uses=nodes)
        made = [lab.add_agent(f"{_NAME}{n}", token_file=str(token)) for n in range(1, nodes - MEMBERS + 1)]
        joined = await _start(lab, made, at_once)
        for agent in made:
            agent.terminate()
        for agent in made:
            await asyncio.to_thread(agent.stop, 30.0)
        end = time.monotonic() + _LIMIT_S
        while await _ready(lab):
            if time.monotonic() > end:
                raise LabError(f"after {_LIMIT_S:g} s the queen still counts on workers that ended")
            await asyncio.sleep(_LOOK_S)
        return joined, await _start(lab, made, at_once)


async def _start(lab: Lab, made: list[Agent], at_once: int) -> Cost:
    """Start all, with no more than ``at_once`` not yet heard by the queen (0: all), and wait for her to hear all."""
    queen = lab.agent((await lab.queen())["name"])
    before = cpu_seconds(queen.pid), cpu_seconds(queen.gateway_pid)
    waiting = list(reversed(made))
    heard: dict[str, float] = {}  # by name: CPU seconds until then
    first = last = time.monotonic()
    end = first + _LIMIT_S
    while len(heard) < len(made):
        while waiting and (not at_once or len(made) - len(waiting) - len(heard) < at_once):
            waiting.pop().start()
            last = time.monotonic()
        await asyncio.sleep(_LOOK_S)
        heard |= {name: cpu_seconds(lab.agent(name).pid) for name in await _ready(lab) - heard.keys()}
        dead = next((agent for agent in made if agent not in waiting and agent.exit_code is not None), None)
        if dead:
            raise LabError(f"{dead.name} ended with {dead.exit_code}: {dead.tail(1)}")
        if time.monotonic() > end:
            raise LabError(f"after {_LIMIT_S:g} s {len(made) - len(heard)} workers are missing: {lab.tails(2)}")
    ready = time.monotonic()
    after = cpu_seconds(queen.pid), cpu_seconds(queen.gateway_pid)
    hers, its = ((late - early) / len(made) for early, late in zip(before, after, strict=True))
    return Cost(first, last, ready, sum(heard.values()) / len(made), hers, its)


async def _ready(lab: Lab) -> set[str]:
    """Names of the workers the queen counts on."""
    with contextlib.suppress(Unreachable):
        answer = await lab.ask("GET", "/v1/nodes", deadline_s=5.0)
        if answer.ok:
            items = answer.json()["nodes"]
            return {one["name"] for one in items if one["status"] == "ready" and one["name"].startswith(_NAME)}
    return set()
