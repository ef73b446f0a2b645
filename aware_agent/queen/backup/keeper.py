"""The queen's part in backups, for one reign: when one is due she starts the process that makes it and records the end.

What was done is one fenced record (``backups``), so the next queen neither repeats it nor forgets who asked for one.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import time
from collections.abc import Callable, Mapping

import msgspec

from aware_agent.agent.settings import Settings
from aware_agent.colony.backup import BackupLog, BackupPolicy, after_failure, after_success, due_at, slot
from aware_agent.colony.decoding import UNDECODABLE, from_json
from aware_agent.colony.event import Severity
from aware_agent.queen import child
from aware_agent.queen.backup.process import Answer, Job
from aware_agent.queen.loop import Loop
from aware_agent.queen.overview import BACKUPS, backup_log
from aware_agent.queen.writer import EventDraft, FencedWriter, Written
from aware_agent.store import ops

log = logging.getLogger(__name__)

ACTOR = "colony"
LONGEST_S = 3600.0  # a backup may take so long
END_S = 5.0
RETRY_S = 1.0
BROKEN_S = 60.0
MAX_ANSWER = 1 << 20
MAX_FAILURE = 500
# boto3 and openstacksdk would read more of the environment than anybody remembers having set.
_ENVIRONMENT = ("HOME", "LANG", "LC_ALL", "PATH", "TMPDIR", "TZ")
# Where a backup goes may be reached by a proxy only. Members never are: their clients ignore these.
_PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


class BackupKeeper:
    """Makes one backup at a time. :meth:`refresh` it when the spec or the record changed.

    ``endpoints`` tells where etcd is reached now.
    """

    def __init__(self, writer: FencedWriter, settings: Settings, endpoints: Callable[[], tuple[str, ...]]) -> None:
        self._writer = writer
        self._settings = settings
        self._endpoints = endpoints
        self._loop = Loop("the record of backups", self._once, retry_s=RETRY_S, broken_s=BROKEN_S)

    def refresh(self) -> None:
        """Something changed: look again."""
        self._loop.refresh()

    async def run(self) -> None:
        """Work until cancelled or deposed (which it raises)."""
        await self._loop.run()

    async def _once(self) -> float | None:
        """Make a backup if one is due. Returns in how many seconds to look again, None: when something changes."""
        spec = self._writer.reader.data().spec
        policy = spec.policies.backup if spec else None
        if policy is None:
            return None
        record = backup_log(self._writer.reader)
        wait = due_at(record, policy) - time.time()
        if wait > 0:
            return wait
        answer = await make_backup(self._job(policy, record))
        await self._put_on_record(answer)
        return 0.0

    def _job(self, policy: BackupPolicy, record: BackupLog) -> Job:
        reader = self._writer.reader
        return Job(
            colony=reader.keys.colony,
            state_dir=self._settings.state_dir,
            endpoints=self._endpoints(),
            term=self._writer.term,
            nodes=tuple(sorted(node.name for node in reader.records().values())),
            node=self._settings.name,
            actor=record.requested_by if record.wanted_now else ACTOR,
            target=policy.target,
            keep=policy.keep,
            settings=self._settings.backup,
            not_before=slot(record, policy, time.time()),
        )

    async def _put_on_record(self, answer: Answer) -> None:
        """One transaction: the record and the event."""
        async with self._writer.writing():
            before = backup_log(self._writer.reader)
            if answer.backup is not None:
                made = answer.backup
                after = after_success(before, made, answer.removed, self._writer.term)
                verb = "was found" if made.adopted else "is"
                message = f"backup {made.name} ({made.bytes} bytes) {verb} in {made.target}"
                payload = {"revision": made.revision, "bytes": made.bytes, "removed": answer.removed}
                line = EventDraft("backup.done", made.name, message, payload=payload)
            else:
                failure = answer.failure[:MAX_FAILURE]
                after = after_failure(before, failure, time.time(), self._writer.term)
                message = f"no backup was made: {failure}"
                line = EventDraft("backup.failed", self._writer.reader.keys.colony, message, Severity.ERROR)
            log.log(logging.INFO if answer.backup else logging.ERROR, message)
            await write_log(self._writer, after, line, answer.backup.actor if answer.backup else ACTOR)


async def write_log(writer: FencedWriter, after: BackupLog, line: EventDraft, actor: str) -> Written:
    """Write the record with its event. Call it inside ``writing()``; raises Conflict, Deposed, StoreError."""
    key = writer.key(BACKUPS)
    stored = writer.projection.get(key)
    guard = ops.modified(key, stored.mod_revision) if stored else ops.absent(key)
    return await writer.commit([ops.put(key, msgspec.json.encode(after))], [line], actor, [guard])


def program_environment(present: Mapping[str, str]) -> dict[str, str]:
    """What the program that makes a backup gets of our environment."""
    wanted = (*_ENVIRONMENT, *_PROXIES, *(name.upper() for name in _PROXIES))
    return {name: present[name] for name in wanted if name in present}


async def make_backup(job: Job) -> Answer:
    """Run the process. It ends when this is cancelled, and when this process dies."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "aware_agent.queen.backup.process",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=None,
        env=program_environment(os.environ),
        start_new_session=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        async with asyncio.timeout(LONGEST_S):
            process.stdin.write(msgspec.json.encode(job) + b"\n")
            await process.stdin.drain()
            said = await process.stdout.read(MAX_ANSWER)
            await process.wait()
        return from_json(said, Answer)
    except TimeoutError:
        return Answer(failure=f"it took longer than {LONGEST_S:.0f} s")
    except (*UNDECODABLE, ConnectionError, RuntimeError):  # the last is uvloop's word for a pipe that is closed
        return Answer(failure="the backup process ended without an answer; the queen's log says more")
    finally:
        await child.end(process, END_S)
