"""Who stands where in line for the reign."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence

from aware_agent.colony.node import Report


def line_of_succession(
    presence: Mapping[str, Report], eligible: Container[str], drained: Container[str] = ()
) -> tuple[str, ...]:
    """Live candidates, best first: whose gateway answers, who is not drained, then higher priority, longer in the
    colony, lower id.

    Who may stand is an admin's word, ``eligible``: what a worker says of itself makes it no candidate. A node that is
    leaving is none either. One whose gateway does not answer could take no write yet, so it stands behind all that
    could; it stays in line, because a colony where no gateway answers needs a queen all the same. So it is with drained
    ones.
    """
    candidates = [
        (report, node)
        for node, report in presence.items()
        if node in eligible and report.candidate and not report.leaving
    ]
    order = sorted(candidates, key=lambda c: (not c[0].serving, c[1] in drained, -c[0].priority, c[0].joined_at, c[1]))
    return tuple(node for _, node in order)


def unserved(presence: Mapping[str, Report], line: Sequence[str]) -> tuple[str, ...]:
    """Those of ``line`` whose gateway does not answer."""
    return tuple(node for node in line if not presence[node].serving)


def channels_to(me: str, queen: str | None, line: Sequence[str], kept: Sequence[str]) -> tuple[str, ...]:
    """The members that ``me`` keeps channels to, when it has ``kept`` now: the queen, and who would follow her.

    While nobody reigns they stay. A dead queen's presence may outlive her key, and she is often first in line then: to
    go by the line would close the channel to her heir in the very moment it is kept for.
    """
    if queen is None and kept:
        return tuple(kept)
    heir = next((node for node in line if node != queen), None)
    return tuple(node for node in (queen, heir) if node is not None and node != me)
