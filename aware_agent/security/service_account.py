"""Service accounts: who a program is, and its tokens ``aware-sa1.<account>.<id>.<secret>``.

An account has an owner, the user who made it, and never may do more than that user may at the moment. The colony keeps
what verifies a token, never the token: who reads etcd cannot use what he reads. No store and no clock here.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from typing import Annotated

import msgspec

from aware_agent.colony.decoding import Moment
from aware_agent.colony.errors import InvalidInput
from aware_agent.security.derive import derive
from aware_agent.security.jwt import Unauthenticated
from aware_agent.security.roles import Role
from aware_agent.security.token import base64url, unbase64url

PREFIX = "aware-sa1"
ACTOR = "sa:"  # begins the name under which it acts; no user's name has a colon
MAX_ACCOUNTS = 256
MAX_EACH = 32  # of one user: few enough to go in one transaction with the user
MAX_TOKENS = 16  # of one account: enough to let two overlap while programs get the next one
ID_BYTES, SECRET_BYTES = 8, 32
TOKEN_BYTES = ID_BYTES + SECRET_BYTES
ACCOUNTS = "service-accounts"  # where the queen keeps ServiceAccount
USES = "service-account-uses"  # where the queen keeps TokenUses
USE_S = 3600.0  # how exactly: of one account she writes so often at most
_NAME = re.compile(r"[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?")
_ID = re.compile(r"[0-9a-f]{16}")
_SECRET = re.compile(r"[A-Za-z0-9_-]{43}")
_NO_VERIFIER = "0" * 64
AccountName = Annotated[str, msgspec.Meta(pattern=r"^[a-z]([a-z0-9-]{0,61}[a-z0-9])?$")]


class ServiceToken(msgspec.Struct, frozen=True, kw_only=True):
    """What is kept of one token."""

    id: str  # 16 hexadecimal digits
    verifier: str  # see verifier()
    created_at: Moment  # Unix seconds
    created_by: str
    expires_at: Moment
    scopes: tuple[str, ...] = ()  # (): those of the account

    def __repr__(self) -> str:
        """Without the verifier."""
        return f"ServiceToken({self.id!r})"


class ServiceAccount(msgspec.Struct, frozen=True, kw_only=True):
    """Value of ``service-accounts/<name>``."""

    name: str
    id: str  # random: one that is deleted and made anew is another
    role: Role
    owner: str
    owner_id: str  # of the user's record
    created_at: Moment  # Unix seconds
    scopes: tuple[str, ...] = ()  # (): all its role may
    tokens: tuple[ServiceToken, ...] = ()

    @property
    def actor(self) -> str:
        """Under which name it acts."""
        return ACTOR + self.name

    def token(self, token_id: str) -> ServiceToken | None:
        """The token of that id."""
        return next((one for one in self.tokens if one.id == token_id), None)


class TokenUses(msgspec.Struct, frozen=True, kw_only=True):
    """Value of ``service-account-uses/<name>``: apart from the account, which is compared by whoever acts as it."""

    noted_at: Moment  # Unix seconds
    used_at: dict[str, Moment] = {}  # id of a token: when it was used last, to :data:`USE_S`


def check_account_name(name: str) -> None:
    """Raise :class:`InvalidInput` unless a service account may be called so."""
    if not _NAME.fullmatch(name):
        raise InvalidInput(
            f"{name[:80]!r} cannot be the name of a service account",
            field="name",
            hint="lower-case letters, digits and - inside, from a letter on, at most 63",
        )


def account_of(actor: str) -> str:
    """The account that acts as ``actor``; "" for a person."""
    return actor.removeprefix(ACTOR) if actor.startswith(ACTOR) else ""


def make_secret(name: str, randomness: bytes) -> tuple[str, str, str]:
    """Token, id and verifier out of ``TOKEN_BYTES`` bytes of randomness."""
    if len(randomness) != TOKEN_BYTES:
        raise ValueError(f"a token takes {TOKEN_BYTES} bytes of randomness")
    token_id, secret = randomness[:ID_BYTES].hex(), base64url(randomness[ID_BYTES:])
    return f"{PREFIX}.{name}.{token_id}.{secret}", token_id, verifier(name, token_id, secret)


def verifier(name: str, token_id: str, secret: str) -> str:
    """What proves the secret without being it. A plain hash is enough: the secret has 256 random bits."""
    return derive(unbase64url(secret), f"service-account/{name}/{token_id}").hex()


def is_service_token(token: str) -> bool:
    """Whether it is of this kind at all, valid or not."""
    return token.startswith(PREFIX + ".")


def parts(token: str) -> tuple[str, str, str]:
    """Account, id and secret. Raises :class:`Unauthenticated` for what no colony ever gave out."""
    found = token.split(".")
    if len(found) != 4 or not (_NAME.fullmatch(found[1]) and _ID.fullmatch(found[2]) and _SECRET.fullmatch(found[3])):
        raise unknown()
    if base64url(unbase64url(found[3])) != found[3]:  # the last letter has bits that decoding ignores: one spelling
        raise unknown()
    return found[1], found[2], found[3]


def check(account: ServiceAccount | None, name: str, token_id: str, secret: str, now: float) -> ServiceToken:
    """The token that ``secret`` opens. Raises :class:`Unauthenticated`.

    An unknown account, an unknown id and a wrong secret cost and say the same.
    """
    kept = account.token(token_id) if account else None
    expected = kept.verifier if kept else _NO_VERIFIER
    shown = verifier(name, token_id, secret)
    same = hmac.compare_digest(hashlib.sha256(expected.encode()).digest(), hashlib.sha256(shown.encode()).digest())
    if not same or kept is None:
        raise unknown()
    if now >= kept.expires_at:
        raise Unauthenticated(f"token {kept.id} of {ACTOR}{name} has expired", hint="have a new one made")
    return kept


def unknown() -> Unauthenticated:
    """What all that is nothing is told."""
    return Unauthenticated(
        "this service account token is unknown, revoked or wrong", hint="have a new one made: aware service-accounts"
    )
