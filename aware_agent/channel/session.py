"""One channel as a council member holds it: what the node says is read at the pace it is allowed, orders are answered.

A session never makes its owner wait: what is sent goes to a bounded outbox, and a node that does not read is cut off.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any, Protocol

from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed
from websockets.frames import CloseCode

from aware_agent import tracing
from aware_agent.channel.frames import (
    MAX_TEXT,
    AuditNotes,
    BadFrame,
    Command,
    Fault,
    FromMember,
    FromNode,
    Goodbye,
    Heartbeat,
    Hello,
    NewReport,
    NodeOrder,
    Problem,
    Result,
    Why,
    encode,
    from_node,
)
from aware_agent.channel.limits import Bucket
from aware_agent.channel.outbox import Outbox
from aware_agent.colony.connection import is_lost, is_silent
from aware_agent.colony.errors import AwareError
from aware_agent.colony.numbers import whole

if TYPE_CHECKING:
    from aware_agent.colony.load import Load
    from aware_agent.colony.node import Report

FRAMES_S, FRAMES_BURST = 20.0, 100.0
BYTES_S, BYTES_BURST = 128.0 * 1024, 1024.0 * 1024
FLOOD = 500  # frames in a row that had to wait: nobody who means well sends so much
CLOSE_S = 2.0
MAX_ORDERS = 8  # orders to one node at a time


class NoChannel(AwareError):
    """The node has no channel to this member now; nothing was asked of it."""

    code = "no-channel"
    exit_code = 13
    status = 503


class NoAnswer(AwareError):
    """The node did not answer in time, or its channel ended; whether it did as it was told is not known."""

    code = "no-answer"
    exit_code = 13
    status = 504


class NodeRefused(AwareError):
    """The node's own answer: it does not do that."""

    code = "node-refused"
    exit_code = 13
    status = 409


class Listener(Protocol):
    """What a session tells its owner."""

    def reported(self, session: Session) -> None:
        """The node's report changed."""

    def noted(self, session: Session, frame: AuditNotes) -> None:
        """It has something for the audit log."""

    def loaded(self, session: Session, raw: bytes) -> None:
        """The node says how busy it is; nobody has looked at it yet."""


