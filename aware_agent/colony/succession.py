"""Who stands where in line for the throne."""

from __future__ import annotations

from collections.abc import Mapping

from aware_agent.colony.node import Report


def line_of_succession(presence: Mapping[str, Report]) -> tuple[str, ...]:
    """Live candidates, best first: higher priority, then longer in the colony, then lower id.

    A node that is leaving is no candidate.
    """
    candidates = [(report, node) for node, report in presence.items() if report.candidate and not report.leaving]
    return tuple(node for report, node in sorted(candidates, key=lambda c: (-c[0].priority, c[0].joined_at, c[1])))
