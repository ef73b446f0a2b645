"""What this gateway refused, counted for the audit log. Plain bookkeeping; the caller gives the clock.

Who is refused writes the log, so he must not be able to fill it: refusals are counted for each source and what it asked
for, and told when a source's window ends. The window doubles for a source that goes on. All sources together have so
many lines in a time; what has no room is told as one sum.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from aware_agent.channel.limits import source_of
from aware_agent.colony.audit import REFUSED, Entry, Result, entry
from aware_agent.gateway.asking import Asking

ALWAYS = frozenset({401, 403, 429})  # of whatever request
OF_WRITES = ALWAYS | {409, 412}
FIRST_WINDOW_S, LONGEST_WINDOW_S = 2.0, 640.0
KINDS_EACH = 8  # different refusals of one source in a window; further ones are one sum
MAX_SOURCES = 1024
BURST, LINE_EVERY_S = 200.0, 10.0  # lines of all sources: so many at once, then one in so many seconds
OTHERS_EVERY_S = 60.0
_READS = ("GET", "HEAD", "OPTIONS", "WS")


class _Counted:
    def __init__(self, told: Entry) -> None:
        self.told, self.count = told, 1


class _Source:
    def __init__(self, now: float) -> None:
        self.due, self.window = now + FIRST_WINDOW_S, FIRST_WINDOW_S
        self.last = now
        self.counted: dict[tuple[str, ...], _Counted] = {}


def is_told(method: str, status: int) -> bool:
    """Whether an answer with that status is a refusal the audit log tells of."""
    return status in (ALWAYS if method in _READS else OF_WRITES)


class Refusals:
    """All of one gateway, at most ``MAX_SOURCES`` sources of ``KINDS_EACH`` lines each."""

    def __init__(self, member: str) -> None:
        self._member = member
        self._sources: dict[str, _Source] = {}
        self._room, self._at = BURST, 0.0
        self._others = 0
        self._others_due = 0.0

    def __len__(self) -> int:
        """How many sources have something that is still to be told."""
        return sum(bool(source.counted) for source in self._sources.values()) + bool(self._others)

    def note(self, asked: Asking, status: int, *, now: float, wall: float) -> None:
        """A request was refused. ``now`` is monotonic, ``wall`` in Unix seconds."""
        source = self._source(source_of(asked.source), now)
        if source is None:
            self._others += 1
            return
        source.last = now
        place: tuple[str, ...] = (asked.actor, asked.method, asked.route, str(status), asked.code)
        if place not in source.counted and len(source.counted) >= KINDS_EACH:
            place = ("",)
        known = source.counted.get(place)
        if known is not None:
            known.count += 1
            return
        source.counted[place] = _Counted(
            entry(
                asked.asker(self._member),
                now=wall,
                action=REFUSED,
                actor=asked.actor,
                subject=asked.subject or (asked.path if asked.route and "{" in asked.route else ""),
                result=Result.REFUSED,
                status=status,
                code=asked.code,
                change="and others from there" if place == ("",) else "",
            )
        )

    def due(self, now: float, wall: float) -> list[Entry]:
        """What is to be told now."""
        self._room = min(BURST, self._room + (now - self._at) / LINE_EVERY_S)
        self._at = now
        found: list[Entry] = []
        for name, source in list(self._sources.items()):
            if now < source.due:
                continue
            if source.counted:
                found += self._told(source)
                source.window = min(LONGEST_WINDOW_S, max(10.0, source.window * 2))
                source.due = now + source.window
            elif now - source.last > source.window:
                del self._sources[name]
        if self._others and now >= self._others_due:
            self._others_due = now + OTHERS_EVERY_S
            found.append(self._sum(wall))
        return found

    def _told(self, source: _Source) -> Iterator[Entry]:
        counted, source.counted = source.counted, {}
        for one in counted.values():
            if self._room < 1:
                self._others += one.count
                continue
            self._room -= 1
            yield msgspec.structs.replace(one.told, count=one.count)

    def _sum(self, wall: float) -> Entry:
        count, self._others = self._others, 0
        told = entry(Asking().asker(self._member), now=wall, action=REFUSED, actor="", result=Result.REFUSED)
        change = "requests of many sources, of which there is no room to tell one by one"
        return msgspec.structs.replace(told, status=0, count=count, change=change)

    def _source(self, name: str, now: float) -> _Source | None:
        known = self._sources.get(name)
        if known is None and len(self._sources) < MAX_SOURCES:
            known = self._sources[name] = _Source(now)
        return known
