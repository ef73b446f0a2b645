"""How nodes that hold one founding key found one colony, without anybody who leads them. A pure state machine.

A *set* is as many nodes as the council shall have seats. Each node stands behind a set ever more firmly: it proposes
the lowest ids it hears; it is ready when all of them propose the same; it confirms when all of them are ready, and
that is for good and on disk before anybody is told. When all of a set have confirmed it, the lowest id founds, and
the others join. The colony serves once a majority of its set has joined.

**What is promised.** A node confirms one set in its life, so two sets that are both confirmed by all have no node in
common: with fewer than twice as many key holders as seats there is at most one founding, whatever is lost, repeated,
cut or killed. With more holders two halves that never hear each other could both found; a node that hears so many
refuses to go on.

**What is not promised.** That a founding comes to an end: when a node that others have confirmed never comes back,
only a new key helps. Readiness and holding make it rare that founders confirm sets which exclude each other, and
nothing worse than that sentence follows when they do.

``now`` is a monotonic clock in seconds; ``Word.sent`` is on the sender's clock and is compared with that sender's
other words only.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec.structs import replace

from aware_agent.colony.errors import IllegalTransition
from aware_agent.colony.founders import (
    Admitted,
    Decision,
    Effect,
    Event,
    Found,
    Founders,
    Founding,
    Heard,
    Join,
    Joined,
    Level,
    Made,
    Missed,
    Persist,
    Persisted,
    Phase,
    Say,
    Serve,
    Tick,
    Word,
)


def begin(state: Founding, confirmed: Founders = (), *, made: bool = False) -> Founding:
    """The state a node starts with. ``confirmed`` and ``made`` are what its disk says of an earlier life."""
    if not confirmed:
        return state
    phase = Phase.FOUNDED if made else Phase.CONFIRMED
    return replace(state, phase=phase, founders=confirmed, confirmed=confirmed)


def decide(state: Founding, event: Event, now: float) -> Decision:
    """Decide. Raises :class:`IllegalTransition` for a pair that makes no sense."""
    handler = _TABLE.get((state.phase, type(event)))
    if handler is None:
        raise IllegalTransition(f"founding: {type(event).__name__} while {state.phase}")
    return handler(state, event, now)


def word(state: Founding) -> Say:
    """What this node says of itself now, over and over."""
    level = _LEVELS[state.phase]
    if level is Level.PROPOSES and state.confirmed:  # it joins, but what it confirmed stands
        return Say(Level.CONFIRMS, state.confirmed)
    return Say(level, state.founders)


# Everywhere ------------------------------------------------------------------------------------------------------


def _note(state: Founding, event: Heard, now: float) -> Founding:
    """Remember a word. What was confirmed stays confirmed: an old datagram takes nothing back."""
    new, known = event.word, state.heard.get(event.word.sender)
    if known is not None:
        binding = known.level >= Level.CONFIRMS
        if new.sent <= known.sent or (binding and new.level < known.level):
            return state
    unknown = not _is_fresh(state, new.sender, now)
    return replace(
        state,
        heard={**state.heard, new.sender: new},
        names={**state.names, new.sender: new.name},
        heard_at={**state.heard_at, new.sender: now},
        changed_at=now if unknown else state.changed_at,
    )


def _is_fresh(state: Founding, node: str, now: float) -> bool:
    return now - state.heard_at.get(node, float("-inf")) <= state.rules.fresh_s


def _present(state: Founding, now: float) -> list[str]:
    return sorted([state.me, *(node for node in state.heard if _is_fresh(state, node, now))])


def _names(state: Founding, nodes: Founders | list[str]) -> str:
    names = {**state.names, state.me: state.name}
    return ", ".join(names.get(node, node) for node in nodes)


def _told(state: Founding, sentence: str, *effects: Effect) -> Decision:
    new = sentence if sentence != state.told else ""
    return Decision(replace(state, told=sentence), effects, new)


def _look_around(state: Founding, now: float) -> Decision | None:
    """Look for the colony without having been called, now and then.

    Whoever founded calls until a majority is there, and no longer: who was away then would wait for ever. Looking is
    always safe, for only a colony that exists lets anybody in.
    """
    if not state.try_at or now < state.try_at:
        return None
    state = replace(state, phase=Phase.JOINING, try_at=now + state.rules.try_s)
    return Decision(state, (Join(),), "")


def _planned(state: Founding, now: float) -> Founding:
    return state if state.try_at else replace(state, try_at=now + state.rules.try_s)


def _keep(state: Founding, _event: Event, _now: float) -> Decision:
    return Decision(state)


def _colony_heard(state: Founding) -> Word | None:
    return next((said for said in state.heard.values() if said.level is Level.FOUNDED), None)


def _join(state: Founding, said: Word) -> Decision:
    state = replace(state, phase=Phase.JOINING)
    return _told(state, f"{said.name} has founded the colony: joining it", Join())


# Not bound yet ---------------------------------------------------------------------------------------------------


def _gathering_hears(state: Founding, event: Heard, now: float) -> Decision:
    state = _note(state, event, now)
    said = _colony_heard(state)
    if said is not None:
        return _join(state, said)
    mine = [w.founders for w in state.heard.values() if w.level is Level.CONFIRMS and state.me in w.founders]
    if mine:  # somebody is bound to a set with me: keeping to another would leave him alone for ever
        return _confirm(state, min(mine, key=lambda founders: (founders != state.founders, founders)))
    return _stand(state, now)


def _gathering_ticks(state: Founding, _event: Tick, now: float) -> Decision:
    gone = [node for node, at in state.heard_at.items() if not _is_fresh(state, node, now) and at > state.changed_at]
    if gone:  # somebody fell silent: what is proposed changes, and has to settle anew
        state = replace(state, changed_at=max(state.changed_at, now - state.rules.settle_s / 2))
    if len(_present(state, now)) >= state.size:
        return _stand(replace(state, try_at=0.0), now)
    state = _planned(state, now)
    return _look_around(state, now) or _stand(state, now)


def _stand(state: Founding, now: float) -> Decision:
    """Propose, become ready, confirm: as far as what the others said allows."""
    if state.phase is Phase.READY and now < state.hold_until:
        return _with_others(state, now)
    state = replace(state, phase=Phase.GATHERING)
    bound = [w for w in state.heard.values() if w.level is Level.CONFIRMS]
    if bound:
        return _told(replace(state, founders=()), f"{bound[0].name} founds with others: waiting for their colony")
    present = _present(state, now)
    if len(present) >= 2 * state.size:
        return _told(
            replace(state, founders=()),
            f"{len(present)} nodes hold this founding key, and a council of {state.size} may have at most "
            f"{2 * state.size - 1}: let the others join with a token",
        )
    if len(present) < state.size:
        return _told(
            replace(state, founders=()),
            f"waiting for {state.size - len(present)} more of {state.size} founders; here are {_names(state, present)}",
        )
    if now - state.changed_at < state.rules.settle_s:
        return Decision(state)
    return _with_others(replace(state, founders=tuple(present[: state.size])), now)


def _with_others(state: Founding, now: float) -> Decision:
    founders = state.founders
    if state.me not in founders:
        return _told(state, f"{_names(state, founders)} found the colony: waiting to join it")
    others = [state.heard.get(node) for node in founders if node != state.me]
    fresh = all(said is not None and _is_fresh(state, said.sender, now) for said in others)
    levels = [said.level if said is not None and said.founders == founders else -1 for said in others]
    lowest = min(levels, default=Level.FOUNDED) if fresh else -1
    if state.phase is Phase.READY and lowest >= Level.READY:
        return _confirm(state, founders)
    if state.phase is Phase.GATHERING and lowest >= Level.PROPOSES:
        state = replace(state, phase=Phase.READY, hold_until=now + state.rules.hold_s)
        decision = _told(state, f"ready to found with {_names(state, founders)}", Say(Level.READY, founders))
        if lowest >= Level.READY:
            return _confirm(state, founders)
        return decision
    return Decision(state)


def _confirm(state: Founding, founders: Founders) -> Decision:
    state = replace(state, phase=Phase.CONFIRMING, founders=founders)
    return _told(state, f"confirming for good: {_names(state, founders)} found the colony", Persist(founders))


# Bound -----------------------------------------------------------------------------------------------------------


def _notes(state: Founding, event: Heard, now: float) -> Decision:
    return Decision(_note(state, event, now))


def _persisted(state: Founding, event: Persisted, _now: float) -> Decision:
    if event.founders != state.founders:
        raise IllegalTransition(f"founding: {event.founders} on disk, but {state.founders} was to be confirmed")
    state = replace(state, phase=Phase.CONFIRMED, confirmed=event.founders)
    decision = _bound(state)
    return replace(decision, effects=(Say(Level.CONFIRMS, state.founders), *decision.effects))


def _confirmed_hears(state: Founding, event: Heard, now: float) -> Decision:
    return _bound(_note(state, event, now))


def _confirmed_ticks(state: Founding, _event: Tick, now: float) -> Decision:
    if state.me == state.founders[0]:
        return _bound(state)
    state = _planned(state, now)
    return _look_around(state, now) or _bound(state)


def _bound(state: Founding) -> Decision:
    said = _colony_heard(state)
    if said is not None:  # of my set or of another: a colony is there, and I found none beside it
        return _join(state, said)
    others = [node for node in state.founders if node != state.me]
    words = {node: state.heard[node] for node in others if node in state.heard}
    elsewhere = [w for w in words.values() if w.level is Level.CONFIRMS and w.founders != state.founders]
    if elsewhere:
        return _told(
            state,
            f"this founding cannot be completed: {elsewhere[0].name} has confirmed other founders; "
            "make a new founding key and give it to all of them",
        )
    missing = [node for node in others if node not in words or words[node].level < Level.CONFIRMS]
    if missing:
        return _told(state, f"waiting for {_names(state, missing)} to confirm the founders")
    if state.me != state.founders[0]:
        return _told(state, f"{_names(state, [state.founders[0]])} founds the colony: waiting to join it")
    state = replace(state, phase=Phase.FOUNDING)
    return _told(state, f"all {state.size} founders confirmed: founding the colony", Found(state.founders))


def _made(state: Founding, _event: Made, _now: float) -> Decision:
    state = replace(state, phase=Phase.FOUNDED)
    return _count(state, Say(Level.FOUNDED, state.founders))


def _founding_missed(state: Founding, event: Missed, _now: float) -> Decision:
    return _told(replace(state, phase=Phase.CONFIRMED), f"founding again: {event.reason}")


def _joined(state: Founding, event: Joined, _now: float) -> Decision:
    return _count(replace(state, joined=state.joined | {event.node}))


def _count(state: Founding, *effects: Effect) -> Decision:
    there = [node for node in state.founders if node == state.me or node in state.joined]
    if len(there) > state.size // 2:
        state = replace(state, phase=Phase.SERVING)
        return _told(state, f"the colony is founded by {_names(state, there)}", *effects, Serve())
    return _told(
        state, f"founded; {len(there)} of {state.size} founders are there, serving once they are most", *effects
    )


def _joining_ticks(state: Founding, _event: Tick, now: float) -> Decision:
    """One that only looked around goes back to the others when they are enough to found."""
    called = _colony_heard(state) is not None
    if called or state.confirmed or len(_present(state, now)) < state.size:
        return Decision(state)
    return Decision(replace(state, phase=Phase.GATHERING, try_at=0.0))


def _admitted(state: Founding, _event: Admitted, _now: float) -> Decision:
    return _told(replace(state, phase=Phase.JOINED), "joined the colony", Serve())


def _join_missed(state: Founding, event: Missed, now: float) -> Decision:
    """Whoever said that there is a colony may be gone with it: go back to what this node is bound to, if anything."""
    called = _colony_heard(state) is not None
    heard = {node: w for node, w in state.heard.items() if w.level is not Level.FOUNDED}
    phase = Phase.CONFIRMED if state.confirmed else Phase.GATHERING
    try_at = now + state.rules.try_s / 3
    state = replace(state, phase=phase, heard=heard, founders=state.confirmed, try_at=try_at)
    return _told(state, f"joining again: {event.reason}") if called else Decision(state)


_LEVELS = {
    Phase.GATHERING: Level.PROPOSES,
    Phase.READY: Level.READY,
    Phase.CONFIRMING: Level.READY,
    Phase.CONFIRMED: Level.CONFIRMS,
    Phase.FOUNDING: Level.CONFIRMS,
    Phase.FOUNDED: Level.FOUNDED,
    Phase.SERVING: Level.FOUNDED,
    Phase.JOINING: Level.PROPOSES,
    Phase.JOINED: Level.FOUNDED,
}

_UNFOUNDED = (Phase.GATHERING, Phase.READY, Phase.CONFIRMING, Phase.CONFIRMED)
Handler = Callable[[Founding, Any, float], Decision]
_TABLE: dict[tuple[Phase, type], Handler] = {
    (Phase.GATHERING, Heard): _gathering_hears,
    (Phase.GATHERING, Tick): _gathering_ticks,
    (Phase.READY, Heard): _gathering_hears,
    (Phase.READY, Tick): _gathering_ticks,
    (Phase.CONFIRMING, Heard): _notes,
    (Phase.CONFIRMING, Tick): _keep,
    (Phase.CONFIRMING, Persisted): _persisted,
    (Phase.CONFIRMED, Heard): _confirmed_hears,
    (Phase.CONFIRMED, Tick): _confirmed_ticks,
    (Phase.FOUNDING, Heard): _notes,
    (Phase.FOUNDING, Tick): _keep,
    (Phase.FOUNDING, Joined): _keep,
    (Phase.FOUNDING, Made): _made,
    (Phase.FOUNDING, Missed): _founding_missed,
    (Phase.FOUNDED, Heard): _notes,
    (Phase.FOUNDED, Tick): _keep,
    (Phase.FOUNDED, Joined): _joined,
    (Phase.SERVING, Heard): _notes,
    (Phase.SERVING, Tick): _keep,
    (Phase.SERVING, Joined): _keep,
    (Phase.JOINING, Heard): _notes,
    (Phase.JOINING, Tick): _joining_ticks,
    (Phase.JOINING, Admitted): _admitted,
    (Phase.JOINING, Missed): _join_missed,
    # The end of an attempt to join that was left for something else: being let in counts, being refused does not.
    **{(phase, Admitted): _admitted for phase in _UNFOUNDED},
    **{(phase, Missed): _keep for phase in _UNFOUNDED},
    (Phase.FOUNDING, Admitted): _admitted,
    (Phase.JOINED, Heard): _keep,
    (Phase.JOINED, Tick): _keep,
}
