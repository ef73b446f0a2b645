"""Who already holds what the colony is to believe in: one line per node, and whether a rotation may go on. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

import msgspec

from aware_agent.colony.rotation import Phase, Trust


class Standing(StrEnum):
    """A node, seen from the rotation."""

    READY = "ready"  # has all it needs in this phase
    WAITING = "waiting"  # is here and has not; the rotation waits for it
    SILENT = "silent"  # is not here; the rotation waits for it a while
    LEFT_BEHIND = "left-behind"  # was silent too long, or sent away: it will need a token to come back


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of one node."""

    id: str
    name: str
    here: bool  # its presence is shown
    away: bool = False  # somebody sent it away: nobody waits for it
    proved: frozenset[int]  # generations of the secret it has shown to hold
    signed_by: int = 0  # generation of the CA of its certificate; 0: unknown
    not_after: float | None = None  # end of its certificate, Unix seconds
    bundle_fits: bool = False  # believes exactly the CAs it shall
    council_fits: bool = True  # the same of etcd; a worker has nothing to believe there
    etcd_fits: bool = True  # so does the etcd that its agent runs, which reads CAs when it starts


class NodeTrust(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the report."""

    id: str
    name: str
    standing: Standing
    holds: list[int]
    signed_by: int
    not_after: float | None
    lacks: str  # in words; empty when nothing


class Verification(msgspec.Struct, frozen=True):
    """The report, and whether nobody has to be waited for."""

    nodes: tuple[NodeTrust, ...]
    complete: bool


class RotationReport(msgspec.Struct, frozen=True):
    """How far a rotation is."""

    trust: Trust
    verification: Verification
    etcd: list[str]  # what etcd is not ready for, one sentence each
    unsealed: int  # values still sealed with the other secret

    @property
    def complete(self) -> bool:
        """Whether the next step is safe."""
        return self.verification.complete and not self.etcd and not self.unsealed


def verify(trust: Trust, evidence: Iterable[Evidence], now: float) -> Verification:
    """Compare each node with ``trust`` at Unix time ``now``."""
    nodes = tuple(sorted((_line(trust, each, now) for each in evidence), key=lambda line: line.name))
    return Verification(nodes, all(line.standing in (Standing.READY, Standing.LEFT_BEHIND) for line in nodes))


def _line(trust: Trust, seen: Evidence, now: float) -> NodeTrust:
    lacks = _lacks(trust, seen)
    return NodeTrust(
        id=seen.id,
        name=seen.name,
        standing=_standing(trust, seen, lacks, now),
        holds=sorted(seen.proved),
        signed_by=seen.signed_by,
        not_after=seen.not_after,
        lacks=lacks,
    )


def _lacks(trust: Trust, seen: Evidence) -> str:
    missing = trust.believed - seen.proved
    if missing:
        return f"secret {', '.join(map(str, sorted(missing)))}"
    if not (seen.bundle_fits and seen.council_fits):
        return "the CAs to believe"
    if trust.phase is not Phase.DISTRIBUTING and seen.signed_by != trust.generation:
        return f"a certificate of CA {trust.generation}"
    if trust.phase is Phase.FINISHING and not seen.etcd_fits:
        return "a restart of its etcd, which its agent does"
    return ""


def _standing(trust: Trust, seen: Evidence, lacks: str, now: float) -> Standing:
    if not lacks:
        return Standing.READY
    if seen.away:
        return Standing.LEFT_BEHIND
    if seen.here:
        return Standing.WAITING
    gone_too_long = trust.phase in (Phase.SETTLED, Phase.FINISHING) or now >= trust.since + trust.patience_s
    return Standing.LEFT_BEHIND if gone_too_long else Standing.SILENT
