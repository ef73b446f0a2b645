"""Value types that cross the border of the store. Keys and values are bytes, revisions and leases are ints."""

from __future__ import annotations

from enum import Enum

from msgspec import Struct


class KeyValue(Struct, frozen=True, kw_only=True):
    """One key as etcd holds it. ``create_revision`` of the queen key is the term; ``lease`` 0 means none."""

    key: bytes
    value: bytes = b""
    create_revision: int = 0
    mod_revision: int = 0
    version: int = 0
    lease: int = 0


class RangeResult(Struct, frozen=True, kw_only=True):
    """Keys in order. ``revision`` is the store's revision at the read; ``more`` when ``limit`` cut the list."""

    kvs: tuple[KeyValue, ...]
    revision: int
    more: bool = False


class PutResult(Struct, frozen=True, kw_only=True):
    """Answer of a put inside a transaction."""

    revision: int


class DeleteResult(Struct, frozen=True, kw_only=True):
    """Answer of a delete inside a transaction: how many keys went."""

    deleted: int


OpResult = RangeResult | PutResult | DeleteResult


class TxnResult(Struct, frozen=True, kw_only=True):
    """``succeeded``: all compares held. ``responses``: one per operation of the branch that ran, in order."""

    succeeded: bool
    revision: int
    responses: tuple[OpResult, ...]

    def first(self, index: int = 0) -> KeyValue | None:
        """The first key of the ``index``-th response, which must be a read."""
        response = self.responses[index]
        if not isinstance(response, RangeResult):
            raise TypeError("this response is not a read")
        return response.kvs[0] if response.kvs else None


class Grant(Struct, frozen=True, kw_only=True):
    """A lease as granted: etcd may give a longer ``ttl`` (whole seconds) than asked."""

    id: int
    ttl: int


class ServerStatus(Struct, frozen=True, kw_only=True):
    """One etcd member: its release, the leader it knows (0: none), its own id and database size in bytes."""

    version: str
    leader: int
    member_id: int
    db_size: int
    endpoint: str


class ChangeKind(Enum):
    """What happened to a key."""

    PUT = "put"
    DELETE = "delete"


class Change(Struct, frozen=True, kw_only=True):
    """One change. A deletion's ``kv`` carries only the key and the revision of the deletion."""

    kind: ChangeKind
    kv: KeyValue
    prev: KeyValue | None = None


class WatchBatch(Struct, frozen=True, kw_only=True):
    """Events in order, complete up to ``revision`` for the range number ``index``.

    ``progress``: no events, a sign of life only.
    """

    revision: int
    events: tuple[Change, ...] = ()
    progress: bool = False
    index: int = 0
