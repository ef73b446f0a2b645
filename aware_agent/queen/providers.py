"""Identity providers as the queen keeps them, and the users who come by them.

Removing or changing a provider deletes its users, and with them ends their sessions: what it vouched for before counts
no longer. Who comes again is judged anew.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable

import msgspec

from aware_agent.agent.reader import ColonyReader
from aware_agent.colony.errors import Conflict, InvalidInput, NotFound
from aware_agent.colony.event import Severity
from aware_agent.colony.quota import require_room
from aware_agent.queen.commands import BeginFederated, PutProvider, Turn
from aware_agent.queen.sessions import SessionCommands
from aware_agent.queen.writer import EventDraft, FencedWriter, Written, require_revision
from aware_agent.security.grant import Grant, require_roles, require_unbounded
from aware_agent.security.jwt import Unauthenticated
from aware_agent.security.providers import (
    KIND,
    MAX_PROVIDERS,
    OidcProvider,
    Provider,
    ProviderRecord,
    check_provider,
    user_name,
)
from aware_agent.security.records import USER_ID_BYTES, UserRecord
from aware_agent.security.roles import Forbidden, Role
from aware_agent.security.sealed import SealBroken, Sealer, seal_key_id, sealed_with
from aware_agent.store import ops
from aware_agent.store.keys import prefix_end

MAX_USERS = 2000  # of all providers
log = logging.getLogger(__name__)


class ProviderCommands:
    """Writes about providers and their users. ``wall`` shows Unix time."""

    def __init__(self, writer: FencedWriter, sessions: SessionCommands, wall: Callable[[], float] = time.time) -> None:
        self._writer, self._sessions, self._wall = writer, sessions, wall

    async def put(self, command: PutProvider, *, actor: str, grant: Grant | None = None) -> Written:
        """Create or change a provider; a change ends the sessions of its users. No rule gives more than ``grant``."""
        require_unbounded(grant)
        name = command.name
        check_provider(name, command.provider)
        async with self._writer.writing():
            key = self._writer.key(KIND, name)
            require_revision(self._writer.revision(key), command.if_revision)
            record = self._one(name)
            before = record.provider if record else None
            require_roles(grant, *_given(command.provider), *_given(before))
            provider = _with_secret(before, command.provider) if command.keep_secret else command.provider
            if before == provider:
                return self._writer.unchanged(self._writer.revision(key))
            kept = sum(1 for _ in self._writer.projection.items(self._writer.key(KIND, "")))
            if not self._writer.revision(key) and kept >= MAX_PROVIDERS:
                raise Conflict(f"there are {MAX_PROVIDERS} identity providers already", hint="remove one before")
            verb = "changed" if before else "added"
            line = _told(name, f"{actor} {verb} identity provider {name}")
            after = ProviderRecord(provider=provider, changed_at=self._wall(), changed_by=actor)
            changes = [ops.put(key, msgspec.json.encode(after)), *self._without_users(name)]
            return await self._writer.commit(changes, [line], actor, [self._writer.guard(key)])

    async def delete(self, name: str, *, actor: str, grant: Grant | None = None) -> Written:
        """Remove a provider; its users and their sessions go with it. One that gives more than ``grant`` has stays."""
        async with self._writer.writing():
            key = self._writer.key(KIND, name)
            if self._writer.projection.get(key) is None:
                raise NotFound(f"no identity provider {name[:64]!r}", hint="list them: aware identity-providers list")
            record = self._one(name)
            require_roles(grant, *_given(record.provider if record else None))
            line = _told(name, f"{actor} removed identity provider {name}")
            return await self._writer.commit([ops.delete(key), *self._without_users(name)], [line], actor)

    async def begin(self, command: BeginFederated, source: str) -> Turn:
        """A session for whom a provider named. Raises Unauthenticated when the provider changed meanwhile."""
        async with self._writer.writing():
            place = self._writer.key(KIND, command.provider)
            record = self._one(command.provider)
            if record is None or self._writer.revision(place) != command.revision:
                raise Unauthenticated("the identity provider changed meanwhile", hint="log in again")
            if command.role not in _given(record.provider):  # whatever the gateway says that judged
                raise Forbidden(f"no rule of {command.provider} gives role {command.role}")
            name = user_name(command.provider, command.subject)
            key = self._writer.key("users", name)
            before = self._writer.reader.one(f"users/{name}", UserRecord)
            if before is None:
                users = self._writer.reader.many("users/", UserRecord).values()
                hint = "those without a session are forgotten after a day, or now: aware users delete"
                require_room("users of identity providers", sum(bool(u.provider) for u in users), MAX_USERS, hint)
            user = self._user(name, before, command)
            changes = [] if user == before else [ops.put(key, msgspec.json.encode(user))]
            lines = []
            if before is None or before.role is not user.role:
                known = f" ({command.display})" if command.display else ""
                lines = [_told(name, f"{name}{known} came by {command.provider} with role {user.role}", "user.changed")]
            return await self._sessions.begin_for(
                user,
                source=source,
                client=command.client,
                lifetime_s=record.provider.session_s,
                changes=changes,
                lines=lines,
                guards=[ops.modified(place, command.revision), self._writer.guard(key)],
            )

    def _user(self, name: str, before: UserRecord | None, command: BeginFederated) -> UserRecord:
        now = self._wall()
        if before is not None:
            if (before.role, before.display) == (command.role, command.display):
                return before
            return msgspec.structs.replace(before, role=command.role, display=command.display, changed_at=now)
        return UserRecord(
            name=name,
            role=command.role,
            password_hash="",
            created_at=now,
            changed_at=now,
            id=os.urandom(USER_ID_BYTES).hex(),
            provider=command.provider,
            display=command.display,
        )

    def _without_users(self, name: str) -> list[ops.Op]:
        """Deletes all users of a provider, however many, in one operation. Their sessions hold for nobody then."""
        start = self._writer.key("users", f"{name}:")
        return [ops.delete_range(start, prefix_end(start))]

    def _one(self, name: str) -> ProviderRecord | None:
        return self._writer.reader.one(f"{KIND}/{name}", ProviderRecord)


def _given(provider: Provider | None) -> set[Role]:
    """The roles its rules give."""
    return {rule.role for rule in provider.rules} if provider else set()


def _with_secret(before: Provider | None, after: Provider) -> Provider:
    """``after`` with the secret that is kept. It never goes to others than those it was given for."""
    if not isinstance(after, OidcProvider):
        return after
    if not isinstance(before, OidcProvider) or not before.client_secret:
        return after
    if _whom(before) != _whom(after):
        raise InvalidInput(
            "issuer, client, hosts or CA change, so the kept client secret is not theirs",
            field="client_secret",
            hint="give the client secret again",
        )
    return msgspec.structs.replace(after, client_secret=before.client_secret)


def _whom(provider: OidcProvider) -> tuple[object, ...]:
    return provider.issuer, provider.client_id, provider.hosts, provider.ca


def stale_providers(reader: ColonyReader, secret: bytes) -> dict[str, ProviderRecord]:
    """Those whose client secret is sealed with another colony secret."""
    return {
        name: record
        for name, record in reader.many(f"{KIND}/", ProviderRecord).items()
        if isinstance(record.provider, OidcProvider)
        and record.provider.client_secret
        and sealed_with(record.provider.client_secret) != seal_key_id(secret)
    }


def sealed_anew(record: ProviderRecord, key: bytes, sealer: Sealer) -> ProviderRecord:
    """``record`` with its client secret sealed by ``sealer``. One that does not open is dropped: a rotation goes on."""
    assert isinstance(record.provider, OidcProvider)
    try:
        fresh = sealer.seal(sealer.open(record.provider.client_secret, key), key)
    except SealBroken as error:
        log.warning("the client secret of %s is lost, give it again: %s", key.decode(errors="replace"), error)
        fresh = b""
    provider = msgspec.structs.replace(record.provider, client_secret=fresh)
    return msgspec.structs.replace(record, provider=provider)


def lost_secret(name: str, after: ProviderRecord) -> list[EventDraft]:
    """Tells that a rotation dropped the client secret of a provider, when ``after`` has none any more."""
    if isinstance(after.provider, OidcProvider) and after.provider.client_secret:
        return []
    said = f"the client secret of identity provider {name} could not be opened and was removed by the rotation"
    said += f": give it again: aware identity-providers set {name}"
    return [EventDraft("identity-provider.changed", name, said, Severity.WARNING)]


def _told(subject: str, sentence: str, kind: str = "identity-provider.changed") -> EventDraft:
    return EventDraft(kind, subject, sentence, Severity.NOTICE)
