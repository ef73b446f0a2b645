"""One channel of a node to a council member: kept for as long as that member matters, whatever happens to it.

What to do when is decided by :mod:`aware_agent.colony.connection`; here it is done.
"""

from __future__ import annotations

import asyncio
import logging
import math
import random
import ssl
import time
from collections.abc import Callable
from typing import Protocol

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidURI
from websockets.frames import CloseCode

from aware_agent.background import Background
from aware_agent.channel.frames import (
    MAX_FRAME,
    MAX_TEXT,
    REFUSALS,
    BadFrame,
    Command,
    Fault,
    FromMember,
    FromNode,
    Goodbye,
    Heartbeat,
    Hello,
    Seat,
    Welcome,
    Why,
    encode,
    from_member,
)
from aware_agent.channel.outbox import Outbox
from aware_agent.channel.thin import repeat_steadily
from aware_agent.colony.connection import (
    Beat,
    Connection,
    Cut,
    Dial,
    Event,
    Expected,
    Heard,
    Lost,
    Phase,
    Probe,
    Refused,
    Tick,
    Welcomed,
    decide,
)
from aware_agent.colony.errors import one_line

log = logging.getLogger(__name__)

CLOSE_S = 3.0  # a good-bye that is lost makes a node that left a dead one
MAX_QUEUE = 4


class Node(Protocol):
    """The node a channel belongs to."""

    def hello(self) -> Hello:
        """What it says first."""

    def context(self) -> ssl.SSLContext:
        """Its certificate and the CA it believes, as they are now."""

    def load(self, channel: Channel) -> bytes:
        """What goes with a heartbeat on ``channel`` that is sent now; empty: nothing new."""

    def told(self, channel: Channel, frame: FromMember) -> None:
        """A member says something that is not about the channel itself."""

    def moved(self, channel: Channel) -> None:
        """The state of the channel changed."""


