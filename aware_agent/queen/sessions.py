"""Sessions, as the queen keeps them: one key in etcd for each login, written under her fence.

A session is a key: where it is gone, every gateway refuses its tokens as soon as its mirror shows that. A refresh
writes one key and no history, and within :data:`GRACE_S` nothing: who refreshes in a loop fills neither.
"""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Callable, Sequence

import msgspec

from aware_agent.colony.errors import NotFound, one_line
from aware_agent.colony.event import EventDraft, Severity
from aware_agent.colony.session import Refresh, Session, ends_at, harmless, idle_at, is_over, judge, surplus
from aware_agent.colony.spec import Policies
from aware_agent.queen.commands import BeginSession, RefreshSession, Turn
from aware_agent.queen.service_accounts import owners
from aware_agent.queen.writer import FencedWriter, Written
from aware_agent.security.jwt import TokenReused, Unauthenticated
from aware_agent.security.records import UserRecord
from aware_agent.store import ops
from aware_agent.store.keys import prefix_end

log = logging.getLogger(__name__)

KIND = "sessions"
REUSE_TOLD_S = 60.0  # of one user's sessions that end by reuse, so often at most the history tells
KEEP_USER_S = 86400.0  # so long a user of a provider without a session is remembered at least
_AT_ONCE = 64  # keys that go in one transaction; etcd takes 128 operations by default
_AGAIN = "log in again: aware login"


