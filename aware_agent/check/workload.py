"""Clients that write and read one register of a colony all the time, and the history of what each was answered.

The register is ``/v1/check``. Every value is written once: by a plain PUT, or by one with If-Match, which is a
compare-and-set. Reads are the queen's own, under the fence of her writes. How a request reaches the queen is the
business of a :class:`Sender`: it repeats a write until somebody answers, under one Idempotency-Key, so that nearly
every outcome is known. What is not known by the end is in the history as that.
"""

from __future__ import annotations

import asyncio
import itertools
import random
import time
import uuid
from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

from aware_agent.colony.linear import Operation

_READS = 0.3  # share of all operations
_CONDITIONAL = 0.6  # share of writes that state a precondition
_HOPEFUL = 0.6  # share of preconditions that are the newest known
_REMEMBERED = 3  # newest revisions a precondition is drawn from: an old one would always be refused
CHANGED = 412


class Answer(NamedTuple):
    """Status 2xx with its document, or :data:`CHANGED`."""

    status: int
    document: dict[str, Any]


class NoAnswer(Exception):
    """Nobody answered while the sender tried. ``maybe``: a write may have been done."""

    def __init__(self, *, maybe: bool) -> None:
        super().__init__("it may have been done" if maybe else "it was not done")
        self.maybe = maybe


class Sender(Protocol):
    """A client's way to the queen."""

    async def ask(self, method: str, path: str, body: object = None, *, if_match: int | None = None) -> Answer:
        """The queen's answer; any but those of :class:`Answer` is an error of the sender's. Raises NoAnswer."""


class Accepted(NamedTuple):
    """A write that was accepted. ``at``: when that was known, monotonic seconds; ``queen`` is empty when not told."""

    at: float
    term: int
    queen: str


class Window(NamedTuple):
    """What happened between two moments at which every client rested. ``first``: what the register held at the former.

    An operation that nobody answered may still be done later. So it is in the next window too, unless it was seen.
    """

    first: int
    history: list[Operation]
    accepted: list[Accepted]


class Workload:
    """One client for each of ``senders``; ``common`` is for what is done once. ``most``: operations in all."""

    def __init__(
        self, senders: Sequence[Sender], common: Sender, *, seed: int, pause_s: float, most: int | None = None
    ) -> None:
        self._senders, self._common, self._pause_s, self._most = senders, common, pause_s, most
        self._path = f"/v1/check/{(run := uuid.uuid4().hex)}"
        self._run = run
        self._dice = random.Random(seed)  # noqa: S311 - chooses operations, guards nothing
        self._values = itertools.count(1)
        self._tasks: list[asyncio.Task[None]] = []
        self._begun = 0
        self._known: dict[int, int] = {}  # the newest revisions and the value each gave
        self._first = 0
        self._busy = 0
        self._may_work, self._at_rest = asyncio.Event(), asyncio.Event()
        self._may_work.set()
        self._at_rest.set()
        self.over = asyncio.Event()
        self.history: list[Operation] = []
        self.accepted: list[Accepted] = []
        self.undone = 0  # operations nobody answered that did nothing: no part of the history
        self.began = self.ended = time.monotonic()

    async def begin(self) -> None:
        """Make the register. Raises NoAnswer, and what the sender raises."""
        answer = await self._common.ask("POST", "/v1/check", {"run": self._run})
        self._accept(answer.document, 0, time.monotonic())

    def start(self) -> None:
        """Let all clients work until :attr:`over` is set."""
        self.began = time.monotonic()
        self._tasks = [
            asyncio.create_task(self._work(client, sender), name=f"client {client}")
            for client, sender in enumerate(self._senders, 1)
        ]

    async def wait(self, seconds: float) -> None:
        """Return when the time is over, when :attr:`over` is set, or when a client ended, by an error or ``most``."""
        waiting = asyncio.create_task(self.over.wait())
        try:
            await asyncio.wait([waiting, *self._tasks], timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            waiting.cancel()

    async def stop(self) -> None:
        """End the clients, each after its operation, and read what is there. Raises what ended one of them before."""
        self.over.set()
        results = await asyncio.gather(*self._tasks, return_exceptions=True)
        self.ended = time.monotonic()
        for done in results:
            if isinstance(done, Exception):
                raise done
        self._tasks.clear()
        await self._read(0, self._common)

    async def cut(self) -> Window:
        """Let all clients rest, and give away what happened since the last cut: of long work nothing has to be kept.

        Raises NoAnswer when nobody tells what the register holds; nothing is cut then.
        """
        self._may_work.clear()
        try:
            await self._at_rest.wait()
            before = len(self.history)
            await self._read(0, self._common)
            if len(self.history) == before:
                raise NoAnswer(maybe=False)
            window = Window(self._first, self.history, self.accepted)
            seen = {one.value for one in self.history if one.kind == "read"}
            self.history = [one for one in self.history if one.outcome == "unknown" and one.value not in seen]
            self.accepted, self._first = [], window.history[-1].value
            return window
        finally:
            self._may_work.set()

    async def remove(self) -> None:
        """Remove the register; it may be gone. Raises NoAnswer, and what the sender raises."""
        await self._common.ask("DELETE", self._path)

    def check(self) -> None:
        """Raise what ended a client."""
        for task in self._tasks:
            if task.done() and not task.cancelled() and (error := task.exception()):
                raise error

    async def _work(self, client: int, sender: Sender) -> None:
        while not self.over.is_set() and (self._most is None or self._begun < self._most):
            await self._may_work.wait()
            self._begun += 1
            self._busy += 1
            self._at_rest.clear()
            try:
                await self._operate(client, sender)
            finally:
                self._busy -= 1
                if not self._busy:
                    self._at_rest.set()
            await asyncio.sleep(self._pause_s * self._dice.uniform(0.5, 1.5))

    async def _operate(self, client: int, sender: Sender) -> None:
        if self._dice.random() < _READS:
            await self._read(client, sender)
        else:
            await self._write(client, sender, self._precondition())

    def _precondition(self) -> int | None:
        if self._dice.random() >= _CONDITIONAL:
            return None
        newest = list(self._known)
        return newest[-1] if self._dice.random() < _HOPEFUL else self._dice.choice(newest)

    async def _read(self, client: int, sender: Sender) -> None:
        began = time.monotonic()
        try:
            answer = await sender.ask("GET", self._path)
        except NoAnswer:
            self.undone += 1
            return
        value = int(answer.document["value"])
        self.history.append(Operation("read", value, began, time.monotonic(), client=client))

    async def _write(self, client: int, sender: Sender, revision: int | None) -> None:
        value, began = next(self._values), time.monotonic()
        made = Operation("write", value, began, client=client)
        if revision is not None:
            made = made._replace(kind="cas", expected=self._known[revision])
        try:
            answer = await sender.ask("PUT", self._path, {"value": value}, if_match=revision)
        except NoAnswer as silence:
            if silence.maybe:
                self.history.append(made._replace(outcome="unknown"))
            else:
                self.undone += 1
            return
        now = time.monotonic()
        if answer.status == CHANGED:
            self.history.append(made._replace(end=now, outcome="refused"))
            return
        self._accept(answer.document, value, now)
        self.history.append(made._replace(end=now))

    def _accept(self, document: dict[str, Any], value: int, now: float) -> None:
        self._known[document["revision"]] = value
        if len(self._known) > _REMEMBERED:
            del self._known[next(iter(self._known))]
        self.accepted.append(Accepted(now, document["term"], document["queen"]))
