"""Who may do what: users, join tokens, and what is revoked one by one."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence

import msgspec

from aware_agent.colony.addresses import check_pinned
from aware_agent.colony.errors import Conflict, InvalidInput, NotFound, one_line
from aware_agent.colony.event import Severity
from aware_agent.colony.names import Kind, check_name
from aware_agent.colony.quota import require_room
from aware_agent.queen.certificates import neighbours
from aware_agent.queen.commands import NewToken
from aware_agent.queen.rehearsal import about_to
from aware_agent.queen.service_accounts import service_accounts_of
from aware_agent.queen.sessions import SessionCommands
from aware_agent.queen.writer import EventDraft, FencedWriter, Written
from aware_agent.security.grant import Grant, require_roles, require_unbounded
from aware_agent.security.pki import ca_pin
from aware_agent.security.records import USER_ID_BYTES, CaRecord, UserRecord
from aware_agent.security.roles import Role
from aware_agent.security.sealed import Sealer
from aware_agent.security.token import RANDOM_BYTES, TokenRecord, beacon_key, make_token, verifier
from aware_agent.store import ops
from aware_agent.store.protocol import Store

MAX_USERS, MAX_TOKENS = 1000, 1000
KEEP_SPENT_S = 7 * 24 * 3600.0  # a token without uses: who joined with it may have to ask once more
_TOLD = 16  # signs and sources in one line of history
_AT_ONCE = 64  # deletes in one transaction; etcd takes 128 operations by default
MAX_TOKEN_TTL_S = 366 * 24 * 3600.0
_LAST = Role.SECURITY_ADMIN  # one stays: whoever may do everything, so that nobody is locked out of anything


class AccessCommands:
    """Writes about users and tokens."""

    def __init__(self, writer: FencedWriter, client: Store, sealer: Sealer, sessions: SessionCommands) -> None:
        self._writer = writer
        self._sessions = sessions
        self._client = client
        self._sealer = sealer

    async def create_token(
        self,
        *,
        ttl_s: float | None,
        uses: int | None,
        node_name: str | None,
        eligible: bool = False,
        addresses: Sequence[str] = (),
        actor: str,
    ) -> NewToken:
        """A new join token; its text is returned here and nowhere else."""
        if ttl_s is not None and not 1 <= ttl_s <= MAX_TOKEN_TTL_S:
            raise InvalidInput(f"ttl {ttl_s} s is out of range", field="ttl_s", hint="1 second to a year")
        if uses is not None and not 1 <= uses <= 1_000_000:
            raise InvalidInput(f"{uses} uses are out of range", field="uses", hint="1 or more")
        if node_name is not None:
            check_name(Kind.NODE, node_name, "node_name")
        pinned = check_pinned(addresses, node_name or "its node", neighbours(self._writer, ""))
        ca = self._writer.reader.vital("ca", CaRecord)
        if ca is None:
            raise Conflict("this colony has no CA", hint="found it: aware colony found")
        about_to(f"{actor} makes a join token")  # a rehearsal makes no secret
        token = make_token(ca_pin(ca.certificate.encode()), os.urandom(RANDOM_BYTES))
        key = self._writer.key("tokens", token.id)
        now = time.time()
        record = TokenRecord(
            id=token.id,
            verifier=verifier(token),
            beacon_key=self._sealer.seal(beacon_key(token), key),
            created_at=now,
            created_by=actor,
            expires_at=now + ttl_s if ttl_s else None,
            uses_left=uses,
            node_name=node_name,
            eligible=eligible,
            addresses=pinned,
        )
        made = NewToken(str(token), record)
        async with self._writer.writing():
            line = EventDraft("token.created", token.id, f"{actor} made join token {token.id}", Severity.NOTICE)
            changes = [ops.put(key, msgspec.json.encode(record)), *self._make_room(now)]
            await self._writer.commit(changes, [line], actor, [ops.absent(key)], answer=made)
        return made

    def _make_room(self, now: float) -> list[ops.Op]:
        """Deletes of tokens that are good for nothing any more, once there are many. Raises TooManyRecords."""
        records = self._writer.reader.many("tokens/", TokenRecord)
        if len(records) < MAX_TOKENS:
            return []
        spent = [record.id for record in records.values() if _is_spent(record, now)][:_AT_ONCE]
        hint = "revoke some: aware tokens list, aware tokens revoke"
        require_room("join tokens", len(records) - len(spent), MAX_TOKENS, hint)
        return [ops.delete(self._writer.key("tokens", name)) for name in spent]

    async def revoke_token(self, token_id: str, *, actor: str) -> Written:
        """Make a join token useless."""
        async with self._writer.writing():
            key = self._writer.key("tokens", token_id)
            if self._writer.projection.get(key) is None:
                raise NotFound(f"no join token {token_id!r}", hint="list them: aware tokens list")
            line = EventDraft("token.revoked", token_id, f"{actor} revoked join token {token_id}", Severity.NOTICE)
            return await self._writer.commit([ops.delete(key)], [line], actor)

    async def put_user(
        self,
        name: str,
        *,
        password_hash: str | None,
        role: str,
        actor: str,
        keep_sessions: bool = False,
        grant: Grant | None = None,
    ) -> Written:
        """Create or change a user; without ``password_hash`` the password stays. Nobody makes one above himself."""
        check_name(Kind.USER, name)
        async with self._writer.writing():
            key = self._writer.key("users", name)
            before = self._writer.reader.one(f"users/{name}", UserRecord)
            require_unbounded(grant)
            require_roles(grant, Role(role), before.role if before else None)
            if before is None:
                users = self._writer.reader.many("users/", UserRecord).values()
                there = sum(not user.provider for user in users)  # those have a bound of their own
                require_room("users", there, MAX_USERS, "delete some: aware users list, aware users delete")
            if before is None and password_hash is None:
                raise InvalidInput(f"new user {name!r} needs a password", field="password")
            if Role(role) is not _LAST:
                self._keep_the_last(name)
            after = _changed_user(before, name, password_hash, Role(role), time.time())
            if before and before.role == after.role and password_hash is None:
                return self._writer.unchanged(self._writer.revision(key))
            verb = "changed" if before else "created"
            line = EventDraft("user.changed", name, f"{actor} {verb} user {name} ({after.role})", Severity.NOTICE)
            ended = [] if keep_sessions else self._sessions.ending(name)
            changes = [ops.put(key, msgspec.json.encode(after)), *ended]
            return await self._writer.commit(changes, [line], actor, [self._writer.guard(key)])

    async def delete_user(self, name: str, *, actor: str, grant: Grant | None = None) -> Written:
        """Delete a user, sessions and service accounts. The last security-admin stays, and who is above who asks."""
        async with self._writer.writing():
            if self._writer.projection.get(self._writer.key("users", name)) is None:
                raise NotFound(f"no user {name!r}", hint="list them: aware users list")
            before = self._writer.reader.one(f"users/{name}", UserRecord)
            require_roles(grant, before.role if before else None)
            self._keep_the_last(name)
            line = EventDraft("user.changed", name, f"{actor} deleted user {name}", Severity.NOTICE)
            ended = [*self._sessions.ending(name), *service_accounts_of(self._writer, name)]
            changes = [ops.delete(self._writer.key("users", name)), *ended]
            return await self._writer.commit(changes, [line], actor)

    async def revoke_access(self, jti: str, expires_at: float, *, actor: str) -> Written:
        """Refuse what ``jti`` names from now on; remembered until it would have expired anyway."""
        ttl = max(1, int(expires_at - time.time()) + 60)
        async with self._writer.writing():
            about_to(f"{actor} revokes a token or signed URL")
            lease = await self._client.grant(ttl)
            key = self._writer.key("revoked", jti)
            line = EventDraft("token.revoked", actor, f"{actor} revoked a token or signed URL")
            return await self._writer.commit([ops.put(key, b"{}", lease=lease.id)], [line], actor)

    async def note_intrusion(self, counts: dict[str, int], sources: dict[str, int], *, member: str) -> Written:
        """What the gateway of ``member`` refused lately; it gathers that, so that a flood is one line a minute."""
        often = ", ".join(f"{count} {sign}" for sign, count in sorted(counts.items())[:_TOLD])
        most = ", ".join(f"{one_line(source, 64)} {count}" for source, count in list(sources.items())[:_TOLD])
        sentence = f"the gateway refused {often}; most came from {most}"
        async with self._writer.writing():
            line = EventDraft("intrusion.noticed", member, one_line(sentence), Severity.WARNING, {"counts": counts})
            return await self._writer.commit([], [line], member)

    def _keep_the_last(self, but: str) -> None:
        users = self._writer.reader.many("users/", UserRecord)
        # One who comes by a provider is none to rely on: where that is away or removed, nobody would be left.
        if {name for name, user in users.items() if user.role is _LAST and not user.provider} == {but}:
            raise Conflict(f"{but} is the last {_LAST}", hint=f"make another {_LAST} first")


def _is_spent(record: TokenRecord, now: float) -> bool:
    if record.expires_at is not None and record.expires_at < now:
        return True
    return record.uses_left == 0 and record.created_at < now - KEEP_SPENT_S


def _changed_user(
    before: UserRecord | None, name: str, password_hash: str | None, role: Role, now: float
) -> UserRecord:
    if before is None:
        user_id = os.urandom(USER_ID_BYTES).hex()
        hashed = password_hash or ""
        return UserRecord(name=name, role=role, password_hash=hashed, created_at=now, changed_at=now, id=user_id)
    after = msgspec.structs.replace(before, role=role, changed_at=now)
    if password_hash:
        after = msgspec.structs.replace(after, password_hash=password_hash, password_at=now)
    return after
