"""The audit chain as one reign writes it: a line goes into the very transaction of the change it tells of.

The chain's head is compared and written in that transaction too, as the term is. So there is one chain across queens,
and a queen never continues one that somebody else wrote: what etcd holds is compared with what she wrote last, and when
it differs she goes on from her own and says so in the next line. etcd is not believed because it is etcd.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, NamedTuple, Protocol

import msgspec

from aware_agent.colony.audit import (
    BEGAN,
    TAMPERED,
    Asker,
    AuditLine,
    Entry,
    Head,
    Kind,
    chained,
    digest,
    entry,
    head_of,
)
from aware_agent.colony.decoding import UNDECODABLE, from_json
from aware_agent.colony.event import EventDraft, Severity
from aware_agent.store import ops
from aware_agent.store.keys import Keys
from aware_agent.store.model import KeyValue

if TYPE_CHECKING:
    from aware_agent.security.audit import SealChecker, SealKey
    from aware_agent.security.keyring import Keyring

log = logging.getLogger(__name__)

KIND, HEAD = "audit", "audit-head"
COLONY = "colony"
_DIGITS = 16  # of a line's key, so that keys are in the order of lines


class Auditing(NamedTuple):
    """The command that is being carried out: every change until its end is told as its own."""

    asker: Asker
    actor: str
    command: str
    subject: str
    told: bool = True  # False: its changes are told by others, or are no state of the colony


class Step(NamedTuple):
    """What belongs into a transaction, and how the chain stands once that was made."""

    changes: list[ops.Op]
    compares: list[ops.Compare]
    head: Head


_AUDITING: ContextVar[Auditing | None] = ContextVar("auditing", default=None)


@contextmanager
def auditing(of: Auditing) -> Iterator[None]:
    """Everything this task commits inside is of that command."""
    token = _AUDITING.set(of)
    try:
        yield
    finally:
        _AUDITING.reset(token)


class Seals:
    """The key of now, and whether a seal is one of this colony's. Follows a keyring that changes."""

    def __init__(self, colony: str, keyring: Keyring) -> None:
        self._colony, self._keyring = colony, keyring
        self._of: tuple[bytes, ...] | None = None

    @property
    def key(self) -> SealKey:
        """What lines are sealed with."""
        self._follow()
        return self._key

    def check(self, line: AuditLine) -> bool | None:
        """See :class:`aware_agent.security.audit.SealChecker`."""
        self._follow()
        return self._checker(line)

    def _follow(self) -> None:
        if self._of is self._keyring.secrets:
            return
        from aware_agent.security.audit import SealChecker, public_keys, seal_key

        self._key: SealKey = seal_key(self._colony, self._keyring.secret)
        self._checker: SealChecker = SealChecker(public_keys(self._colony, self._keyring.secrets))
        self._of = self._keyring.secrets


class Kept(Protocol):
    """A copy of what etcd holds."""

    def get(self, key: bytes) -> KeyValue | None:
        """The value of a key."""

    def items(self, prefix: bytes = b"") -> Iterator[KeyValue]:
        """All keys that start so, in order."""