class Channel:
    """A channel to ``seat``, whose certificate must carry ``name``. Call :meth:`start` once, then :meth:`close`."""

    def __init__(
        self,
        seat: Seat,
        node: Node,
        name: str,
        *,
        chance: Callable[[], float] = random.random,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.seat = seat
        self.state = Connection()
        self.node, self.name, self.chance = node, name, chance
        self.load_told = 0  # number of the load that the member knows of this node
        self._clock = clock
        self._attempt: _Attempt | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._wakes_at: float | None = None  # when it is due, by the channel's clock
        self._tasks = Background(f"channel to {seat.name}")
        self._closed = False

    @property
    def is_open(self) -> bool:
        """Whether frames can be sent."""
        return self.state.is_open

    def start(self) -> None:
        """Dial, and go on for ever."""
        self.feed(Tick())

    def post(self, frame: FromNode) -> bool:
        """Send ``frame`` if the channel is open."""
        attempt = self._attempt
        return attempt is not None and self.is_open and attempt.outbox is not None and attempt.outbox.put(encode(frame))

    def probe(self) -> None:
        """Ask at once whether the member is there, if the channel is open."""
        if self.is_open:
            self.feed(Probe())

    def expect(self) -> None:
        """The member has just shown that it lives: do not wait with the next attempt."""
        self.feed(Expected())

    async def close(self, why: Why, text: str = "") -> None:
        """Say good-bye and end, within about :data:`CLOSE_S`."""
        self._closed = True
        if self._timer:
            self._timer.cancel()
        attempt = self._attempt
        if attempt is not None and attempt.stream is not None and self.is_open:
            await attempt.leave(Goodbye(why=why, text=text[:MAX_TEXT]))
        await self._tasks.close()

    def feed(self, event: Event) -> None:
        """Something happened: decide and do."""
        if self._closed:
            return
        before = self.state.phase
        decision = decide(self.state, event, self._clock())
        self.state = decision.state
        if decision.message:
            level = logging.DEBUG if decision.message.startswith("closed") else logging.INFO
            log.log(level, "channel to %s: %s", self.seat.name, decision.message)
        for effect in decision.effects:
            match effect:
                case Dial():
                    self._dial()
                case Beat(count):
                    self.post(Heartbeat(count, self.node.load(self)))
                case Cut(_):
                    self._cut()
        self._wake_at(self.state.wake_at)
        if self.state.phase is not before:
            self.node.moved(self)

    def _dial(self) -> None:
        self.load_told = 0
        attempt = self._attempt = _Attempt(self)
        self._tasks.start(attempt.run(), name=f"channel-{self.seat.name}")

    def _cut(self) -> None:
        attempt, self._attempt = self._attempt, None
        if attempt is not None:
            attempt.abort()

    def _wake_at(self, when: float) -> None:
        """Feed a tick at ``when``, and not a moment before: the loop counts whole milliseconds, and one that comes too
        early comes again and again until it is time.
        """
        if when == self._wakes_at:
            return
        if self._timer:
            self._timer.cancel()
        delay = when - self._clock()
        delay = math.ceil(delay * 1000 + 1) / 1000 if delay > 0 else 0.0
        self._timer, self._wakes_at = asyncio.get_running_loop().call_later(delay, self._tick), when

    def _tick(self) -> None:
        self._timer = self._wakes_at = None
        self.feed(Tick())

    # What an attempt tells -------------------------------------------------------------------------------------------

    def ended(self, attempt: _Attempt, event: Lost | Refused) -> None:
        """The connection of ``attempt`` is over. One that was given up has nothing to say any more."""
        if attempt is self._attempt:
            self._attempt = None
            self.feed(event)

    def took(self, attempt: _Attempt, frame: FromMember) -> None:
        """A frame of ``attempt``. Raises :class:`BadFrame` for one that is out of place."""
        if attempt is not self._attempt:
            return
        if isinstance(frame, Welcome):
            if self.state.phase is not Phase.CONNECTING:
                raise BadFrame(Fault.PLACE, "a second welcome")
            self.feed(Welcomed(frame.beat_s))
            return
        if self.state.phase is Phase.CONNECTING:
            raise BadFrame(Fault.PLACE, "the first frame is no welcome")
        if isinstance(frame, Heartbeat) and frame.count > self.state.beats:
            raise BadFrame(Fault.ORDER, "the answer to a heartbeat that was not sent")
        self.feed(Heard())
        if not isinstance(frame, Heartbeat):
            self.node.told(self, frame)


class _Attempt:
    """One connection, from dialling to its end."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self.stream: ClientConnection | None = None
        self.outbox: Outbox | None = None
        self._task: asyncio.Task[None] | None = None

    async def run(self) -> None:
        self._task = asyncio.current_task()
        channel = self._channel
        event: Lost | Refused | None = None
        try:
            event = await self._talk()
        except ConnectionRefusedError as error:
            event = Lost(_reason(error), channel.chance(), absent=True)
        except (OSError, TimeoutError, EOFError, InvalidHandshake, InvalidURI) as error:
            event = Lost(_reason(error), channel.chance())
        except ConnectionClosed as error:
            event = _ended(error, channel.chance())
        except BadFrame as error:
            event = Refused(error.message, channel.chance())
        finally:
            if self.outbox is not None:
                self.outbox.close()
            if self.stream is not None:
                self.stream.transport.abort()
        channel.ended(self, event)

    async def _talk(self) -> Lost | Refused:
        channel = self._channel
        stream = self.stream = await connect(
            f"wss://{channel.seat.channel}/",
            ssl=channel.node.context(),
            server_hostname=channel.name,
            compression=None,
            ping_interval=None,  # heartbeats are frames of ours
            open_timeout=None,  # the state machine's business
            close_timeout=CLOSE_S,
            max_size=MAX_FRAME,
            max_queue=MAX_QUEUE,
            user_agent_header=None,
            proxy=None,
        )
        repeat_steadily(stream.transport.get_extra_info("socket"))
        self.outbox = Outbox(stream, self.abort)
        await stream.send(encode(channel.node.hello()))
        while True:
            frame = from_member(await stream.recv())
            if isinstance(frame, Goodbye):
                channel.node.told(channel, frame)
                reason = frame.text[:MAX_TEXT] or f"the member says: {frame.why}"
                if frame.why in REFUSALS:
                    return Refused(reason, channel.chance())
                return Lost(reason, channel.chance(), said=True)
            channel.took(self, frame)

    async def leave(self, goodbye: Goodbye) -> None:
        """Say good-bye and close."""
        if self.stream is None or self.outbox is None:
            return
        try:
            async with asyncio.timeout(CLOSE_S):
                self.outbox.put(encode(goodbye))
                await self.outbox.flush()
                await self.stream.close()
        except (TimeoutError, ConnectionClosed):
            pass

    def abort(self) -> None:
        """End it at once."""
        if self.stream is not None:
            self.stream.transport.abort()
        elif self._task is not None:
            self._task.cancel()


def _ended(error: ConnectionClosed, chance: float) -> Lost | Refused:
    if error.rcvd is not None and error.rcvd.code == CloseCode.MESSAGE_TOO_BIG:  # its library says that, not our frames
        return Refused(f"the member takes no frame of more than {MAX_FRAME} bytes", chance)
    return Lost("the connection ended" if error.rcvd is None else f"closed: {one_line(str(error))}", chance)


def _reason(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not accepted: {error.verify_message}"
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return str(text)[:MAX_TEXT]


__all__ = ["Channel", "Command", "Node"]
