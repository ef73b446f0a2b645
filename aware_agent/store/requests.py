"""Requests to etcd with one answer. Streams are in ``stream``, ``keepalive`` and ``watch``.

Every request has a limit per attempt (``timeout_s``) and in all (``deadline_s``). A failure moves to the next
endpoint. What is repeated follows one rule: a request that surely was not applied always, one with unknown outcome
only when a second application does no harm.
"""

from __future__ import annotations

import asyncio
import random
import re
import time
from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import structs

from aware_agent import tracing
from aware_agent.colony.trace import SpanKind
from aware_agent.store import ops, rpc
from aware_agent.store.auth import AuthenticationFailed, Metadata, Tokens, without_leader_check
from aware_agent.store.calls import CallFailed, one_call
from aware_agent.store.connections import Credentials, EtcdConnection, Ring
from aware_agent.store.convert import key_value, op_result, range_result, txn_message
from aware_agent.store.errors import LeaseGone, StoreRefused, StoreUnreachable
from aware_agent.store.failures import Failure, Verdict, classify, plain
from aware_agent.store.health import MemberState
from aware_agent.store.model import Grant, KeyValue, RangeResult, ServerStatus, TxnResult

_MAX_LOGINS = 3  # per request: a token may expire between two steps, but not for ever
_PAUSE_S = 0.05
_MAX_PAUSE_S = 0.5
_ALARM = re.compile(r"alarm:([A-Z]+)")
_MAX_PATIENCE = 4  # times the usual limit is the longest an attempt may take


