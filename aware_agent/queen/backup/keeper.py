"""The queen's part in backups, for one reign: when one is due she starts the process that makes it and records the end.

What was done is one fenced record (``backups``), so the next queen neither repeats it nor forgets who asked for one.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import time
from contextlib import suppress

import msgspec

from aware_agent.agent.settings import Settings
from aware_agent.colony.backup import BackupLog, BackupPolicy, after_failure, after_success, due_at, slot
from aware_agent.colony.errors import Conflict, Deposed
from aware_agent.colony.event import Severity
from aware_agent.queen import child
from aware_agent.queen.backup.process import Answer, Job
from aware_agent.queen.ledger import Ledger, Line
from aware_agent.store import ops
from aware_agent.store.errors import StoreError

log = logging.getLogger(__name__)

RECORD = "backups"
ACTOR = "colony"
LONGEST_S = 3600.0  # a backup may take so long
END_S = 5.0
RETRY_S = 1.0
BROKEN_S = 60.0
MAX_ANSWER = 1 << 20
MAX_FAILURE = 500
# boto3 and openstacksdk would read more of the environment than anybody remembers having set.
_ENVIRONMENT = ("HOME", "LANG", "LC_ALL", "PATH", "TMPDIR", "TZ")


class BackupKeeper:
    """Makes one backup at a time. :meth:`nudge` it when the spec or the record changed."""

    def __init__(self, ledger: Ledger, settings: Settings, endpoints: tuple[str, ...]) -> None:
        self._ledger = ledger
        self._settings = settings
        self._endpoints = endpoints
        self._nudged = asyncio.Event()

    def nudge(self) -> None:
        """Something changed: look again."""
        self._nudged.set()

    async def run(self) -> None:
        """Work until cancelled; returns when deposed."""
        while True:
            self._nudged.clear()
            try:
                wait = await self._once()
            except Deposed as error:
                log.info("backups wait for the next queen: %s", error.message)
                return
            except (Conflict, StoreError) as error:
                log.warning("the record of backups: %s; trying again", error.message)
                wait = RETRY_S
            except Exception:  # a bug here must not end a reign that works
                log.exception("the record of backups is not looked at for a while")
                wait = BROKEN_S
            with suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await self._nudged.wait()

    async def _once(self) -> float | None:
        """Make a backup if one is due. Returns in how many seconds to look again, None: when something changes."""
        spec = self._ledger.reader.data().spec
        policy = spec.policies.backup if spec else None
        if policy is None:
            return None
        record = read_log(self._ledger)
        wait = due_at(record, policy) - time.time()
        if wait > 0:
            return wait
        answer = await make_backup(self._job(policy, record))
        await self._put_on_record(answer)
        return 0.0

    def _job(self, policy: BackupPolicy, record: BackupLog) -> Job:
        reader = self._ledger.reader
        return Job(
            colony=reader.keys.colony,
            state_dir=self._settings.state_dir,
            endpoints=tuple(self._endpoints),
            term=self._ledger.term,
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
        async with self._ledger.writing():
            before = read_log(self._ledger)
            if answer.backup is not None:
                made = answer.backup
                after = after_success(before, made, answer.removed, self._ledger.term)
                verb = "was found" if made.adopted else "is"
                message = f"backup {made.name} ({made.bytes} bytes) {verb} in {made.target}"
                payload = {"revision": made.revision, "bytes": made.bytes, "removed": answer.removed}
                line = Line("backup.done", made.name, message, payload=payload)
            else:
                failure = answer.failure[:MAX_FAILURE]
                after = after_failure(before, failure, time.time(), self._ledger.term)
                message = f"no backup was made: {failure}"
                line = Line("backup.failed", self._ledger.reader.keys.colony, message, Severity.ERROR)
            log.log(logging.INFO if answer.backup else logging.ERROR, message)
            await write_log(self._ledger, after, line, answer.backup.actor if answer.backup else ACTOR)


def read_log(ledger: Ledger) -> BackupLog:
    """The record as it is now."""
    return ledger.reader.one(RECORD, BackupLog) or BackupLog()


async def write_log(ledger: Ledger, after: BackupLog, line: Line, actor: str) -> None:
    """Write the record with its event. Call it inside ``writing()``; raises Conflict, Deposed, StoreError."""
    key = ledger.key(RECORD)
    stored = ledger.projection.get(key)
    guard = ops.modified(key, stored.mod_revision) if stored else ops.absent(key)
    await ledger.commit([ops.put(key, msgspec.json.encode(after))], [line], actor, [guard])


async def make_backup(job: Job) -> Answer:
    """Run the process. It ends when this is cancelled, and when this process dies."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "aware_agent.queen.backup.process",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=None,
        env={name: os.environ[name] for name in _ENVIRONMENT if name in os.environ},
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
        return msgspec.json.decode(said, type=Answer)
    except TimeoutError:
        return Answer(failure=f"it took longer than {LONGEST_S:.0f} s")
    except (msgspec.MsgspecError, ConnectionError, RuntimeError):  # the last is uvloop's word for a pipe that is closed
        return Answer(failure="the backup process ended without an answer; the queen's log says more")
    finally:
        await child.end(process, END_S)
