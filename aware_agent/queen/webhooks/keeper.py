"""The queen's part in webhooks, for one reign: she hands events to the process that calls, and keeps how far each is.

A reign begins where the last one's record ends, so every event is delivered at least once whoever reigns, and those of
one subject in their order. An event goes out when its webhook has room: a receiver that takes nothing holds up itself.
"""

from __future__ import annotations

import logging
import time
from itertools import groupby

import msgspec

from aware_agent.colony.errors import NotFound
from aware_agent.colony.event import Event, Severity
from aware_agent.colony.event_filter import matches
from aware_agent.colony.reach import Reach
from aware_agent.colony.webhook import DeadLetter, WebhookRecord, concerns, pause_due
from aware_agent.queen.history import History
from aware_agent.queen.loop import Loop
from aware_agent.queen.webhooks import records
from aware_agent.queen.webhooks.bookkeeping import ACTOR, Book, Bookkeeping
from aware_agent.queen.webhooks.messages import Attempted, Begin, Ended, FromSender, Target, Tried
from aware_agent.queen.webhooks.process import SenderEnded, SenderProcess
from aware_agent.queen.writer import EventDraft, FencedWriter
from aware_agent.security.sealed import Sealer
from aware_agent.store import ops

log = logging.getLogger(__name__)

RETRY_S, BROKEN_S = 1.0, 30.0
LEAST_S = 0.05  # between two passes: one look at many events
PAGE = 200  # events that are looked at in one pass, for one webhook


