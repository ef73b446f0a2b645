"""The state table of the election as Markdown, made from the table the decisions use."""

from __future__ import annotations

from aware_agent.colony import election
from aware_agent.colony.election import Phase

EVENTS: tuple[type, ...] = (
    election.QueenSeen,
    election.Vacant,
    election.Succession,
    election.Won,
    election.Lost,
    election.Failed,
    election.Renewed,
    election.LeaseLost,
    election.Tick,
    election.Resign,
    election.GatewayLost,
    election.GatewayServes,
    election.Quit,
)


def cell(phase: Phase, event: type) -> str:
    """The name of the rule for that pair, '-' for "nothing to do", 'illegal' for none."""
    handler = election._TABLE.get((phase, event))
    if handler is None:
        return "illegal"
    return "-" if handler is election._keep else handler.__name__.strip("_").replace("_", " ")


def markdown() -> str:
    """One row per event, one column per phase."""
    rows = [["event", *Phase], ["---"] * (len(Phase) + 1)]
    rows += [[f"`{event.__name__}`", *(cell(phase, event) for phase in Phase)] for event in EVENTS]
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)
