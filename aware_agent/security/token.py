"""Join tokens: ``aware1.<id>.<secret>.<ca-pin>``, what a newcomer needs to be let in and to know whom it joins.

The colony stores a verifier and a sealed beacon key, never the secret: who reads etcd cannot join with what he reads.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re

import msgspec

from aware_agent.colony.errors import AwareError, InvalidInput
from aware_agent.security.derive import derive

PREFIX = "aware1"
SECRET_BYTES = 32
ID_BYTES = 8
RANDOM_BYTES = ID_BYTES + SECRET_BYTES
_ID = re.compile(r"[0-9a-f]{16}")
_SECRET = re.compile(r"[A-Za-z0-9_-]{43}")
_PIN = re.compile(r"[A-Za-z0-9_-]{43}")
_NO_VERIFIER = "0" * 64


class TokenRefused(AwareError):
    """The queen does not accept this join token; nothing was changed."""

    code = "token-refused"
    exit_code = 12
    status = 403


class JoinToken(msgspec.Struct, frozen=True, kw_only=True):
    """A parsed join token. ``str()`` is the token itself, ``repr()`` hides the secret."""

    id: str  # 16 hexadecimal digits
    secret: str  # 32 random bytes, base64url without padding
    ca_pin: str  # see pki.ca_pin

    def __str__(self) -> str:
        """The text a user hands to a newcomer."""
        return f"{PREFIX}.{self.id}.{self.secret}.{self.ca_pin}"

    def __repr__(self) -> str:
        """Safe to log."""
        return f"JoinToken({self.id!r})"

    @property
    def secret_bytes(self) -> bytes:
        """The decoded secret."""
        return unbase64url(self.secret)


class TokenRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What the colony keeps of a token, in ``tokens/<id>``."""

    id: str
    verifier: str  # hexadecimal, see verifier()
    beacon_key: bytes  # beacon_key() of the token, sealed with the record's etcd key as context
    created_at: float  # Unix seconds
    created_by: str
    expires_at: float | None = None  # Unix seconds; None: never
    uses_left: int | None = None  # None: any number
    node_name: str | None = None  # the only node that may use it; None: any
    addresses: tuple[str, ...] = ()  # pinned for the node that uses it
    eligible: bool = False  # whether nodes it lets in may reign; without, they are workers


def parse_token(text: str) -> JoinToken:
    """Parse ``text``. Raises :class:`InvalidInput` that says what is wrong without repeating the token."""
    parts = text.strip().split(".")
    if parts[0] != PREFIX or len(parts) != 4:
        raise InvalidInput(
            "this is not a join token", field="token", hint=f"a join token looks like {PREFIX}.<id>.<secret>.<ca-pin>"
        )
    rules = (("id", _ID), ("secret", _SECRET), ("CA pin", _PIN))
    for (name, rule), part in zip(rules, parts[1:], strict=True):
        if not rule.fullmatch(part):
            raise InvalidInput(f"the {name} of the join token is damaged", field="token", hint="copy all of it again")
    return JoinToken(id=parts[1], secret=parts[2], ca_pin=parts[3])


def make_token(ca_pin: str, randomness: bytes) -> JoinToken:
    """A new token out of 40 bytes of randomness (``os.urandom(RANDOM_BYTES)``)."""
    if len(randomness) != RANDOM_BYTES:
        raise ValueError(f"a join token takes {RANDOM_BYTES} bytes of randomness")
    return JoinToken(id=randomness[:ID_BYTES].hex(), secret=base64url(randomness[ID_BYTES:]), ca_pin=ca_pin)


def beacon_key(token: JoinToken) -> bytes:
    """Key (32 bytes) of the SEEK and OFFER beacons of this token."""
    return derive(token.secret_bytes, f"join-beacon/{token.id}")


def verifier(token: JoinToken) -> str:
    """What proves the secret without being it. A plain hash is enough: the secret has 256 random bits."""
    return derive(token.secret_bytes, f"join-verifier/{token.id}").hex()


def check_token(
    record: TokenRecord | None, token_id: str, secret: str, *, name: str, now: float, again: bool = False
) -> None:
    """Raise :class:`TokenRefused` unless ``secret`` opens ``record`` for a node called ``name`` at ``now``.

    ``again``: this very node (same id, same key) was let in before and asks once more, for instance because the
    answer was lost. Then uses are not counted: do not :func:`spend` another one either.
    An unknown id and a wrong secret cost and say the same; why a genuine token is refused is said in full.
    """
    expected = record.verifier if record and record.id == token_id else _NO_VERIFIER
    if not hmac.compare_digest(expected, _presented(token_id, secret)) or record is None:
        raise TokenRefused("the join token is unknown or wrong", hint="ask an admin for a new one: aware token create")
    if record.expires_at is not None and now >= record.expires_at:
        raise TokenRefused(f"join token {record.id} has expired", hint="ask an admin for a new one")
    if record.uses_left is not None and record.uses_left <= 0 and not again:
        raise TokenRefused(f"join token {record.id} is used up", hint="ask an admin for a new one")
    if record.node_name is not None and record.node_name != name:
        raise TokenRefused(
            f"join token {record.id} is bound to another node name than {name!r}", hint="ask an admin for a new one"
        )


def spend(record: TokenRecord) -> TokenRecord:
    """The record after one more use."""
    if record.uses_left is None:
        return record
    return msgspec.structs.replace(record, uses_left=record.uses_left - 1)


def base64url(data: bytes) -> str:
    """Base64url without padding."""
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def unbase64url(text: str) -> bytes:
    """Inverse of :func:`base64url`. Raises ``ValueError``."""
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _presented(token_id: str, secret: str) -> str:
    """The verifier of what was presented; well-formed or not, the work is the same."""
    if _SECRET.fullmatch(secret) and _ID.fullmatch(token_id):
        return verifier(JoinToken(id=token_id, secret=secret, ca_pin=""))
    return hashlib.sha256(b"malformed").hexdigest()
