"""What can go wrong between AWARE and etcd, as the callers need to tell it apart."""

from __future__ import annotations

from collections.abc import Sequence

from aware_agent.colony.errors import AwareError, Conflict


class StoreError(AwareError):
    """etcd answered with an error that no retry cures."""

    code = "store"
    exit_code = 15
    status = 503


class StoreUnreachable(StoreError):
    """No etcd endpoint gave an answer in time.

    ``maybe_applied`` is true when a request may have reached etcd and the reply was lost: the caller has to read
    before it decides anything. False means that surely nothing was written.
    """

    code = "store-unreachable"

    def __init__(self, message: str, *, hint: str = "", maybe_applied: bool = False) -> None:
        super().__init__(message, hint=hint)
        self.maybe_applied = maybe_applied


class StoreRefused(StoreError):
    """etcd does not accept who we are, or that we touch this key. Nothing was written."""

    code = "store-refused"


class Compacted(StoreError):
    """The history from the asked revision on is gone: list again. ``revision`` is the oldest one left (0: unknown)."""

    code = "store-compacted"

    def __init__(self, revision: int, *, rewound: bool = False) -> None:
        why = "etcd's history went back" if rewound else "etcd compacted its history"
        super().__init__(f"{why} (revision {revision}): list again")
        self.revision = revision
        self.rewound = rewound


class LeaseGone(StoreError):
    """The lease expired or was revoked. Nothing was written with it."""

    code = "store-lease-gone"

    def __init__(self, lease: int) -> None:
        super().__init__(f"lease {lease:x} is gone" if lease else "the lease is gone")
        self.lease = lease


class Changed(Conflict):
    """Somebody else wrote a key that a transaction compared; nothing was written.

    ``seen`` is how etcd has the compared keys now: key and revision of its last write, 0 for one that does not exist.
    """

    def __init__(self, seen: Sequence[tuple[bytes, int]] = ()) -> None:
        super().__init__("it was changed meanwhile", hint="read it again and repeat")
        self.seen = tuple(seen)


class UnsupportedEtcd(StoreError):
    """This etcd release is known to lose or corrupt data."""

    code = "store-unsupported"


class MembershipRefused(StoreError):
    """etcd does not change its members so, and nothing was changed. ``later``: it may do so in a while."""

    code = "store-membership"

    def __init__(self, message: str, *, hint: str = "", later: bool = False) -> None:
        super().__init__(message, hint=hint)
        self.later = later
