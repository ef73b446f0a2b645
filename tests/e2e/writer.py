"""A client that writes through the gateway all the time and remembers what was acknowledged."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from bench.client import Unreachable
from bench.lab import Lab


@dataclass
class Ledger:
    """What one writer did."""

    acknowledged: list[tuple[int, int, int]] = field(default_factory=list)  # number, revision, term
    refused: list[str] = field(default_factory=list)


async def write_until(lab: Lab, node: str, stop: asyncio.Event, pause_s: float = 0.02) -> Ledger:
    """Put ``vars.number`` = 1, 2, 3... on ``node``; a number counts as acknowledged only after a 2xx."""
    ledger = Ledger()
    number = 0
    client = lab.client((await lab.admin()).token)
    try:
        while not stop.is_set():
            number += 1
            body = {"config": {"vars": {"number": number}}}
            try:
                answer = await client.call("PUT", f"/v1/nodes/{node}/config", body, deadline_s=15)
            except Unreachable as error:
                ledger.refused.append(str(error))
                continue
            if answer.ok:
                document = answer.json()
                term = int(answer.headers.get("x-aware-term", document.get("term", 0)))
                ledger.acknowledged.append((number, document["revision"], term))
            else:
                ledger.refused.append(f"{answer.status} {answer.body[:200]!r}")
            await asyncio.sleep(pause_s)
    finally:
        client.close()
    return ledger