class WebhookKeeper:
    """:meth:`refresh` it when a webhook or a dead letter changed; new events it hears of by itself."""

    def __init__(self, writer: FencedWriter, history: History, sealer: Sealer, reach: Reach) -> None:
        self._writer, self._history, self._sealer = writer, history, sealer
        self._bookkeeping = Bookkeeping(writer)
        self._books: dict[str, Book] = {}
        self._targets: tuple[Target, ...] = ()
        self._replays: dict[tuple[str, str], DeadLetter] = {}  # handed out
        self._sender = SenderProcess(Begin(colony=writer.keys.colony, reach=reach), self._hear)
        self._ended = self._works = False
        self._loop = Loop("webhooks", self._once, retry_s=RETRY_S, broken_s=BROKEN_S, least_s=LEAST_S)

    def refresh(self) -> None:
        """Something changed: look again."""
        self._loop.refresh()

    async def run(self) -> None:
        """Work until cancelled or deposed (which it raises)."""
        forget = self._history.subscribe(lambda _: self.refresh())
        self._works = True
        try:
            await self._loop.run()
        finally:
            self._works = False
            forget()
            await self._sender.close()

    async def trial(self, webhook_id: str, event: Event) -> Tried:
        """Call a webhook once. Raises NotFound, SenderEnded."""
        record = records.webhook(self._writer.reader, webhook_id)
        target = records.target(record, self._writer.keys, self._sealer)
        if target is None:
            raise NotFound("the secrets of this webhook cannot be opened", hint="aware webhooks rotate-secret")
        self._began(await self._sender.start())
        try:
            return await self._sender.trial(target, event)
        finally:
            if not self._works:
                await self._sender.close()

    async def _once(self) -> float | None:
        """One look. Returns in how many seconds to look again, None: when something changes."""
        if self._ended:
            self._ended = False
            raise SenderEnded
        there = records.webhooks(self._writer.reader)
        if not there:
            self._books.clear()
            await self._bookkeeping.show_breakers(self._books)
            await self._sender.close()
            return None
        self._began(await self._sender.start())
        active = self._adopt([record for record in there if not record.paused])
        more = [self._feed(record) for record in active]
        self._hand_replays(active)
        await self._pause_failing(active)
        await self._bookkeeping.show_breakers(self._books)
        due = self._bookkeeping.due(self._books, time.monotonic())
        if due is not None and due <= 0:
            await self._bookkeeping.write(self._books)
            due = self._bookkeeping.due(self._books, time.monotonic())
        return 0.0 if any(more) else _soonest(due, self._next_change(active))

    def _began(self, new: bool) -> None:
        """A new process knows nothing: what the last one did not tell of is handed out again."""
        if not new:
            return
        self._targets = ()
        self._replays.clear()
        for book in self._books.values():
            book.restart()

    def _adopt(self, records_: list[WebhookRecord]) -> list[WebhookRecord]:
        """Tell the process whom it may call; those it can be told of."""
        found = [(record, records.target(record, self._writer.keys, self._sealer)) for record in records_]
        targets = tuple(target for _, target in found if target is not None)
        if targets != self._targets:
            self._sender.adopt(targets)
            self._targets = targets
        active = [record for record, target in found if target is not None]
        ids = {record.id for record in active}
        for gone in self._books.keys() - ids:
            self._close_book(gone)
        return active

    def _close_book(self, webhook: str) -> None:
        """Paused or removed. What was not written is delivered again when it goes on."""
        del self._books[webhook]
        for key in [key for key in self._replays if key[0] == webhook]:
            del self._replays[key]

    def _feed(self, record: WebhookRecord) -> bool:
        """Hand out what has room; whether there is more to look at."""
        book = self._books.get(record.id)
        if book is None:
            book = self._books[record.id] = Book(record, records.state(self._writer.reader, record))
        oldest = self._history.oldest
        if oldest and book.progress.taken < oldest - 1:
            self._miss(record, book, oldest)
        batch = self._history.since(book.progress.taken, PAGE) if book.progress.room else []
        for revision, group in groupby(batch, key=lambda item: item[0]):
            if not book.progress.room:
                return False
            wanted = [event for _, event in group if self._wants(record, event)]
            book.progress.take(revision, wanted)
            for event in wanted:
                self._sender.hand(record.id, event, revision)
        return bool(batch)

    def _wants(self, record: WebhookRecord, event: Event) -> bool:
        return concerns(record, event) and matches(record.filter, event, self._writer.reader.castes_of)

    def _miss(self, record: WebhookRecord, book: Book, oldest: int) -> None:
        message = (
            f"webhook {record.id}: history after revision {book.progress.taken} was trimmed before it was delivered, "
            f"it goes on at {oldest}"
        )
        log.warning(message)
        book.missed(oldest, EventDraft("webhook.missed", record.id, message, Severity.ERROR))

    def _hand_replays(self, active: list[WebhookRecord]) -> None:
        for record in active:
            for letter in records.dead_letters(self._writer.reader, record.id):
                key = record.id, letter.event.id
                if letter.replay and key not in self._replays and letter.event.id not in self._books[record.id].dead:
                    self._replays[key] = letter
                    self._sender.hand(record.id, letter.event, letter.revision, replay=True)

    async def _pause_failing(self, active: list[WebhookRecord]) -> None:
        """Who took nothing for too long is asked no more, until somebody says so."""
        now = time.time()
        for record in active:
            state = self._books[record.id].state
            if (end := pause_due(record, state)) is None or now < end:
                continue
            why = f"nothing was delivered for {record.pause_after_s:.0f} s: {state.reason}"
            async with self._writer.writing():
                key = self._writer.key(records.WEBHOOKS, record.id)
                stored = self._writer.projection.get(key)
                if stored is None:
                    continue
                after = msgspec.structs.replace(record, paused=why, paused_at=now, term=self._writer.term)
                line = EventDraft("webhook.paused", record.id, f"webhook {record.id} is paused: {why}", Severity.ERROR)
                change, guard = ops.put(key, msgspec.json.encode(after)), ops.modified(key, stored.mod_revision)
                await self._writer.commit([change], [line], ACTOR, [guard])
            self.refresh()

    def _next_change(self, active: list[WebhookRecord]) -> float | None:
        """In how many seconds a secret stops to sign or somebody is to be paused."""
        now = time.time()
        at = [secret.until for record in active for secret in record.secrets if secret.until and secret.until > now]
        dues = (pause_due(record, self._books[record.id].state) for record in active)
        at += [due for due in dues if due is not None]
        return max(0.0, min(at) - now) if at else None

    def _hear(self, said: FromSender | None) -> None:
        """What the process tells; None: it is gone."""
        if said is None:
            self._ended = True
        elif not isinstance(said, Tried) and (book := self._books.get(said.webhook)) is not None:
            if isinstance(said, Attempted):
                book.attempted(said)
            elif isinstance(said, Ended):
                letter = self._replays.pop((said.webhook, said.result.event), None) if said.replay else None
                if letter is not None or not said.replay:
                    book.ended(said, letter)
        self.refresh()


def _soonest(*moments: float | None) -> float | None:
    known = [moment for moment in moments if moment is not None]
    return min(known) if known else None
