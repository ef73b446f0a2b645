"""The gateway's end of the socket to the agent beside it: how is it, and would it carry this out, if it reigns?"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar, cast

import msgspec

from aware_agent import tracing
from aware_agent.agent.explanation import Explanation
from aware_agent.agent.member.frames import FrameBroken, frame, read_frame
from aware_agent.agent.member.link import (
    VERSION,
    Answer,
    Archived,
    AskElection,
    AskFacts,
    Do,
    Done,
    Explained,
    Facts,
    Failed,
    FromAgent,
    FromGateway,
    Hello,
    LoadTable,
    Noted,
    Serving,
    Traced,
    socket_address,
)
from aware_agent.agent.member.remote_error import revive
from aware_agent.colony.audit import Asker, Entry
from aware_agent.colony.decoding import UNDECODABLE, from_msgpack
from aware_agent.colony.load import Row
from aware_agent.colony.trace import Span, SpanKind
from aware_agent.gateway.errors import AgentHangs, AgentSilent, Busy
from aware_agent.gateway.idempotency import Keyed
from aware_agent.gateway.rehearsed import Rehearsed
from aware_agent.queen.commands import ANSWERS, AnyCommand, Command, Written, tag_of
from aware_agent.queen.rehearsal import Rehearsal
from aware_agent.security.grant import Grant

log = logging.getLogger(__name__)

CONNECT_S = 10.0
FACTS_S = 1.0  # an agent that says nothing for so long hangs
FACTS_AGE_S = 0.25  # so long what it said last is passed on, however many ask
EXPLAIN_S = 5.0
EXPLANATION_AGE_S = 0.5  # as with facts: an agent that reigns has other work than to word what it did
COMMAND_S = 30.0
MAX_RUNNING = 128

A = TypeVar("A")


class AgentLink:
    """One connection, kept for the life of the process: when it ends, :attr:`lost` is set."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._waiting: dict[int, asyncio.Future[Answer]] = {}
        self._last = 0
        self._facts: tuple[float, Facts | None] = (0.0, None)
        self._asking: asyncio.Task[Facts | None] | None = None
        self._explanation: tuple[float, Explanation] | None = None
        self._explaining: asyncio.Task[Explanation] | None = None
        self.lost = asyncio.Event()
        self.loads: Callable[[Sequence[Row]], None] = lambda _rows: None  # hears how busy nodes are
        self.spans: Callable[[Sequence[Span]], None] = lambda _spans: None  # hears what the agent traced

    async def connect(self) -> None:
        """Say hello. Raises OSError."""
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.setblocking(False)
        try:
            async with asyncio.timeout(CONNECT_S):
                with socket_address(self._path) as address:
                    await asyncio.get_running_loop().sock_connect(connection, address)
        except BaseException:
            connection.close()
            raise
        self._reader, self._writer = await asyncio.open_unix_connection(sock=connection)
        self._send(Hello(version=VERSION))

    async def run(self) -> None:
        """Take answers until the agent hangs up."""
        assert self._reader is not None
        try:
            while (raw := await read_frame(self._reader)) is not None:
                answer = from_msgpack(raw, FromAgent)
                if isinstance(answer, LoadTable):
                    self.loads(answer.rows)
                    continue
                if isinstance(answer, Traced):
                    self.spans(answer.spans)
                    continue
                waiting = self._waiting.pop(answer.id, None)
                if waiting is not None and not waiting.done():
                    waiting.set_result(answer)
        except (FrameBroken, *UNDECODABLE, ConnectionError) as error:
            log.error("the agent's socket is given up: %s", error)
        finally:
            self.lost.set()
            for waiting in self._waiting.values():
                if not waiting.done():
                    waiting.set_exception(ConnectionResetError("the agent is gone"))

    def tell_serving(self) -> None:
        """Requests are answered from now on."""
        self._send(Serving())

    def note(self, notes: Sequence[Entry]) -> None:
        """Hand on what the audit log shall know; nobody answers. Raises ConnectionResetError."""
        self._send(Noted(notes=tuple(notes)))

    def tell_archived(self, line: int) -> None:
        """The audit log is on the disk up to ``line``. Raises ConnectionResetError."""
        self._send(Archived(line=line))

    def close(self) -> None:
        """Hang up."""
        if self._writer is not None:
            self._writer.close()

    async def facts(self) -> Facts | None:
        """How the agent is, at most ``FACTS_AGE_S`` old; None when it does not say so within ``FACTS_S``.

        Whoever asks meanwhile waits for the same answer: however many do, the agent is asked four times a second.
        """
        at, known = self._facts
        if asyncio.get_running_loop().time() - at < FACTS_AGE_S:
            return known
        if self._asking is None:
            self._asking = asyncio.create_task(self._ask_facts(), name="facts")
        return await asyncio.shield(self._asking)

    async def _ask_facts(self) -> Facts | None:
        try:
            answer = await self._exchange(lambda number: AskFacts(id=number), FACTS_S)
        except AgentSilent:
            answer = None
        found = answer if isinstance(answer, Facts) else None
        self._facts = asyncio.get_running_loop().time(), found
        self._asking = None
        return found

    async def explanation(self) -> Explanation:
        """The agent's part in the election, at most ``EXPLANATION_AGE_S`` old.

        Raises what the agent raised, and :class:`AgentHangs`.
        """
        if self._explanation is not None:
            at, known = self._explanation
            if asyncio.get_running_loop().time() - at < EXPLANATION_AGE_S:
                return known
        if self._explaining is None:
            self._explaining = asyncio.create_task(self._ask_explanation(), name="explanation")
        return await asyncio.shield(self._explaining)

    async def _ask_explanation(self) -> Explanation:
        try:
            try:
                answer = await self._exchange(lambda number: AskElection(id=number), EXPLAIN_S)
            except AgentSilent:
                raise AgentHangs(EXPLAIN_S) from None
            if isinstance(answer, Failed):
                raise revive(answer.error)
            assert isinstance(answer, Explained)
            self._explanation = asyncio.get_running_loop().time(), answer.explanation
            return answer.explanation
        finally:
            self._explaining = None

    async def run_command(
        self,
        command: Command[A],
        *,
        term: int,
        actor: str,
        asker: Asker,
        settle: Callable[[int], Awaitable[None]],
        keyed: Keyed | None = None,
        dry: bool = False,
        grant: Grant | None = None,
    ) -> A:
        """Have ``command`` carried out under the reign of ``term``; returns when ``settle`` has seen what it wrote.

        ``dry``: it is rehearsed, which ends in :class:`Rehearsed`. Raises what the agent raised, Busy, and
        :class:`AgentSilent` when nobody knows what became of it.
        """
        if len(self._waiting) >= MAX_RUNNING:
            raise Busy(f"{MAX_RUNNING} changes are under way already")
        raw = msgspec.Raw(msgspec.msgpack.encode(command))
        once = keyed.take(command) if keyed and not dry else None
        with tracing.span(f"command {tag_of(command)}", SpanKind.CLIENT, {"aware.term": term}):
            trace = tracing.traceparent()
            answer = await self._exchange(
                lambda number: Do(
                    id=number,
                    term=term,
                    actor=actor,
                    asker=asker,
                    once=once,
                    dry=dry,
                    grant=grant,
                    trace=trace,
                    command=raw,
                ),
                COMMAND_S,
            )
        if isinstance(answer, Failed):
            raise revive(answer.error)
        assert isinstance(answer, Done)
        if dry:
            raise Rehearsed(from_msgpack(answer.result, Rehearsal))
        if keyed and answer.replayed:
            keyed.replayed = True
        # Until what was written is read here, too.
        with tracing.span("mirror", attributes={"aware.revision": answer.revision}):
            await settle(answer.revision)
        return cast("A", from_msgpack(answer.result, answer_of(command)))

    async def _exchange(self, make: Callable[[int], FromGateway], seconds: float) -> FromAgent:
        self._last += 1
        number = self._last
        waiting = self._waiting[number] = asyncio.get_running_loop().create_future()
        try:
            self._send(make(number))
            async with asyncio.timeout(seconds):
                answer: FromAgent = await waiting
                return answer
        except (TimeoutError, ConnectionError):
            raise AgentSilent(seconds) from None
        finally:
            self._waiting.pop(number, None)

    def _send(self, message: FromGateway) -> None:
        if self._writer is None or self._writer.is_closing():
            raise ConnectionResetError("the agent is gone")
        # Not drained: what may wait here is bounded by MAX_RUNNING requests of bounded size.
        self._writer.write(frame(msgspec.msgpack.encode(message)))


def answer_of(command: Command[Any] | AnyCommand) -> type:
    """The type of the answer to ``command``."""
    return ANSWERS.get(type(command), Written)
