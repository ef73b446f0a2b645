"""Rotation of what a colony believes in: its two CAs and its secret, one generation of all at a time.

Nothing is believed less before everything new is believed by everybody. The phases, and who signs in them:

============  ==========================  ========================================  ==========================
phase         believed                    signed with (certificates, beacons, ...)  goes on when
============  ==========================  ========================================  ==========================
settled       ``generation``              ``generation``                            somebody starts a rotation
finishing     ``generation``              ``generation``                            no node believes another any more
distributing  ``generation``, ``other``   ``generation`` (``other`` is the new)     every node proved both
switched      ``generation``, ``other``   ``generation`` (``other`` is the old)     every node has changed over
returning     ``generation``, ``other``   ``generation`` (``other`` is given up)    every node has changed back
============  ==========================  ========================================  ==========================

Pure: ``decide(trust, event, now)`` gives the next trust, the effects to perform with it, and one sentence.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum

import msgspec

from aware_agent.colony.errors import Conflict

PATIENCE_S = 300.0


class Phase(StrEnum):
    """Where a rotation stands."""

    SETTLED = "settled"
    DISTRIBUTING = "distributing"
    SWITCHED = "switched"
    RETURNING = "returning"
    FINISHING = "finishing"  # the other generation is forgotten by the colony, not yet by every node


class Trust(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Value of ``pki``: what every node shall believe and sign with. Public: no secret is in it."""

    phase: Phase = Phase.SETTLED
    generation: int = 1  # what is signed with
    other: int = 0  # believed as well; 0: none
    last: int = 1  # the highest number ever given: one that was given up is not used again
    ca: str = ""  # PEM bundle to believe, the signing CA first; "": what each node got when it joined
    council_ca: str = ""  # the same of the council CAs, for etcd and those who speak to it
    hold: bool = False  # wait for a word before each step
    released: bool = False  # that word was given for the step that is next
    patience_s: float = PATIENCE_S  # how long a node that is away is waited for, in each phase
    since: float = 0.0  # when the phase began, Unix seconds
    actor: str = ""  # who started it

    @property
    def believed(self) -> frozenset[int]:
        """The generations a node shall hold."""
        return frozenset({self.generation, self.other} - {0})


# Events ----------------------------------------------------------------------------------------------------------


class Start(msgspec.Struct, frozen=True):
    """Somebody wants a new generation."""

    actor: str
    hold: bool = False
    patience_s: float = PATIENCE_S


class Continue(msgspec.Struct, frozen=True):
    """Go on with the next step as soon as it is safe."""


class Abort(msgspec.Struct, frozen=True):
    """Back to what was before."""


class Look(msgspec.Struct, frozen=True):
    """What the verification found: ``complete`` when nobody has to be waited for."""

    complete: bool


Event = Start | Continue | Abort | Look


# Effects ---------------------------------------------------------------------------------------------------------


class Make(msgspec.Struct, frozen=True):
    """Make CAs and secret of ``generation`` and keep them sealed."""

    generation: int


class Promote(msgspec.Struct, frozen=True):
    """Sign with ``generation`` from now on; keep ``other`` until it is forgotten."""

    generation: int
    other: int


class Forget(msgspec.Struct, frozen=True):
    """Delete CAs and secret of ``generation``: nobody needs it any more."""

    generation: int


Effect = Make | Promote | Forget


class Decision(msgspec.Struct, frozen=True):
    """What follows. ``sentence`` is empty when nothing changed."""

    trust: Trust
    effects: tuple[Effect, ...] = ()
    message: str = ""


def decide(trust: Trust, event: Event, now: float) -> Decision:
    """The one step from ``trust`` by ``event`` at Unix time ``now``. Raises Conflict for an order out of place."""
    handler = _TABLE[trust.phase, type(event)]
    return handler(trust, event, now)


def _start(trust: Trust, event: Event, now: float) -> Decision:
    assert isinstance(event, Start)
    new = trust.last + 1
    after = msgspec.structs.replace(
        trust, phase=Phase.DISTRIBUTING, other=new, last=new, hold=event.hold, released=False,
        patience_s=event.patience_s, since=now, actor=event.actor,
    )  # fmt: skip
    return Decision(after, (Make(new),), f"generation {new} of CAs and secret is given to all nodes")


