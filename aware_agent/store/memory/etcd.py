"""The state machine behind :class:`memory.client.MemoryStore`: everything at once, nothing waits, time is given."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import islice

from msgspec.structs import replace

from aware_agent.store import ops
from aware_agent.store.errors import LeaseGone, StoreError
from aware_agent.store.memory.history import FIRST_REVISION, History, inside
from aware_agent.store.memory.leases import Leases
from aware_agent.store.model import (
    Change,
    ChangeKind,
    DeleteResult,
    Grant,
    KeyValue,
    OpResult,
    PutResult,
    RangeResult,
    TxnResult,
)

Committed = Callable[[int, tuple[Change, ...]], None]


class MemoryEtcd:
    """One etcd that never fails. ``now`` is in seconds and only grows; leases end in :meth:`advance`.

    ``revision``: that of an etcd without keys, as one is after it was restored.
    """

    def __init__(self, revision: int = FIRST_REVISION) -> None:
        self.history = History(revision)
        self.leases = Leases()
        self.now = 0.0
        self._listeners: list[Committed] = []

    @property
    def revision(self) -> int:
        """Of the last write."""
        return self.history.revision

    def listen(self, committed: Committed) -> Callable[[], None]:
        """Calls ``committed`` with every revision and its changes (with what was before). Returns how to end that."""
        self._listeners.append(committed)
        return lambda: self._listeners.remove(committed)

    def range(
        self, start: bytes, end: bytes = b"", *, revision: int = 0, limit: int = 0, keys_only: bool = False
    ) -> RangeResult:
        """As :meth:`protocol.Store.range`; without ``end`` only the key ``start``."""
        _check_key(start)
        found = list(islice(self.history.at(start, end, revision or self.revision), limit + 1 if limit else None))
        more = bool(limit) and len(found) > limit
        kvs = tuple(replace(kv, value=b"") if keys_only else kv for kv in (found[:limit] if more else found))
        return RangeResult(kvs=kvs, revision=self.revision, more=more)

    def txn(
        self, compares: Sequence[ops.Compare], success: Sequence[ops.Op], failure: Sequence[ops.Op] = ()
    ) -> TxnResult:
        """As :meth:`protocol.Store.txn`. :raises LeaseGone, StoreError: nothing was written."""
        for compare in compares:
            _check_key(compare.key)
        for branch in (success, failure):
            _check_branch(branch)
        held = all(self._holds(compare) for compare in compares)
        branch = success if held else failure
        for op in branch:
            if isinstance(op, ops.Put) and op.lease and op.lease not in self.leases:
                raise LeaseGone(op.lease)
        responses = _Writing(self).run(branch)
        return TxnResult(succeeded=held, revision=self.revision, responses=responses)

    def grant(self, ttl: int) -> Grant:
        """A lease that ends ``ttl`` seconds from now, or later."""
        lease, granted = self.leases.grant(ttl, self.now)
        return Grant(id=lease, ttl=granted)

    def keep(self, lease: int) -> int:
        """Full time again; the seconds, 0 for a lease that is gone."""
        return self.leases.renew(lease, self.now)

    def revoke(self, lease: int) -> None:
        """Its keys vanish. :raises LeaseGone: there is no such lease."""
        if lease not in self.leases:
            raise LeaseGone(lease)
        self._end(lease)

    def advance(self, now: float) -> None:
        """Time passes up to ``now``; leases that are over go, one after the other."""
        while (due := self.leases.next_due()) is not None and due <= now:
            self.now = max(self.now, due)
            for lease in self.leases.due(due):
                self._end(lease)
        self.now = max(self.now, now)

    def new_leader(self, now: float) -> None:
        """Another member leads from ``now`` on; nothing has ended while there was none."""
        self.now = max(self.now, now)
        self.leases.promote(self.now)

    def compact(self, revision: int) -> None:
        """Forget the history before ``revision``. :raises Compacted, StoreError: it cannot be."""
        self.history.compact(revision)

    def _holds(self, compare: ops.Compare) -> bool:
        kv = self.history.now.get(compare.key)
        if compare.target is ops.Target.VALUE:
            return kv is not None and (kv.value > compare.value if compare.greater else kv.value == compare.value)
        number = _number(kv or KeyValue(key=compare.key), compare.target)
        return number > compare.number if compare.greater else number == compare.number

    def _end(self, lease: int) -> None:
        keys = self.leases.drop(lease)
        _Writing(self).run([ops.Delete(key) for key in keys])

    def commit(self, changes: tuple[Change, ...]) -> None:
        """Called by one transaction with all it did, in order."""
        revision = self.history.append(changes)
        for listener in list(self._listeners):
            listener(revision, changes)


class _Writing:
    """One transaction under way: later operations see what earlier ones did."""

    def __init__(self, etcd: MemoryEtcd) -> None:
        self._etcd = etcd
        self._revision = etcd.revision + 1
        self._changes: list[Change] = []
        self._new: dict[bytes, KeyValue | None] = {}

    def run(self, branch: Sequence[ops.Op]) -> tuple[OpResult, ...]:
        results = [self._do(op) for op in branch]
        if self._changes:
            self._etcd.commit(tuple(self._changes))
        # What a branch reads is as of the transaction, and so is the revision of every answer.
        revision = self._etcd.revision
        return tuple(r if isinstance(r, DeleteResult) else replace(r, revision=revision) for r in results)

    def _do(self, op: ops.Op) -> OpResult:
        match op:
            case ops.Put(key, value, lease):
                self._put(key, value, lease)
                return PutResult(revision=0)
            case ops.Delete(start, end):
                gone = [key for key in self._keys(start, end) if self._get(key) is not None]
                for key in gone:
                    self._delete(key)
                return DeleteResult(deleted=len(gone))
            case ops.Get(key):
                kv = self._get(key)
                return RangeResult(kvs=(kv,) if kv else (), revision=0)

    def _keys(self, start: bytes, end: bytes) -> list[bytes]:
        fresh = (key for key in self._new if inside(key, start, end))
        return sorted({*self._etcd.history.keys(start, end), *fresh})

    def _get(self, key: bytes) -> KeyValue | None:
        return self._new[key] if key in self._new else self._etcd.history.now.get(key)

    def _put(self, key: bytes, value: bytes, lease: int) -> None:
        before = self._get(key)
        self._etcd.leases.detach(key, before.lease if before else 0)
        self._etcd.leases.attach(key, lease)
        kv = KeyValue(
            key=key,
            value=value,
            create_revision=before.create_revision if before else self._revision,
            mod_revision=self._revision,
            version=before.version + 1 if before else 1,
            lease=lease,
        )
        self._new[key] = kv
        self._changes.append(Change(kind=ChangeKind.PUT, kv=kv, prev=before))

    def _delete(self, key: bytes) -> None:
        before = self._get(key)
        self._etcd.leases.detach(key, before.lease if before else 0)
        self._new[key] = None
        kv = KeyValue(key=key, mod_revision=self._revision)
        self._changes.append(Change(kind=ChangeKind.DELETE, kv=kv, prev=before))


def _number(kv: KeyValue, target: ops.Target) -> int:
    match target:
        case ops.Target.VERSION:
            return kv.version
        case ops.Target.CREATED:
            return kv.create_revision
        case ops.Target.MODIFIED:
            return kv.mod_revision
        case _:
            return kv.lease


def _check_key(key: bytes) -> None:
    if not key:
        raise StoreError("etcd: etcdserver: key is not provided")


def _check_branch(branch: Sequence[ops.Op]) -> None:
    """etcd refuses a branch that puts a key twice, or that puts and deletes it."""
    put: set[bytes] = set()
    for op in branch:
        _check_key(op.key)
        if isinstance(op, ops.Put):
            if op.key in put:
                raise StoreError("etcd: etcdserver: duplicate key given in txn request")
            put.add(op.key)
    for op in branch:
        if isinstance(op, ops.Delete) and any(inside(key, op.key, op.end) for key in put):
            raise StoreError("etcd: etcdserver: duplicate key given in txn request")