class SessionCommands:
    """Begins, refreshes and ends sessions. ``wall`` shows Unix time."""

    def __init__(self, writer: FencedWriter, wall: Callable[[], float] = time.time) -> None:
        self._writer = writer
        self._wall = wall
        self._told: dict[str, float] = {}  # user: when the history told last that a session was reused

    async def begin(self, command: BeginSession, source: str) -> Turn:
        """A session for who gave the right password. Raises Unauthenticated when the user changed since."""
        async with self._writer.writing():
            user = self._writer.reader.one(f"users/{command.user}", UserRecord)
            if user is None or (user.id, user.password_at) != (command.user_id, command.password_at):
                raise Unauthenticated("user name or password is wrong")
            guard = self._writer.guard(self._writer.key("users", user.name))
            return await self.begin_for(user, source=source, client=command.client, guards=[guard])

    async def begin_for(
        self,
        user: UserRecord,
        *,
        source: str,
        client: str,
        guards: Sequence[ops.Compare],
        lifetime_s: float | None = None,
        changes: Sequence[ops.Op] = (),
        lines: Sequence[EventDraft] = (),
    ) -> Turn:
        """A session of ``user`` together with ``changes``; inside of the writer's lock."""
        now = self._wall()
        session = Session(
            user=user.name,
            user_id=user.id,
            begun_at=now,
            refreshed_at=now,
            source=one_line(source, 255),
            client=harmless(client),
            lifetime_s=lifetime_s,
        )
        key = secrets.token_hex(16)
        gone = [self._delete(old) for old in surplus(self._all(), user.name)[:_AT_ONCE]]
        compares = [ops.absent(self._key(key)), *guards]
        note = f"session {key} of {user.name} begins"
        await self._writer.commit([self._put(key, session), *gone, *changes], lines, user.name, compares, note=note)
        return self._turn(key, session, user)

    async def refresh(self, command: RefreshSession, source: str) -> Turn:
        """The next turn of a session. Raises Unauthenticated; a token that was used before ends its session."""
        async with self._writer.writing():
            session = self._one(command.session)
            user = self._writer.reader.one(f"users/{session.user}", UserRecord) if session else None
            if session is None or user is None or user.id != session.user_id or user.name != command.user:
                raise Unauthenticated("this session has ended", hint=_AGAIN)
            source, now = one_line(source, 255), self._wall()
            verdict = judge(session, command.turn, source, now=now, lifetime_s=self._policies().session_lifetime_s)
            if verdict is Refresh.NEXT:
                session = msgspec.structs.replace(session, refreshed_at=now, source=source, turn=session.turn + 1)
                guard = self._writer.guard(self._key(command.session))
                changes, note = [self._put(command.session, session)], f"turn {session.turn} of the session"
                await self._writer.commit(changes, [], session.user, [guard], note=note)
            elif verdict is Refresh.REUSED:
                await self._reused(command.session, session, source, now)
                raise TokenReused("this refresh token was used already, so its session has ended", hint=_AGAIN)
            elif verdict is not Refresh.SAME:
                raise Unauthenticated("this session has ended", hint=_AGAIN)
            return self._turn(command.session, session, user)

    async def end(self, session_id: str, *, actor: str) -> Written:
        """End one session."""
        async with self._writer.writing():
            session = self._one(session_id)
            if session is None:
                raise NotFound("there is no such session", hint="list them: aware sessions list")
            lines = [_ended(session.user, f"{actor} ended a session of {session.user}")]
            # Whoever logs in and out all day writes no history by it.
            lines, note = lines if actor != session.user else [], f"session {session_id} of {session.user} ends"
            return await self._writer.commit([self._delete(session_id)], lines, actor, note=note)

    async def end_all(self, user: str | None, *, actor: str) -> Written:
        """End all sessions of ``user``, or with None those of everybody."""
        async with self._writer.writing():
            if user is not None and self._writer.projection.get(self._writer.key("users", user)) is None:
                raise NotFound(f"no user {user!r}", hint="list them: aware users list")
            found = self.of(user) if user is not None else list(self._all())
            if not found:
                return self._writer.unchanged()
            whose = user if user is not None else "everybody"
            lines = [_ended(user or actor, f"{actor} ended all sessions of {whose}")] if actor != user else []
            everything = self._writer.key(KIND, "")
            changes = (
                [self._delete(key) for key in found]
                if user is not None
                else [ops.delete_range(everything, prefix_end(everything))]
            )
            return await self._writer.commit(changes, lines, actor, note=f"{len(found)} sessions of {whose} end")

    def of(self, user: str) -> list[str]:
        """Ids of a user's sessions, few enough for one transaction."""
        return [key for key, session in self._all().items() if session.user == user]

    def ending(self, user: str) -> list[ops.Op]:
        """What ends all sessions of ``user``, for a transaction that changes the user."""
        return [self._delete(key) for key in self.of(user)]

    def old(self, now: float) -> list[ops.Op]:
        """Removes sessions that are over or of nobody, what is none, and users of providers who have none; some of
        them at a time.
        """
        lifetime_s, found = self._policies().session_lifetime_s, self._all()
        start = self._writer.key(KIND, "")
        names = [kv.key[len(start) :].decode(errors="replace") for kv in self._writer.projection.items(start)]
        over = [
            ops.delete(start + name.encode())
            for name in names
            if name not in found
            or is_over(found[name], now=now, lifetime_s=lifetime_s)
            or self._writer.projection.get(self._writer.key("users", found[name].user)) is None
        ]
        return (over or self._idle_users(found, now))[:_AT_ONCE]

    def _idle_users(self, sessions: dict[str, Session], now: float) -> list[ops.Op]:
        """Users of providers are made when they come; programs come under many names, and stay for minutes.

        Who has a service account that may still be used is known until its last token expires.
        """
        there = {session.user for session in sessions.values()} | owners(self._writer, now)
        users = self._writer.reader.many("users/", UserRecord)
        return [
            ops.delete(self._writer.key("users", name))
            for name, user in users.items()
            if user.provider and name not in there and now - user.changed_at > KEEP_USER_S
        ]

    async def _reused(self, key: str, session: Session, source: str, now: float) -> None:
        told = self._told.get(session.user)
        sentence = (
            f"a refresh token of {session.user} was used again, from {source or 'nowhere'} after "
            f"{session.source or 'nowhere'}: was it stolen? the session has ended"
        )
        log.warning("%s", sentence)
        lines = []
        if told is None or not 0 <= now - told < REUSE_TOLD_S:
            lines = [EventDraft("session.reused", session.user, sentence, Severity.WARNING, {"session": key})]
            self._told = {name: at for name, at in self._told.items() if 0 <= now - at < REUSE_TOLD_S}
            self._told[session.user] = now
        note = f"a refresh token of session {key} was used again: the session ends"
        await self._writer.commit([self._delete(key)], lines, session.user, note=note)

    def _turn(self, key: str, session: Session, user: UserRecord) -> Turn:
        lifetime_s = self._policies().session_lifetime_s
        return Turn(
            session=key,
            turn=session.turn,
            role=user.role,
            ends_at=ends_at(session, lifetime_s),
            idle_at=idle_at(session, lifetime_s),
        )

    def _policies(self) -> Policies:
        spec = self._writer.reader.data().spec
        return spec.policies if spec else Policies()

    def _all(self) -> dict[str, Session]:
        return self._writer.reader.many(f"{KIND}/", Session)

    def _one(self, key: str) -> Session | None:
        return self._writer.reader.one(f"{KIND}/{key}", Session)

    def _key(self, key: str) -> bytes:
        return self._writer.key(KIND, key)

    def _put(self, key: str, session: Session) -> ops.Op:
        return ops.put(self._key(key), msgspec.json.encode(session))

    def _delete(self, key: str) -> ops.Op:
        return ops.delete(self._key(key))


def _ended(subject: str, sentence: str) -> EventDraft:
    return EventDraft("session.ended", subject, sentence, Severity.NOTICE)
