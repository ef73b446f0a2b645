"""Is a chain of audit lines whole? Pure: lines in, findings out; whether a seal is good the caller tells.

A chain proves its inside by itself: a line that was changed, left out or moved breaks it. It cannot prove its end: who
cuts the newest lines off leaves a whole, shorter chain. For that there are *anchors*, heads noted earlier elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import msgspec

from aware_agent.colony.audit import NOTHING, RESTORED, AuditLine, Head, digest, head_of

MAX_FAULTS = 20  # that are told; how many there are is told in any case

Sealed = Callable[[AuditLine], bool | None]
"""Whether a line's seal is good; None for a key that is not known."""


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """Something that a log nobody touched does not have."""

    seq: int
    problem: str


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What was found in a chain."""

    lines: int
    first: int  # sequence number; 0: there was no line
    head: Head
    sealed: int  # lines whose seal is good
    covered: int  # lines with a seal of an older key, which a later good seal vouches for
    set_aside: int  # lines that a restore took back
    faults: tuple[Fault, ...]
    more: int = 0  # faults that are not listed

    @property
    def whole(self) -> bool:
        """Whether nothing is wrong."""
        return not self.faults


class Named(NamedTuple):
    """A line, or what stood in its place: ``line`` is None for something that is none; ``place`` says where."""

    line: AuditLine | None
    place: str


class _Checker:
    def __init__(self, sealed: Sealed | None) -> None:
        self._sealed = sealed
        self._known: dict[int, str] = {}
        self._last: AuditLine | None = None
        self._open: list[int] = []  # lines whose key is not known, since the last good seal
        self.first = self.lines = self.sealed = self.covered = self.set_aside = 0
        self.faults: list[Fault] = []

    @property
    def head(self) -> Head:
        return head_of(self._last) if self._last else Head()

    def blame(self, seq: int, problem: str) -> None:
        self.faults.append(Fault(seq=seq, problem=problem))

    def take(self, named: Named) -> None:
        line = named.line
        if line is None:
            self.blame(self.head.seq + 1, f"{named.place} is no line of an audit log")
            return
        if self._last is not None and self._known.get(line.seq) == line.hash and digest(line) == line.hash:
            return  # an export and an archive overlap
        self.lines += 1
        if digest(line) != line.hash:
            self.blame(line.seq, f"line {line.seq} was changed: its hash does not fit what it says")
        self._follow(line)
        self._seal(line)
        self._known[line.seq] = line.hash
        self._last = line
        self.first = self.first or line.seq

    def _follow(self, line: AuditLine) -> None:
        last = self._last
        if last is None:
            if line.seq == 1 and line.prev != NOTHING:
                self.blame(1, "line 1 says that another one was before it")
        elif line.action == RESTORED and line.seq <= last.seq and self._known.get(line.seq - 1, NOTHING) == line.prev:
            gone = [seq for seq in self._known if seq >= line.seq]
            self.set_aside += len(gone)
            for seq in gone:
                del self._known[seq]
        elif line.seq > last.seq + 1:
            between = (
                f"line {last.seq + 1} is" if line.seq == last.seq + 2 else f"lines {last.seq + 1} to {line.seq - 1} are"
            )
            self.blame(last.seq + 1, f"{between} missing")
        elif line.seq <= last.seq:
            self.blame(line.seq, f"line {line.seq} stands out of order, after line {last.seq}")
        elif line.prev != last.hash:
            self.blame(line.seq, f"line {line.seq} does not continue line {last.seq}: one of them was replaced")

    def _seal(self, line: AuditLine) -> None:
        if self._sealed is None:
            return
        good = self._sealed(line)
        if good:
            self.sealed += 1
            self.covered += len(self._open)
            self._open = []
        elif good is None:
            self._open.append(line.seq)
        else:
            self.blame(line.seq, f"line {line.seq} has a seal that the colony did not make")

    def end(self, anchors: Sequence[Head]) -> None:
        if self._open:
            self.blame(self._open[0], f"lines {self._open[0]} to {self._open[-1]} are sealed by no key that is known")
        for anchor in anchors:
            if anchor.seq and self._known.get(anchor.seq) != anchor.hash:
                self.blame(anchor.seq, self._missed(anchor))

    def _missed(self, anchor: Head) -> str:
        noted = f"line {anchor.seq} was noted before"
        if anchor.seq > self.head.seq:
            back = ": a restore took the log back" if self.set_aside else ": the end was cut off"
            return f"{noted}, and this log ends at line {self.head.seq}{back}"
        if anchor.seq < self.first:
            return f"{noted}, and this log begins at line {self.first}: give the older part too"
        return f"{noted} with another hash: the log was replaced from there or before"


def check_chain(lines: Iterable[Named], *, sealed: Sealed | None = None, anchors: Sequence[Head] = ()) -> Verdict:
    """Look at all ``lines`` in the order given. Without ``sealed`` seals count for nothing.

    ``anchors`` are heads that were noted earlier: each has to be in the chain. Lines that come twice, as where an
    archive and an export overlap, count once.
    """
    checker = _Checker(sealed)
    for named in lines:
        checker.take(named)
    checker.end(anchors)
    return Verdict(
        lines=checker.lines,
        first=checker.first,
        head=checker.head,
        sealed=checker.sealed,
        covered=checker.covered,
        set_aside=checker.set_aside,
        faults=tuple(checker.faults[:MAX_FAULTS]),
        more=max(0, len(checker.faults) - MAX_FAULTS),
    )
