"""A job's log and progress as server-sent events, for as long as the job runs: any member serves them from its copy."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from typing import Protocol

import msgspec

from aware_agent.colony.errors import NotFound
from aware_agent.colony.jobs import Job
from aware_agent.gateway.hub import TOKEN_ENDED, TRIMMED, Alive, End, Item, StreamLine
from aware_agent.gateway.state import Gateway
from aware_agent.queen import overview
from aware_agent.security.jwt import Principal
from aware_agent.store.subscription import ProjectionBatch

DONE = 1000  # RFC 6455 registry: nothing is left to be said


class LogSaid(Protocol):
    """As much of a log document as is needed to go on after it."""

    @property
    def text(self) -> str: ...

    @property
    def after(self) -> int: ...

    @property
    def complete(self) -> bool: ...


async def follow_log(
    gateway: Gateway, who: Principal, job_id: str, start: int, tell: Callable[[Job, int], tuple[LogSaid, object]]
) -> AsyncGenerator[Item, None]:
    """What ``tell`` says of the log from part ``start`` on, and of the job at each change, until it has ended."""
    context = gateway.context
    own = context.reader.keys.key("jobs", job_id)
    parts = context.reader.keys.key("job-logs", job_id) + b"/"
    with gateway.hub.place(who.name, events=False) as place:

        def changed(batch: ProjectionBatch) -> None:
            if batch.relisted or any(c.kv.key == own or c.kv.key.startswith(parts) for c in batch.changes):
                place.changed.set()

        unlisten = context.projection.listen(changed)
        shown = 0
        try:
            while place.end is None:
                place.changed.clear()
                try:
                    job = overview.job(context.reader, job_id)
                except NotFound:
                    yield End(TRIMMED, "the job was forgotten", start)
                    return
                lines, stored = [], context.projection.get(own)
                said, described = tell(job, start)
                if said.text:
                    start = said.after
                    lines.append(StreamLine(start, "job.log", msgspec.json.encode(said)))
                if stored is not None and stored.mod_revision != shown:
                    shown = stored.mod_revision
                    lines.append(StreamLine(start, "job.changed", msgspec.json.encode(described)))
                if lines:
                    yield lines
                elif said.complete:
                    yield End(DONE, f"the job is {job.state}", start)
                    return
                elif not await _wait(place.changed, gateway.hub.heartbeat_s):
                    yield Alive(start)
                    if not gateway.authority.holds(who):
                        place.stop(TOKEN_ENDED, "your token does not hold any more")
            code, reason = place.end
            yield End(code, reason, start)
        finally:
            unlisten()


async def _wait(event: asyncio.Event, seconds: float) -> bool:
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return False
    return True
