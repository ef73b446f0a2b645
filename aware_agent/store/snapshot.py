"""One consistent copy of etcd's database, as ``etcdctl snapshot save`` would make it, checked while it flows.

etcd sends the database and, last, the SHA-256 of it. With etcd's users enabled only ``root`` may ask for it.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import grpc.aio
from msgspec import Struct

from aware_agent.store import rpc
from aware_agent.store.auth import AuthenticationFailed, without_leader_check
from aware_agent.store.calls import CallFailed, one_call
from aware_agent.store.client import EtcdClient
from aware_agent.store.connections import EtcdConnection
from aware_agent.store.errors import StoreError, StoreRefused, StoreUnreachable
from aware_agent.store.failures import Verdict

HASH_BYTES = hashlib.sha256().digest_size
PAGE_BYTES = 512  # etcd's database is a whole number of these; what is left over is the hash
SILENCE_S = 60.0  # a member that sends nothing for so long is given up
_EOF: Any = grpc.aio.EOF  # type: ignore[attr-defined]  # grpc-stubs does not know it
Sink = Callable[[bytes], Awaitable[None]]


class SnapshotDamaged(StoreError):
    """What etcd sent, or what was kept of it, is not what etcd's own hash says."""

    code = "snapshot-damaged"


class SnapshotInfo(Struct, frozen=True, kw_only=True):
    """A finished snapshot. It holds at least every change up to ``revision``."""

    revision: int
    bytes: int  # with the hash at its end
    endpoint: str
    version: str  # of the etcd that made it


async def take_snapshot(client: EtcdClient, sink: Sink) -> SnapshotInfo:
    """Stream one member's database into ``sink``, hash included.

    Raises StoreRefused (no root), StoreUnreachable (the stream broke: what ``sink`` got is worthless),
    SnapshotDamaged.
    """
    status = await client.status()
    client.ring.ensure_open()
    with client.ring.borrow() as line:
        # Read on the very connection that will deliver: the member has applied at least this much.
        revision = await _revision(client, line)
        meter = SnapshotMeter()
        try:
            metadata = without_leader_check(await client.tokens.metadata(line, client.timeout_s))
            with one_call():
                call = line.download(rpc.SNAPSHOT)(rpc.pb.SnapshotRequest(), metadata=metadata)
            async for blob in _blobs(call):
                meter.feed(blob)
                await sink(blob)
        except (AuthenticationFailed, CallFailed) as failed:
            raise _error(client, line, failed.code, failed.details) from None
        except TimeoutError:
            raise _error(client, line, "DEADLINE_EXCEEDED", f"nothing came for {SILENCE_S:.0f} s") from None
    meter.check()
    return SnapshotInfo(revision=revision, bytes=meter.bytes, endpoint=line.endpoint, version=status.version)


class SnapshotMeter:
    """Checks a snapshot that flows by: its last 32 bytes are the SHA-256 of all before."""

    def __init__(self) -> None:
        self._sha = hashlib.sha256()
        self._tail = b""
        self.bytes = 0

    def feed(self, data: bytes) -> None:
        """The next part."""
        self.bytes += len(data)
        held = self._tail + data
        self._sha.update(held[:-HASH_BYTES])
        self._tail = held[-HASH_BYTES:]

    def check(self) -> None:
        """Raise :class:`SnapshotDamaged` unless all of it went by unharmed."""
        if self.bytes <= HASH_BYTES or self.bytes % PAGE_BYTES != HASH_BYTES:
            raise SnapshotDamaged(f"the snapshot was cut off after {self.bytes} bytes", hint="take it again")
        if self._sha.digest() != self._tail:
            raise SnapshotDamaged("the snapshot does not have etcd's integrity hash", hint="take it again")


async def _blobs(call: Any) -> AsyncIterator[bytes]:
    try:
        while True:
            async with asyncio.timeout(SILENCE_S):
                with one_call():
                    answer = await call.read()
            if answer is _EOF:
                return
            yield answer.blob
    finally:
        call.cancel()


async def _revision(client: EtcdClient, line: EtcdConnection) -> int:
    """The store's revision, read through the quorum at the member behind ``line``."""
    request = rpc.pb.RangeRequest(key=b"\0revision", count_only=True)
    try:
        metadata = await client.tokens.metadata(line, client.timeout_s)
        with one_call():
            answer = await line.unary(rpc.RANGE)(request, timeout=client.deadline_s, metadata=metadata)
    except (AuthenticationFailed, CallFailed) as failed:
        raise _error(client, line, failed.code, failed.details) from None
    return int(answer.header.revision)


def _error(client: EtcdClient, line: EtcdConnection, code: str, details: str | None) -> StoreError:
    failure = client.note(line, None, code, details)
    if failure.error is not None:
        return failure.error
    if failure.verdict is Verdict.AUTHENTICATE:
        return StoreRefused(f"etcd refused a snapshot: {failure.details}", hint="only etcd's user root may take one")
    return StoreUnreachable(f"etcd at {line.endpoint} broke the snapshot off: {failure.details}", hint="take it again")
