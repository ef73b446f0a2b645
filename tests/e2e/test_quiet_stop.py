"""What is logged when a reign or a process ends under open streams and unfinished requests: nothing alarming."""

from __future__ import annotations

import asyncio
import re
import ssl

import pytest

from bench.lab import Lab

pytestmark = pytest.mark.e2e

LIMIT_S = 30.0
# Warnings of the etcd this machine has, and of leases lost because it is busy, are true.
LOUD = re.compile(r"^\S+ (error|critical) |^\S+ warning (?!.*(tests only|lease \w+ is lost))|Traceback|ASGI|Cancel")
UPGRADE = (
    "upgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-version: 13\r\n"
    "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
)
Clients = list[tuple[asyncio.StreamReader, asyncio.StreamWriter]]


async def _come(lab: Lab, url: str) -> Clients:
    """Streams that are read and streams that are not, half a write, an idle connection; none says good-bye."""
    token = (await lab.admin()).token
    tls = ssl.create_default_context(cadata=lab.material.ca.certificate.decode())
    host, port = url.removeprefix("https://").rsplit(":", 1)
    clients: Clients = []
    for path, extra, deaf in [
        ("GET /v1/events/stream?since=0", "", False),
        ("GET /v1/events/stream?since=0", "", True),
        ("GET /v1/events/ws?since=0", UPGRADE, False),
        ("GET /v1/events/ws?since=0", UPGRADE, True),
        ("GET /healthz", "", True),
        ("PUT /v1/spec", "content-length: 500\r\n", False),
        ("PUT /v1/spec", "content-length: 500\r\nidempotency-key: half\r\n", False),
    ]:
        reader, writer = await asyncio.open_connection(host, int(port), ssl=tls)
        writer.write(f"{path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\n{extra}\r\n".encode())
        if path.startswith("PUT"):
            writer.write(b"{")
        else:
            async with asyncio.timeout(LIMIT_S):
                await reader.readuntil(b"\r\n\r\n")
        if deaf:
            writer.transport.pause_reading()  # type: ignore[attr-defined]
        clients.append((reader, writer))
    return clients


async def _end_of(reader: asyncio.StreamReader) -> bytes:
    async with asyncio.timeout(LIMIT_S):
        return await reader.read(-1)


async def test_nothing_alarming_is_logged_when_a_reign_and_a_process_end() -> None:
    async with Lab(3) as lab:
        await lab.form()
        first = await lab.queen()
        clients = await _come(lab, first["url"])
        heir = next(n["name"] for n in (await lab.ask("GET", "/v1/nodes")).json()["nodes"] if n["rank"] == 1)
        assert (await lab.ask("POST", "/v1/queen/transfer", {"node": heir})).status == 202
        second = await lab.new_queen(first["term"])
        # A change of queen ends no stream: this one tells of it. What ends it is the end of its gateway.
        async with asyncio.timeout(LIMIT_S):
            await clients[0][0].readuntil(b"id: %d\nevent: queen.elected\n" % second["term"])
        clients += await _come(lab, second["url"])
        for name in (first["name"], second["name"]):
            assert lab.agent(name).stop() == 0
        assert b"aware.end" in await _end_of(clients[0][0])
        third = await lab.new_queen(second["term"])
        clients += await _come(lab, third["url"])
        assert lab.agent(third["name"]).stop() == 0
        for _, writer in clients:
            writer.transport.abort()
            writer.close()
        logs = {name: agent.log.read_text() for name, agent in lab.agents.items()}
    loud = [f"{name}: {line}" for name, text in logs.items() for line in text.splitlines() if LOUD.search(line)]
    assert loud == [], "\n".join(loud)
    assert all("stopped" in text for text in logs.values())
