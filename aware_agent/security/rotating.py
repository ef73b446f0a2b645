"""What a rotation may be given to begin with."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from aware_agent.colony.errors import InvalidInput
from aware_agent.security.pki import Pair, ca_pin, is_ca, is_pair

SECRET_BYTES = 32


class NewTrust(msgspec.Struct, frozen=True, kw_only=True):
    """CAs and secret that somebody brings along; what is None the queen makes."""

    ca: Pair | None = None
    council_ca: Pair | None = None
    secret: bytes | None = None
    keep_ca: bool = False  # of both: only the secret is new

    def __repr__(self) -> str:
        """Without secrets."""
        return f"NewTrust(keep_ca={self.keep_ca})"


def check_new(new: NewTrust, present: Sequence[Pair], secrets: frozenset[bytes]) -> None:
    """Raise :class:`InvalidInput` for what cannot take the place of the ``present`` CAs and ``secrets``."""
    if new.secret is not None and len(new.secret) < SECRET_BYTES:
        raise InvalidInput("the new secret is too short", field="secret", hint=f"{SECRET_BYTES} random bytes")
    if new.secret is not None and new.secret in secrets:
        raise InvalidInput("this is the present secret", field="secret", hint="make another one")
    if (new.ca is None) != (new.council_ca is None):
        raise InvalidInput("bring the node CA and the council CA, or neither", field="council_ca_certificate")
    used = {ca_pin(ca.certificate) for ca in present}
    for ca, field in ((new.ca, "ca_certificate"), (new.council_ca, "council_ca_certificate")):
        if ca is None:
            continue
        if not is_pair(ca.certificate, ca.key) or not is_ca(ca.certificate):
            raise InvalidInput("the new CA is no CA certificate with its key", field=field)
        if (pin := ca_pin(ca.certificate)) in used:
            raise InvalidInput("this is the present CA", field=field, hint="make another one")
        used.add(pin)  # one key for both would make every node a member
