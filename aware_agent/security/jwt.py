"""Access and refresh tokens for people and programs: JWT, HS256 with a key derived from the colony secret.

The gateways of council members issue and verify them. A token names the session it belongs to; whether that still lasts
is the caller's look-up: this module knows no store. Verifying takes tens of microseconds; a gateway may keep verified
tokens until their ``exp``.
"""

from __future__ import annotations

import secrets
from typing import Any, Literal, NamedTuple

import msgspec

from aware_agent.colony.decoding import from_plain
from aware_agent.colony.errors import AwareError
from aware_agent.security.derive import derive
from aware_agent.security.roles import HUMAN_ROLES, Role

Kind = Literal["access", "refresh"]
ISSUER = "aware"
ACCESS_TTL_S = 3600.0
BARE_TTL_S = 300.0  # of a token without a session: a login while nobody reigns, or who holds the colony's secret
LEEWAY_S = 5.0  # queens change and their clocks differ a little
MAX_CHARACTERS = 4096
_ALGORITHM = "HS256"  # pinned: the header of a token never chooses
_SIGNATURE_ONLY: Any = {
    "verify_signature": True,
    "verify_exp": False,
    "verify_nbf": False,
    "verify_iat": False,
    "verify_aud": False,
    "verify_iss": False,
}


class Unauthenticated(AwareError):
    """Nobody we know: no token, or one that is not valid (any more)."""

    code = "unauthenticated"
    exit_code = 3
    status = 401


class TokenReused(Unauthenticated):
    """A refresh token came a second time: somebody has a copy. Its session has ended."""

    code = "token-reused"


class Principal(msgspec.Struct, frozen=True, kw_only=True):
    """Who asks."""

    name: str
    role: Role
    jti: str
    exp: float  # Unix seconds
    iat: float = 0.0  # when it was issued, whole Unix seconds
    scopes: tuple[str, ...] = ()
    kind: Kind = "access"
    program: bool = False  # a service account; ``jti`` is the id of its token
    session: str = ""  # id; see BARE_TTL_S for those without
    turn: int = 0  # of a refresh token
    account: str = ""  # see UserRecord.account; "" is whoever holds the colony's secret, and a token of a session
    user_id: str = ""  # of the record that was looked up, of the user or service account; never of the token


class Issued(NamedTuple):
    """A new token and what it says."""

    token: str
    principal: Principal


class _Claims(msgspec.Struct, frozen=True, kw_only=True):
    """The claims we insist on; types are checked, others ignored."""

    iss: str
    aud: str
    sub: str
    role: Role
    kind: Kind
    jti: str
    iat: float
    nbf: float
    exp: float
    scopes: tuple[str, ...] = ()
    sid: str = ""
    turn: int = 0
    account: str = ""


def token_key(colony: str, secret: bytes) -> bytes:
    """The key of a colony's tokens, derived from a generation of its secret: of no use for anything else."""
    return derive(secret, f"jwt/{colony}")


class TokenSigner:
    """Issues tokens of one colony with ``key``; verifies those made with it or one of the ``older``."""

    def __init__(self, colony: str, key: bytes, *older: bytes) -> None:
        self._colony, self._key, self._older = colony, key, older

    def __repr__(self) -> str:
        """Without the key."""
        return f"TokenSigner({self._colony!r})"

    def issue(
        self,
        name: str,
        role: Role,
        *,
        now: float,
        ttl_s: float = ACCESS_TTL_S,
        kind: Kind = "access",
        scopes: tuple[str, ...] = (),
        session: str = "",
        turn: int = 0,
        account: str = "",
        jti: str | None = None,
    ) -> Issued:
        """A token for ``name``, valid for ``ttl_s`` seconds from Unix time ``now``. ``jti`` is for tests."""
        import jwt

        if role not in HUMAN_ROLES:
            raise ValueError("nodes prove themselves by their certificate, not by a token")
        claims = _Claims(
            iss=ISSUER,
            aud=self._colony,
            sub=name,
            role=role,
            kind=kind,
            jti=jti or secrets.token_hex(16),
            iat=int(now),
            nbf=int(now),
            exp=int(now + ttl_s),
            scopes=scopes,
            sid=session,
            turn=turn,
            account=account,
        )
        payload: dict[str, Any] = msgspec.to_builtins(claims)
        return Issued(jwt.encode(payload, self._key, algorithm=_ALGORITHM), _principal(claims))

    def verify(self, token: str, *, now: float, kind: Kind = "access") -> Principal:
        """Who presents ``token``. Raises :class:`Unauthenticated`; a token of the other kind is refused."""
        claims = self._decode(token)
        if claims.iss != ISSUER or claims.aud != self._colony or claims.role not in HUMAN_ROLES:
            raise Unauthenticated("this token is not of this colony", hint="log in: aware login")
        if claims.kind != kind:
            raise Unauthenticated(f"this is a {claims.kind} token, not a {kind} token")
        if not claims.sid and (kind == "refresh" or claims.exp - claims.iat > BARE_TTL_S):
            raise Unauthenticated("this token belongs to no session", hint="log in: aware login")
        if now >= claims.exp + LEEWAY_S:
            raise Unauthenticated("this token has expired", hint="log in again: aware login")
        if now < max(claims.nbf, claims.iat) - LEEWAY_S:
            raise Unauthenticated("this token is not valid yet", hint="are the clocks of the nodes right?")
        return _principal(claims)

    def recognise(self, token: str) -> Principal | None:
        """Whose ``token`` this is or was: one that this colony issued, however long ago. It allows nothing."""
        try:
            claims = self._decode(token)
        except Unauthenticated:
            return None
        return _principal(claims) if (claims.iss, claims.aud) == (ISSUER, self._colony) else None

    def _decode(self, token: str) -> _Claims:
        """Check signature and shape; times are checked by the caller against its own clock."""
        import jwt

        refused = Unauthenticated("this token is not valid", hint="log in: aware login")
        if len(token) > MAX_CHARACTERS:
            raise refused
        for key in (self._key, *self._older):
            try:
                payload = jwt.decode(token, key, algorithms=[_ALGORITHM], options=_SIGNATURE_ONLY)
                return from_plain(payload, _Claims)
            except jwt.InvalidSignatureError:
                continue
            except (jwt.InvalidTokenError, msgspec.ValidationError, ValueError, RecursionError) as error:
                raise refused from error
        raise refused


def _principal(claims: _Claims) -> Principal:
    return Principal(
        name=claims.sub,
        role=claims.role,
        jti=claims.jti,
        exp=claims.exp,
        iat=claims.iat,
        scopes=claims.scopes,
        kind=claims.kind,
        session=claims.sid,
        turn=claims.turn,
        account=claims.account,
    )
