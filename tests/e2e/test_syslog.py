"""The audit log at a real rsyslog, over its death and a queen's: what it keeps is the colony's log, each line of it."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from aware_agent.cli.audit_check import judge
from aware_agent.ports import free_ports
from bench.lab import Lab
from tests.patience import UNHURRIED
from tests.syslog_support import Rsyslog, needs_rsyslog

pytestmark = [pytest.mark.e2e, needs_rsyslog]

LIMIT_S = 240.0


async def _label(lab: Lab, first: int, count: int) -> None:
    for number in range(first, first + count):
        body = {"labels": {"number": str(number)}}
        answer = await lab.ask("PATCH", f"/v1/nodes/lab-{number % 3 + 1}", body, deadline_s=LIMIT_S)
        assert answer.ok, answer


async def _all(rsyslog: Rsyslog, lab: Lab) -> list[dict[str, Any]]:
    """Wait until every line that the colony has now is with rsyslog; returns what the colony has."""
    log: list[dict[str, Any]] = []
    async with asyncio.timeout(LIMIT_S):
        while True:
            log = (await lab.ask("GET", "/v1/audit?limit=1000", deadline_s=LIMIT_S)).json()["lines"]
            there = {json.loads(line)["hash"] for line in rsyslog.lines()}
            if {line["hash"] for line in log} <= there:
                return log
            await asyncio.sleep(0.2)


async def test_a_receiver_that_dies_and_a_queen_that_dies_cost_no_line(tmp_path: Path) -> None:
    (port,) = free_ports(1)
    rsyslog = Rsyslog(tmp_path, port)
    audit = {"syslog": f"localhost:{port}", "syslog_ca_file": str(rsyslog.ca)}
    with rsyslog.running():
        async with Lab(3, settings={**UNHURRIED, "audit": audit}) as lab:
            await lab.form()
            await lab.wait_serving()
            await _label(lab, 0, 10)
            await _all(rsyslog, lab)
            rsyslog.kill()
            await _label(lab, 10, 10)
            async with asyncio.timeout(LIMIT_S):  # the colony says whom it cannot reach
                while True:
                    shown = (await lab.ask("GET", "/v1/cluster", deadline_s=LIMIT_S)).json()["breakers"]
                    if shown:
                        break
                    await asyncio.sleep(0.2)
            assert shown[0]["name"] == "syslog/audit"
            queen = await lab.queen()
            lab.agent(queen["name"]).kill()
            await lab.new_queen(queen["term"])
            rsyslog.start()
            await _label(lab, 20, 10)
            await _all(rsyslog, lab)
            async with asyncio.timeout(LIMIT_S):
                while (await lab.ask("GET", "/v1/cluster", deadline_s=LIMIT_S)).json()["breakers"]:
                    await asyncio.sleep(0.2)
            log = await _all(rsyslog, lab)
            keys = (await lab.ask("GET", "/v1/audit?limit=1", deadline_s=LIMIT_S)).json()["keys"]
    exported = [json.dumps(line, separators=(",", ":"), ensure_ascii=True).encode() for line in log]
    received = list(dict.fromkeys(rsyslog.lines()))  # at least once: some came twice
    assert [line for line in received if json.loads(line)["seq"] <= log[-1]["seq"]] == exported
    assert log[0]["seq"] == 1
    once = tmp_path / "once.jsonl"
    once.write_bytes(b"".join(line + b"\n" for line in received))
    for path in (once, rsyslog.file):  # with what came twice, too
        verdict = judge([path], None, heads=[], backups=[], keys=keys).verdict
        assert verdict.whole, verdict.faults
        assert verdict.sealed == verdict.lines
    terms = {json.loads(line)["term"] for line in received}
    assert len(terms) >= 2, "what both queens wrote arrived"
    head = rsyslog.raw.read_bytes().split(b"{", 1)[0]
    assert head.startswith(b"<109>1 ")
    assert b' [meta sequenceId="1"] ' in head
