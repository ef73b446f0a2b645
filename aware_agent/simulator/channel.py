"""A member's channel to another in virtual time: the real state machine of connections, over a network that fails.

What is underneath is TCP: what is lost comes later, what a killed process had open ends at once, and a host that is
cut off neither hears nor is heard.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from aware_agent.colony.connection import (
    LOST_BEATS,
    MIN_BEAT_S,
    Beat,
    Connection,
    Cut,
    Dial,
    Event,
    Heard,
    Lost,
    Phase,
    Probe,
    Tick,
    Welcomed,
    decide,
)

if TYPE_CHECKING:
    from aware_agent.simulator.agent import Agent
    from aware_agent.simulator.host import Host

GIVEN_UP_S = LOST_BEATS * MIN_BEAT_S  # whoever was away for so long finds its channels ended
RETRANSMIT_S = 0.2  # doubled each time
MOST_TIMES = 6


class SimChannel:
    """The channel of ``agent`` to the member on ``host``. Implements :class:`agent.member.detector.Peer`."""

    def __init__(self, agent: Agent, host: Host) -> None:
        self.state = Connection()
        self.to: Agent | None = None  # the life it is connected to
        self._agent = agent
        self._host = host
        self._connection = 0
        self._timer: asyncio.TimerHandle | None = None
        self._closed = False

    @property
    def is_open(self) -> bool:
        """Whether frames can be sent."""
        return self.state.is_open

    def start(self) -> None:
        """Dial, and go on for ever."""
        self._feed(Tick())

    def probe(self) -> None:
        """Send a heartbeat now."""
        if self.is_open:
            self._feed(Probe())

    def close(self) -> None:
        """It is not needed any more."""
        self._closed = True
        self.state, self.to = Connection(), None
        if self._timer is not None:
            self._timer.cancel()

    def end(self, *, said: bool) -> None:
        """The other side is gone, with a good-bye or without."""
        if self.is_open:
            self._feed(Lost("the connection ended", self._agent.world.random.random(), said=said))

    def _feed(self, event: Event) -> None:
        if self._closed or not self._agent.alive:
            return
        before = self.state.phase
        decision = decide(self.state, event, self._agent.now())
        self.state = decision.state
        for effect in decision.effects:
            match effect:
                case Dial():
                    self._connection += 1
                    self._ask(self._accept, Welcomed(MIN_BEAT_S))
                case Beat():
                    self._ask(self._beat, Heard())
                case Cut():
                    self._connection += 1
                    self.to = None
        self._wake()
        if self.state.phase is not before:
            self._agent.channel_moved()

    def _wake(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        delay = max(0.0, self.state.wake_at - self._agent.now())
        self._timer = self._agent.loop.call_later(delay, self._feed, Tick())

    def _ask(self, there: Callable[[Agent | None], bool], answer: Event) -> None:
        """Something goes there, and ``answer`` comes back, both on the loops of those whom it concerns."""
        number, world, me = self._connection, self._agent.world, self._agent

        def back(event: Event) -> None:
            if number == self._connection and event_fits(self.state.phase, event):
                self._feed(event)

        def arrived() -> None:
            other = self._host.agent if self._host.agent is not None and self._host.agent.alive else None
            if not there(other):
                lost = Lost("connection refused", world.random.random(), absent=other is None)
                world.carry(self._host, me.host, me.receive, back, lost)
            elif other is not None:
                other.receive(world.carry, self._host, me.host, me.receive, back, answer)

        world.carry(me.host, self._host, arrived)

    def _accept(self, other: Agent | None) -> bool:
        self.to = other
        return other is not None

    def _beat(self, other: Agent | None) -> bool:
        return other is not None and other is self.to


def event_fits(phase: Phase, event: Event) -> bool:
    """An answer that comes when nobody waits for it any more is none."""
    if isinstance(event, Welcomed):
        return phase is Phase.CONNECTING
    return phase in (Phase.OPEN, Phase.SILENT) or (isinstance(event, Lost) and phase is Phase.CONNECTING)


def transit(draw: Callable[[float, float], float], chance: Callable[[], float], loss: float) -> float:
    """Seconds on the way: each time it is lost it is sent again, later each time."""
    delay = draw(0.0002, 0.003)
    for again in range(MOST_TIMES):
        if chance() >= loss:
            break
        delay += RETRANSMIT_S * 2**again
    return delay