class EtcdRequests:
    """Asks one etcd cluster. Must be created and used inside one event loop, and closed there.

    ``endpoints``: ``host:port`` or URLs. Errors of every method: :class:`StoreUnreachable`, :class:`StoreRefused`,
    :class:`StoreError`.
    """

    def __init__(
        self,
        endpoints: Sequence[str],
        credentials: Credentials | None = None,
        *,
        timeout_s: float = 1.0,
        deadline_s: float = 5.0,
    ) -> None:
        creds = credentials or Credentials()
        self.ring = Ring(endpoints, creds)
        self.tokens = Tokens(creds)
        self.timeout_s = timeout_s
        self.deadline_s = deadline_s

    async def __aenter__(self) -> EtcdRequests:
        """Nothing is sent before the first request."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Closes."""
        await self.aclose()

    async def aclose(self) -> None:
        """Closes all connections; requests under way fail with :class:`StoreUnreachable`."""
        await self.ring.aclose()

    def renew(self, credentials: Credentials) -> None:
        """Connect anew with other TLS credentials. Leases and watches go on over the new connections.

        Requests under way end where they are; streams are cut there and opened again, which no lease notices.
        """
        self.ring.renew(credentials, _MAX_PATIENCE * self.timeout_s)

    def follow(self, endpoints: Sequence[str]) -> None:
        """etcd's members have changed: these are its endpoints from now on. Leases and watches go on."""
        self.ring.follow(endpoints)

    @property
    def endpoint(self) -> str:
        """``host:port`` that the next request goes to."""
        return self.ring.endpoint

    @property
    def endpoints(self) -> tuple[str, ...]:
        """All of them, each as ``host:port``."""
        return self.ring.endpoints

    async def get(self, key: bytes, *, revision: int = 0, serializable: bool = False) -> KeyValue | None:
        """The key, now or as of ``revision``. ``serializable`` reads one member's memory and may be old.

        :raises Compacted: ``revision`` is no longer kept.
        """
        request = rpc.pb.RangeRequest(key=key, revision=revision, serializable=serializable)
        answer = await self.call(rpc.RANGE, request)
        return key_value(answer.kvs[0]) if answer.kvs else None

    async def range(
        self, start: bytes, end: bytes, *, revision: int = 0, limit: int = 0, keys_only: bool = False
    ) -> RangeResult:
        """All keys from ``start`` up to, without, ``end``, in order. :raises Compacted: see :meth:`get`."""
        request = rpc.pb.RangeRequest(key=start, range_end=end, revision=revision, limit=limit, keys_only=keys_only)
        return range_result(await self.call(rpc.RANGE, request))

    async def put(self, key: bytes, value: bytes, *, lease: int = 0) -> int:
        """Writes and returns the revision. The last writer wins: for anything else use :meth:`txn`.

        A lost reply is repeated, so ``version`` may grow by more than one. :raises LeaseGone: nothing was written.
        """
        answer = await self.call(rpc.PUT, rpc.pb.PutRequest(key=key, value=value, lease=lease), lease=lease)
        return int(answer.header.revision)

    async def delete(self, key: bytes) -> int:
        """Removes and returns how many keys went (0 or 1; also 0 when a repetition found it gone already)."""
        answer = await self.call(rpc.DELETE, rpc.pb.DeleteRangeRequest(key=key))
        return int(answer.deleted)

    async def txn(
        self, compares: Sequence[ops.Compare], success: Sequence[ops.Op], failure: Sequence[ops.Op] = ()
    ) -> TxnResult:
        """Runs ``success`` when all ``compares`` hold, else ``failure``, as one revision.

        :raises StoreUnreachable: with ``maybe_applied`` true when the reply is lost; it is never repeated then.
        :raises LeaseGone: a put named a dead lease; nothing was written.
        """
        harmless = not any(ops.writes(op) for op in (*success, *failure))
        answer = await self.call(rpc.TXN, txn_message(compares, success, failure), repeatable=harmless)
        revision = int(answer.header.revision)
        responses = tuple(op_result(response, revision) for response in answer.responses)
        return TxnResult(succeeded=answer.succeeded, revision=revision, responses=responses)

    async def grant(self, ttl: int) -> Grant:
        """A new lease of ``ttl`` seconds or the shortest that etcd allows. A lost reply leaves one that expires."""
        answer = await self.call(rpc.GRANT, rpc.pb.LeaseGrantRequest(TTL=ttl))
        return Grant(id=answer.ID, ttl=answer.TTL)

    async def revoke(self, lease: int, *, deadline_s: float | None = None) -> None:
        """Ends the lease and removes its keys at once. One that is gone already is as good."""
        try:
            await self.call(rpc.REVOKE, rpc.pb.LeaseRevokeRequest(ID=lease), lease=lease, deadline_s=deadline_s)
        except LeaseGone:
            return

    async def status(self) -> ServerStatus:
        """What the member behind the current endpoint says of itself (it answers without a quorum)."""
        answer = await self.call(rpc.STATUS, rpc.pb.StatusRequest())
        return ServerStatus(
            version=answer.version,
            leader=answer.leader,
            member_id=answer.header.member_id,
            db_size=answer.dbSize,
            endpoint=self.endpoint,
        )

    async def members(self, *, everyone: bool) -> list[MemberState]:
        """What the current endpoint, or every one, says of itself now, each within ``timeout_s``. Raises nothing."""
        asked = self.ring.endpoints if everyone else (self.endpoint,)
        return list(await asyncio.gather(*(self._member(endpoint) for endpoint in asked)))

    async def _member(self, endpoint: str) -> MemberState:
        outcome = await self._attempt(rpc.STATUS, rpc.pb.StatusRequest(), self.timeout_s, endpoint=endpoint)
        if isinstance(outcome, Failure):
            reason = outcome.error.message if outcome.error else plain(outcome.details)
            return MemberState(endpoint=endpoint, answers=False, reason=reason)
        alarms = tuple(sorted(set(_ALARM.findall(" ".join(outcome.errors)))))
        leader = bool(outcome.leader)
        reason = "" if leader else "it answers, but knows no leader"
        return MemberState(
            endpoint=endpoint, answers=True, leader=leader, alarms=alarms, reason=reason or ", ".join(alarms)
        )

    async def compact(self, revision: int) -> None:
        """Forgets the history before ``revision``."""
        await self.call(rpc.COMPACT, rpc.pb.CompactionRequest(revision=revision))

    async def call(
        self,
        method: rpc.Method,
        request: Any,
        *,
        repeatable: bool = True,
        timeout_s: float | None = None,
        deadline_s: float | None = None,
        lease: int = 0,
    ) -> Any:
        """One request to whichever endpoint answers; the raw answer. ``lease`` only names it in errors.

        ``timeout_s``, ``deadline_s``: instead of the client's own, for what takes long.
        """
        with tracing.span(f"etcd {method.name}", SpanKind.CLIENT, {"rpc.system": "grpc", "rpc.method": method.path}):
            end = time.monotonic() + (self.deadline_s if deadline_s is None else deadline_s)
            least = self.timeout_s if timeout_s is None else timeout_s
            maybe = False
            reasons: dict[str, str] = {}
            tries = logins = 0
            while True:
                # A starved machine may need longer for a TLS handshake: later rounds are given more time.
                patience = least * min(_MAX_PATIENCE, 1 << (tries // len(self.ring)))
                outcome = await self._attempt(method, request, min(patience, end - time.monotonic()))
                if not isinstance(outcome, Failure):
                    return outcome
                reasons[outcome.endpoint] = plain(outcome.details)
                if outcome.error is not None:
                    raise LeaseGone(lease) if isinstance(outcome.error, LeaseGone) else outcome.error
                if outcome.verdict is Verdict.UNKNOWN:
                    maybe = True
                # With a certificate there is no token to renew: users were changed just now, and it is only repeated.
                if outcome.verdict is Verdict.AUTHENTICATE and (self.tokens.by_password or not outcome.passing):
                    logins += 1
                    if logins >= _MAX_LOGINS:
                        raise refused(outcome.details)
                else:
                    tries += 1
                pause = _pause(tries, len(self.ring))
                if (maybe and not repeatable) or self.ring.closed or time.monotonic() + pause >= end:
                    raise self._unreachable(reasons, maybe)
                await asyncio.sleep(pause)

    async def _attempt(self, method: rpc.Method, request: Any, timeout_s: float, *, endpoint: str = "") -> Any:
        """The answer, or a :class:`Failure` that has been reported to ring and tokens."""
        self.ring.ensure_open()
        with self.ring.borrow(endpoint) as line:
            metadata: Metadata | None = None
            try:
                metadata = await self.tokens.metadata(line, timeout_s)
                sent = metadata if method is not rpc.STATUS else without_leader_check(metadata)
                with one_call():
                    return await line.unary(method)(request, timeout=max(0.05, timeout_s), metadata=sent)
            except AuthenticationFailed as failed:
                return self.note(line, None, failed.code, failed.details, sent=False)
            except CallFailed as failed:
                return self.note(line, metadata, failed.code, failed.details)

    def note(
        self, line: EtcdConnection, metadata: Metadata | None, code: str, details: str | None, *, sent: bool = True
    ) -> Failure:
        """Classifies a gRPC status and draws the consequences for endpoint and token."""
        failure = classify(code, details)
        if not sent and failure.verdict is Verdict.UNKNOWN:
            failure = Failure(verdict=Verdict.ELSEWHERE, details=failure.details, frozen=failure.frozen)
        if failure.verdict is Verdict.AUTHENTICATE:
            self.tokens.forget(metadata)
        elif failure.error is None:
            self.ring.report(line, frozen=failure.frozen)
        return structs.replace(failure, endpoint=line.endpoint)

    def _unreachable(self, reasons: Mapping[str, str], maybe: bool) -> StoreUnreachable:
        each = ", ".join(f"{endpoint} ({reasons.get(endpoint, 'not asked')})" for endpoint in self.ring.endpoints)
        return StoreUnreachable(
            f"etcd does not answer: {each}",
            hint="the outcome of the last request is unknown" if maybe else "is it running, and reachable from here?",
            maybe_applied=maybe,
        )


def refused(details: str) -> StoreRefused:
    """The error after repeated logins."""
    return StoreRefused(f"etcd refused: {details}", hint="check the etcd user, role and certificate")


def _pause(tries: int, endpoints: int) -> float:
    """Seconds before the next attempt: none until every endpoint was asked once, then growing, with jitter."""
    if tries < endpoints:
        return 0.0
    step: float = min(_MAX_PAUSE_S, _PAUSE_S * 2.0 ** min(8, tries - endpoints))
    return step * random.uniform(0.5, 1.0)  # noqa: S311
