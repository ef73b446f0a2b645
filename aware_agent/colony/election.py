"""Who is queen: one node's view of the election as a pure state machine.

The reign is one etcd key on a lease; its create revision is the term. This module decides when a node campaigns,
reigns and stops. It does *not* promise that at most one node believes to reign at any instant (no lease can): it
promises that every write can carry the term, and that a queen whose lease may be over stops by herself.

``decide(state, event, now)`` looks the pair (phase, kind of event) up in a table; a pair that is not in it is a bug
of the caller and raises :class:`IllegalTransition`. ``now`` is a monotonic clock in seconds.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec.structs import replace

from aware_agent.colony.ballot import (
    Abdicate,
    Campaign,
    Decision,
    Effect,
    Election,
    Event,
    Evict,
    Failed,
    GatewayLost,
    GatewayServes,
    HandOver,
    Handover,
    LeaseLost,
    Lost,
    Phase,
    QueenRecord,
    QueenSeen,
    Quit,
    Reign,
    Renewed,
    Resign,
    Succession,
    Tick,
    Vacant,
    WakeAt,
    Won,
)
from aware_agent.colony.errors import IllegalTransition

__all__ = [
    "Abdicate",
    "Campaign",
    "Decision",
    "Effect",
    "Election",
    "Event",
    "Evict",
    "Failed",
    "GatewayLost",
    "GatewayServes",
    "HandOver",
    "Handover",
    "LeaseLost",
    "Lost",
    "Phase",
    "QueenRecord",
    "QueenSeen",
    "Quit",
    "Reign",
    "Renewed",
    "Resign",
    "Succession",
    "Tick",
    "Vacant",
    "WakeAt",
    "Won",
    "decide",
    "heir",
    "position",
]


def decide(state: Election, event: Event, now: float) -> Decision:
    """Decide. Raises :class:`IllegalTransition` for a pair that makes no sense."""
    handler = _TABLE.get((state.phase, type(event)))
    if handler is None:
        raise IllegalTransition(f"election: {type(event).__name__} while {state.phase}")
    return handler(state, event, now)


def heir(state: Election) -> str:
    """The candidate that would win if the queen vanished now, or ''."""
    waiting = _waiting(state)
    return waiting[0] if waiting else ""


def position(state: Election) -> int | None:
    """My place among those who wait for the reign, 0 for the heir; None if I am not a candidate."""
    waiting = _waiting(state)
    return waiting.index(state.me) if state.me in waiting else None


def _waiting(state: Election) -> tuple[str, ...]:
    """The line without the reigning queen; with no queen the last one goes to the end of the line.

    She stands in it until her presence lease ends, mostly dead. Leaving her out would let a colony wait for ever
    whose other candidates cannot win.
    """
    queen = state.queen_record.id if state.queen_record else state.last_queen
    rest = tuple(i for i in state.line if i != queen)
    return rest if state.queen_record or queen not in state.line else (*rest, queen)


# Watching --------------------------------------------------------------------------------------------------------


def _sees_queen(state: Election, event: QueenSeen, now: float) -> Decision:
    state = replace(
        state,
        queen_record=event.queen_record,
        queen_term=event.term,
        known=True,
        campaign_at=None,
        last_queen=event.queen_record.id,
        hold_for="",
        hold_until=0.0,
    )
    if event.queen_record.id != state.me:
        return Decision(
            replace(state, abstain_until=0.0), (), f"{event.queen_record.name} is queen of term {event.term}"
        )
    if event.queen_record.incarnation != state.incarnation:
        return Decision(
            state, (Evict(event.term),), f"term {event.term} was mine before I restarted: removing that key"
        )
    return Decision(state)


def _sees_vacancy(state: Election, event: Vacant, now: float) -> Decision:
    state = replace(state, queen_record=None, known=True)
    if event.handover is not None:
        # Whoever is named has no more reason to abstain: another reigned since, seen here or not.
        abstain = 0.0 if event.handover.to == state.me else state.abstain_until
        hold = now + state.timing.handover_hold_s
        state = replace(state, hold_for=event.handover.to, hold_until=hold, abstain_until=abstain)
    return _schedule(state, now)


def _schedule(state: Election, now: float, latest: float | None = None) -> Decision:
    """Choose when to campaign while there is no queen, not after ``latest``."""
    place = position(state)
    if place is None:
        why = "I am not a candidate" if state.line else "nobody is in line yet"
        return Decision(replace(state, campaign_at=None), (), f"there is no queen; {why}")
    at = now + place * state.timing.rank_step_s
    if state.hold_for == state.me:
        at = now
    elif state.hold_for and state.hold_for in state.line:
        at = max(at, state.hold_until + place * state.timing.rank_step_s)
    at = max(at, state.abstain_until)
    if latest is not None and latest <= at:  # what was planned stands
        return Decision(replace(state, campaign_at=latest), (WakeAt(max(latest, now)),))
    state = replace(state, campaign_at=at)
    if at <= now:
        return _campaign(state)
    return Decision(
        state,
        (WakeAt(at),),
        f"there is no queen; I am number {place + 1} in line and wait {at - now:.2f} s",
    )


def _campaign(state: Election) -> Decision:
    # From here on queen_term is the newest term seen during this campaign; _wins compares with it.
    state = replace(state, phase=Phase.CAMPAIGNING, campaign_at=None, queen_record=None, queen_term=0)
    # Who could take writes had its time: it stands before me in line.
    though = ", though my gateway does not answer yet" if state.me in state.unserved else ""
    return Decision(state, (Campaign(),), f"there is no queen; I campaign{though}")


def _watching_tick(state: Election, event: Tick, now: float) -> Decision:
    if state.campaign_at is None:
        return Decision(state)
    if state.campaign_at > now:
        return Decision(state, (WakeAt(state.campaign_at),))
    return _campaign(state)


def _watching_line(state: Election, event: Succession, now: float) -> Decision:
    if (event.ids, event.unserved) == (state.line, state.unserved):
        return Decision(state)
    before, state = position(state), _in_line(state, event)
    if state.queen_record is not None or not state.known:
        return Decision(state)
    after = position(state)
    if before is None or after is None or after > before:
        return _schedule(state, now)
    return _schedule(state, now, state.campaign_at)  # or a line that keeps changing would put me off for ever


def _in_line(state: Election, event: Succession) -> Election:
    return replace(state, line=event.ids, unserved=event.unserved)


def _then(first: Decision, second: Decision) -> Decision:
    """Both decisions as one, with the first sentence and the last time to wake."""
    effects = first.effects
    if any(isinstance(effect, WakeAt) for effect in second.effects):
        effects = tuple(effect for effect in effects if not isinstance(effect, WakeAt))
    return Decision(second.state, effects + second.effects, first.message or second.message)


def _ask_again(decision: Decision, now: float) -> Decision:
    """Campaign after a lease's time unless the watch tells of a queen before.

    What an answer told, and the watch has not, may be over without the watch ever telling: it lists anew after a
    compaction, and then knows only what is.
    """
    state = decision.state
    place = position(state)
    if place is None:
        return decision
    at = max(now + state.timing.queen_ttl_s + place * state.timing.rank_step_s, state.abstain_until)
    return _then(decision, Decision(replace(state, campaign_at=at), (WakeAt(at),)))


def _keep(state: Election, event: Any, now: float) -> Decision:
    return Decision(state)


def _leave(state: Election, event: Quit, now: float) -> Decision:
    return Decision(replace(state, phase=Phase.GONE, campaign_at=None), (), "leaving")


# Campaigning -----------------------------------------------------------------------------------------------------


def _wins(state: Election, event: Won, now: float) -> Decision:
    end = event.deadline - state.timing.margin_s
    seen, over = state.queen_term, state.queen_record is None
    state = replace(
        state,
        phase=Phase.REIGNING,
        queen_record=state.queen_record if seen == event.term else None,
        term=event.term,
        deadline=event.deadline,
        last_queen=state.me,
        hold_for="",
    )
    if seen > event.term or (seen == event.term and over):  # the watch was faster, and my key is gone again
        fallen = _abdicate(state, "it was over before I heard that it began", now)
        return _then(fallen, _schedule(fallen.state, now)) if over else fallen
    if end <= now:
        return _abdicate(state, "the campaign took longer than the lease", now)
    return Decision(state, (Reign(event.term), WakeAt(end)), f"I am queen of term {event.term}")


def _loses(state: Election, event: Lost, now: float) -> Decision:
    """Believe the answer, unless the watch has told more meanwhile; and ask again if the watch never confirms it."""
    state = replace(state, phase=Phase.WATCHING)
    if state.queen_term >= event.term:
        if state.queen_record is None:
            return _schedule(state, now)
        found = _sees_queen(state, QueenSeen(state.queen_record, state.queen_term), now)
        mine = f"the campaign was lost, though my own key of term {state.queen_term} was seen: it ends with its lease"
        return _then(found, Decision(found.state, (), mine))
    return _ask_again(_sees_queen(state, QueenSeen(event.queen_record, event.term), now), now)


def _fails(state: Election, event: Failed, now: float) -> Decision:
    state = replace(state, phase=Phase.WATCHING)
    failed = Decision(state, (), f"the campaign failed: {event.reason}")
    if state.queen_record is not None:  # somebody was faster
        return _then(failed, _sees_queen(state, QueenSeen(state.queen_record, state.queen_term), now))
    place = position(state)
    if place is None:  # I am no candidate any more
        return failed
    at = now + state.timing.retry_s + place * state.timing.rank_step_s
    state = replace(state, campaign_at=at)
    return Decision(state, (WakeAt(at),), f"the campaign failed: {event.reason}; trying again in {at - now:.2f} s")


def _note_queen(state: Election, event: QueenSeen, now: float) -> Decision:
    """Keep it for the outcome; it may be my own key, when the watch is faster than the answer."""
    return Decision(
        replace(
            state, queen_record=event.queen_record, queen_term=event.term, known=True, last_queen=event.queen_record.id
        )
    )


def _note_vacancy(state: Election, event: Vacant, now: float) -> Decision:
    return Decision(replace(state, queen_record=None, known=True))


def _note_line(state: Election, event: Succession, now: float) -> Decision:
    return Decision(_in_line(state, event))


def _note_gateway_lost(state: Election, event: GatewayLost, now: float) -> Decision:
    return Decision(replace(state, gateway_lost=event.reason))


def _note_gateway_serves(state: Election, event: GatewayServes, now: float) -> Decision:
    return Decision(replace(state, gateway_lost=""))


# Reigning --------------------------------------------------------------------------------------------------------


def _renews(state: Election, event: Renewed, now: float) -> Decision:
    """An answer may be old news, read late after a pause: only the deadline it proves counts."""
    return _reign_on(replace(state, deadline=max(state.deadline, event.deadline)), now)


def _reigning_tick(state: Election, event: Tick, now: float) -> Decision:
    return _reign_on(state, now)


def _reign_on(state: Election, now: float) -> Decision:
    end = state.deadline - state.timing.margin_s
    if now < end:
        return Decision(state, (WakeAt(end),))
    return _abdicate(state, "my lease was not renewed in time", now)


def _reigning_lease_lost(state: Election, event: LeaseLost, now: float) -> Decision:
    return _abdicate(state, "my lease is over", now)


def _abdicate(state: Election, reason: str, now: float) -> Decision:
    term = state.term
    state = replace(state, phase=Phase.WATCHING, term=0, deadline=0.0, last_queen=state.me)
    fallen = Decision(state, (Abdicate(term, reason),), f"I am no longer queen of term {term}: {reason}")
    return fallen if state.queen_record else _ask_again(fallen, now)


def _reigning_sees_queen(state: Election, event: QueenSeen, now: float) -> Decision:
    if event.term < state.term:  # news from before my time
        return Decision(state)
    state = replace(state, queen_record=event.queen_record, queen_term=event.term, known=True)
    if event.term == state.term:
        return Decision(state)
    return _abdicate(state, f"{event.queen_record.name} is queen of term {event.term}", now)


def _reigning_sees_vacancy(state: Election, event: Vacant, now: float) -> Decision:
    if state.queen_record is None or state.queen_term != state.term:  # my own key has not come through the watch yet
        return Decision(state)
    fallen = _abdicate(state, "my key is gone", now)
    return _then(fallen, _sees_vacancy(fallen.state, event, now))


def _resigns(state: Election, event: Resign, now: float) -> Decision:
    if event.to == state.me:
        return Decision(state, (), "I am asked to hand over to myself: nothing to do")
    return _hand_over(state, event.to, event.reason, now, Phase.WATCHING)


def _loses_gateway(state: Election, event: GatewayLost, now: float) -> Decision:
    state = replace(state, gateway_lost=event.reason)
    said = f"{event.reason}, and there is no heir whose gateway answers: I reign on until it does"
    return _yield_unserved(state, now) or Decision(state, (), said)


def _reigning_line(state: Election, event: Succession, now: float) -> Decision:
    state = _in_line(state, event)
    return _yield_unserved(state, now) or Decision(state)


def _yield_unserved(state: Election, now: float) -> Decision | None:
    """Hand over while my gateway is away and the heir's is not: she takes the next write, and I could not."""
    to = heir(state)
    if not state.gateway_lost or to in ("", state.me, *state.unserved):
        return None
    return _hand_over(state, to, state.gateway_lost, now, Phase.WATCHING)


