"""Building blocks of transactions: compares and operations.

A transaction succeeds when all its compares hold, in one revision. Plain values: whoever implements a
:class:`store.protocol.Store` understands them.
"""

from __future__ import annotations

from enum import Enum

from msgspec import Struct


class Target(Enum):
    """What of a key is compared. A key that does not exist counts as 0 everywhere, and has no value at all."""

    VERSION = "version"
    CREATED = "create revision"
    MODIFIED = "mod revision"
    LEASE = "lease"
    VALUE = "value"


class Compare(Struct, frozen=True):
    """``target`` of ``key`` equals ``number`` (``value`` for a value), or is ``greater``."""

    key: bytes
    target: Target
    number: int = 0
    value: bytes = b""
    greater: bool = False


class Put(Struct, frozen=True):
    """Write ``key``; it vanishes with ``lease`` when that is not 0."""

    key: bytes
    value: bytes
    lease: int = 0


class Delete(Struct, frozen=True):
    """Remove ``key``, or with ``end`` all keys from ``key`` up to, without, ``end``."""

    key: bytes
    end: bytes = b""


class Get(Struct, frozen=True):
    """Read ``key``."""

    key: bytes


Op = Put | Delete | Get


def created(key: bytes, revision: int) -> Compare:
    """``key`` exists and was created at ``revision`` (the fence: the queen key's create revision is the term)."""
    return Compare(key, Target.CREATED, revision)


def absent(key: bytes) -> Compare:
    """``key`` does not exist."""
    return created(key, 0)


def exists(key: bytes) -> Compare:
    """``key`` exists."""
    return Compare(key, Target.CREATED, 0, greater=True)


def modified(key: bytes, revision: int) -> Compare:
    """``key`` was last written at ``revision`` (0: does not exist)."""
    return Compare(key, Target.MODIFIED, revision)


def version(key: bytes, n: int) -> Compare:
    """``key`` was written ``n`` times since it was created (0: does not exist)."""
    return Compare(key, Target.VERSION, n)


def leased(key: bytes, lease: int) -> Compare:
    """``key`` hangs on ``lease`` (0: on none, or does not exist)."""
    return Compare(key, Target.LEASE, lease)


def value(key: bytes, expected: bytes) -> Compare:
    """``key`` exists with exactly this value."""
    return Compare(key, Target.VALUE, value=expected)


def put(key: bytes, value: bytes, lease: int = 0) -> Op:
    """See :class:`Put`."""
    return Put(key, value, lease)


def delete(key: bytes) -> Op:
    """Remove ``key``."""
    return Delete(key)


def delete_range(start: bytes, end: bytes) -> Op:
    """Remove all keys from ``start`` up to, without, ``end``."""
    return Delete(start, end)


def get(key: bytes) -> Op:
    """Read ``key``."""
    return Get(key)


def writes(op: Op) -> bool:
    """Whether ``op`` changes anything (a transaction of reads may be repeated freely)."""
    return not isinstance(op, Get)
