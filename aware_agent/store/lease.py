"""Leases, and the local truth about them.

One stream keeps all leases of the process. What counts is not what etcd will do but what may be relied on: a lease
is good until *send time of the last acknowledged keepalive + TTL*, on the monotonic clock; etcd's own expiry is never
earlier than that. ``lost`` is set a margin before, and is final.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections import deque
from collections.abc import Callable

from aware_agent.store.errors import StoreError
from aware_agent.store.failures import StreamBroken
from aware_agent.store.model import Grant
from aware_agent.store.pause import Jitter, Pause
from aware_agent.store.protocol import KeepAlives, Store

log = logging.getLogger(__name__)

MARGIN_S = 0.3
_MAX_SILENCE_S = 1.0
# A lease that is due this soon (as part of its interval) is kept alive together with one that is due now.
_TOGETHER = 0.25

OnRenewed = Callable[[float], None]


class HeldLease:
    """One lease. ``deadline``: monotonic seconds; ``lost``: set when it must not be relied on any more."""

    def __init__(
        self, keeper: LeaseKeeper, grant: Grant, *, sent: float, margin: float, on_renewed: OnRenewed | None
    ) -> None:
        self.id = grant.id
        self.ttl = grant.ttl
        self.deadline = sent + grant.ttl
        self.margin = min(margin, grant.ttl / 3)
        self.lost = asyncio.Event()
        self.on_renewed = on_renewed
        self.next_send = sent + self.interval
        self.unacked: deque[float] = deque()
        self._keeper = keeper
        self._timer: asyncio.TimerHandle | None = None
        self._watch_deadline()

    @property
    def interval(self) -> float:
        """Seconds between keepalives."""
        return self.ttl / 3

    def valid(self, margin: float | None = None) -> bool:
        """Whether the lease holds for at least ``margin`` (default: its own) more seconds. Reads the clock."""
        left = self.deadline - self._keeper.clock()
        return not self.lost.is_set() and left > (self.margin if margin is None else margin)

    async def revoke(self, *, deadline_s: float = 1.0) -> None:
        """Gives the lease back: its keys vanish at once. :raises StoreUnreachable: they vanish by the TTL."""
        self.lose()
        await self._keeper.client.revoke(self.id, deadline_s=deadline_s)

    def renewed(self, sent: float, ttl: int) -> None:
        """etcd acknowledged the keepalive that left at ``sent``."""
        if self.lost.is_set():
            return
        self.ttl = ttl
        self.deadline = max(self.deadline, sent + ttl)
        if self.on_renewed is not None:
            try:
                self.on_renewed(self.deadline)
            except Exception:  # a listener's fault must not cost the lease
                log.exception("the listener of lease %x failed", self.id)

    def lose(self) -> None:
        """The end, for whatever reason."""
        self.lost.set()
        if self._timer is not None:
            self._timer.cancel()
        self._keeper.drop(self)

    def _watch_deadline(self) -> None:
        left = self.deadline - self.margin - self._keeper.clock()
        if left <= 0:
            log.warning("lease %x is lost: its deadline passed without a keepalive", self.id)
            self.lose()
        elif not self.lost.is_set():
            # Renewals only move ``deadline``; the timer looks again when the old one is reached.
            self._timer = asyncio.get_running_loop().call_later(left + 0.001, self._watch_deadline)


class LeaseKeeper:
    """Keeps all leases of a process over one stream. Close it before the client.

    ``clock``: monotonic seconds, as the event loop counts them; ``jitter`` draws from a range.
    """

    def __init__(
        self, client: Store, *, clock: Callable[[], float] = time.monotonic, jitter: Jitter = random.uniform
    ) -> None:
        self.client = client
        self.clock = clock
        self._jitter = jitter
        self._leases: dict[int, HeldLease] = {}
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> LeaseKeeper:
        """Opens nothing before the first lease."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Closes."""
        await self.aclose()

    async def grant(self, ttl_s: int, on_renewed: OnRenewed | None = None, *, margin_s: float = MARGIN_S) -> HeldLease:
        """A new lease, kept from now on. ``on_renewed(deadline)`` is called at every acknowledged keepalive.

        etcd may grant more than ``ttl_s`` seconds. :raises StoreUnreachable: nothing is kept.
        """
        # Taken before the request leaves: an attempt that is repeated makes the deadline early, never late.
        sent = self.clock()
        grant = await self.client.grant(ttl_s)
        held = HeldLease(self, grant, sent=sent, margin=margin_s, on_renewed=on_renewed)
        if not held.lost.is_set():
            self._leases[held.id] = held
            self._wake.set()
            if self._task is None or self._task.done():
                self._task = asyncio.create_task(self._run(), name="lease-keeper")
        return held

    def drop(self, held: HeldLease) -> None:
        """Stops keeping a lease."""
        self._leases.pop(held.id, None)

    async def aclose(self) -> None:
        """Stops keeping; leases that were not revoked are lost here now and expire in etcd by their TTL."""
        for held in list(self._leases.values()):
            held.lose()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    async def _run(self) -> None:
        """Opens the stream while there are leases, and again whenever it breaks."""
        pause = Pause(self._jitter)
        while True:
            if not self._leases:
                self._wake.clear()
                await self._wake.wait()
            try:
                async with self.client.keepalives() as stream:
                    await self._keep(stream, pause)
            except StreamBroken as broken:
                if broken.failure.planned:
                    log.debug("keepalive stream is opened again: %s", broken)
                    continue
                log.log(pause.log_level, "keepalive stream broke: %s", broken)
            except StoreError as closed:
                log.debug("keepalive ends: %s", closed)
                return
            await pause.wait()

    async def _keep(self, stream: KeepAlives, pause: Pause) -> None:
        """Keeps leases on an open stream until there are none. :raises StreamBroken: broken or silent."""
        watchdog = _Watchdog(stream, pause.tries, self.clock)
        halves = (
            asyncio.create_task(self._read(stream, pause, watchdog), name="lease-acks"),
            asyncio.create_task(self._write(stream, watchdog), name="lease-keepalives"),
        )
        try:
            # Whichever half sees the end ends the other: neither may wait for good on a stream that is over.
            ended, _ = await asyncio.wait(halves, return_when=asyncio.FIRST_COMPLETED)
            for half in ended:
                half.result()
        finally:
            watchdog.cancel()
            for half in halves:
                half.cancel()
            await asyncio.gather(*halves, return_exceptions=True)  # the other's error too is nobody's but ours
            for held in self._leases.values():
                held.unacked.clear()
                held.next_send = 0.0  # a new stream proves itself at once

    async def _write(self, stream: KeepAlives, watchdog: _Watchdog) -> None:
        """Writes keepalives until there are no leases."""
        while self._leases:
            await self._send_due(stream, watchdog)
            self._wake.clear()
            await self._sleep()

    async def _send_due(self, stream: KeepAlives, watchdog: _Watchdog) -> None:
        now = self.clock()
        due = [held for held in self._leases.values() if held.next_send <= now]
        if not due:
            return
        due += [h for h in self._leases.values() if now < h.next_send <= now + h.interval * _TOGETHER]
        for held in due:
            sent = self.clock()
            held.unacked.append(sent)
            held.next_send = sent + held.interval
            watchdog.asked(sent, held.ttl)
            await stream.send(held.id)

    async def _sleep(self) -> None:
        """Until the next keepalive is due or a lease comes."""
        wait = min((held.next_send for held in self._leases.values()), default=0.0) - self.clock()
        timer = asyncio.get_running_loop().call_later(max(0.0, wait), self._wake.set)
        try:
            await self._wake.wait()
        finally:
            timer.cancel()

    async def _read(self, stream: KeepAlives, pause: Pause, watchdog: _Watchdog) -> None:
        while True:
            lease, ttl = await stream.receive()
            watchdog.answered()
            pause.reset()
            held = self._leases.get(lease)
            if held is None:
                continue
            if ttl <= 0:
                log.warning("lease %x is lost: etcd does not know it", lease)
                held.lose()
            elif held.unacked:
                # Answers come in the order of the requests, so this one belongs to the oldest.
                held.renewed(held.unacked.popleft(), ttl)


