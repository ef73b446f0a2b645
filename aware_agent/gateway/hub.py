"""Live events for many clients: one subscription, encoded once, bounded queues, resumable from any kept revision."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import contextmanager, suppress

import msgspec

from aware_agent.colony.errors import AwareError
from aware_agent.colony.event import Event
from aware_agent.colony.event_filter import EventFilter, matches
from aware_agent.gateway.context import EventBatch, GatewayContext
from aware_agent.gateway.documents import EventDocument
from aware_agent.gateway.errors import Busy, HistoryTrimmed, RevisionAhead, TooManyStreams

MAX_QUEUED = 512  # events a client may lag behind before it is dropped
PAGE = 500
HEARTBEAT_S = 15.0
_CLOSE_S = 1.0

# WebSocket close codes, also in the last message of an SSE stream.
STOPPED = 1012  # RFC 6455 registry: service restart
TOKEN_ENDED = 4401
TRIMMED = 4410
TOO_SLOW = 4429
TRY_AGAIN_LATER = 1013  # RFC 6455 registry

_REWOUND = "etcd was restored from a backup: read the state anew"


class StreamLine(msgspec.Struct, frozen=True):
    """One message, encoded; ``revision`` is what to resume after."""

    revision: int
    type: str
    data: bytes


class EventLine(StreamLine, frozen=True):
    """An event, encoded once for all streams, and as filters look at it."""

    event: Event


class Alive(msgspec.Struct, frozen=True):
    """A sign of life. What the filter wants of all revisions up to this one was sent: resume after it."""

    revision: int


class End(msgspec.Struct, frozen=True):
    """Why a stream ends, and after which revision to resume."""

    code: int
    reason: str
    resume: int


Item = Sequence[StreamLine] | End | Alive
"""What a stream yields: the events of some revisions, its end, or a sign of life."""


class Subscriber:
    """A stream that is open: what waits for it, and why it ends."""

    def __init__(self, *, events: bool = True) -> None:
        self.events = events  # whether it takes any; else only its place is counted, and its end is told
        self.queue: deque[EventLine] = deque()
        self.end: tuple[int, str] | None = None
        self.changed = asyncio.Event()

    def put(self, lines: list[EventLine]) -> None:
        """Let it have these, unless it is too slow for them."""
        if self.end is None and len(self.queue) + len(lines) > MAX_QUEUED:
            self.stop(TOO_SLOW, "too slow: events came faster than you took them")
        if self.end is None:
            self.queue.extend(lines)
            self.changed.set()

    def stop(self, code: int, reason: str) -> None:
        """End it; the first reason counts."""
        if self.end is None:
            self.end = (code, reason)
        self.changed.set()

    async def take(self, seconds: float) -> list[EventLine]:
        """What is queued; empty after ``seconds`` without anything, or at the end."""
        try:
            async with asyncio.timeout(seconds):
                await self.changed.wait()
        except TimeoutError:
            return []
        self.changed.clear()
        lines = list(self.queue)
        self.queue.clear()
        return lines


class EventHub:
    """The streams of this gateway. They live on whoever reigns, because its mirror of the colony does."""

    def __init__(
        self, context: GatewayContext, *, most: int = 1000, most_each: int = 50, heartbeat_s: float = HEARTBEAT_S
    ) -> None:
        self._most, self._most_each = most, most_each
        self._of: Counter[str] = Counter()  # streams by user
        self._context = context
        self.heartbeat_s = heartbeat_s
        self._subscribers: set[Subscriber] = set()
        self._closed: str | None = None
        self._newest = 0  # revision of the newest event that was sent
        self._empty = asyncio.Event()
        self._empty.set()
        self._unsubscribe = context.subscribe_events(self._publish)

    def __len__(self) -> int:
        """How many streams are open."""
        return len(self._subscribers)

    async def check_history(self, since: int) -> None:
        """Raise :class:`HistoryTrimmed` when events after ``since`` are gone; 0 asks for whatever is kept.

        Raises :class:`RevisionAhead` when ``since`` is in a future that a restore of etcd took back.
        """
        oldest = self._context.oldest_event_revision
        if 0 < since < oldest - 1:
            raise HistoryTrimmed(since, oldest)
        if not await self._context.has_been(since):
            raise RevisionAhead(since)

    async def check(self, since: int, user: str) -> None:
        """As :meth:`check_history`; also raise :class:`Busy` or TooManyStreams when there is no room for one more."""
        await self.check_history(since)
        self._check_room(user)

    def _check_room(self, user: str) -> None:
        if self._closed is not None or len(self._subscribers) >= self._most:
            raise Busy(self._closed or f"{self._most} streams are open already")
        if self._of[user] >= self._most_each:
            raise TooManyStreams(self._most_each)

    async def follow(
        self, since: int | None, wanted: EventFilter, allowed: Callable[[], bool], user: str
    ) -> AsyncGenerator[Item, None]:
        """Events after ``since`` (None: from now) that ``wanted`` lets pass, until the stream ends.

        ``allowed`` is asked at every sign of life; when it says no the stream ends. However much goes by that is not
        wanted, there is a sign of life every ``heartbeat_s``, and it says up to where nothing is left to send.
        """
        last = self._context.projection.revision if since is None else since
        with self.place(user) as subscriber:
            while (lines := self._page(last)) and subscriber.end is None:
                last = lines[-1].revision
                yield self._only(lines, wanted) or Alive(last)
                if last < self._context.oldest_event_revision - 1:
                    yield End(TRIMMED, "history was trimmed while you read it", last)
                    return
            clock = asyncio.get_running_loop().time
            due = clock() + self.heartbeat_s
            while subscriber.end is None:
                lines = [line for line in await subscriber.take(due - clock()) if line.revision > last]
                last = lines[-1].revision if lines else last
                if passed := self._only(lines, wanted):
                    yield passed
                if clock() >= due:
                    due = clock() + self.heartbeat_s
                    yield Alive(last)
                    await self._judge(subscriber, last, allowed)
            code, reason = subscriber.end
            yield End(code, reason, last)

    async def _judge(self, subscriber: Subscriber, last: int, allowed: Callable[[], bool]) -> None:
        """End a stream that may not, or cannot, go on."""
        if not allowed():
            subscriber.stop(TOKEN_ENDED, "your token does not hold any more")
        if not await self._context.has_been(last):
            subscriber.stop(TRIMMED, _REWOUND)

    def _only(self, lines: list[EventLine], wanted: EventFilter) -> list[EventLine]:
        if wanted.everything:
            return lines
        return [line for line in lines if matches(wanted, line.event, self._context.reader.castes_of)]

    async def close(self, reason: str) -> None:
        """End all streams and wait a moment until they have told their clients."""
        self._closed = self._closed or reason
        self._unsubscribe()
        for subscriber in self._subscribers:
            subscriber.stop(STOPPED, reason)
        with suppress(TimeoutError):
            async with asyncio.timeout(_CLOSE_S):
                await self._empty.wait()

    @contextmanager
    def place(self, user: str, *, events: bool = True) -> Iterator[Subscriber]:
        """Room for one more stream; without any it has ended from the beginning. ``events``: it wants them."""
        subscriber = Subscriber(events=events)
        if self._closed is not None:
            subscriber.stop(STOPPED, self._closed)
        else:
            try:
                self._check_room(user)  # others may have begun since it was asked
            except AwareError as error:
                subscriber.stop(TRY_AGAIN_LATER, error.message)
        self._subscribers.add(subscriber)
        self._of[user] += 1
        self._empty.clear()
        try:
            yield subscriber
        finally:
            self._subscribers.discard(subscriber)
            self._of[user] -= 1
            if not self._of[user]:
                del self._of[user]
            if not self._subscribers:
                self._empty.set()

    def _publish(self, batch: EventBatch) -> None:
        lines = [_line(revision, event) for revision, event in batch]
        rewound = bool(lines) and lines[0].revision <= self._newest
        self._newest = lines[-1].revision if lines else self._newest
        for subscriber in self._subscribers:
            # What was sent is not history any more, and what comes now would be taken for seen already.
            if not subscriber.events:
                continue
            if rewound:
                subscriber.stop(TRIMMED, _REWOUND)
            else:
                subscriber.put(lines)

    def _page(self, since: int) -> list[EventLine]:
        return [_line(revision, event) for revision, event in page(self._context, since, PAGE)[0]]


def page(context: GatewayContext, since: int, limit: int) -> tuple[EventBatch, bool]:
    """About ``limit`` events after ``since``, never cutting a revision in two, and whether there are more.

    Resuming is by revision, and one transaction may write several events: half of them would be lost.
    """
    wanted = limit
    while True:
        batch = context.events(since, wanted + 1)
        if len(batch) <= wanted:
            return batch, False
        last = batch[-1][0]
        whole = [item for item in batch if item[0] != last]
        if whole:
            return whole, True
        wanted *= 2


def document(revision: int, event: Event) -> EventDocument:
    """The event as the API shows it."""
    return EventDocument(revision=revision, **msgspec.structs.asdict(event))


def _line(revision: int, event: Event) -> EventLine:
    return EventLine(revision, event.type, msgspec.json.encode(document(revision, event)), event)