def _switch(trust: Trust, event: Event, now: float) -> Decision:
    if not _may_go(trust, event):
        return Decision(trust)
    new, old = trust.other, trust.generation
    after = _enter(trust, Phase.SWITCHED, now, generation=new, other=old)
    return Decision(after, (Promote(new, old),), f"generation {new} signs from now on, {old} is still believed")


def _drop(trust: Trust, event: Event, now: float) -> Decision:
    if not _may_go(trust, event):
        return Decision(trust)
    after = _enter(trust, Phase.FINISHING, now, other=0, hold=False)
    return Decision(after, (Forget(trust.other),), f"generation {trust.other} is not believed any more")


def _give_up(trust: Trust, _event: Event, now: float) -> Decision:
    after = _enter(trust, Phase.FINISHING, now, other=0, hold=False)
    return Decision(after, (Forget(trust.other),), f"the rotation was aborted: generation {trust.other} is forgotten")


def _turn_back(trust: Trust, _event: Event, now: float) -> Decision:
    old, new = trust.other, trust.generation
    after = _enter(trust, Phase.RETURNING, now, generation=old, other=new, hold=False)
    sentence = f"the rotation was aborted: generation {old} signs again, {new} is believed until all have changed back"
    return Decision(after, (Promote(old, new),), sentence)


def _settle(trust: Trust, event: Event, now: float) -> Decision:
    if not _may_go(trust, event):
        return Decision(trust)
    after = _enter(trust, Phase.SETTLED, now)
    return Decision(after, (), f"the rotation is over: every node believes generation {trust.generation} alone")


def _release(trust: Trust, _event: Event, _now: float) -> Decision:
    if trust.released or not trust.hold:
        return Decision(trust)
    return Decision(msgspec.structs.replace(trust, released=True), (), f"{trust.phase}: may go on")


def _nothing(trust: Trust, _event: Event, _now: float) -> Decision:
    return Decision(trust)


def _refuse(sentence: str, hint: str) -> Handler:
    def handler(trust: Trust, _event: Event, _now: float) -> Decision:
        raise Conflict(sentence.format(phase=trust.phase, other=trust.other), hint=hint)

    return handler


def _may_go(trust: Trust, event: Event) -> bool:
    return isinstance(event, Look) and event.complete and (trust.released or not trust.hold)


def _enter(trust: Trust, phase: Phase, now: float, **changes: object) -> Trust:
    return msgspec.structs.replace(trust, phase=phase, since=now, released=False, **changes)


Handler = Callable[[Trust, Event, float], Decision]
_busy = _refuse("a rotation is {phase} already", "follow it: aware rotation status; or stop it: aware rotation abort")
_over = _refuse("the other generation is forgotten already", "follow the end: aware rotation status")
_idle = _refuse("no rotation is under way", "start one: aware rotation start")
_TABLE: Mapping[tuple[Phase, type], Handler] = {
    (Phase.SETTLED, Start): _start,
    (Phase.SETTLED, Continue): _idle,
    (Phase.SETTLED, Abort): _idle,
    (Phase.SETTLED, Look): _nothing,
    (Phase.DISTRIBUTING, Start): _busy,
    (Phase.DISTRIBUTING, Continue): _release,
    (Phase.DISTRIBUTING, Abort): _give_up,
    (Phase.DISTRIBUTING, Look): _switch,
    (Phase.SWITCHED, Start): _busy,
    (Phase.SWITCHED, Continue): _release,
    (Phase.SWITCHED, Abort): _turn_back,
    (Phase.SWITCHED, Look): _drop,
    (Phase.RETURNING, Start): _busy,
    (Phase.RETURNING, Continue): _nothing,
    (Phase.RETURNING, Abort): _nothing,
    (Phase.RETURNING, Look): _drop,
    # Nodes are judged by what is believed now, so one of them that hangs keeps nobody from the next rotation.
    (Phase.FINISHING, Start): _start,
    (Phase.FINISHING, Continue): _nothing,
    (Phase.FINISHING, Abort): _over,
    (Phase.FINISHING, Look): _settle,
}
