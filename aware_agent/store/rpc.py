"""etcd's messages and methods, from the generated stubs that the ``aetcd`` distribution carries.

``import aetcd.rpc`` would run ``aetcd/__init__``, which loads a whole second client (about 1 MiB). Only the message
modules are wanted.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any, NamedTuple

from aware_agent.postponed import without_its_start


def _load() -> tuple[Any, Any]:
    with without_its_start("aetcd", "rpc"):
        return importlib.import_module("aetcd.rpc.rpc_pb2"), importlib.import_module("aetcd.rpc.kv_pb2")


pb, kv = _load()


class Method(NamedTuple):
    """One remote method: its path and how its messages become bytes and back."""

    path: str
    encode: Callable[[Any], bytes]
    decode: Callable[[bytes], Any]

    @property
    def name(self) -> str:
        """Without its service."""
        return self.path.rpartition("/")[2]


def _method(service: str, name: str, request: str, response: str) -> Method:
    return Method(
        f"/etcdserverpb.{service}/{name}",
        getattr(pb, request).SerializeToString,
        getattr(pb, response).FromString,
    )


RANGE = _method("KV", "Range", "RangeRequest", "RangeResponse")
PUT = _method("KV", "Put", "PutRequest", "PutResponse")
DELETE = _method("KV", "DeleteRange", "DeleteRangeRequest", "DeleteRangeResponse")
TXN = _method("KV", "Txn", "TxnRequest", "TxnResponse")
COMPACT = _method("KV", "Compact", "CompactionRequest", "CompactionResponse")
GRANT = _method("Lease", "LeaseGrant", "LeaseGrantRequest", "LeaseGrantResponse")
REVOKE = _method("Lease", "LeaseRevoke", "LeaseRevokeRequest", "LeaseRevokeResponse")
KEEPALIVE = _method("Lease", "LeaseKeepAlive", "LeaseKeepAliveRequest", "LeaseKeepAliveResponse")
WATCH = _method("Watch", "Watch", "WatchRequest", "WatchResponse")
STATUS = _method("Maintenance", "Status", "StatusRequest", "StatusResponse")
SNAPSHOT = _method("Maintenance", "Snapshot", "SnapshotRequest", "SnapshotResponse")
MEMBER_LIST = _method("Cluster", "MemberList", "MemberListRequest", "MemberListResponse")
MEMBER_ADD = _method("Cluster", "MemberAdd", "MemberAddRequest", "MemberAddResponse")
MEMBER_PROMOTE = _method("Cluster", "MemberPromote", "MemberPromoteRequest", "MemberPromoteResponse")
MEMBER_REMOVE = _method("Cluster", "MemberRemove", "MemberRemoveRequest", "MemberRemoveResponse")
MOVE_LEADER = _method("Maintenance", "MoveLeader", "MoveLeaderRequest", "MoveLeaderResponse")
DEFRAGMENT = _method("Maintenance", "Defragment", "DefragmentRequest", "DefragmentResponse")
ALARM = _method("Maintenance", "Alarm", "AlarmRequest", "AlarmResponse")
AUTHENTICATE = _method("Auth", "Authenticate", "AuthenticateRequest", "AuthenticateResponse")


def auth_method(name: str) -> Method:
    """A method of etcd's user administration: ``UserAdd``, ``RoleAdd``, ``AuthEnable`` and their like."""
    message = name if name.startswith("Auth") else f"Auth{name}"
    return _method("Auth", name, f"{message}Request", f"{message}Response")


__all__ = ["Method", "auth_method", "kv", "pb"]
