"""What happened to a member's decision machines, each event in the words of a person."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from aware_agent.colony import ballot, founders, seats, suspicion
from aware_agent.colony.errors import one_line

Name = Callable[[str], str]
_MOST_NAMES = 7
_STEPS: dict[type, str] = {
    seats.AddLearner: "add {} as a learner",
    seats.GiveSeat: "tell {} which seat it has",
    seats.TakeSeat: "tell {} that it has no seat",
    seats.Promote: "give {} a vote",
    seats.Remove: "remove {}",
    seats.MoveLeader: "let {} lead etcd",
    seats.EndMove: "forget the move that was asked for",
}
_PLAIN: dict[type, str] = {
    ballot.Renewed: "its lease was renewed",
    ballot.LeaseLost: "its lease ended",
    ballot.Tick: "the time it waited for came",
    ballot.GatewayServes: "its gateway answers",
    ballot.Quit: "its agent stops",
    founders.Tick: "time passed",
    founders.Made: "it made the colony",
    founders.Admitted: "it was let in",
}


def happened(event: ballot.Event | suspicion.Event | seats.Event | founders.Event, name_of: Name) -> str:
    """One event as a clause."""
    said = _PLAIN.get(type(event)) or _of_queens(event, name_of) or _of_itself(event, name_of)
    said = (
        said or _of_the_suspicion(event, name_of) or _of_the_council(event, name_of) or _of_the_founding(event, name_of)
    )
    return one_line(said or type(event).__name__)


def _of_queens(event: object, name_of: Name) -> str:
    match event:
        case ballot.QueenSeen(queen_record, term):
            return f"etcd shows {queen_record.name} as queen of term {term}"
        case ballot.Vacant(handover):
            named = f", and {name_of(handover.to)} is named to follow" if handover and handover.to else ""
            return f"etcd shows no queen{named}"
        case ballot.Lost(queen_record, term):
            return f"the key was {queen_record.name}'s already, term {term}"
        case ballot.Succession(ids, _):
            return f"the line of succession is {_names(ids, name_of)}"
    return ""


def _of_itself(event: object, name_of: Name) -> str:
    match event:
        case ballot.Won(term, _):
            return f"etcd created its key, term {term}"
        case ballot.Failed(reason):
            return f"its campaign came to no result: {reason}"
        case ballot.Resign(to, reason):
            return f"it was asked to give the reign up: {reason}" + (f", to {name_of(to)}" if to else "")
        case ballot.GatewayLost(reason):
            return reason
    return ""


def _of_the_suspicion(event: object, name_of: Name) -> str:
    match event:
        case suspicion.Reigns(term, _, name):
            return f"etcd shows {name} as queen of term {term}" if term else "nobody else reigns"
        case suspicion.Looked(open=True):
            return "its channel to the queen is open"
        case suspicion.Looked(broken=broken, absent=absent):
            gone = ", and nobody listens at her port" if absent else ""
            return f"its channel to the queen {'broke' if broken else 'is closed'}{gone}"
        case suspicion.Council(members, _):
            return f"the council is {_names(members, name_of)}"
        case suspicion.Told(_, members):
            return f"those who suspect the queen are {_names(members, name_of)}"
    return ""


def _of_the_council(event: object, name_of: Name) -> str:
    match event:
        case seats.Look(members=members, candidates=candidates):
            return f"it saw {len(members)} members of etcd and {len(candidates)} nodes that may sit"
        case seats.Blind(reason):
            return f"etcd did not say who its members are: {reason}"
        case seats.Done(step):
            return f"this was done: {_step(step, name_of)}"
        case seats.Failed(step, reason):
            return f"this came to no result: {_step(step, name_of)}: {reason}"
    return ""


def _of_the_founding(event: object, name_of: Name) -> str:
    match event:
        case founders.Heard(word):
            return f"{word.name} was heard: it {word.level.name.lower()} {_names(word.founders, name_of)}"
        case founders.Persisted(set_):
            return f"it is on its disk that it founds with {_names(set_, name_of)}"
        case founders.Joined(node):
            return f"{name_of(node)} joined"
        case founders.Missed(reason):
            return reason
    return ""


def _step(step: seats.Step, name_of: Name) -> str:
    match step:
        case seats.AddLearner(node) | seats.GiveSeat(node, _) | seats.TakeSeat(node):
            whom = name_of(node)
        case seats.Promote(member) | seats.Remove(member, _) | seats.MoveLeader(member):
            whom = f"member {member:x}"
        case _:
            whom = ""
    return _STEPS[type(step)].format(whom)


def _names(nodes: Sequence[str], name_of: Name) -> str:
    more = f" and {len(nodes) - _MOST_NAMES} more" if len(nodes) > _MOST_NAMES else ""
    return (", ".join(name_of(node) for node in nodes[:_MOST_NAMES]) or "nobody") + more
