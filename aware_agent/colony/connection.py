"""One connection between a node and a council member, as the node decides about it.

============  ===============================================================
state         means
============  ===============================================================
closed        no connection; the next attempt is planned
connecting    an attempt is under way
open          the member answers heartbeats
silent        it did not answer :data:`SILENT_BEATS` heartbeats in a row
refused       it said no; asked again later, for what it refuses may change
============  ===============================================================

Pure: ``decide(state, event, now)`` gives the next state, the effects to perform and one sentence for the log, empty
when there is nothing to say. ``now`` is a monotonic time in seconds. Every pair of state and event is in the table, or
it is an :class:`IllegalTransition`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum

import msgspec

from aware_agent.colony.errors import IllegalTransition

SILENT_BEATS = 2.0  # heartbeats without an answer until the other side counts as silent
LOST_BEATS = 4.0  # and until the connection is given up
DIAL_S = 10.0  # longest attempt: TCP, TLS, upgrade and welcome
FIRST_RETRY_S, MAX_RETRY_S = 0.2, 15.0
REFUSED_RETRY_S = 10.0
NODES_PER_BEAT = 100.0  # heartbeats per second a member should have to answer
MIN_BEAT_S, MAX_BEAT_S = 1.0, 10.0


class Phase(StrEnum):
    """Where a connection stands."""

    CLOSED = "closed"
    CONNECTING = "connecting"
    OPEN = "open"
    SILENT = "silent"
    REFUSED = "refused"


class Connection(msgspec.Struct, frozen=True, kw_only=True):
    """State of one connection. ``wake_at`` is when to look at it again though nothing happens."""

    phase: Phase = Phase.CLOSED
    failures: int = 0  # attempts in a row that came to nothing
    wake_at: float = 0.0
    heard_at: float = 0.0
    beat_at: float = 0.0  # when the next heartbeat is due
    beat_s: float = MIN_BEAT_S
    beats: int = 0  # heartbeats sent on this connection
    reason: str = ""  # why it is not open
    broken: bool = False  # it was open and ended without a word
    absent: bool = False  # at the last attempt its host said that nobody listens there

    @property
    def is_open(self) -> bool:
        """Whether frames can be sent."""
        return self.phase in (Phase.OPEN, Phase.SILENT)


# Events ----------------------------------------------------------------------------------------------------------


class Tick(msgspec.Struct, frozen=True):
    """Time has passed."""


class Probe(msgspec.Struct, frozen=True):
    """Somebody wants to know now whether the member is there, besides the heartbeats that are due anyway."""


class Expected(msgspec.Struct, frozen=True):
    """The member has shown elsewhere that it lives."""


class Welcomed(msgspec.Struct, frozen=True):
    """The member took us in and wants a heartbeat every ``beat_s`` seconds."""

    beat_s: float


class Heard(msgspec.Struct, frozen=True):
    """A frame came."""


class Lost(msgspec.Struct, frozen=True):
    """The attempt failed or the connection ended; ``chance`` in 0..1 spreads those who lost it together.

    ``said``: the member said good-bye; ``absent``: its host said that nobody listens there.
    """

    reason: str
    chance: float
    said: bool = False
    absent: bool = False


class Refused(msgspec.Struct, frozen=True):
    """The member said that it will not have us, and why."""

    reason: str
    chance: float


Event = Tick | Probe | Expected | Welcomed | Heard | Lost | Refused


# Effects ---------------------------------------------------------------------------------------------------------


class Dial(msgspec.Struct, frozen=True):
    """Begin an attempt."""


class Beat(msgspec.Struct, frozen=True):
    """Send heartbeat number ``count``."""

    count: int


class Cut(msgspec.Struct, frozen=True):
    """Abort whatever is there; :class:`Lost` need not be told afterwards."""

    reason: str


Effect = Dial | Beat | Cut


class Decision(msgspec.Struct, frozen=True):
    """What follows from an event."""

    state: Connection
    effects: tuple[Effect, ...] = ()
    message: str = ""


def beat_interval(nodes: int) -> float:
    """Seconds between two heartbeats in a colony of ``nodes``: a member's work stays the same from 100 nodes on."""
    return min(MAX_BEAT_S, max(MIN_BEAT_S, nodes / NODES_PER_BEAT))


def is_silent(heard_at: float, beat_s: float, now: float) -> bool:
    """Whether somebody who was last heard at ``heard_at`` missed enough heartbeats to be doubted."""
    return now - heard_at > SILENT_BEATS * beat_s


def is_lost(heard_at: float, beat_s: float, now: float) -> bool:
    """Whether so many are missing that the connection is over."""
    return now - heard_at > LOST_BEATS * beat_s


def retry_delay(failures: int, chance: float) -> float:
    """Seconds to the next attempt after ``failures`` in a row: doubled each time, and anywhere in its second half."""
    longest = min(MAX_RETRY_S, FIRST_RETRY_S * 2.0 ** min(failures, 16))
    return longest * (0.5 + chance / 2)


def decide(state: Connection, event: Event, now: float) -> Decision:
    """The one step from ``state`` by ``event``. Raises :class:`IllegalTransition` for a pair that makes no sense."""
    handler = _TABLE.get((state.phase, type(event)))
    if handler is None:
        raise IllegalTransition(f"a connection that is {state.phase} cannot have {type(event).__name__}")
    return handler(state, event, now)


def _dial_when_due(state: Connection, _event: Event, now: float) -> Decision:
    if now < state.wake_at:
        return Decision(state)
    return _dial(state, now)


