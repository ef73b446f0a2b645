"""Every revision that was written and not compacted: what reads of the past and watches are answered from."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterator

from aware_agent.store.errors import Compacted, StoreError
from aware_agent.store.model import Change, ChangeKind, KeyValue

FIRST_REVISION = 1  # of an empty etcd


def inside(key: bytes, start: bytes, end: bytes) -> bool:
    """Whether ``key`` is in the range: only ``start`` without ``end``, all from ``start`` on with an end of zero."""
    if not end:
        return key == start
    return start <= key and (end == b"\0" or key < end)


class History:
    """The present keys in order, and the revisions that led to them."""

    def __init__(self, revision: int = FIRST_REVISION) -> None:
        self.revision = revision
        self.compacted = 0
        self.now: dict[bytes, KeyValue] = {}
        self._order: list[bytes] = []  # of all keys with a past or a present
        self._past: dict[bytes, list[tuple[int, KeyValue | None]]] = {}
        self._log: list[tuple[int, tuple[Change, ...]]] = []

    def keys(self, start: bytes, end: bytes) -> list[bytes]:
        """Present keys of a range, in order."""
        return [key for key in self._known(start, end) if key in self.now]

    def at(self, start: bytes, end: bytes, revision: int) -> Iterator[KeyValue]:
        """The range as it was at ``revision``, in order.

        :raises Compacted: it is not kept any more. :raises StoreError: it is still to come.
        """
        if revision > self.revision:
            raise StoreError("etcd: etcdserver: mvcc: required revision is a future revision")
        if revision < self.compacted:
            raise Compacted(0)
        present = revision == self.revision
        for key in self._known(start, end):
            kv = self.now.get(key) if present else self._as_of(key, revision)
            if kv is not None:
                yield kv

    def since(self, revision: int) -> list[tuple[int, tuple[Change, ...]]]:
        """All revisions from ``revision`` on. :raises Compacted: some are gone."""
        if revision < self.compacted:
            raise Compacted(self.compacted)
        return self._log[bisect_left(self._log, revision, key=lambda entry: entry[0]) :]

    def append(self, changes: tuple[Change, ...]) -> int:
        """One more revision, whose changes name it already; it becomes the present."""
        self.revision += 1
        for change in changes:
            key = change.kv.key
            kv = None if change.kind is ChangeKind.DELETE else change.kv
            if key not in self._past:
                insort(self._order, key)
                self._past[key] = []
            self._past[key].append((self.revision, kv))
            if kv is None:
                self.now.pop(key, None)
            else:
                self.now[key] = kv
        self._log.append((self.revision, changes))
        return self.revision

    def compact(self, revision: int) -> None:
        """Forget what was before ``revision``. :raises Compacted, StoreError: it is forgotten already, not yet made."""
        if revision <= self.compacted:
            raise Compacted(0)
        if revision > self.revision:
            raise StoreError("etcd: etcdserver: mvcc: required revision is a future revision")
        self.compacted = revision
        del self._log[: bisect_left(self._log, revision, key=lambda entry: entry[0])]
        for key in list(self._order):
            past = self._past[key]
            del past[: max(0, bisect_right(past, revision, key=lambda entry: entry[0]) - 1)]
            if len(past) == 1 and past[0][1] is None and past[0][0] <= revision:
                del self._past[key]
        self._order = [key for key in self._order if key in self._past]

    def _known(self, start: bytes, end: bytes) -> list[bytes]:
        if not end:
            return [start] if start in self._past else []
        last = len(self._order) if end == b"\0" else bisect_left(self._order, end)
        return self._order[bisect_left(self._order, start) : last]

    def _as_of(self, key: bytes, revision: int) -> KeyValue | None:
        past = self._past[key]
        place = bisect_right(past, revision, key=lambda entry: entry[0])
        return past[place - 1][1] if place else None
