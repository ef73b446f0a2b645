"""Clocks of queen and heir step, two hours back and forth and eight days ahead, while the colony is written to.

What decides about a reign is measured by clocks that nobody sets; certificates and tokens are judged by those that are.
"""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from bench.lab import Lab
from tests.patience import UNHURRIED

pytestmark = pytest.mark.e2e

LIMIT_S = 120.0
HOURS, DAYS = 3600, 86400
STEPS = [("queen", -2 * HOURS), ("heir", 8 * DAYS), ("heir", -2 * HOURS), ("queen", 2 * HOURS), ("queen", 8 * DAYS)]


def library() -> str:
    """libfaketime, "" where it is not installed."""
    try:
        listed = subprocess.run(["dpkg", "-L", "libfaketime"], capture_output=True, text=True, check=False, timeout=20)
    except OSError:
        return ""
    return next((line for line in listed.stdout.splitlines() if line.endswith("/libfaketimeMT.so.1")), "")


class Clocks:
    """The wall clock of each agent and of its gateway. etcd runs by the right one: it has no use for it."""

    def __init__(self, lab: Lab, preload: str) -> None:
        self._files: dict[str, Path] = {}
        for name, agent in lab.agents.items():
            file = self._files[name] = agent.directory / "clock"
            self.set(name, 0)
            wrong = [f"LD_PRELOAD={preload}", f"FAKETIME_TIMESTAMP_FILE={file}", "FAKETIME_NO_CACHE=1"]
            right = ["FAKETIME_DONT_FAKE_MONOTONIC=1", "FAKETIME_DONT_RESET=1"]
            agent.argv = ["env", *wrong, *right, *agent.argv]

    def set(self, name: str, seconds: int) -> None:
        """So far is it wrong from now on."""
        file = self._files[name]
        new = file.with_suffix(".new")
        new.write_text(f"{seconds:+d}s\n")
        new.replace(file)  # it is read at each look at the clock: half a line would be


@asynccontextmanager
async def colony() -> AsyncIterator[tuple[Lab, Clocks]]:
    preload = library()
    if not preload:
        pytest.skip("libfaketime is not installed (Debian package faketime)")
    async with Lab(3, etcd_members=3, settings=UNHURRIED) as lab:
        clocks = Clocks(lab, preload)
        await lab.form()
        await lab.wait_serving()
        yield lab, clocks


async def write(lab: Lab, number: int) -> int:
    """One more label by whoever reigns; returns the term it was written under."""
    answer = await lab.ask("PATCH", "/v1/nodes/lab-1", {"labels": {f"n{number}": "yes"}}, deadline_s=LIMIT_S)
    assert answer.ok, answer
    return int(answer.json()["term"])


@pytest.mark.deep
async def test_a_clock_steps_and_is_set_right_again() -> None:
    async with colony() as (lab, clocks):
        terms: list[int] = []
        for whose, seconds in STEPS:
            queen = await lab.queen()
            name = queen["name"] if whose == "queen" else queen["heir"]["name"]
            clocks.set(name, seconds)
            for _ in range(10):
                terms.append(await write(lab, len(terms)))
                await asyncio.sleep(0.3)
            if whose == "heir":
                assert terms[-1] == queen["term"], "nobody else's clock ends a reign"
            clocks.set(name, 0)
            terms.append(await write(lab, len(terms)))
            await lab.wait_ready(3, LIMIT_S)
        assert terms == sorted(terms)
        labels = (await lab.ask("GET", "/v1/nodes/lab-1")).json()["labels"]
        assert labels == {f"n{number}": "yes" for number in range(len(terms))}
