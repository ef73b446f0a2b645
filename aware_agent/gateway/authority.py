"""Who asks? Bearer tokens, checked against their signature, the user's record and the session they belong to."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable

import msgspec

from aware_agent.colony.session import SESSION_S, Refresh, Session, ends_at, idle_at, judge
from aware_agent.gateway.context import GatewayContext
from aware_agent.gateway.uses import Uses
from aware_agent.queen.commands import Turn
from aware_agent.security.jwt import Principal, TokenSigner, Unauthenticated
from aware_agent.security.records import UserRecord
from aware_agent.security.roles import lower
from aware_agent.security.service_account import (
    ACCOUNTS,
    ServiceAccount,
    ServiceToken,
    account_of,
    check,
    is_service_token,
    parts,
    unknown,
)
from aware_agent.store.keys import Keys

MAX_CACHED = 1024
MAX_TICKETS = 1024
TICKET_TTL_S = 30


class _Verified(msgspec.Struct, frozen=True):
    principal: Principal
    session_key: bytes
    session_revision: int  # of its beginning; 0: it is of no session, and refused once something is there
    user_key: bytes
    user_revision: int
    account_key: bytes = b""  # of a service account
    account_revision: int = 0


class Authority:
    """Verifies tokens. Remembers those it verified, bounded; the end of a session counts once the mirror shows it."""

    def __init__(self, context: GatewayContext, clock: Callable[[], float] = time.time) -> None:
        self._context = context
        self._clock = clock
        self._keys = Keys(context.colony)
        self._signing = context.token_keys
        self._signer = TokenSigner(context.colony, *self._signing)
        self._verified: dict[bytes, _Verified] = {}
        self.uses = Uses(context, clock)
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
        if principal.program:
            self.uses.note(principal, authorization)
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
            and (not known.account_key or self._changed(known.account_key) == known.account_revision)
            and self._began(known.session_key) == known.session_revision
        ):
            if known.account_key:
                self.uses.note(known.principal, authorization)
            return known.principal
        del self._verified[authorization]
        return None

    def verify(self, token: str) -> Principal:
        """The principal of an access token. A user's present role bounds the token's."""
        if is_service_token(token):
            name, token_id, secret = parts(token)
            self._context.view()  # who has read nothing yet cannot say that one is unknown: raises NotMirrored
            account = self.service_account(name)
            return self._program(account, check(account, name, token_id, secret, self._clock()))
        return self._checked(self.signer.verify(token, now=self._clock()))

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

    def service_account(self, name: str) -> ServiceAccount | None:
        """The service account of that name."""
        return self._context.reader.one(f"{ACCOUNTS}/{name}", ServiceAccount)

    def service_accounts(self) -> dict[str, ServiceAccount]:
        """All service accounts by name."""
        return self._context.reader.many(f"{ACCOUNTS}/", ServiceAccount)

    def session(self, session_id: str) -> Session | None:
        """The session of that id."""
        return self._context.reader.one(f"sessions/{session_id}", Session)

    def sessions(self) -> dict[str, Session]:
        """All sessions by id."""
        return self._context.reader.many("sessions/", Session)

    def lasts(self, shown: Principal, source: str) -> tuple[UserRecord, Turn]:
        """Whose refresh token this is, shown from ``source``, and the newest turn of its session as far as this copy
        shows it: the token is of that turn, or of the one before whose answer was lost. Raises Unauthenticated.
        """
        user, session = self.user(shown.name), self.session(shown.session)
        spec = self._context.reader.data().spec
        lifetime_s = spec.policies.session_lifetime_s if spec else SESSION_S
        if (
            user is None
            or session is None
            or (session.user, session.user_id) != (user.name, user.id)
            or judge(session, shown.turn, source, now=self._clock(), lifetime_s=lifetime_s)
            not in (Refresh.NEXT, Refresh.SAME)
        ):
            raise Unauthenticated("this session has ended", hint="log in again: aware login")
        turn = Turn(
            session=shown.session,
            turn=session.turn,
            role=user.role,
            ends_at=ends_at(session, lifetime_s),
            idle_at=idle_at(session, lifetime_s),
        )
        return user, turn

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
        if principal.program:
            account = self.service_account(account_of(principal.name))
            token = account.token(principal.jti) if account and account.id == principal.user_id else None
            if account is None or token is None:
                raise unknown()
            return self._program(account, token)
        user = self.user(principal.name)
        if user is None:
            raise Unauthenticated("the user of this token is gone", hint="log in as somebody else")
        if principal.session:
            self._check_session(principal, user)
        elif self._began(self._place(principal)):
            raise Unauthenticated("this token was revoked", hint="log in again: aware login")
        elif principal.account and principal.account != user.account:
            # Whoever gave it may have been cut off, and have known an older password or another user of that name.
            raise Unauthenticated("the user changed since this token was issued", hint="log in again: aware login")
        elif principal.iat < int(user.password_at):
            raise Unauthenticated("the password changed since this token was issued", hint="log in again: aware login")
        return msgspec.structs.replace(principal, role=lower(principal.role, user.role), user_id=user.id)

    def _program(self, account: ServiceAccount | None, token: ServiceToken) -> Principal:
        """What a token of a service account may do now. Its owner is the same person as ever, and bounds it."""
        owner = self.user(account.owner) if account else None
        if account is None or owner is None or owner.id != account.owner_id:
            raise Unauthenticated("the owner of this service account is gone", hint="make another one")
        return Principal(
            name=account.actor,
            role=lower(account.role, owner.role),
            jti=token.id,
            exp=token.expires_at,
            iat=token.created_at,
            scopes=token.scopes or account.scopes,
            program=True,
            user_id=account.id,
        )

    def _check_session(self, principal: Principal, user: UserRecord) -> None:
        session = self.session(principal.session)
        if session is None:
            raise Unauthenticated("the session of this token has ended", hint="log in again: aware login")
        if (session.user, session.user_id) != (user.name, user.id):
            raise Unauthenticated("the user of this session is gone", hint="log in again: aware login")

    def _place(self, principal: Principal) -> bytes:
        """The key that decides over the token by being there: its session's, or that it was revoked."""
        if principal.session:
            return self._keys.key("sessions", principal.session)
        return self._keys.key("revoked", principal.jti)

    def _began(self, key: bytes) -> int:
        stored = self._context.projection.get(key)
        return stored.create_revision if stored else 0

    def _changed(self, key: bytes) -> int:
        stored = self._context.projection.get(key)
        return stored.mod_revision if stored else 0

    def _remember(self, authorization: bytes, principal: Principal) -> None:
        account = self.service_account(account_of(principal.name)) if principal.program else None
        user_key = self._keys.key("users", account.owner if account else principal.name)
        account_key = self._keys.key(ACCOUNTS, account.name) if account else b""
        user = self._context.projection.get(user_key)
        if user is None:
            return
        while len(self._verified) >= MAX_CACHED:
            del self._verified[next(iter(self._verified))]
        place = self._place(principal)
        self._verified[authorization] = _Verified(
            principal,
            place,
            self._began(place),
            user_key,
            user.mod_revision,
            account_key,
            self._changed(account_key) if account else 0,
        )
