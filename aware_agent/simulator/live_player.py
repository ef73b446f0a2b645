"""Plays what a live node told of one of its machines: whole states, and events with all their fields as JSON."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from aware_agent.colony.errors import IllegalTransition
from aware_agent.colony.transcript import INDENT, Told, decoded
from aware_agent.simulator.transcript import Play

Decide = Callable[[Any, Any, float], Any]


def live_player(state_kind: Any, events: tuple[Any, ...], decide: Decide, tell: Told) -> Play:
    """Plays lines ``state {...}`` and ``TIME Event {...}`` of a machine with these kinds of states and events."""
    kinds: dict[str, Any] = {kind.__name__: kind for kind in events}
    state: Any = None

    def play(words: list[str]) -> list[str]:
        nonlocal state
        if words[0] == "state":
            state = decoded(words[1], state_kind, f"state of a {state_kind.__name__.lower()}")
            return []
        event: Any = decoded(words[2], kinds[words[1]], words[1])
        try:
            decision = decide(state, event, float(words[0]))
        except IllegalTransition as error:
            return [f"{INDENT}illegal: {error}"]
        state = decision.state
        return tell(decision)

    return play
