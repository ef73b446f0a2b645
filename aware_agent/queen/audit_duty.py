"""What a queen does for the audit log beside her writes: lines that members tell of, and room in etcd."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence

import msgspec

from aware_agent.colony.audit import TRIMMED, Asker, Entry, Kind
from aware_agent.colony.spec import Policies
from aware_agent.queen.audit import COLONY, KIND, line_key, read_line
from aware_agent.queen.loop import Loop
from aware_agent.queen.writer import FencedWriter
from aware_agent.store import ops

LOOK_S = 30.0
AT_ONCE = 32  # lines in one transaction
MAX_WAITING = 1024
BEGAN = "reign.began"

Taken = Callable[[], object]


class AuditDuty:
    """For one reign. ``archived``: the last line that this member's archive holds. ``sent``: the last one that the
    receiver of syslog has, None where there is none.
    """

    def __init__(
        self,
        writer: FencedWriter,
        me: str,
        archived: Callable[[], int],
        sent: Callable[[], int | None] = lambda: None,
    ) -> None:
        self._writer, self._me, self._archived, self._sent = writer, me, archived, sent
        self._waiting: deque[tuple[tuple[Entry, ...], Taken]] = deque()
        self._count = 0
        self._began = False
        self._loop = Loop("audit", self.once, retry_s=1.0, broken_s=None)

    async def run(self) -> None:
        """Until cancelled or deposed (which it raises)."""
        await self._loop.run()

    def take(self, member: str, entries: Sequence[Entry], taken: Taken) -> None:
        """What ``member`` saw; ``taken`` is called when it stands in the log. Without room it has to come again."""
        if self._count + len(entries) > MAX_WAITING:
            return
        self._count += len(entries)
        self._waiting.append((tuple(msgspec.structs.replace(one, member=member) for one in entries), taken))
        self._loop.refresh()

    async def once(self) -> float:
        """One pass; returns in how many seconds to look again."""
        if not self._began:
            told = self._writer.trail.entry(
                Asker(kind=Kind.NODE), BEGAN, self._me, subject=self._me, change=f"term {self._writer.term} begins"
            )
            await self._writer.audit([told])
            self._began = True
        while self._waiting:
            entries, taken = self._waiting[0]
            for start in range(0, len(entries), AT_ONCE):
                await self._writer.audit(entries[start : start + AT_ONCE])
            self._waiting.popleft()
            self._count -= len(entries)
            taken()
        await self._trim()
        return LOOK_S

    async def _trim(self) -> None:
        """The oldest lines go when they are archived here and sent; else when there are twice as many as wanted."""
        spec = self._writer.reader.data().spec
        keep = (spec.policies if spec else Policies()).keep_audit
        stored = list(self._writer.projection.items(self._writer.key(KIND, "")))
        if len(stored) <= keep + keep // 10:
            return
        first_kept = read_line(stored[-keep])
        if first_kept is None:  # somebody wrote there: what is no line goes with the lines before it
            first_kept = next((line for kv in stored[-keep:] if (line := read_line(kv)) is not None), None)
        if first_kept is None:
            return
        last, sent = first_kept.seq - 1, self._sent()
        archived, told = self._archived() >= last, sent is None or sent >= last
        if not (archived and told) and len(stored) <= 2 * keep:
            return
        where = f"archived by {self._me}" if archived else f"{self._me} could not archive all of them"
        where += "" if told else "; the receiver of syslog does not have all of them"
        why = self._writer.trail.entry(
            Asker(kind=Kind.COLONY),
            TRIMMED,
            COLONY,
            subject=COLONY,
            change=f"lines before {first_kept.seq} left etcd; {where}",
        )
        gone = ops.delete_range(self._writer.key(KIND, ""), line_key(self._writer.keys, first_kept.seq))
        await self._writer.audit([why], [gone])
