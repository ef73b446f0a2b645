"""History in memory: announced once each, in order, also when the store was listed anew or trimmed meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from aware_agent.colony.event import Event
from aware_agent.queen.history import EventBatch, History
from aware_agent.store.keys import Keys
from aware_agent.store.model import KeyValue

KEYS = Keys("lab")


class Shelf:
    """The part of a projection that a history reads."""

    def __init__(self) -> None:
        self.kvs: dict[bytes, KeyValue] = {}

    def get(self, key: bytes) -> KeyValue | None:
        return self.kvs.get(key)

    def items(self, prefix: bytes) -> Iterator[KeyValue]:
        return iter([kv for key, kv in sorted(self.kvs.items()) if key.startswith(prefix)])

    def put(self, name: str, revision: int, kind: str = "node.ready") -> bytes:
        event = Event(id=name, time=0.0, term=3, actor="colony", type=kind, subject="n", message="m")
        key = KEYS.key("events", name)
        self.kvs[key] = KeyValue(key=key, value=msgspec.json.encode(event), mod_revision=revision)
        return key


@pytest.fixture
def shelf() -> Shelf:
    shelf = Shelf()
    shelf.put("A", 2, "colony.founded")
    return shelf


def listening(shelf: Any) -> tuple[History, list[tuple[int, str]]]:
    """A history and what it announces."""
    history = History(shelf, KEYS)
    heard: list[tuple[int, str]] = []

    def hear(batch: EventBatch) -> None:
        heard.extend((revision, event.id) for revision, event in batch)

    history.subscribe(hear)
    return history, heard


def test_new_events_are_announced_once_and_in_order(shelf: Shelf) -> None:
    history, heard = listening(shelf)
    keys = [shelf.put("C", 5), shelf.put("B", 5), shelf.put("D", 6)]
    history.changed([*keys, KEYS.key("nodes", "x")])
    history.changed([KEYS.key("nodes", "x")])
    assert heard == [(5, "B"), (5, "C"), (6, "D")]
    assert [revision for revision, _ in history.since(2, 1)] == [5, 5], "a revision is never cut in two"


def test_a_relisting_announces_what_was_missed(shelf: Shelf) -> None:
    history, heard = listening(shelf)
    shelf.put("B", 9)
    history.changed([], relisted=True)
    assert heard == [(9, "B")]


def test_trimming_and_a_new_event_in_one_batch(shelf: Shelf) -> None:
    history, heard = listening(shelf)
    gone = KEYS.key("events", "A")
    del shelf.kvs[gone]
    history.changed([gone, shelf.put("B", 7)])
    assert heard == [(7, "B")]
    assert history.oldest == 7


def test_the_term_of_an_election_is_its_revision(shelf: Shelf) -> None:
    shelf.put("B", 11, "queen.elected")
    history, _ = listening(shelf)
    assert [event.term for _, event in history.since(0, 10)] == [3, 11]
    assert history.oldest == 1
