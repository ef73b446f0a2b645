"""``aware check election`` on real colonies: queens that are killed and that hand over, and what is left behind."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from aware_agent.security import pki
from bench.lab import Lab
from tests.patience import UNHURRIED

pytestmark = pytest.mark.e2e

LIMIT_S = 240.0


@pytest.fixture
async def lab() -> AsyncIterator[Lab]:
    async with Lab(3, settings=UNHURRIED) as made:
        await made.form()
        await made.wait_serving()
        await made.admin()
        yield made


class Check:
    """One run of the command."""

    def __init__(self, lab: Lab, *options: str, context: Path | None = None) -> None:
        command = [sys.executable, "-m", "aware_agent.cli", "check", "election", *options]
        self.process = subprocess.Popen(
            [*command, "--context", str(context or lab.write_context())],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=lab.directory,
            env=dict(os.environ),
        )

    async def ended(self) -> tuple[int, str, str]:
        """Exit code and output."""
        out, err = await asyncio.to_thread(self.process.communicate, timeout=LIMIT_S)
        return self.process.returncode, out, err


async def register(lab: Lab) -> bytes | None:
    async with lab.etcd_client() as client:
        found = await client.get(lab.keys.key("check"))
        return found.value if found else None


async def kept_keys(lab: Lab) -> list[bytes]:
    """Idempotency-Keys of writes of a check."""
    async with lab.etcd_client() as client:
        found = await client.range(*lab.keys.below("idempotency/~check"))
        return [kv.key for kv in found.kvs]


async def at_work(lab: Lab) -> None:
    """Return when a check has had writes accepted."""
    async with asyncio.timeout(LIMIT_S):
        while (value := await register(lab)) is None or not json.loads(value)["value"]:
            await asyncio.sleep(0.05)


async def nobody_reigns(lab: Lab) -> None:
    """Return when every member says that there is no queen."""
    async with asyncio.timeout(LIMIT_S), lab.client((await lab.admin()).token) as client:
        for agent in lab.running():
            while (await client.once(agent.url, "GET", "/v1/queen", timeout_s=30.0)).status != 503:
                await asyncio.sleep(0.2)


@contextlib.asynccontextmanager
async def checking(lab: Lab, *options: str) -> AsyncIterator[Check]:
    """A check that is at work."""
    check = Check(lab, *options)
    try:
        await at_work(lab)
        yield check
    finally:
        check.process.kill()
        check.process.communicate()  # closes its pipes as well, also of a test that failed


def report(out: str) -> dict[str, Any]:
    return dict(json.loads(out))


async def test_the_queen_is_killed_and_the_change_is_in_the_report(lab: Lab) -> None:
    queen = await lab.queen()
    async with checking(lab, "--duration", "8s", "--json") as check:
        lab.agent(queen["name"]).kill()
        after = await lab.new_queen(queen["term"])
        code, out, err = await check.ended()
    assert code == 0, err
    said = report(out)
    assert said["verdict"] == "ok"
    changes = [(one["from_queen"], one["from_term"], one["to_queen"], one["asked"]) for one in said["changes"]]
    assert (queen["name"], queen["term"], after["name"], False) in changes
    assert said["longest_gap_s"] >= max(one["gap_s"] for one in said["changes"]) > 0
    assert said["reads"] > 0
    assert said["accepted"] > 0
    assert said["write_latency"]["p50_s"] <= said["write_latency"]["p95_s"] <= said["write_latency"]["max_s"]
    assert await register(lab) is None
    assert await kept_keys(lab) == []


async def test_hand_overs_are_asked_for_and_told(lab: Lab) -> None:
    await lab.queen()
    code, out, err = await Check(lab, "--duration", "9s", "--hand-over", "2", "--clients", "5").ended()
    assert code == 0, out + err
    assert "no violation found" in out
    assert "asked for by this check" in out
    assert out.count("hand-over at") == 2
    assert await register(lab) is None


async def test_an_interrupted_check_tidies_up_and_what_a_killed_one_leaves_goes_with_the_next(lab: Lab) -> None:
    async with checking(lab, "--duration", "9m", "--json") as check:
        check.process.send_signal(signal.SIGINT)
        code, out, err = await check.ended()
    assert code == 130, err
    assert report(out)["interrupted"]
    assert report(out)["verdict"] == "ok"
    assert await register(lab) is None

    async with checking(lab, "--duration", "9m") as check:
        second = await Check(lab, "--duration", "1s").ended()
        assert second[0] == 5, (second, check.process.poll() is not None and check.process.communicate())
        assert "a check by admin is at work" in second[2]
        check.process.kill()
        await check.ended()
    left = await register(lab)
    assert left is not None
    async with asyncio.timeout(LIMIT_S):  # it counts as at work for some seconds
        while (done := await Check(lab, "--duration", "1s").ended())[0] == 5:
            await asyncio.sleep(0.5)
    assert done[0] == 0, done
    assert await register(lab) is None
    assert await kept_keys(lab) == []


async def refused(lab: Lab, context: Path | None = None) -> tuple[int, str]:
    """Exit code and the one line that says why a check cannot begin."""
    code, out, err = await Check(lab, "--duration", "1s", "--json", context=context).ended()
    assert out == ""
    (line,) = err.splitlines()
    assert await register(lab) is None
    return code, line


async def test_who_may_not_a_colony_of_another_ca_and_no_queen_are_one_clear_error_each(lab: Lab) -> None:
    password = "correct horse battery"
    assert (await lab.ask("PUT", "/v1/users/vera", {"role": "viewer", "password": password})).ok
    where = lab.directory / "vera"
    where.mkdir()
    context = lab.write_context(where)
    async with lab.client() as vera:
        (where / "token").write_text(await vera.login("vera", password, LIMIT_S))
    assert await refused(lab, context) == (
        3,
        "error: this needs role operator, you are viewer (log in as somebody who has it)",
    )

    stranger = where / "stranger.crt"
    stranger.write_bytes(pki.create_ca(lab.colony, time.time()).certificate)
    context.write_text(json.dumps({**json.loads(context.read_text()), "ca_file": str(stranger)}))
    code, line = await refused(lab, context)
    assert code == 7
    assert "certificate" in line

    lab.etcd.members[0].kill()
    await nobody_reigns(lab)
    code, out, err = await Check(lab, "--duration", "1s").ended()
    assert (code, out.count("verdict")) == (7, 0)
    (line,) = err.splitlines()
    assert "the queen of colony lab was not found within 15 s" in line
