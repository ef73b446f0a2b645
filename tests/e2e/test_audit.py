"""The audit log of a whole colony: one chain over a killed queen, what every member refused, a copy on every disk."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from aware_agent.cli.audit_check import judge
from bench.client import ColonyClient
from bench.lab import Lab

pytestmark = pytest.mark.e2e


async def _log(lab: Lab) -> dict[str, Any]:
    return dict((await lab.ask("GET", "/v1/audit?limit=1000")).json())


async def _told(lab: Lab, **fields: Any) -> dict[str, Any]:
    """The line with these fields, once it is there."""
    lines: list[dict[str, Any]] = []
    for _ in range(1200):
        lines = (await _log(lab))["lines"]
        for line in lines:
            if all(line[name] == value for name, value in fields.items()):
                return line
        await asyncio.sleep(0.1)
    raise AssertionError(f"no line {fields} in {lines[-10:]}\n{lab.tails(6)}")


async def _copied(directory: Path, seq: int) -> list[Path]:
    for _ in range(1200):
        paths = sorted(directory.glob("audit-*.jsonl"))
        if paths and f'"seq":{seq},'.encode() in paths[-1].read_bytes():
            return paths
        await asyncio.sleep(0.1)
    raise AssertionError(f"line {seq} never came to {directory}")


async def test_one_chain_over_a_killed_queen_with_what_every_member_refused_and_a_copy_on_every_disk() -> None:
    async with Lab(3) as lab:
        await lab.form()
        queen = await lab.queen()
        nodes = (await lab.ask("GET", "/v1/nodes")).json()["nodes"]
        ids = {node["name"]: node["id"] for node in nodes}
        written = await lab.ask("PATCH", "/v1/nodes/lab-1", {"labels": {"audit": "yes"}})
        assert written.ok
        line = await _told(lab, action="change-node", subject=ids["lab-1"])
        assert (line["route"], line["result"]) == ("PATCH /v1/nodes/{node}", "done")
        assert line["request"]
        member = next(node for node in nodes if node["name"] != queen["name"])
        ca = lab.ca_file.read_bytes()
        async with ColonyClient([member["url"]], ca) as stranger:  # answered by that member, not by the queen
            answer = await stranger.call("GET", "/v1/nodes", deadline_s=120.0, timeout_s=30.0)
            assert answer.status == 401
        refused = await _told(lab, action="refused", member=ids[member["name"]])
        assert (refused["status"], refused["route"], refused["kind"]) == (401, "GET /v1/nodes", "anonymous")

        noted = (await _log(lab))["head"]
        lab.agent(queen["name"]).kill()
        await lab.new_queen(queen["term"])
        assert (await lab.ask("PATCH", "/v1/nodes/lab-1", {"labels": {"audit": None}})).ok
        log = await _log(lab)
        lines, keys = log["lines"], log["keys"]
        assert {line["term"] for line in lines} >= {queen["term"], lines[-1]["term"]}
        assert len([line for line in lines if line["action"] == "reign.began"]) >= 2
        head = f"{noted['seq']}:{noted['hash']}"
        verdict = judge([], lines, heads=[head], backups=[], keys=keys).verdict
        assert verdict.whole, verdict.faults
        assert verdict.sealed == len(lines)
        new = (await lab.queen())["name"]
        paths = await _copied(lab.directory / "nodes" / new / "state" / "audit", lines[-1]["seq"])
        assert judge(paths, None, heads=[head], backups=[], keys=keys).verdict.whole
        assert {path.stat().st_mode & 0o777 for path in paths} == {0o600}
        assert b"password" not in b"".join(path.read_bytes() for path in paths).replace(b'"credential":"password"', b"")
