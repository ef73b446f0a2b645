"""Attack 3: a member writes something else than its report to its own presence key, to bring everybody else down."""

from __future__ import annotations

import asyncio
import logging

import msgspec
import pytest

from aware_agent.agent.reader import ColonyReader
from aware_agent.colony.node import Report
from bench.lab import Lab
from tests.hostile.reign_support import Reign

GARBAGE = [b'{"name":1}', b"", b"\xff\xfe", b"[" * 5000, b"null", b'{"name":"x","url":"y"}', b"9" * 100_000]


@pytest.mark.etcd
@pytest.mark.parametrize("garbage", GARBAGE, ids=range(len(GARBAGE)))
async def test_what_cannot_be_read_is_left_out_and_said_once(
    reign: Reign, garbage: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    report = Report(name="two", address="127.0.0.1", url="https://127.0.0.1:2", incarnation="i")
    reader: ColonyReader = reign.reader
    await reign.client.put(reign.keys.key("presence", "two"), msgspec.json.encode(report))
    await reign.client.put(reign.keys.key("nodes", "liar"), garbage)
    wrote = await reign.client.put(reign.keys.key("presence", "liar"), garbage)
    assert await reign.projection.wait_revision(wrote, 20.0)
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            assert reader.presence() == {"two": report}
            assert "liar" not in reader.records()
            assert reader.view().colony == reign.colony
    assert sum("presence/liar" in line.getMessage() for line in caplog.records) == 1
    honest = await reign.client.put(reign.keys.key("presence", "liar"), msgspec.json.encode(report))
    assert await reign.projection.wait_revision(honest, 20.0)
    assert reader.presence().keys() == {"two", "liar"}
    assert reign.keys.key("presence", "liar") not in reader.unreadable


@pytest.mark.e2e
async def test_the_queen_reigns_on_elections_see_and_the_liar_can_be_removed() -> None:
    async with Lab(3) as lab:
        await lab.form()
        queen = await lab.queen()
        nodes = {n["name"]: n for n in (await lab.ask("GET", "/v1/nodes")).json()["nodes"]}
        liar = next(name for name in sorted(nodes) if name not in (queen["name"], queen["heir"]["name"]))
        lab.agent(liar).kill()
        async with lab.etcd_client() as etcd:
            for garbage in GARBAGE:
                await etcd.put(lab.keys.key("presence", nodes[liar]["id"]), garbage)
        assert (await lab.queen())["term"] == queen["term"]
        assert (await lab.ask("PATCH", f"/v1/nodes/{liar}", {"labels": {"seen": "yes"}})).ok
        lab.agent(queen["name"]).kill()  # elections are not blind
        successor = await lab.new_queen(queen["term"])
        assert successor["name"] != queen["name"]
        for _ in range(1200):
            removed = await lab.ask("DELETE", f"/v1/nodes/{liar}?force=true")
            if removed.ok:
                break
            await asyncio.sleep(0.1)
        assert removed.ok