def _dial_now(state: Connection, _event: Event, now: float) -> Decision:
    """What failed so far says nothing of a member that has just come: begin to count anew."""
    return _dial(msgspec.structs.replace(state, failures=0), now)


def _dial(state: Connection, now: float) -> Decision:
    return Decision(msgspec.structs.replace(state, phase=Phase.CONNECTING, wake_at=now + DIAL_S), (Dial(),))


def _keep(state: Connection, _event: Event, _now: float) -> Decision:
    return Decision(state)


def _give_up_attempt(state: Connection, _event: Event, now: float) -> Decision:
    if now < state.wake_at:
        return Decision(state)
    return _closed(state, f"no welcome within {DIAL_S:.0f} s", 1.0, now, cut=True)


def _welcome(state: Connection, event: Event, now: float) -> Decision:
    assert isinstance(event, Welcomed)
    beat_s = min(MAX_BEAT_S, max(0.05, event.beat_s))
    after = Connection(phase=Phase.OPEN, heard_at=now, beat_s=beat_s, beat_at=now + beat_s, wake_at=now + beat_s)
    return Decision(after, (), "open")


def _hear(state: Connection, _event: Event, now: float) -> Decision:
    sentence = "answers again" if state.phase is Phase.SILENT else ""
    return Decision(msgspec.structs.replace(state, phase=Phase.OPEN, heard_at=now, reason=""), (), sentence)


def _look(state: Connection, _event: Event, now: float) -> Decision:
    """Open or silent: send what is due, and judge the silence."""
    if is_lost(state.heard_at, state.beat_s, now):
        return _closed(state, f"no answer for {now - state.heard_at:.1f} s", 1.0, now, cut=True)
    effects: tuple[Effect, ...] = ()
    beats, beat_at, phase, sentence = state.beats, state.beat_at, state.phase, ""
    if now >= beat_at:
        # From now, not from when it was due: after a pause of this process one heartbeat is enough.
        beats, beat_at = beats + 1, now + state.beat_s
        effects = (Beat(beats),)
    if phase is Phase.OPEN and is_silent(state.heard_at, state.beat_s, now):
        phase, sentence = Phase.SILENT, "silent"
    after = msgspec.structs.replace(
        state, phase=phase, beats=beats, beat_at=beat_at, wake_at=beat_at, reason=sentence or state.reason
    )
    return Decision(after, effects, sentence)


def _probe(state: Connection, _event: Event, now: float) -> Decision:
    # What is due stays due: a connection that is only probed would never be judged.
    return Decision(msgspec.structs.replace(state, beats=state.beats + 1), (Beat(state.beats + 1),))


def _lose(state: Connection, event: Event, now: float) -> Decision:
    assert isinstance(event, Lost)
    if state.phase is not Phase.CONNECTING:
        state = msgspec.structs.replace(state, broken=not event.said)
    state = msgspec.structs.replace(state, absent=event.absent)
    return _closed(state, event.reason, event.chance, now, cut=False)


def _refuse(state: Connection, event: Event, now: float) -> Decision:
    assert isinstance(event, Refused)
    pause = REFUSED_RETRY_S * (0.5 + event.chance / 2)
    if state.phase is Phase.CONNECTING:
        # A member that says no at first may only not have heard of a newcomer yet: it is asked again soon, then rarely.
        pause = min(pause, retry_delay(state.failures, event.chance))
    after = Connection(phase=Phase.REFUSED, failures=state.failures + 1, wake_at=now + pause, reason=event.reason)
    # Asked and refused again and again is one piece of news.
    sentence = f"refused: {event.reason}" if event.reason != state.reason else ""
    return Decision(after, (Cut(event.reason),), sentence)


def _closed(state: Connection, reason: str, chance: float, now: float, *, cut: bool) -> Decision:
    failures = state.failures + 1
    wake_at = now + retry_delay(failures - 1, chance)
    # Attempts that fail do not make whole what broke.
    after = Connection(
        phase=Phase.CLOSED,
        failures=failures,
        wake_at=wake_at,
        reason=reason,
        broken=state.broken,
        absent=state.absent and not cut,
    )
    # Attempts that fail one after the other are one piece of news.
    sentence = f"closed: {reason}" if reason != state.reason else ""
    return Decision(after, (Cut(reason),) if cut else (), sentence)


Handler = Callable[[Connection, Event, float], Decision]
_TABLE: Mapping[tuple[Phase, type], Handler] = {
    (Phase.CLOSED, Tick): _dial_when_due,
    (Phase.REFUSED, Tick): _dial_when_due,
    (Phase.CLOSED, Expected): _dial_now,
    (Phase.REFUSED, Expected): _dial_now,
    (Phase.CONNECTING, Expected): _keep,
    (Phase.OPEN, Expected): _keep,
    (Phase.SILENT, Expected): _keep,
    (Phase.CONNECTING, Tick): _give_up_attempt,
    (Phase.CONNECTING, Welcomed): _welcome,
    (Phase.CONNECTING, Lost): _lose,
    (Phase.CONNECTING, Refused): _refuse,
    (Phase.OPEN, Tick): _look,
    (Phase.OPEN, Probe): _probe,
    (Phase.OPEN, Heard): _hear,
    (Phase.OPEN, Lost): _lose,
    (Phase.OPEN, Refused): _refuse,
    (Phase.SILENT, Tick): _look,
    (Phase.SILENT, Probe): _probe,
    (Phase.SILENT, Heard): _hear,
    (Phase.SILENT, Lost): _lose,
    (Phase.SILENT, Refused): _refuse,
}
