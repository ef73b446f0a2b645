"""Webhooks of one reign and the next: the real keeper, the process that calls, and a receiver that misbehaves."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator, Callable
from typing import Any

import msgspec
import pytest

from aware_agent.colony.errors import Conflict, InvalidInput, NotFound
from aware_agent.colony.event import EventDraft, Severity
from aware_agent.colony.event_filter import EventFilter
from aware_agent.colony.reach import Reach
from aware_agent.colony.webhook import KEEP_DEAD, MAX_WEBHOOKS, WebhookRecord
from aware_agent.queen import commands as do
from aware_agent.queen.resealing import reseal, stale
from aware_agent.queen.webhooks import bookkeeping, records
from aware_agent.queen.webhooks.commands import WebhookCommands
from aware_agent.queen.webhooks.keeper import WebhookKeeper
from aware_agent.queen.writer import FencedWriter, RevisionChanged
from aware_agent.security.sealed import colony_sealer
from aware_agent.security.webhook_signature import secret_bytes, signed_headers
from tests.memory_colony import SECRET, MemoryColony
from tests.receiver import RESET, Call, Receiver

REACH = Reach(http_to_loopback=True)
LIMIT_S = 120.0


class Reigning:
    """One reign over ``colony``, with what it knows of webhooks."""

    def __init__(self, colony: MemoryColony) -> None:
        self.colony = colony
        self.writer: FencedWriter = colony.writer()
        self.keeper = WebhookKeeper(self.writer, colony.history, colony.sealer, REACH)
        self.commands = WebhookCommands(self.writer, colony.sealer, self.keeper, REACH)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[Reigning]:
        """Its duty works until the end, at which nothing is written any more."""
        task = asyncio.create_task(self.keeper.run())
        try:
            yield self
        finally:
            self.writer.close()
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def create(self, url: str, **fields: Any) -> do.NewWebhook:
        return await self.commands.create(do.CreateWebhook(url=url, **fields), actor="ada")

    def state(self, webhook: str) -> Any:
        return records.state(self.colony.reader, records.webhook(self.colony.reader, webhook))

    def dead(self, webhook: str) -> Any:
        return records.dead_letters(self.colony.reader, webhook)

    def told(self) -> list[str]:
        return [event.type for _, event in self.colony.history.since(0, 10_000) if event.type.startswith("webhook.")]


@pytest.fixture
def colony() -> MemoryColony:
    colony = MemoryColony()
    colony.put_spec(size=1)
    for number in range(3):
        colony.add_node(number)
    colony.put(colony.keys.key("castes"), {"web": [next(iter(colony.reader.records()))]})
    colony.begin_reign(0)
    return colony


def _emit(colony: MemoryColony, count: int, kind: str = "node.changed", subjects: int = 4) -> list[str]:
    """Events of several subjects; their ids."""
    before = {event.id for _, event in colony.history.since(0, 100_000)}
    for number in range(count):
        colony.emit(EventDraft(kind, f"demo-{number % subjects}", f"event {number}"))
    return [event.id for _, event in colony.history.since(0, 100_000) if event.id not in before]


async def _until(done: Callable[[], Any]) -> None:
    async with asyncio.timeout(LIMIT_S):
        while not done():
            await asyncio.sleep(0.02)


def _in_order(receiver: Receiver, colony: MemoryColony) -> None:
    """Of each subject, events came first in the order they were written."""
    revisions = {event.id: revision for revision, event in colony.history.since(0, 100_000)}
    first = dict.fromkeys(call.id for call in receiver.taken)
    subjects = {call.id: call.data["subject"] for call in receiver.taken}
    for subject in set(subjects.values()):
        mine = [revisions[event] for event in first if subjects[event] == subject]
        assert mine == sorted(mine)


async def test_events_are_delivered_signed_and_put_on_record_in_few_writes(colony: MemoryColony) -> None:
    with Receiver().running() as receiver:
        async with Reigning(colony).running() as reign:
            _emit(colony, 3)  # before it was registered: not for it
            made = await reign.create(receiver.url)
            mine = _emit(colony, 300)
            before = colony.etcd.revision
            await _until(lambda: reign.state(made.record.id).delivered == 300)
            assert set(receiver.ids()) == set(mine)
            _in_order(receiver, colony)
            assert colony.etcd.revision - before < 100  # about one a second, not one an event
            assert reign.state(made.record.id).position >= colony.history.since(0, 10_000)[-1][0] - 1
            for call in receiver.taken[:5]:
                stamp = int(call.headers["webhook-timestamp"])
                expected = signed_headers([secret_bytes(made.secret)], call.id, stamp, call.body)
                assert call.headers["webhook-signature"] == expected["webhook-signature"]
            assert reign.keeper._sender.pid
        assert reign.keeper._sender.pid == 0


async def test_only_what_the_filter_wants_and_never_of_itself(colony: MemoryColony) -> None:
    with Receiver().running() as receiver:
        async with Reigning(colony).running() as reign:
            wanted = EventFilter(type=("node.*", "webhook.*"), severity=Severity.WARNING, caste=("web",))
            made = await reign.create(receiver.url, filter=wanted)
            _emit(colony, 5)
            colony.emit(EventDraft("node.dead", "demo-2", "not of that caste", Severity.ERROR))
            colony.emit(EventDraft("queen.elected", "demo-1", "another type", Severity.ERROR))
            colony.emit(EventDraft("webhook.failing", made.record.id, "of itself", Severity.ERROR))
            colony.emit(EventDraft("node.dead", "demo-1", "this one", Severity.ERROR))
            await _until(lambda: receiver.taken)
            await _until(lambda: reign.state(made.record.id).delivered == 1)
            assert [call.data["message"] for call in receiver.calls] == ["this one"]


async def test_every_event_arrives_through_failures_a_killed_sender_and_another_queen(colony: MemoryColony) -> None:
    """Every third call fails somehow. First arrivals of a subject are in order all the same."""
    count = 0

    def behave(_: Call) -> int:
        nonlocal count
        count += 1
        return (500, RESET, 429)[count // 3 % 3] if count % 3 == 0 else 204

    with Receiver(behave).running() as receiver:
        async with Reigning(colony).running() as first:
            made = await first.create(receiver.url)
            mine = _emit(colony, 60, subjects=10)
            await _until(lambda: len(receiver.ids()) >= 10)
            os.kill(first.keeper._sender.pid, signal.SIGKILL)
            await _until(lambda: len(receiver.ids()) >= 20)
        colony.begin_reign(1)
        mine += _emit(colony, 20, subjects=10)
        async with Reigning(colony).running() as second:
            await _until(lambda: set(receiver.ids()) == set(mine))
            _in_order(receiver, colony)
            await _until(lambda: second.state(made.record.id).position >= colony.history.since(0, 10_000)[-1][0])
            assert second.dead(made.record.id) == []


async def test_what_cannot_be_delivered_is_kept_replayed_and_dropped(
    colony: MemoryColony, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("aware_agent.colony.webhook.RETRY_S", (0.1, 100.0))
    with Receiver(lambda _: 500).running() as receiver:
        async with Reigning(colony).running() as reign:
            made = await reign.create(receiver.url, retry_s=0.1)
            webhook = made.record.id
            mine = _emit(colony, 2, subjects=2)
            await _until(lambda: len(reign.dead(webhook)) == 2)
            letter = reign.dead(webhook)[0]
            assert (letter.event.id, letter.status, letter.reason) == (mine[0], 500, "the receiver answered 500")
            await _until(lambda: reign.state(webhook).dead == 2)
            assert reign.state(webhook).failing_since > 0
            assert reign.told().count("webhook.failing") == 1  # told once, not for each
            receiver.behave = lambda _: 200
            with pytest.raises(NotFound):
                await reign.commands.replay(webhook, "0" * 26, actor="ada")
            await reign.commands.replay(webhook, mine[0], actor="ada")
            await _until(lambda: [one.event.id for one in reign.dead(webhook)] == mine[1:])
            assert receiver.ids()[-1] == mine[0]
            await _until(lambda: reign.state(webhook).failing_since == 0)
            await reign.commands.drop(webhook, None, actor="ada")
            assert reign.dead(webhook) == []
            assert not (await reign.commands.replay(webhook, None, actor="ada")).changed


async def test_a_replay_that_fails_stays_a_dead_letter(colony: MemoryColony, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aware_agent.colony.webhook.RETRY_S", (0.1, 100.0))
    with Receiver(lambda _: 503).running() as receiver:
        async with Reigning(colony).running() as reign:
            webhook = (await reign.create(receiver.url, retry_s=0.1)).record.id
            _emit(colony, 1)
            await _until(lambda: reign.dead(webhook))
            tried = reign.dead(webhook)[0].attempts
            await reign.commands.replay(webhook, None, actor="ada")
            await _until(lambda: reign.dead(webhook)[0].attempts > tried)
            assert not reign.dead(webhook)[0].replay
            assert len(reign.dead(webhook)) == 1


async def test_paused_it_waits_and_resumed_it_goes_on(colony: MemoryColony) -> None:
    with Receiver().running() as receiver:
        async with Reigning(colony).running() as reign:
            webhook = (await reign.create(receiver.url)).record.id
            mine = _emit(colony, 5)
            await _until(lambda: reign.state(webhook).delivered == 5)
            await reign.commands.change(do.ChangeWebhook(webhook=webhook, paused=True), actor="ada")
            mine += _emit(colony, 5)
            assert not (
                await reign.commands.change(do.ChangeWebhook(webhook=webhook, paused=True), actor="ada")
            ).changed
            await reign.commands.change(do.ChangeWebhook(webhook=webhook, paused=False), actor="ada")
            await _until(lambda: set(receiver.ids()) == set(mine))
            assert [kind for kind in reign.told() if kind != "webhook.created"] == ["webhook.paused", "webhook.resumed"]


async def test_who_takes_nothing_for_long_is_paused_by_the_queen(
    colony: MemoryColony, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("aware_agent.colony.webhook.PAUSE_AFTER_S", (0.1, 100.0))
    with Receiver(lambda _: 500).running() as receiver:
        async with Reigning(colony).running() as reign:
            webhook = (await reign.create(receiver.url, pause_after_s=0.2)).record.id
            _emit(colony, 3)
            await _until(lambda: records.webhook(colony.reader, webhook).paused)
            assert "answered 500" in records.webhook(colony.reader, webhook).paused
            assert reign.told()[-1] == "webhook.paused"


async def test_an_open_breaker_is_shown_and_goes_with_success_pause_or_removal(colony: MemoryColony) -> None:
    with Receiver(lambda _: 500).running() as receiver:
        async with Reigning(colony).running() as reign:
            webhook = (await reign.create(receiver.url)).record.id
            _emit(colony, 6, subjects=6)
            await _until(lambda: colony.reader.view().breakers)
            (shown,) = colony.reader.view().breakers
            assert (shown.name, shown.reason) == (f"webhook/{webhook}", "the receiver answered 500")
            assert shown.since > 0
            assert "circuit" not in colony.reader.view().reason
            receiver.behave = lambda _: 204
            await _until(lambda: reign.state(webhook).delivered == 6)
            await _until(lambda: not colony.reader.view().breakers)
            assert reign.state(webhook).breaker == "closed"


async def test_history_that_was_trimmed_before_it_was_delivered_is_told(colony: MemoryColony) -> None:
    reign = Reigning(colony)
    webhook = (await reign.create("http://127.0.0.1:9/")).record.id
    _emit(colony, 3)
    for kv in list(colony.projection.items(colony.keys.key("events/"))):
        colony.delete(kv.key)
    _emit(colony, 1)
    async with reign.running():
        await _until(lambda: reign.state(webhook).missed == 1)
        await _until(lambda: "webhook.missed" in reign.told())
        assert reign.state(webhook).position > 0


async def test_a_new_secret_signs_beside_the_old_one(colony: MemoryColony) -> None:
    with Receiver().running() as receiver:
        async with Reigning(colony).running() as reign:
            old = await reign.create(receiver.url, secret="whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
            assert old.secret == "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
            new = await reign.commands.rotate(do.RotateWebhookSecret(webhook=old.record.id), actor="ada")
            said = await reign.commands.test(old.record.id, actor="ada")
            assert (said.delivered, said.status) == (True, 204)
            call = receiver.calls[-1]
            secrets = [secret_bytes(new.secret), secret_bytes(old.secret)]
            expected = signed_headers(secrets, call.id, int(call.headers["webhook-timestamp"]), call.body)
            assert call.headers["webhook-signature"] == expected["webhook-signature"]
            await reign.commands.rotate(do.RotateWebhookSecret(webhook=old.record.id, keep_old_s=0), actor="ada")
            await reign.commands.test(old.record.id, actor="ada")
            assert " " not in receiver.calls[-1].headers["webhook-signature"]


async def test_a_test_tells_what_came_back_and_leaves_no_process_behind(colony: MemoryColony) -> None:
    with Receiver(lambda _: 418).running() as receiver:
        reign = Reigning(colony)
        webhook = (await reign.create(receiver.url)).record.id
        said = await reign.commands.test(webhook, actor="ada")
        assert (said.delivered, said.status, said.answer) == (False, 418, "thank you")
        receiver.behave = lambda _: RESET
        said = await reign.commands.test(webhook, actor="ada")
        assert (said.delivered, said.status) == (False, 0)
        assert said.reason
        assert reign.keeper._sender.pid == 0
        assert records.state(colony.reader, records.webhook(colony.reader, webhook)).failed == 0


async def test_what_is_kept_of_it_is_sealed_and_goes_with_it(colony: MemoryColony) -> None:
    reign = Reigning(colony)
    made = await reign.create("https://hooks.example/x")
    kept = b"".join(kv.value for kv in colony.projection.items(colony.keys.key("webhook")))
    assert made.secret.encode() not in kept
    assert secret_bytes(made.secret) not in kept
    other = colony_sealer(b"o" * 32, SECRET)
    changes, compares = reseal(reign.writer, other, stale(reign.writer, b"o" * 32), 8)
    assert [len(changes), len(compares)] == [1, 1]
    colony.etcd.txn([], changes)
    record = colony.reader.one(f"webhooks/{made.record.id}", WebhookRecord)
    assert record is not None
    context = records.secret_context(colony.keys, record.id)
    assert colony_sealer(b"o" * 32).open(record.secrets[0].sealed, context) == secret_bytes(made.secret)
    assert list(stale(reign.writer, b"o" * 32)) == []
    colony.put(colony.keys.key("webhook-dead", record.id, "x"), {})
    await reign.commands.remove(record.id, actor="ada")
    assert list(colony.projection.items(colony.keys.key("webhook"))) == []
    with pytest.raises(NotFound):
        await reign.commands.remove(record.id, actor="ada")


async def test_bounds(colony: MemoryColony) -> None:
    reign = Reigning(colony)
    for bad in (
        {"url": "https://169.254.169.254/latest/meta-data"},
        {"url": "http://10.0.0.1/"},
        {"url": "https://x.example/", "ca": "nonsense"},
        {"url": "https://x.example/", "retry_s": 1.0},
        {"url": "https://x.example/", "description": "x" * 201},
        {"url": "https://x.example/", "secret": "whsec_short"},
        {"url": "https://x.example/", "filter": EventFilter(type=("x" * 101,))},
    ):
        with pytest.raises(InvalidInput):
            await reign.create(**bad)
    for _ in range(MAX_WEBHOOKS):
        made = await reign.create("https://x.example/")
    with pytest.raises(Conflict, match="webhooks already"):
        await reign.create("https://x.example/")
    with pytest.raises(RevisionChanged):
        await reign.commands.change(do.ChangeWebhook(webhook=made.record.id, paused=True, if_revision=1), actor="ada")
    with pytest.raises(InvalidInput):
        await reign.commands.change(do.ChangeWebhook(webhook=made.record.id, url="https://10.0.0.1/"), actor="ada")


async def test_what_this_queen_may_not_call_can_be_paused_and_given_a_secret(colony: MemoryColony) -> None:
    """Another one, whose settings allow more, registered it; and its secrets were lost on the way."""
    reign = Reigning(colony)
    made = await reign.create("https://x.example/")
    record = msgspec.structs.replace(made.record, url="https://10.0.0.1/", secrets=())
    colony.put(colony.keys.key(records.WEBHOOKS, record.id), record)
    await reign.commands.change(do.ChangeWebhook(webhook=record.id, paused=True), actor="ada")
    await reign.commands.rotate(do.RotateWebhookSecret(webhook=record.id), actor="ada")
    after = records.webhook(colony.reader, record.id)
    assert (after.paused, len(after.secrets)) == ("ada paused it", 1)
    with pytest.raises(InvalidInput):
        await reign.commands.change(do.ChangeWebhook(webhook=record.id, ca="nonsense"), actor="ada")


async def test_no_more_dead_letters_are_kept_than_the_bound(colony: MemoryColony) -> None:
    """As the keeper writes them, without waiting for so many to die."""
    reign = Reigning(colony)
    record = (await reign.create("https://x.example/")).record
    book = bookkeeping.Book(record, reign.state(record.id))
    ids = _emit(colony, KEEP_DEAD + 30)
    letters = {event.id: (revision, event) for revision, event in colony.history.since(0, 10_000) if event.id in ids}
    for some in (ids[:90], ids[90:]):
        for event_id in some:
            revision, event = letters[event_id]
            book.dead[event_id] = bookkeeping.DeadLetter(
                event=event, revision=revision, attempts=1, reason="x", status=500, at=1.0
            )
        book.happened = True
        await bookkeeping.Bookkeeping(reign.writer).write({record.id: book})
    assert [letter.event.id for letter in reign.dead(record.id)] == ids[-KEEP_DEAD:]
    assert reign.state(record.id).dropped == 30
    assert msgspec.json.decode(colony.projection.get(colony.keys.key("webhook-states", record.id)).value)  # type: ignore[union-attr]
