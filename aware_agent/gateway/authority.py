"""Who asks? Bearer tokens, checked against their signature, the user's record and the list of revoked ones."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import msgspec

from aware_agent.gateway.context import GatewayContext
from aware_agent.security.jwt import Principal, TokenSigner, Unauthenticated
from aware_agent.security.records import UserRecord
from aware_agent.security.roles import allows
from aware_agent.store.keys import Keys

MAX_CACHED = 1024
MAX_TICKETS = 1024
TICKET_TTL_S = 30


class _Verified(msgspec.Struct, frozen=True):
    principal: Principal
    revoked_key: bytes
    user_key: bytes
    user_revision: int


class Authority:
    """Verifies tokens. Remembers those it verified, bounded; a revocation counts as soon as the mirror shows it."""

    def __init__(self, context: GatewayContext, clock: Callable[[], float] = time.time) -> None:
        self._context = context
        self._clock = clock
        self._keys = Keys(context.colony)
        self._signing = context.token_keys
        self._signer = TokenSigner(context.colony, *self._signing)
        self._verified: dict[bytes, _Verified] = {}
        self._spending: set[str] = set()
        self._tickets: dict[str, tuple[Principal, float]] = {}

    @property
    def signer(self) -> TokenSigner:
        """Issues and verifies with the keys of now. When those changed, nothing verified before counts."""
        if self._signing is not self._context.token_keys:
            self._signing = self._context.token_keys
            self._signer = TokenSigner(self._keys.colony, *self._signing)
            self._verified.clear()
        return self._signer

    def now(self) -> float:
        """Unix seconds."""
        return self._clock()

    def authenticate(self, authorization: bytes | None) -> Principal:
        """The principal of an Authorization header. Raises :class:`Unauthenticated`."""
        if not authorization:
            raise Unauthenticated("this needs a token", hint="log in: POST /v1/auth/token, or aware login")
        known = self.recall(authorization)
        if known is not None:
            return known
        scheme, _, token = authorization.partition(b" ")
        if scheme.lower() != b"bearer":
            raise Unauthenticated("this takes bearer tokens only")
        principal = self.verify(token.strip().decode("latin-1"))
        self._remember(authorization, principal)
        return principal

    def recall(self, authorization: bytes) -> Principal | None:
        """The principal of a header that was verified before and still holds; the hot path."""
        known = self._verified.get(authorization) if self._signing is self._context.token_keys else None
        if known is None:
            return None
        projection = self._context.projection
        user = projection.get(known.user_key)
        if (
            user is not None
            and user.mod_revision == known.user_revision
            and self._clock() < known.principal.exp
            and projection.get(known.revoked_key) is None
        ):
            return known.principal
        del self._verified[authorization]
        return None

    def verify(self, token: str) -> Principal:
        """The principal of an access token. A user's present role bounds the token's."""
        return self._checked(self.signer.verify(token, now=self._clock()))

    def verify_refresh(self, token: str) -> Principal:
        """The principal of a refresh token."""
        return self._checked(self.signer.verify(token, now=self._clock(), kind="refresh"))

    @contextmanager
    def spending(self, principal: Principal) -> Iterator[None]:
        """While a refresh token is being used up; a second use at the same time is refused."""
        if principal.jti in self._spending:
            raise Unauthenticated("this refresh token was used already", hint="log in again: aware login")
        self._spending.add(principal.jti)
        try:
            yield
        finally:
            self._spending.discard(principal.jti)

    def holds(self, principal: Principal) -> bool:
        """Whether a token verified earlier still does; for long streams."""
        try:
            checked = self._checked(principal)
        except Unauthenticated:
            return False
        return self._clock() < principal.exp and checked.role == principal.role

    def user(self, name: str) -> UserRecord | None:
        """The user of that name. Raises NotMirrored before users were read for the first time."""
        self._context.view()
        return self._context.reader.one(f"users/{name}", UserRecord)

    def users(self) -> dict[str, UserRecord]:
        """All users by name."""
        return self._context.reader.many("users/", UserRecord)

    def ticket(self, principal: Principal) -> str:
        """A secret that opens one stream for ``principal`` within ``TICKET_TTL_S``."""
        now = self._clock()
        self._tickets = {t: (p, until) for t, (p, until) in self._tickets.items() if until > now}
        while len(self._tickets) >= MAX_TICKETS:
            del self._tickets[next(iter(self._tickets))]
        ticket = secrets.token_urlsafe(24)
        self._tickets[ticket] = (principal, now + TICKET_TTL_S)
        return ticket

    def redeem(self, ticket: str) -> Principal:
        """Whom ``ticket`` was made for; works once. Raises :class:`Unauthenticated`."""
        principal, until = self._tickets.pop(ticket, (None, 0.0))
        if principal is None or self._clock() >= until or not self.holds(principal):
            raise Unauthenticated("this ticket is unknown, used or too old", hint="POST /v1/auth/ticket for a new one")
        return principal

    def _checked(self, principal: Principal) -> Principal:
        self._context.view()  # who has read no users yet cannot say that one is gone: raises NotMirrored
        if self._context.projection.get(self._keys.key("revoked", principal.jti)) is not None:
            raise Unauthenticated("this token was revoked", hint="log in again: aware login")
        user = self.user(principal.name)
        if user is None:
            raise Unauthenticated("the user of this token is gone", hint="log in as somebody else")
        if principal.iat < int(user.password_at):
            raise Unauthenticated("the password changed since this token was issued", hint="log in again: aware login")
        if not allows(user.role, principal.role):
            principal = msgspec.structs.replace(principal, role=user.role)
        return principal

    def _remember(self, authorization: bytes, principal: Principal) -> None:
        user_key = self._keys.key("users", principal.name)
        user = self._context.projection.get(user_key)
        if user is None:
            return
        while len(self._verified) >= MAX_CACHED:
            del self._verified[next(iter(self._verified))]
        revoked = self._keys.key("revoked", principal.jti)
        self._verified[authorization] = _Verified(principal, revoked, user_key, user.mod_revision)