class AuditTrail:
    """The chain of one writer. Not for use by two tasks at once: the writer holds its lock. ``wall`` shows Unix time.

    Without ``seals`` lines are chained and not sealed: a simulated colony has no secret.
    """

    def __init__(
        self,
        keys: Keys,
        projection: Kept,
        term: int,
        seals: Seals | None = None,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._keys, self._projection, self._term, self._seals, self._wall = keys, projection, term, seals, wall
        self._head: Head | None = None  # None: not looked yet
        self._revision = 0  # of the head's key
        self._tried: list[Head] = []  # heads of transactions whose outcome nobody knows
        self._alarm = ""
        self.key = keys.key(HEAD)

    @property
    def head(self) -> Head:
        """The newest line."""
        if self._head is None:
            self._look()
        assert self._head is not None
        return self._head

    def entries(self, lines: Sequence[EventDraft], actor: str, note: str = "") -> list[Entry]:
        """What the change of a command is told as; of the queen's own duties only what the history tells as well."""
        by = _AUDITING.get()
        if (by is None and not lines) or (by is not None and not by.told):
            return []
        # The note comes first: a line takes so many characters, and the history has the messages as well.
        change = "; ".join([*([note] if note else []), *(line.message for line in lines)])
        first = lines[0] if lines else None
        if by is None:
            assert first is not None
            kind = Kind.COLONY if actor == COLONY else Kind.NODE if self._is_node(actor) else Kind.USER
            asker = Asker(kind=kind)
            return [self.entry(asker, first.type, actor, subject=first.subject, change=change)]
        subject = by.subject or (first.subject if first else "")
        return [self.entry(by.asker, by.command, by.actor, subject=subject, change=change)]

    def entry(self, asker: Asker, action: str, actor: str, *, subject: str = "", change: str = "") -> Entry:
        """Something that was done now."""
        return entry(asker, now=self._wall(), action=action, actor=actor, subject=subject, change=change)

    def step(self, entries: Sequence[Entry]) -> Step:
        """The lines of a transaction, of which each follows the one before."""
        head = self.head
        if not entries:
            return Step([], [], head)
        changes: list[ops.Op] = []
        for told in [*self._first_words(head), *entries]:
            line = self._sealed(told, head)
            changes.append(ops.put(line_key(self._keys, line.seq), msgspec.json.encode(line)))
            head = head_of(line)
        changes.append(ops.put(self.key, msgspec.json.encode(head)))
        self._tried.append(head)
        return Step(changes, [ops.modified(self.key, self._revision)], head)

    def wrote(self, head: Head, revision: int) -> None:
        """A step was made."""
        if head != self._head:
            self._head, self._revision, self._tried, self._alarm = head, revision, [], ""

    def refused(self, seen: Sequence[tuple[bytes, int]]) -> bool:
        """Whether a transaction was refused because etcd has another head than this reign wrote last."""
        return any(key == self.key and revision != self._revision for key, revision in seen)

    async def recover(self, read: Callable[[bytes], Awaitable[KeyValue | None]]) -> None:
        """Look at the head in etcd itself: it is one of ours whose answer was lost, or somebody else wrote it."""
        stored = await read(self.key)
        found = read_head(stored)
        self._revision = stored.mod_revision if stored else 0
        if found is not None and found in self._tried:
            self._head, self._tried = found, []
            return
        there = f"line {found.seq} with hash {found.hash[:16]}" if found else "nothing that is a head"
        head = self.head
        self._raise(f"etcd showed {there} as the newest, this queen wrote line {head.seq} with hash {head.hash[:16]}")

    def alarm_event(self) -> list[EventDraft]:
        """What the history is told with the line about it."""
        if not self._alarm:
            return []
        return [
            EventDraft(TAMPERED, self._keys.colony, f"the audit log was tampered with: {self._alarm}", Severity.ERROR)
        ]

    def line(self, seq: int) -> AuditLine | None:
        """A line as the copy of etcd has it; None for one that is not there or nothing of ours."""
        return read_line(self._projection.get(line_key(self._keys, seq)))

    def _first_words(self, head: Head) -> list[Entry]:
        if self._alarm:
            return [self.entry(Asker(kind=Kind.COLONY), TAMPERED, COLONY, subject=COLONY, change=self._alarm)]
        if not head.seq:
            change = f"the audit log of colony {self._keys.colony} begins"
            return [self.entry(Asker(kind=Kind.COLONY), BEGAN, COLONY, subject=COLONY, change=change)]
        return []

    def _sealed(self, told: Entry, head: Head) -> AuditLine:
        key = self._seals.key if self._seals else None
        line = chained(told, head, term=self._term, key=key.id if key else "")
        return msgspec.structs.replace(line, seal=key.seal(line.hash)) if key else line

    def _look(self) -> None:
        """Where the queen before this one stopped. The copy holds all she wrote: it holds this reign's beginning.

        Of a head whose line is not there or not hers nothing is believed: the newest line that she sealed counts.
        """
        stored = self._projection.get(self.key)
        self._revision = stored.mod_revision if stored else 0
        head = read_head(stored)
        line = self.line(head.seq) if head else None
        if head is not None and line is not None and head_of(line) == head and self._is_ours(line):
            self._head = head
            return
        newest = next(filter(self._is_ours, self._backwards()), None)
        self._head = head_of(newest) if newest else Head()
        if stored is not None or newest is not None:
            named = f"line {head.seq} as the newest" if head else "no head"
            found = f"line {newest.seq} is" if newest else "none is"
            self._raise(f"etcd named {named}, and of the lines there {found} the newest that the colony sealed")

    def _backwards(self) -> Iterator[AuditLine]:
        for stored in reversed(list(self._projection.items(self._keys.key(KIND, "")))):
            line = read_line(stored)
            if line is not None and stored.key == line_key(self._keys, line.seq):
                yield line

    def _is_ours(self, line: AuditLine) -> bool:
        return digest(line) == line.hash and (self._seals is None or self._seals.check(line) is True)

    def _raise(self, alarm: str) -> None:
        log.error("the audit log was tampered with: %s", alarm)
        self._alarm = alarm

    def _is_node(self, actor: str) -> bool:
        return self._projection.get(self._keys.key("nodes", actor)) is not None


def line_key(keys: Keys, seq: int) -> bytes:
    """Where a line is."""
    return keys.key(KIND, f"{seq:0{_DIGITS}d}")


def read_line(stored: KeyValue | None) -> AuditLine | None:
    """The line that is kept there; None for what is none."""
    if stored is None:
        return None
    try:
        return from_json(stored.value, AuditLine)
    except UNDECODABLE:
        return None


def read_head(stored: KeyValue | None) -> Head | None:
    """The head that is kept there; None for what is none."""
    if stored is None:
        return None
    try:
        return from_json(stored.value, Head)
    except UNDECODABLE:
        return None
