"""The colony secret in its generations, as one node holds them. Plain stdlib: every worker has one.

A node that may never reign gets no secret but what beacons need of it (*partial*): with the secret it could issue
access tokens and open what is sealed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from aware_agent.security.derive import derive

_PROOF_BYTES = 16


def fingerprint(bundle: bytes) -> str:
    """Tells one set of CA certificates (PEM) from another."""
    return hashlib.sha256(bundle).hexdigest()[:32]


def announce_key(colony_secret: bytes) -> bytes:
    """Key that authenticates ANNOUNCE beacons."""
    return derive(colony_secret, "beacon/announce/1")


def share(secret: bytes, *, whole: bool) -> bytes:
    """What a node is given of a generation's ``secret``."""
    return secret if whole else announce_key(secret)


def proof(given: bytes, node_id: str, incarnation: str) -> str:
    """Shows that a node has what it was given, without showing it; another text at every start of its agent."""
    return derive(given, f"proof/{node_id}/{incarnation}", _PROOF_BYTES).hex()


class Keyring:
    """What this node was given, by generation. Changes in place: who keeps it always has the present one."""

    def __init__(self, current: int, given: Mapping[int, bytes], *, whole: bool = True) -> None:
        self.whole = whole
        self.adopt(current, given)

    def __repr__(self) -> str:
        """Generations only."""
        return f"Keyring(current={self.current}, generations={sorted(self.given)})"

    def adopt(self, current: int, given: Mapping[int, bytes]) -> None:
        """Hold exactly ``given`` and sign with ``current``. Raises ``ValueError`` when that is not among them."""
        if current not in given:
            raise ValueError("the current generation of the secret is missing")
        self.current = current
        self.given = dict(given)
        older = [given[generation] for generation in sorted(given, reverse=True) if generation != current]
        # One object until it changes, so that readers can tell by identity whether it did.
        self.secrets = (given[current], *older)

    @property
    def secret(self) -> bytes:
        """The one to sign, seal and derive with."""
        return self.given[self.current]

    def beacon_keys(self) -> dict[str, bytes]:
        """Keys of ANNOUNCE beacons by generation."""
        return {
            str(generation): announce_key(given) if self.whole else given for generation, given in self.given.items()
        }

    def proofs(self, node_id: str, incarnation: str) -> dict[int, str]:
        """See :func:`proof`, for all generations."""
        return {generation: proof(given, node_id, incarnation) for generation, given in self.given.items()}