def _quits(state: Election, event: Quit, now: float) -> Decision:
    return _hand_over(state, "", "shutting down", now, Phase.GONE)


def _hand_over(state: Election, to: str, reason: str, now: float, phase: Phase) -> Decision:
    to = to or next((i for i in state.line if i != state.me), "")
    term = state.term
    effects: tuple[Effect, ...] = (Abdicate(term, reason), HandOver(term, to, reason))
    until = now + state.timing.abstain_s
    state = replace(
        state, phase=phase, term=0, deadline=0.0, abstain_until=until, campaign_at=None, last_queen=state.me
    )
    decision = Decision(state, effects, f"I hand term {term} over: {reason}")
    return decision if state.queen_record or phase is Phase.GONE else _ask_again(decision, now)


# Gone ------------------------------------------------------------------------------------------------------------


def _wins_too_late(state: Election, event: Won, now: float) -> Decision:
    return Decision(
        state,
        (HandOver(event.term, "", "shutting down"),),
        f"won term {event.term} while leaving; handing it over",
    )


Handler = Callable[[Election, Any, float], Decision]

_TABLE: dict[tuple[Phase, type], Handler] = {
    (Phase.WATCHING, QueenSeen): _sees_queen,
    (Phase.WATCHING, Vacant): _sees_vacancy,
    (Phase.WATCHING, Succession): _watching_line,
    (Phase.WATCHING, Tick): _watching_tick,
    (Phase.WATCHING, Resign): _keep,
    (Phase.WATCHING, GatewayLost): _note_gateway_lost,
    (Phase.WATCHING, GatewayServes): _note_gateway_serves,
    (Phase.WATCHING, Renewed): _keep,  # the last answer of a lease already given up
    (Phase.WATCHING, LeaseLost): _keep,
    (Phase.WATCHING, Quit): _leave,
    (Phase.CAMPAIGNING, QueenSeen): _note_queen,
    (Phase.CAMPAIGNING, Vacant): _note_vacancy,
    (Phase.CAMPAIGNING, Succession): _note_line,
    (Phase.CAMPAIGNING, Won): _wins,
    (Phase.CAMPAIGNING, Lost): _loses,
    (Phase.CAMPAIGNING, Failed): _fails,
    (Phase.CAMPAIGNING, Tick): _keep,
    (Phase.CAMPAIGNING, Resign): _keep,
    (Phase.CAMPAIGNING, GatewayLost): _note_gateway_lost,
    (Phase.CAMPAIGNING, GatewayServes): _note_gateway_serves,
    (Phase.CAMPAIGNING, Renewed): _keep,
    (Phase.CAMPAIGNING, LeaseLost): _keep,
    (Phase.CAMPAIGNING, Quit): _leave,
    (Phase.REIGNING, QueenSeen): _reigning_sees_queen,
    (Phase.REIGNING, Vacant): _reigning_sees_vacancy,
    (Phase.REIGNING, Succession): _reigning_line,
    (Phase.REIGNING, Renewed): _renews,
    (Phase.REIGNING, LeaseLost): _reigning_lease_lost,
    (Phase.REIGNING, Tick): _reigning_tick,
    (Phase.REIGNING, Resign): _resigns,
    (Phase.REIGNING, GatewayLost): _loses_gateway,
    (Phase.REIGNING, GatewayServes): _note_gateway_serves,
    (Phase.REIGNING, Quit): _quits,
    (Phase.GONE, Won): _wins_too_late,
    **{
        (Phase.GONE, kind): _keep
        for kind in (
            QueenSeen,
            Vacant,
            Succession,
            Lost,
            Failed,
            Renewed,
            LeaseLost,
            Tick,
            Resign,
            GatewayLost,
            GatewayServes,
            Quit,
        )
    },
}
