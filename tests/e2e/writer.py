"""A client that writes through the gateway all the time and remembers what was acknowledged."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from bench.client import Unreachable
from bench.lab import Lab


@dataclass
class Acknowledged:
    """What one writer did."""

    acknowledged: list[tuple[int, int, int]] = field(default_factory=list)  # number, revision, term
    refused: list[str] = field(default_factory=list)

    async def acknowledged_under(self, term: int) -> None:
        """Wait, for half a minute, until something was acknowledged under ``term``."""
        async with asyncio.timeout(30):
            while term not in {term for _, _, term in self.acknowledged}:
                await asyncio.sleep(0.05)


async def write_until(
    lab: Lab, node: str, stop: asyncio.Event, pause_s: float = 0.02, written: Acknowledged | None = None
) -> Acknowledged:
    """Put ``vars.number`` = 1, 2, 3... on ``node``; a number counts as acknowledged only after a 2xx."""
    written = written if written is not None else Acknowledged()
    number = 0
    client = lab.client((await lab.admin()).token)
    try:
        while not stop.is_set():
            number += 1
            body = {"config": {"vars": {"number": number}}}
            try:
                answer = await client.call("PUT", f"/v1/nodes/{node}/config", body, deadline_s=15)
            except Unreachable as error:
                written.refused.append(str(error))
                continue
            if answer.ok:
                document = answer.json()
                term = int(answer.headers.get("x-aware-term", document.get("term", 0)))
                written.acknowledged.append((number, document["revision"], term))
            else:
                written.refused.append(f"{answer.status} {answer.body[:200]!r}")
            await asyncio.sleep(pause_s)
    finally:
        client.close()
    return written
