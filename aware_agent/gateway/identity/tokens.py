"""A provider's signed tokens: signature, issuer, audience and times. JOSE itself is PyJWT's.

The header of a token chooses nothing but which of the provider's public keys is tried: only asymmetric algorithms are
taken, and a key only for its own kind, so neither ``none`` nor a public key used as a shared secret can pass.
"""

from __future__ import annotations

import hmac
from typing import Any

import jwt
import msgspec

from aware_agent.colony.decoding import UNDECODABLE, from_plain
from aware_agent.gateway.identity.errors import IdentityRefused

SKEW_S = 60.0  # clocks of providers and of this node
MAX_TOKEN = 16 * 1024
MAX_KEYS = 64
_FAMILIES = {"RS": "RSA", "PS": "RSA", "ES": "EC", "Ed": "OKP"}
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
_TYPES = ("", "jwt", "at+jwt", "application/at+jwt")
_SIGNATURE_ONLY: Any = {
    "verify_signature": True,
    "verify_exp": False,
    "verify_nbf": False,
    "verify_iat": False,
    "verify_aud": False,
    "verify_iss": False,
    "verify_sub": False,
    "verify_jti": False,
}


class Claims(msgspec.Struct, frozen=True, kw_only=True):
    """What every token has to say, by type; ``all`` is everything it says."""

    iss: str
    sub: str
    aud: str | list[str]
    exp: float
    iat: float
    nbf: float = 0.0
    azp: str = ""
    nonce: str = ""

    @property
    def audiences(self) -> list[str]:
        """For whom the token is."""
        return [self.aud] if isinstance(self.aud, str) else self.aud


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    """A token as it looks before anything of it was proved."""

    text: str
    algorithm: str
    key_id: str


def look(token: str) -> Shown:
    """Raises :class:`IdentityRefused` for what cannot be a token of a provider, before any key is fetched for it."""
    if len(token) > MAX_TOKEN:
        raise IdentityRefused(f"a token has at most {MAX_TOKEN} characters")
    try:
        header = jwt.get_unverified_header(token)
    except (jwt.InvalidTokenError, ValueError, RecursionError):
        raise IdentityRefused("this is no signed token (JWT)") from None
    algorithm, key_id, kind = header.get("alg"), header.get("kid", ""), header.get("typ", "")
    if algorithm not in ALGORITHMS:
        raise IdentityRefused("this token's signature is of a kind that is not taken", hint=", ".join(ALGORITHMS))
    if not isinstance(key_id, str) or not isinstance(kind, str) or kind.lower() not in _TYPES or "crit" in header:
        raise IdentityRefused("this is no token that tells who somebody is")
    return Shown(text=token, algorithm=algorithm, key_id=key_id)


def fitting(shown: Shown, keys: list[dict[str, Any]]) -> dict[str, Any] | None:
    """The key that ``shown`` says it is signed with. Without a key id there has to be just one that could be."""
    family = _FAMILIES[shown.algorithm[:2]]
    could = [
        key
        for key in keys
        if key.get("kty") == family
        and key.get("use", "sig") == "sig"
        and key.get("alg", shown.algorithm) == shown.algorithm
        and (not shown.key_id or key.get("kid") == shown.key_id)
    ]
    return could[0] if len(could) == 1 or (could and shown.key_id) else None


def verify(shown: Shown, key: dict[str, Any]) -> tuple[Claims, dict[str, Any]]:
    """What the token says, once its signature holds; nothing else of it is judged. Raises IdentityRefused."""
    try:
        public = jwt.PyJWK(key, algorithm=shown.algorithm)
        payload = jwt.decode(shown.text, public, algorithms=[shown.algorithm], options=_SIGNATURE_ONLY)
        return from_plain(payload, Claims), payload
    except (jwt.PyJWTError, *UNDECODABLE, TypeError):
        raise IdentityRefused("this token is not the provider's, or says nothing usable") from None


def check_claims(claims: Claims, *, issuer: str, audiences: tuple[str, ...], now: float) -> None:
    """Raise :class:`IdentityRefused` unless it is of ``issuer``, for ``audiences`` and nobody else, and valid."""
    if claims.iss != issuer:
        raise IdentityRefused("this token is another provider's")
    if not claims.audiences or not set(claims.audiences) <= set(audiences):
        raise IdentityRefused("this token was made for somebody else", hint="its audience (aud) is not this colony")
    if not claims.sub or len(claims.sub) > 255:
        raise IdentityRefused("this token names nobody")
    if now >= claims.exp + SKEW_S:
        raise IdentityRefused("this token has expired")
    if now < max(claims.iat, claims.nbf) - SKEW_S:
        raise IdentityRefused("this token is not valid yet", hint="are the clocks right?")


def same(left: str, right: str) -> bool:
    """Compared in constant time; empty is equal to nothing."""
    return bool(left) and hmac.compare_digest(left.encode(), right.encode())
