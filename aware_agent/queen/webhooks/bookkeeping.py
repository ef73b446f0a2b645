"""What happened to the deliveries of one reign, and the transactions that put it on record.

Nothing is written for one event: how far each webhook is goes to etcd once a second while something happens, for all
webhooks together, and every half minute when nothing but time went by. What was not written yet when a reign ends is
delivered once more by the next one.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import NamedTuple, TypeVar

import msgspec

from aware_agent.colony.breaker import BreakerState, OpenBreaker
from aware_agent.colony.delivery import Progress
from aware_agent.colony.event import Severity
from aware_agent.colony.webhook import KEEP_DEAD, DeadLetter, WebhookRecord, WebhookState, noted
from aware_agent.queen.webhooks import records
from aware_agent.queen.webhooks.messages import Attempted, Ended
from aware_agent.queen.writer import EventDraft, FencedWriter
from aware_agent.store import ops

T = TypeVar("T")
ACTOR = "colony"
BREAKERS = "breakers"
WRITE_S = 1.0  # at most so often
QUIET_S = 30.0  # when only the position moved
_AT_ONCE = 50  # changes of one transaction; etcd takes 128


class Book:
    """One webhook: its progress, its state with what is not written yet, and its new dead letters."""

    def __init__(self, record: WebhookRecord, state: WebhookState) -> None:
        self.progress = Progress(max(state.position, record.start))
        self.state = state
        self.dead: dict[str, DeadLetter | None] = {}  # by event; None: is not one any more
        self.happened = False
        self.alarmed = False  # it was told that events are given up
        self.lines: list[EventDraft] = []

    def attempted(self, said: Attempted) -> None:
        """One call was made."""
        since = 0.0 if said.ok else self.state.failing_since or said.at
        self.state = msgspec.structs.replace(
            self.state,
            failing_since=since,
            reason="" if said.ok else said.reason,
            failed=self.state.failed + (not said.ok),
            breaker=said.breaker,
        )
        self.alarmed = self.alarmed and not said.ok
        self.happened = True

    def ended(self, said: Ended, replayed: DeadLetter | None) -> None:
        """One event is done with; ``replayed`` is the dead letter it was, when it was one."""
        result = said.result
        event = replayed.event if replayed else self.progress.settle(result.revision, result.event)
        if event is None:
            return
        self.state = noted(self.state, result)
        self.happened = True
        if result.delivered:
            if replayed:
                self.dead[event.id] = None
            return
        before = replayed.attempts if replayed else 0
        self.dead[event.id] = DeadLetter(
            event=event,
            revision=result.revision,
            attempts=before + result.attempts,
            reason=result.reason,
            status=result.status,
            at=result.at,
        )

    def missed(self, oldest: int, line: EventDraft) -> None:
        """History begins at ``oldest`` only, which is later than what was to be looked at next."""
        self.progress.skip(oldest - 1)
        self.state = msgspec.structs.replace(self.state, missed=self.state.missed + 1)
        self.lines.append(line)
        self.happened = True

    def restart(self) -> None:
        """Nothing is under way any more: begin again behind what is settled without a gap."""
        self.progress = Progress(self.progress.position)


class Bookkeeping:
    """Writes books. Call :meth:`write` when :meth:`due` says so."""

    def __init__(self, writer: FencedWriter) -> None:
        self._writer = writer
        self._written_at = 0.0

    def due(self, books: dict[str, Book], now: float) -> float | None:
        """In how many seconds to write (``now`` on the monotonic clock); None: nothing is to be written."""
        if any(book.happened for book in books.values()):
            return max(0.0, self._written_at + WRITE_S - now)
        if any(book.progress.position != book.state.position for book in books.values()):
            return max(0.0, self._written_at + QUIET_S - now)
        return None

    async def write(self, books: dict[str, Book]) -> None:
        """Put on record what is not yet. Raises Deposed, StoreError; what was written then is written again."""
        self._written_at = time.monotonic()
        async with self._writer.writing():
            # More happens while this is written: a position must not get there before the dead letters below it.
            pages = [
                _Page(webhook, book, book.progress.position, dict(book.dead), tuple(book.lines))
                for webhook, book in books.items()
                if self._writer.projection.get(self._writer.key(records.WEBHOOKS, webhook)) is not None
            ]
            for page in pages:
                await self._bury(page)
            for some in _chunks(pages, _AT_ONCE):
                await self._advance(some)

    async def show_breakers(self, books: dict[str, Book]) -> None:
        """Put on record whose breaker is open, when that is not what is there. Raises Deposed, StoreError."""
        shown = self._writer.reader.one(BREAKERS, list[OpenBreaker]) or []
        since = {breaker.name: breaker for breaker in shown}
        wanted = [
            since.get(name) or OpenBreaker(name=name, since=book.state.failing_since, reason=book.state.reason)
            for webhook, book in sorted(books.items())
            if book.state.breaker is not BreakerState.CLOSED and (name := f"webhook/{webhook}")
        ]
        if wanted != shown:
            async with self._writer.writing():
                await self._writer.commit([ops.put(self._writer.key(BREAKERS), msgspec.json.encode(wanted))], [], ACTOR)

    async def _bury(self, page: _Page) -> None:
        if not page.dead:
            return
        book, new = page.book, any(page.dead.values())
        changes = [self._letter(page.webhook, event, letter) for event, letter in page.dead.items()]
        surplus = self._surplus(page)
        lines = []
        if new and not book.alarmed:
            message = f"webhook {page.webhook} does not take events, they are given up: {book.state.reason}"
            lines.append(EventDraft("webhook.failing", page.webhook, message, Severity.WARNING))
        for some in _chunks([*changes, *surplus], _AT_ONCE):
            await self._writer.commit(some, lines, ACTOR)
            lines = []
        book.state = msgspec.structs.replace(book.state, dropped=book.state.dropped + len(surplus))
        book.alarmed = book.alarmed or new
        for event, letter in page.dead.items():
            if book.dead.get(event, _NOBODY) is letter:
                del book.dead[event]

    def _letter(self, webhook: str, event: str, letter: DeadLetter | None) -> ops.Op:
        key = self._writer.key(records.DEAD, webhook, event)
        return ops.delete(key) if letter is None else ops.put(key, msgspec.json.encode(letter))

    def _surplus(self, page: _Page) -> list[ops.Op]:
        """Deletes of the oldest, so that no more than are kept remain."""
        there = [letter.event.id for letter in records.dead_letters(self._writer.reader, page.webhook)]
        stay = [event for event in there if event not in page.dead]
        new = sum(letter is not None for letter in page.dead.values())
        old = stay[: max(0, len(stay) + new - KEEP_DEAD)]
        return [ops.delete(self._writer.key(records.DEAD, page.webhook, event)) for event in old]

    async def _advance(self, pages: Sequence[_Page]) -> None:
        changes: list[ops.Op] = []
        lines: list[EventDraft] = []
        written: list[_Page] = []
        for page in pages:
            book = page.book
            if not book.happened and page.position == book.state.position:
                continue
            state = msgspec.structs.replace(book.state, position=page.position, term=self._writer.term)
            changes.append(ops.put(self._writer.key(records.STATES, page.webhook), msgspec.json.encode(state)))
            lines += page.lines
            written.append(page)
            book.happened = False
        if not changes:
            return
        try:
            await self._writer.commit(changes, lines, ACTOR)
        except BaseException:
            for page in written:
                page.book.happened = True
            raise
        for page in written:
            page.book.state = msgspec.structs.replace(page.book.state, position=page.position)
            del page.book.lines[: len(page.lines)]


class _Page(NamedTuple):
    """A book as it is at one moment."""

    webhook: str
    book: Book
    position: int
    dead: dict[str, DeadLetter | None]
    lines: tuple[EventDraft, ...]


_NOBODY = object()


def _chunks(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    return (items[at : at + size] for at in range(0, len(items), size))