class Session:
    """One node's channel, from its hello to its end."""

    def __init__(self, node: str, hello: Hello, stream: ServerConnection, listener: Listener, beat_s: float) -> None:
        now = time.monotonic()
        self.node = node
        self.incarnation = hello.incarnation
        self.report: Report = hello.report
        self.beat_s = beat_s
        self.opened_at = self.heard_at = now
        self.silent = False
        self.count = 0  # of the node's last heartbeat
        self.throttled = 0  # frames that had to wait
        self.load: Load | None = None  # as it said last
        self.told_at = now  # monotonic: when it did
        self.refused_loads = 0
        self.why: tuple[Why, str] | None = None  # how it ended, as far as somebody said
        self._stream = stream
        self._listener = listener
        self._outbox = Outbox(stream, self._too_slow)
        self._frames = Bucket(FRAMES_S, FRAMES_BURST, now)
        self._bytes = Bucket(BYTES_S, BYTES_BURST, now)
        self._throttled = 0
        self._last = 0  # number of the last order
        self._commands: dict[str, asyncio.Future[Result]] = {}

    # What the owner asks ---------------------------------------------------------------------------------------------

    def send(self, frame: FromMember) -> bool:
        """Put ``frame`` on its way. False when the channel is at its end."""
        return self._outbox.put(encode(frame))

    async def command(self, order: NodeOrder, term: int, timeout_s: float) -> dict[str, Any]:
        """Have the node do ``order`` and return its answer. Raises NoChannel, NoAnswer, NodeRefused."""
        if len(self._commands) >= MAX_ORDERS:
            raise NoChannel(f"{MAX_ORDERS} orders wait for this node's answer already", hint="try again in a moment")
        self._last += 1
        number = str(self._last)
        answer: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._commands[number] = answer
        try:
            if not self.send(Command(id=number, term=term, order=order, trace=tracing.traceparent())):
                raise NoChannel("the channel to this node is closing", hint="try again in a moment")
            async with asyncio.timeout(timeout_s):
                result = await answer
        except TimeoutError:
            raise NoAnswer(f"the node did not answer within {timeout_s:g} s", hint="is it overloaded?") from None
        finally:
            del self._commands[number]
        if result.problem is not None:
            raise NodeRefused(_text(result.problem), hint=result.problem.hint[:MAX_TEXT])
        return result.answer

    @property
    def busy(self) -> bool:
        """Whether something waits to be sent: what can wait itself does not go behind it."""
        return self._outbox.waiting

    def judge(self, now: float) -> bool:
        """Look at the silence. Returns whether :attr:`silent` changed; cuts a channel that is lost."""
        if is_lost(self.heard_at, self.beat_s, now):
            self.cut(Why.SILENT, f"nothing heard for {now - self.heard_at:.1f} s")
        was, self.silent = self.silent, is_silent(self.heard_at, self.beat_s, now)
        return was is not self.silent

    async def close(self, why: Why, text: str = "") -> None:
        """Say good-bye and close, within :data:`CLOSE_S`."""
        self._end(why, text)
        try:
            async with asyncio.timeout(CLOSE_S):
                await self._outbox.flush()
                await self._stream.send(encode(Goodbye(why=why, text=text[:MAX_TEXT])))
                await self._stream.close()
        except (TimeoutError, ConnectionClosed):
            self._stream.transport.abort()

    def cut(self, why: Why, text: str = "") -> None:
        """End it at once, without a word."""
        self._end(why, text)
        self._stream.transport.abort()

    # Reading ---------------------------------------------------------------------------------------------------------

    async def read(self) -> None:
        """Read until the channel ends, for whatever reason; :attr:`why` tells it then."""
        try:
            while True:
                raw = await self._stream.recv()
                await self._pace(len(raw))
                await self._take(from_node(raw))
                self.heard_at = time.monotonic()
                if self.why is not None:
                    return
        except BadFrame as error:
            await self.close(Why.BAD_FRAME, error.message)
        except ConnectionClosed as error:
            # A frame longer than the limit is refused by the library, which says so on our behalf.
            huge = error.sent is not None and error.sent.code == CloseCode.MESSAGE_TOO_BIG
            self._end(
                Why.BAD_FRAME if huge else Why.LOST, "a frame that is too long" if huge else "the connection ended"
            )
        finally:
            self._outbox.close()
            for answer in self._commands.values():
                if not answer.done():
                    answer.set_exception(NoAnswer("the node's channel ended before it answered", hint="see its log"))

    async def _pace(self, size: int) -> None:
        """Wait as long as this node's frames are too many: what it sends meanwhile stays in its own socket."""
        now = time.monotonic()
        pause = max(self._frames.take(1, now), self._bytes.take(size, now))
        if pause <= 0:
            self._throttled = 0
            return
        self.throttled += 1
        self._throttled += 1
        if self._throttled > FLOOD:
            await self.close(Why.FLOOD, "far more frames than a node has reason to send")
            return
        await asyncio.sleep(pause)

    async def _take(self, frame: FromNode) -> None:
        match frame:
            case Heartbeat(count, load):
                if count <= self.count:
                    raise BadFrame(Fault.ORDER, f"heartbeat {count} after heartbeat {self.count}")
                self.count = count
                # Not through the outbox: who sends and does not read makes only itself wait, and is soon silent.
                await self._stream.send(encode(Heartbeat(count)))
                if load:
                    self._listener.loaded(self, load)
            case NewReport(report):
                if report != self.report:
                    self.report = report
                    self._listener.reported(self)
            case Result():
                self._answered(frame)
            case AuditNotes():
                self._listener.noted(self, frame)
            case Goodbye(why=why, text=text):
                self._end(why, text[:MAX_TEXT])
            case Hello():
                raise BadFrame(Fault.PLACE, "a second hello")

    def _answered(self, result: Result) -> None:
        try:
            whole(result.id, 1, self._last)
        except ValueError:
            raise BadFrame(Fault.PLACE, "the answer to an order that was never given") from None
        answer = self._commands.get(result.id)
        if answer is not None and not answer.done():  # else: it came too late
            answer.set_result(result)

    def _too_slow(self) -> None:
        self.cut(Why.SLOW, "it does not read what it is sent")

    def _end(self, why: Why, text: str) -> None:
        if self.why is None:  # the first reason is the reason
            self.why = (why, text)


def _text(problem: Problem) -> str:
    return problem.message[:MAX_TEXT] or problem.code[:MAX_TEXT]


async def read_hello(stream: ServerConnection) -> Hello:
    """The first frame of a node. Raises :class:`BadFrame`, ConnectionClosed."""
    frame = from_node(await stream.recv())
    if not isinstance(frame, Hello):
        raise BadFrame(Fault.PLACE, "the first frame is no hello")
    return frame
