"""Reads of one council member and of two at once, each gateway held to a third of a core: do two serve twice as much?

Who asks has the rest of the machine. One and two take turns, so that other work meets both.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
from typing import Any

from bench.control_groups import processor_share
from bench.harness import Run, Unavailable
from bench.lab import Agent, Lab, LabError
from bench.load import load
from bench.population import populate

PATH = "/v1/nodes"
NODES = 100
CONNECTIONS = 16
SHARE = 1 / 3


def add_arguments(parser: Any) -> None:
    """Options of this benchmark."""
    parser.add_argument("--seconds", type=float, default=0, help="of each load (default 6, quick 3)")
    parser.add_argument("--repeat", type=int, default=0, help="loads of each row (default 5, quick 3)")


async def measure(run: Run, options: argparse.Namespace) -> None:
    """A colony of three; the two that do not reign are asked."""
    seconds = options.seconds or (3 if run.quick else 6)
    repeat = options.repeat or (3 if run.quick else 5)
    async with Lab(nodes=3) as lab:
        await lab.form()
        async with lab.etcd_client() as client:
            await populate(client, lab.keys, NODES - 3, first=3)
        await lab.wait_ready(NODES)
        await lab.wait_serving()
        queen = (await lab.queen())["name"]
        asked = [agent for name, agent in lab.agents.items() if name != queen]
        try:
            with contextlib.ExitStack() as stack:
                for agent in asked:
                    stack.enter_context(processor_share(agent.name, [agent.gateway_pid], SHARE))
                await _measure(run, lab, asked, seconds, repeat)
        except Unavailable as error:
            run.skip("reads of two members", str(error))


async def _measure(run: Run, lab: Lab, asked: list[Agent], seconds: float, repeat: int) -> None:
    one: list[float] = []
    two: list[float] = []
    for _ in range(repeat):
        one.append(await _rate(lab, asked[:1], seconds))
        two.append(await _rate(lab, asked, seconds))
    settings = f"GET {PATH} of {NODES} nodes, {CONNECTIONS} connections each, a third of a core each"
    run.record("reads of one member", one, unit="req/s", kind="floor", settings=settings)
    run.record(
        "reads of two members", two, unit="req/s", kind="aware", settings=settings, against=["reads of one member"]
    )


async def _rate(lab: Lab, asked: list[Agent], seconds: float) -> float:
    headers = {"Authorization": f"Bearer {(await lab.admin()).token}"}
    loads = await asyncio.gather(
        *(load(agent.url + PATH, connections=CONNECTIONS, seconds=seconds, headers=headers) for agent in asked)
    )
    if any(each.errors or not each.requests for each in loads):
        raise LabError(f"reads failed: {loads}")
    return sum(each.rate for each in loads)
