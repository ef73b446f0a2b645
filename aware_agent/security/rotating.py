"""What a rotation may be given to begin with."""

from __future__ import annotations

import msgspec

from aware_agent.colony.errors import InvalidInput
from aware_agent.security.pki import Pair, ca_pin, is_ca, is_pair

SECRET_BYTES = 32


class NewTrust(msgspec.Struct, frozen=True, kw_only=True):
    """CA and secret that somebody brings along; what is None the queen makes."""

    ca: Pair | None = None
    secret: bytes | None = None
    keep_ca: bool = False  # only the secret is new

    def __repr__(self) -> str:
        """Without secrets."""
        return f"NewTrust(keep_ca={self.keep_ca})"


def check_new(new: NewTrust, present: Pair, secrets: frozenset[bytes]) -> None:
    """Raise :class:`InvalidInput` for what cannot take the place of ``present`` CA and ``secrets``."""
    if new.secret is not None and len(new.secret) < SECRET_BYTES:
        raise InvalidInput("the new secret is too short", field="secret", hint=f"{SECRET_BYTES} random bytes")
    if new.secret is not None and new.secret in secrets:
        raise InvalidInput("this is the present secret", field="secret", hint="make another one")
    if new.ca is None:
        return
    if not is_pair(new.ca.certificate, new.ca.key) or not is_ca(new.ca.certificate):
        raise InvalidInput("the new CA is no CA certificate with its key", field="ca_certificate")
    if ca_pin(new.ca.certificate) == ca_pin(present.certificate):
        raise InvalidInput("this is the present CA", field="ca_certificate", hint="make another one")