class _Watchdog:
    """Aborts a stream on which an answer is overdue. A timer of its own, because a frozen stream blocks writes too.

    It remembers what was asked by itself: the lease of an unanswered keepalive may be over before the silence counts.
    """

    def __init__(self, stream: KeepAlives, tries: int, clock: Callable[[], float]) -> None:
        self._stream = stream
        self._clock = clock
        # A new connection on a machine that starves needs longer than the first attempt gave it.
        self._patience_s = _MAX_SILENCE_S * 1.5 ** min(tries, 4)
        self._share = 1 / 2 if tries else 1 / 3
        self._due: deque[float] = deque()  # answers come in the order of the requests
        self._timer: asyncio.TimerHandle | None = None

    def asked(self, sent: float, ttl: float) -> None:
        """A keepalive is on its way."""
        self._due.append(sent + min(self._patience_s, ttl * self._share))
        self._arm()

    def answered(self) -> None:
        """The oldest keepalive was answered."""
        if self._due:
            self._due.popleft()

    def cancel(self) -> None:
        """The stream is over."""
        if self._timer is not None:
            self._timer.cancel()

    def _arm(self) -> None:
        if self._timer is None and self._due:
            wait = max(0.0, min(self._due) - self._clock()) + 0.001
            self._timer = asyncio.get_running_loop().call_later(wait, self._check)

    def _check(self) -> None:
        self._timer = None
        if self._due and min(self._due) <= self._clock():
            self._stream.abort(f"no answer to a keepalive in time from {self._stream.endpoint}")
        else:
            self._arm()
