"""When a node asks for its next certificate. Pure: chance comes in as ``spread``, from 0 up to 1.

A certificate lives days, not years, so that one that was stolen or belongs to a removed node soon is nothing.
"""

from __future__ import annotations

import msgspec

from aware_agent.colony.rotation import Phase, Trust

LIFETIME_S = 7 * 86400.0
# Renewed at two thirds of its life at the latest: a third is left for a colony that cannot renew for a while.
_AT = 2 / 3
_EARLIER = 0.1  # of the lifetime, by chance: nodes that joined together do not renew together
_RUSH_S = 0.005  # per node of the colony: when all have to renew at once, the queen signs a few hundred a second
_FIRST_PAUSE_S, _LAST_PAUSE_S = 1.0, 300.0
_MANY, _SHORT_S = 6, 86400.0  # failures in a row; seconds of validity left


class Holding(msgspec.Struct, frozen=True, kw_only=True):
    """What a node has in its hands. Times in Unix seconds."""

    issued_at: float  # 0: not by a queen, but when the colony was founded
    not_after: float
    signed_by: int  # generation of the CA that signed the certificate
    generations: frozenset[int]  # of the colony secret
    current: int  # with which this node signs beacons
    bundle: str  # the CA certificates it believes, PEM
    council_bundle: str | None = None  # the same of etcd; None: it does not speak to etcd
    addresses: tuple[str, ...] = ()  # in its certificate


class Due(msgspec.Struct, frozen=True):
    """When to renew, and why."""

    at: float
    reason: str


def due(
    holding: Holding, trust: Trust, now: float, spread: float, size: int = 1, *, addresses: tuple[str, ...] = ()
) -> Due:
    """When to renew. ``size`` is the number of nodes that see the same change of ``trust`` at the same time.

    ``addresses`` are those the certificate shall name; none: those it has.
    """
    change = _change(holding, trust)
    if change:
        return Due(now + spread * _RUSH_S * size, change)
    if not holding.issued_at:
        return Due(now, "its certificate was made when the colony was founded")
    if not set(addresses) <= set(holding.addresses):
        return Due(now + spread * _RUSH_S * size, "it is reached at another address")
    life = holding.not_after - holding.issued_at
    return Due(holding.issued_at + life * (_AT - _EARLIER * spread), f"its certificate lives {life:.0f} s")


def retry_in(failures: int, left_s: float, spread: float) -> float:
    """Seconds until the next attempt after ``failures`` failed ones, with ``left_s`` seconds of validity left."""
    pause = min(_LAST_PAUSE_S, _FIRST_PAUSE_S * 2.0 ** min(10, failures - 1), max(_FIRST_PAUSE_S, left_s / 10))
    return float(pause * (0.5 + spread / 2))


def worrying(failures: int, left_s: float) -> bool:
    """Whether ``failures`` in a row, with ``left_s`` seconds of validity left, are worth a warning.

    A founder asks before there is a queen, and queens change: that an attempt or two fail means nothing.
    """
    return failures >= _MANY or left_s < _SHORT_S


def _change(holding: Holding, trust: Trust) -> str:
    """What the colony believes and this node does not have yet; empty when it is up to date."""
    if trust.ca and holding.bundle != trust.ca:
        return "the colony believes other CAs"
    if trust.council_ca and holding.council_bundle not in (None, trust.council_ca):
        return "etcd believes other CAs"
    if holding.generations != trust.believed or holding.current != trust.generation:
        return "the colony has another secret"
    if trust.phase is not Phase.DISTRIBUTING and holding.signed_by != trust.generation:
        return "another CA signs"
    return ""
