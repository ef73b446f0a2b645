"""Building blocks of transactions: compares and operations.

They are opaque outside the store; a transaction succeeds when all its compares hold, in one revision.
"""

from __future__ import annotations

from typing import Any, NewType

from aware_agent.store.rpc import pb

Compare = NewType("Compare", object)
Op = NewType("Op", object)


def _compare(key: bytes, target: Any, result: Any, **value: int | bytes) -> Compare:
    return Compare(pb.Compare(key=key, target=target, result=result, **value))


def created(key: bytes, revision: int) -> Compare:
    """``key`` exists and was created at ``revision`` (the fence: the queen key's create revision is the term)."""
    return _compare(key, pb.Compare.CREATE, pb.Compare.EQUAL, create_revision=revision)


def absent(key: bytes) -> Compare:
    """``key`` does not exist."""
    return created(key, 0)


def exists(key: bytes) -> Compare:
    """``key`` exists."""
    return _compare(key, pb.Compare.CREATE, pb.Compare.GREATER, create_revision=0)


def modified(key: bytes, revision: int) -> Compare:
    """``key`` was last written at ``revision`` (0: does not exist)."""
    return _compare(key, pb.Compare.MOD, pb.Compare.EQUAL, mod_revision=revision)


def version(key: bytes, n: int) -> Compare:
    """``key`` was written ``n`` times since it was created (0: does not exist)."""
    return _compare(key, pb.Compare.VERSION, pb.Compare.EQUAL, version=n)


def value(key: bytes, expected: bytes) -> Compare:
    """``key`` exists with exactly this value."""
    return _compare(key, pb.Compare.VALUE, pb.Compare.EQUAL, value=expected)


def put(key: bytes, value: bytes, lease: int = 0) -> Op:
    """Write ``key``; it vanishes with ``lease`` when that is not 0."""
    return Op(pb.RequestOp(request_put=pb.PutRequest(key=key, value=value, lease=lease)))


def delete(key: bytes) -> Op:
    """Remove ``key``."""
    return Op(pb.RequestOp(request_delete_range=pb.DeleteRangeRequest(key=key)))


def delete_range(start: bytes, end: bytes) -> Op:
    """Remove all keys from ``start`` up to, without, ``end``."""
    return Op(pb.RequestOp(request_delete_range=pb.DeleteRangeRequest(key=start, range_end=end)))


def get(key: bytes) -> Op:
    """Read ``key``."""
    return Op(pb.RequestOp(request_range=pb.RangeRequest(key=key)))


def get_range(start: bytes, end: bytes) -> Op:
    """Read all keys from ``start`` up to, without, ``end``."""
    return Op(pb.RequestOp(request_range=pb.RangeRequest(key=start, range_end=end)))


def writes(op: Op) -> bool:
    """Whether ``op`` changes anything (a transaction of reads may be repeated freely)."""
    message: Any = op
    return bool(message.WhichOneof("request") != "request_range")
