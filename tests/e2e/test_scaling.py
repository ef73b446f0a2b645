"""A posted demand makes a caste of real nodes grow and shrink; a queen that is killed forgets nothing of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import pytest

from bench.lab import Lab

pytestmark = pytest.mark.e2e

LIMIT_S = 120.0
AFTER_S = 30.0
Caste = dict[str, Any]


async def _post(lab: Lab, value: float) -> None:
    answer = await lab.ask("PUT", "/v1/castes/web/demand", {"value": value})
    assert answer.ok, answer.body


async def _until(lab: Lab, demand: float, fits: Callable[[Caste], bool]) -> Caste:
    """The caste when it is as wanted, with that demand posted all the time."""
    caste: Caste = {}
    end = time.monotonic() + LIMIT_S
    while time.monotonic() < end:
        await _post(lab, demand)
        caste = (await lab.ask("GET", "/v1/castes/web")).json()
        if fits(caste):
            return caste
        await asyncio.sleep(1.0)
    raise AssertionError(f"{caste}\n{lab.tails(8)}")


async def _changes(lab: Lab) -> list[tuple[int, int]]:
    events = (await lab.ask("GET", "/v1/events?type=caste.scaled")).json()["events"]
    return [(event["payload"]["before"], event["payload"]["after"]) for event in events]


async def test_a_demand_makes_a_caste_grow_and_shrink_over_a_killed_queen() -> None:
    async with Lab(3) as lab:
        await lab.form()
        scale = {"min": 1, "max": 5, "demand": {"per_node": 10}, "in": {"after_s": AFTER_S, "drain_s": 5, "nodes": 9}}
        spec = {"colony": lab.colony, "size": 3, "castes": {"web": {"count": 1, "scale": scale}}}
        assert (await lab.ask("PUT", "/v1/spec", spec)).ok
        one = await _until(lab, 5, lambda caste: len(caste["members"]) == 1)
        assert one["wanted"] == 1

        grown = await _until(lab, 25, lambda caste: len(caste["members"]) == 3)
        assert "a demand of 25, of which a node carries 10, needs 3" in grown["scale"]["why"]
        await _until(lab, 45, lambda caste: caste["wanted"] == 5)
        cluster = (await lab.ask("GET", "/v1/cluster")).json()["size"]
        assert (cluster["wanted"], cluster["servers"], cluster["missing"]) == (3, 5, 2), (
            "the spec's size is 3, and there are no servers"
        )

        needed_until = time.time()
        await _until(lab, 5, lambda caste: caste["scale"]["demand"]["value"] == 5)
        queen = await lab.queen()
        lab.agent(queen["name"]).kill()
        await lab.new_queen(queen["term"])
        shrunk = await _until(lab, 5, lambda caste: caste["wanted"] < 5)
        assert shrunk["scale"]["changed_at"] >= needed_until + AFTER_S - 1, "she waited as long as the old one"
        left = await _until(lab, 5, lambda caste: caste["wanted"] == 1 and len(caste["members"]) == 1)
        assert left["scale"]["leaving"] == []
        changes = await _changes(lab)
        assert changes[0] == (1, 3)
        assert [after > before for before, after in changes] == sorted(
            (after > before for before, after in changes), reverse=True
        ), "up, then down, and never back"
        again = (await lab.ask("PUT", "/v1/spec", spec)).json()
        assert again["changed"] is False
