"""Watches that do not die silently.

A broken stream is opened again, at the next endpoint, from the revision after the last event. Silence is questioned:
after 5 s without a message etcd is asked for its progress and has 2 s to answer. Progress answers count as a sign of
life only: before 3.5.8 etcd may send one ahead of older events, so they never move the point to resume from.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Any

from aware_agent.store import rpc
from aware_agent.store.convert import key_value
from aware_agent.store.errors import Compacted
from aware_agent.store.failures import StreamBroken, Verdict, classify
from aware_agent.store.model import Change, ChangeKind, WatchBatch
from aware_agent.store.pause import Pause
from aware_agent.store.protocol import KeyRange, OnContact
from aware_agent.store.requests import EtcdRequests, refused
from aware_agent.store.stream import Stream

log = logging.getLogger(__name__)

QUIET_S = 5.0
ANSWER_S = 2.0
_MAX_REFUSALS = 3


class _Denied(Exception):
    """The watch was turned away for reasons of authentication."""


def watch(client: EtcdRequests, start: bytes, end: bytes, revision: int = 0) -> AsyncGenerator[WatchBatch, None]:
    """Endless batches of what changes from ``revision`` on (0: from now) in ``start`` up to, without, ``end``.

    ``end`` empty: only the key ``start``. Batches with ``progress`` carry no events and say that the stream lives.
    :raises Compacted: list again; :raises StoreRefused: not allowed. Close the iterator (``aclosing``) when done.
    """
    return Watcher(client, [(start, end)], revision).batches()


class Watcher:
    """One stream for several ranges. Order holds within a range; between ranges only up to etcd's message order."""

    def __init__(
        self,
        client: EtcdRequests,
        ranges: Sequence[KeyRange],
        revision: int = 0,
        *,
        on_contact: OnContact | None = None,
    ) -> None:
        self._client = client
        self._ranges = tuple(ranges)
        self._next = [revision] * len(self._ranges)
        self._on_contact = on_contact or (lambda _: None)
        self._pause = Pause()
        self._refusals = 0

    async def batches(self) -> AsyncGenerator[WatchBatch, None]:
        """See :func:`watch`; ``index`` of a batch is the number of its range."""
        while True:
            try:
                async with (
                    Stream(self._client, rpc.WATCH) as stream,
                    aclosing(self._follow(stream)) as following,
                ):
                    async for batch in following:
                        yield batch
            except StreamBroken as broken:
                if broken.failure.planned:
                    log.debug("watch is opened again: %s", broken)
                    continue
                self._lost(broken)
            except _Denied as denied:
                self._denied(str(denied))
                stream.forget_token()
            await self._pause.wait()

    def _lost(self, broken: StreamBroken) -> None:
        self._on_contact(False)
        failure = broken.failure
        if failure.verdict is Verdict.AUTHENTICATE:
            self._denied(failure.details)
        elif failure.error is not None:
            raise failure.error
        log.log(self._pause.log_level, "watch broke, opening it again: %s", broken)

    def _denied(self, details: str) -> None:
        self._on_contact(False)
        self._refusals += 1
        if self._refusals >= _MAX_REFUSALS or not self._client.tokens.by_password:
            raise refused(details)

    async def _follow(self, stream: Stream) -> AsyncGenerator[WatchBatch, None]:
        for index, (start, end) in enumerate(self._ranges):
            create = rpc.pb.WatchCreateRequest(
                key=start, range_end=end, start_revision=self._next[index], progress_notify=True, watch_id=index + 1
            )
            await stream.write(rpc.pb.WatchRequest(create_request=create))
        alarm = _SilenceAlarm(stream)
        try:
            while True:
                message = await stream.read()
                alarm.heard()
                batch = await self._understand(message)
                self._on_contact(True)
                if batch is not None:
                    yield batch
        finally:
            alarm.stop()

    async def _understand(self, message: Any) -> WatchBatch | None:
        """One message to a batch. None: nothing the caller has to know."""
        if message.compact_revision:
            raise Compacted(message.compact_revision)
        if message.canceled:
            raise _cancelled(message.cancel_reason)
        index = max(0, message.watch_id - 1)
        revision = message.header.revision
        if message.created:
            await self._check_history(index, revision)
            return None
        self._pause.reset()
        self._refusals = 0
        if not message.events:
            return WatchBatch(revision=revision, progress=True, index=index)
        events = tuple(_change(event) for event in message.events)
        # Not the header's revision: while a watcher catches up, that one is ahead of the events.
        last = events[-1].kv.mod_revision
        self._next[index] = last + 1
        return WatchBatch(revision=last, events=events, index=index)

    async def _check_history(self, index: int, revision: int) -> None:
        """A member may lag; a cluster restored from a backup went back, and would stay silent until it catches up."""
        if not self._next[index]:
            self._next[index] = revision + 1
        elif revision < self._next[index] - 1:
            start, _ = self._ranges[index]
            answer = await self._client.call(rpc.RANGE, rpc.pb.RangeRequest(key=start, count_only=True))
            if answer.header.revision < self._next[index] - 1:
                raise Compacted(answer.header.revision, rewound=True)


class _SilenceAlarm:
    """Asks etcd for a sign of life after a silence, and gives up on the stream when none comes."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._last = time.monotonic()
        self._asked = False
        self._loop = asyncio.get_running_loop()
        # The creation itself has to be answered as fast as a question.
        self._timer = self._loop.call_later(ANSWER_S, self._check)
        self._asked = True
        self._asking: asyncio.Task[None] | None = None

    def heard(self) -> None:
        """A message came."""
        self._last = time.monotonic()
        if self._asked:
            self._asked = False
            self._timer.cancel()
            self._timer = self._loop.call_later(QUIET_S, self._check)

    def stop(self) -> None:
        """The stream is over."""
        self._timer.cancel()
        if self._asking is not None:
            self._asking.cancel()

    def _check(self) -> None:
        quiet = time.monotonic() - self._last
        if self._asked:
            self._stream.abort(f"no answer from {self._stream.endpoint} for {quiet:.1f} s")
        elif quiet < QUIET_S:
            self._timer = self._loop.call_later(QUIET_S - quiet + 0.01, self._check)
        else:
            self._asked = True
            self._timer = self._loop.call_later(ANSWER_S, self._check)
            self._asking = self._loop.create_task(self._ask())

    async def _ask(self) -> None:
        try:
            await self._stream.write(rpc.pb.WatchRequest(progress_request=rpc.pb.WatchProgressRequest()))
        except StreamBroken:
            return  # the reader meets the same end


def _cancelled(reason: str) -> Exception:
    failure = classify("UNKNOWN", reason)
    if failure.verdict is Verdict.AUTHENTICATE or "permission denied" in reason:
        # Old releases say "permission denied" to an expired token, so a new one is tried first.
        return _Denied(reason)
    return StreamBroken(failure)


def _change(event: Any) -> Change:
    kind = ChangeKind.DELETE if event.type == rpc.kv.Event.DELETE else ChangeKind.PUT
    return Change(kind=kind, kv=key_value(event.kv))


__all__ = ["WatchBatch", "Watcher", "watch"]
