"""Idempotency-Key at the queen: a change, and that it was made for this key, are one transaction.

So whoever reigns later knows it as well, and a request that is repeated because its answer was lost changes nothing a
second time. A refusal is not kept: it changed nothing, and the repeated request is judged anew. The draft of the
standard: https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/
"""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import NamedTuple, Protocol

import msgspec

from aware_agent.agent.member.link import Asked
from aware_agent.colony.decoding import UNDECODABLE, from_json, from_msgpack
from aware_agent.colony.errors import Conflict
from aware_agent.queen.commands import Written
from aware_agent.security.sealed import SealBroken, Sealer
from aware_agent.store import ops
from aware_agent.store.keys import Keys
from aware_agent.store.model import KeyValue
from aware_agent.store.projection import Projection

KEEP_S = 24 * 3600.0
KEEP_EACH = 256  # keys of one user; beyond them the oldest goes
KEEP_CHECK = 1024  # of a check of the election, whose clients write as fast as they are let
CHECKS = "~check"  # whose those are: no user can have this name
_SWEEP = 64  # old keys that go in one transaction
_BEGUN = object()
_KIND = "idempotency"


class KeptRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What is kept in etcd. Sealed, for an answer may be a secret, and the mark is a hash of what may hold one."""

    at: float  # Unix seconds
    term: int
    sealed: bytes


class _Inside(msgspec.Struct, frozen=True, kw_only=True):
    mark: bytes
    changed: bool
    answer: bytes = b""  # empty: see ``complete``
    complete: bool = True  # false while what else belongs to it may still be under way


class Answer(NamedTuple):
    """What was answered the first time; ``raw`` (msgpack) is None where :class:`Written` is all there is to say."""

    written: Written
    raw: bytes | None


class Place(Protocol):
    """Where keys are kept, and under which term they are written now."""

    @property
    def keys(self) -> Keys:
        """Key names of the colony."""

    @property
    def projection(self) -> Projection:
        """The colony as it is."""

    @property
    def term(self) -> int:
        """Of this reign."""


class Pending:
    """One run of a command that has a key; its first transaction takes the record along.

    ``plain``: it is answered with :class:`Written`, which needs no keeping: the record's own revision tells it.
    """

    def __init__(self, book: OnceBook, actor: str, asked: Asked, *, plain: bool) -> None:
        self._book, self._actor, self._asked, self._plain = book, actor, asked, plain
        self._kept: object = None  # the answer that is on record, or _BEGUN

    @property
    def begun(self) -> bool:
        """Whether a transaction of this run took the record along: then what is on record is of this run itself."""
        return self._kept is not None

    def begin(self, answer: object | None) -> tuple[list[ops.Op], list[ops.Compare]]:
        """What belongs into this transaction: nothing but in the first. ``answer``: None while it is not known."""
        if self._kept is not None:
            return [], []
        self._kept = _BEGUN if answer is None else answer
        guard = ops.absent(self._book.key(self._actor, self._asked.key))
        complete = self._plain or answer is not None
        change = self._book.put(self._actor, self._asked, changed=True, answer=answer, complete=complete)
        return [change, *self._book.room(self._actor)], [guard]

    def end(self, result: object) -> tuple[list[ops.Op], list[ops.Compare]]:
        """What is left to be written when the command is done with ``result``."""
        if self._kept == result or (self._plain and self._kept is _BEGUN):
            return [], []
        key = self._book.key(self._actor, self._asked.key)
        guard = [] if self._kept is _BEGUN else [ops.absent(key)]
        self._kept = result
        changed = not isinstance(result, Written) or result.changed
        answer = None if self._plain and changed else result  # only a change is as old as its record
        return [self._book.put(self._actor, self._asked, changed=changed, answer=answer, complete=True)], guard


_PENDING: ContextVar[Pending | None] = ContextVar("pending", default=None)


def pending() -> Pending | None:
    """The run with a key that the present task is in."""
    return _PENDING.get()


class OnceBook:
    """The keys of a colony, as one reign keeps them."""

    def __init__(self, place: Place, sealer: Sealer) -> None:
        self._place = place
        self._sealer = sealer

    def key(self, actor: str, key: str) -> bytes:
        """Where the record of ``key`` is: a key of HTTP may hold a slash, and be longer than one of etcd should."""
        return self._place.keys.key(_KIND, actor, hashlib.blake2b(key.encode(), digest_size=16).hexdigest())

    def find(self, actor: str, asked: Asked) -> Answer | None:
        """What was answered the first time. Raises :class:`Conflict` when that cannot be said."""
        place = self.key(actor, asked.key)
        stored = self._place.projection.get(place)
        if stored is None:
            return None
        record, inside = self._open(place, stored)
        if not hmac.compare_digest(inside.mark, asked.mark):
            raise Conflict("this Idempotency-Key was used for another request", hint="make a new key for each request")
        if not inside.complete:
            raise Conflict(
                "the first request with this Idempotency-Key still runs, or its answer was lost",
                hint="look at what it was to do; the history tells whether it was begun",
            )
        return Answer(Written(stored.mod_revision, record.term, inside.changed), inside.answer or None)

    @contextmanager
    def running(self, actor: str, asked: Asked, *, plain: bool) -> Iterator[Pending]:
        """Everything this task commits inside is of this request; see :class:`Pending`."""
        run = Pending(self, actor, asked, plain=plain)
        token = _PENDING.set(run)
        try:
            yield run
        finally:
            _PENDING.reset(token)

    def put(self, actor: str, asked: Asked, *, changed: bool, answer: object | None, complete: bool) -> ops.Op:
        """The record itself."""
        raw = b"" if answer is None else msgspec.msgpack.encode(answer)
        inside = msgspec.msgpack.encode(_Inside(mark=asked.mark, changed=changed, answer=raw, complete=complete))
        place = self.key(actor, asked.key)
        record = KeptRecord(at=time.time(), term=self._place.term, sealed=self._sealer.seal(inside, place))
        return ops.put(place, msgspec.json.encode(record))

    def room(self, actor: str) -> list[ops.Op]:
        """Removes the oldest of one user's keys, so that one more has room."""
        kept = sorted(self._place.projection.items(self._place.keys.key(_KIND, actor, "")), key=_revision)
        most = KEEP_CHECK if actor == CHECKS else KEEP_EACH
        return [ops.delete(kv.key) for kv in kept[: max(0, len(kept) + 1 - most)][:_SWEEP]]

    def old(self, now: float) -> list[ops.Op]:
        """Removes keys that nobody repeats any more, and records that cannot be read; some of them at a time."""
        found = []
        for kv in self._place.projection.items(self._place.keys.key(_KIND, "")):
            try:
                fresh = now - KEEP_S <= from_json(kv.value, KeptRecord).at <= now + KEEP_S
            except UNDECODABLE:
                fresh = False
            if not fresh:
                found.append(ops.delete(kv.key))
        return found[:_SWEEP]

    def _open(self, place: bytes, stored: KeyValue) -> tuple[KeptRecord, _Inside]:
        try:
            record = from_json(stored.value, KeptRecord)
            return record, from_msgpack(self._sealer.open(record.sealed, place), _Inside)
        except (SealBroken, *UNDECODABLE) as error:
            raise Conflict(
                "this Idempotency-Key was used before, and its answer cannot be read any more",
                hint="was the colony's secret rotated since? look at what it was to do, then make a new key",
            ) from error


def _revision(kv: KeyValue) -> int:
    return kv.mod_revision
