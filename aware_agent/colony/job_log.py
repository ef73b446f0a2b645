"""What a job printed, kept within bounds. Pure.

A log keeps its beginning and its end: what is in between is left out and counted, because errors are said last.
"""

from __future__ import annotations

from collections import deque

import msgspec

from aware_agent.colony.decoding import cleaned

PART_BYTES = 32 * 1024
TAIL_SHARE = 8  # the end gets one part in so many of the room
MAX_LINE = 8 * 1024  # bytes; the rest of a longer one is left out


class LogPart(msgspec.Struct, frozen=True, kw_only=True):
    """One piece of a log as it is kept in ``job-logs/<id>/<n>``: whole lines."""

    at: float  # Unix seconds
    text: str


class BoundedLog:
    """Takes lines and hands out at most ``most`` bytes of them: the first ones at once, the last ones at the end."""

    def __init__(self, most: int) -> None:
        self._tail_room = most // TAIL_SHARE
        self._head_room = most - self._tail_room
        self._fresh: list[str] = []
        self._tail: deque[str] = deque()
        self._tail_bytes = 0
        self.printed = 0
        self.cut = 0

    def add(self, line: str) -> None:
        """One line, without its end."""
        text, size = _shortened(line)
        self.printed += size + 1
        kept = len(text.encode()) + 1
        self.cut += size + 1 - kept
        if not self._tail and kept <= self._head_room:
            self._head_room -= kept
            self._fresh.append(text)
            return
        self._head_room = 0  # from here on everything is the end, so that lines stay in their order
        self._tail.append(text)
        self._tail_bytes += kept
        while self._tail_bytes > self._tail_room and self._tail:
            dropped = len(self._tail.popleft().encode()) + 1
            self._tail_bytes -= dropped
            self.cut += dropped

    def take(self, *, last: bool = False) -> str:
        """What was not handed out yet, each line with its end; with ``last`` the end of the log too."""
        lines, self._fresh = self._fresh, []
        if last:
            if self.cut:
                lines.append(f"... {self.cut} bytes were left out: the log is longer than policies.jobs.log_kib ...")
            lines += self._tail
            self._tail.clear()
        return "".join(line + "\n" for line in lines)


def _shortened(line: str) -> tuple[str, int]:
    """The line, cut when it is too long, and how many bytes it had."""
    raw = str(cleaned(line)).encode(errors="replace")
    if len(raw) <= MAX_LINE:
        return raw.decode(), len(raw)
    return raw[:MAX_LINE].decode(errors="ignore"), len(raw)


def parts(text: str) -> list[str]:
    """``text`` in pieces of about :data:`PART_BYTES`, cut at ends of lines."""
    found: list[str] = []
    piece: list[str] = []
    size = 0
    for line in text.splitlines(keepends=True):
        if piece and size + len(line.encode()) > PART_BYTES:
            found.append("".join(piece))
            piece, size = [], 0
        piece.append(line)
        size += len(line.encode())
    if piece:
        found.append("".join(piece))
    return found
