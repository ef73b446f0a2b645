"""Service accounts and their tokens, as the queen keeps them: one key for each account, its tokens in it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping

import msgspec

from aware_agent.colony.errors import Conflict, InvalidInput, NotFound
from aware_agent.colony.event import EventDraft, Severity
from aware_agent.colony.spec import MIN_SERVICE_TOKEN_S, Policies
from aware_agent.queen.commands import (
    CreateServiceAccount,
    CreateServiceToken,
    NewServiceToken,
)
from aware_agent.queen.writer import FencedWriter, Written
from aware_agent.security.grant import Grant, require_roles
from aware_agent.security.permissions import PEOPLE_ONLY
from aware_agent.security.records import USER_ID_BYTES, UserRecord
from aware_agent.security.roles import HUMAN_ROLES, Forbidden
from aware_agent.security.scopes import check_scopes, parse_scope, within
from aware_agent.security.service_account import (
    ACCOUNTS,
    MAX_ACCOUNTS,
    MAX_EACH,
    MAX_TOKENS,
    TOKEN_BYTES,
    USE_S,
    USES,
    ServiceAccount,
    ServiceToken,
    TokenUses,
    check_account_name,
    make_secret,
)
from aware_agent.store import ops

_AT_ONCE = 64  # deletes in one transaction; etcd takes 128 operations by default
_NOTED_AT_ONCE = 32  # accounts; each takes two comparisons
_LIST = "list them: aware service-accounts list"


class ServiceAccountCommands:
    """Makes and ends accounts and tokens. ``wall`` shows Unix time."""

    def __init__(self, writer: FencedWriter, wall: Callable[[], float] = time.time) -> None:
        self._writer = writer
        self._wall = wall

    async def create(self, command: CreateServiceAccount, *, actor: str, grant: Grant | None) -> Written:
        """An account of ``actor``, who has to be a person, and no more than he may do."""
        _person(grant)
        check_account_name(command.name)
        if command.role not in HUMAN_ROLES:
            raise InvalidInput("nodes are no service accounts", field="role", hint=", ".join(HUMAN_ROLES))
        scopes = _usable(command.scopes)
        require_roles(grant, command.role)
        async with self._writer.writing():
            owner = self._writer.reader.one(f"users/{actor}", UserRecord)
            if owner is None:
                raise NotFound(f"no user {actor!r}", hint="a service account is of the user who makes it")
            own = sum(account.owner == actor for account in self.all().values())
            if len(self.all()) >= MAX_ACCOUNTS or own >= MAX_EACH:
                raise Conflict(
                    f"there are {len(self.all())} service accounts, {own} of them yours",
                    hint=f"delete some: {MAX_EACH} of one user, {MAX_ACCOUNTS} in all",
                )
            key = self._writer.key(ACCOUNTS, command.name)
            if self._writer.projection.get(key) is not None:
                raise Conflict(f"there is a service account {command.name!r} already", hint=_LIST)
            account = ServiceAccount(
                name=command.name,
                id=os.urandom(USER_ID_BYTES).hex(),
                role=command.role,
                owner=owner.name,
                owner_id=owner.id,
                created_at=self._wall(),
                scopes=scopes,
            )
            sentence = f"{actor} made service account {account.name} ({account.role})"
            line = EventDraft("service-account.created", account.name, sentence, Severity.NOTICE)
            guards = [ops.absent(key), self._writer.guard(self._writer.key("users", actor))]
            return await self._writer.commit([ops.put(key, msgspec.json.encode(account))], [line], actor, guards)

    async def delete(self, name: str, *, actor: str, grant: Grant | None) -> Written:
        """Delete an account; its tokens are refused from then on."""
        async with self._writer.writing():
            account = self._one(name)
            require_roles(grant, account.role)
            line = EventDraft(
                "service-account.deleted", name, f"{actor} deleted service account {name}", Severity.NOTICE
            )
            changes = [ops.delete(self._writer.key(kind, name)) for kind in (ACCOUNTS, USES)]
            return await self._writer.commit(changes, [line], actor)

    async def create_token(self, command: CreateServiceToken, *, actor: str, grant: Grant | None) -> NewServiceToken:
        """A token; its text is returned here and nowhere else."""
        _person(grant)
        scopes = _usable(command.scopes)
        longest = self._policies().service_token_lifetime_s
        if not MIN_SERVICE_TOKEN_S <= command.ttl_s <= longest:
            raise InvalidInput(
                f"a token cannot live {command.ttl_s:g} s",
                field="ttl_s",
                hint=f"{MIN_SERVICE_TOKEN_S:g} to {longest:g} seconds; policies.service_token_lifetime_s is the most",
            )
        async with self._writer.writing():
            account, now = self._one(command.account), self._wall()
            require_roles(grant, account.role)
            if account.scopes and not within(scopes, account.scopes):
                raise Forbidden(
                    f"service account {account.name} may not do all of that",
                    hint=f"its scopes are {', '.join(account.scopes)}",
                )
            living = tuple(token for token in account.tokens if now < token.expires_at)
            if len(living) >= MAX_TOKENS:
                raise Conflict(f"{account.name} has {MAX_TOKENS} tokens already", hint="revoke those nobody uses")
            text, token_id, proof = make_secret(account.name, os.urandom(TOKEN_BYTES))
            token = ServiceToken(
                id=token_id,
                verifier=proof,
                created_at=now,
                created_by=actor,
                expires_at=now + command.ttl_s,
                scopes=scopes,
            )
            after = msgspec.structs.replace(account, tokens=(*living, token))
            made = NewServiceToken(text, token)
            sentence = f"{actor} made token {token_id} of service account {account.name}"
            await self._put(
                after, EventDraft("service-token.created", account.name, sentence, Severity.NOTICE), actor, made
            )
            return made

    async def revoke_token(self, name: str, token_id: str, *, actor: str, grant: Grant | None) -> Written:
        """Refuse a token from now on."""
        async with self._writer.writing():
            account = self._one(name)
            require_roles(grant, account.role)
            if account.token(token_id) is None:
                raise NotFound(f"{name} has no token {token_id[:40]!r}", hint=_LIST)
            after = msgspec.structs.replace(account, tokens=tuple(t for t in account.tokens if t.id != token_id))
            sentence = f"{actor} revoked token {token_id} of service account {name}"
            return await self._put(after, EventDraft("service-token.revoked", name, sentence, Severity.NOTICE), actor)

    async def note_uses(self, uses: Mapping[str, Mapping[str, float]], *, member: str) -> Written:
        """Keep when tokens were used last; of an account that was written within the hour nothing, it is told again."""
        async with self._writer.writing():
            now, changes, guards = self._wall(), list[ops.Op](), list[ops.Compare]()
            for name, used in uses.items():
                account = self._writer.reader.one(f"{ACCOUNTS}/{name}", ServiceAccount)
                before = self._writer.reader.one(f"{USES}/{name}", TokenUses) or TokenUses(noted_at=0.0)
                if account is None or 0 <= now - before.noted_at < USE_S or len(changes) == _NOTED_AT_ONCE:
                    continue
                after = _later(account, before.used_at, used, now)
                if after != before.used_at:
                    key = self._writer.key(USES, name)
                    changes.append(ops.put(key, msgspec.json.encode(TokenUses(noted_at=now, used_at=after))))
                    guards += [self._writer.guard(key), self._writer.guard(self._writer.key(ACCOUNTS, name))]
            if not changes:
                return self._writer.unchanged()
            return await self._writer.commit(changes, [], member, guards)

    def all(self) -> dict[str, ServiceAccount]:
        """All accounts by name."""
        return self._writer.reader.many(f"{ACCOUNTS}/", ServiceAccount)

    async def _put(
        self, account: ServiceAccount, line: EventDraft, actor: str, answer: object | None = None
    ) -> Written:
        key = self._writer.key(ACCOUNTS, account.name)
        change = ops.put(key, msgspec.json.encode(account))
        return await self._writer.commit([change], [line], actor, [self._writer.guard(key)], answer=answer)

    def _one(self, name: str) -> ServiceAccount:
        account = self._writer.reader.one(f"{ACCOUNTS}/{name}", ServiceAccount)
        if account is None:
            raise NotFound(f"no service account {name[:80]!r}", hint=_LIST)
        return account

    def _policies(self) -> Policies:
        spec = self._writer.reader.data().spec
        return spec.policies if spec else Policies()


def service_accounts_of(writer: FencedWriter, user: str) -> list[ops.Op]:
    """What deletes the accounts of ``user``, for a transaction that deletes the user: few enough for one."""
    accounts = writer.reader.many(f"{ACCOUNTS}/", ServiceAccount)
    return [ops.delete(writer.key(ACCOUNTS, name)) for name, one in accounts.items() if one.owner == user]


def _later(
    account: ServiceAccount, before: Mapping[str, float], used: Mapping[str, float], now: float
) -> dict[str, float]:
    """When each token that the account still has was used last, and never later than ``now``."""
    found = {token.id: min(now, max(before.get(token.id, 0.0), used.get(token.id, 0.0))) for token in account.tokens}
    return {token: at for token, at in found.items() if at > 0}


def orphans(writer: FencedWriter) -> list[ops.Op]:
    """What deletes accounts whose owner is gone: they opened nothing any more since. And when tokens of accounts that
    are gone were used. Some of them at a time.
    """
    accounts = writer.reader.many(f"{ACCOUNTS}/", ServiceAccount)
    gone = [writer.key(ACCOUNTS, name) for name, one in accounts.items() if _is_orphan(writer, one)]
    uses = writer.reader.many(f"{USES}/", TokenUses)
    gone += [writer.key(USES, name) for name in uses if writer.projection.get(writer.key(ACCOUNTS, name)) is None]
    return [ops.delete(key) for key in gone[:_AT_ONCE]]


def _is_orphan(writer: FencedWriter, account: ServiceAccount) -> bool:
    """Not where the owner's record cannot be read: nobody here knows whose that is."""
    owner = writer.reader.one(f"users/{account.owner}", UserRecord)
    if owner is None:
        return writer.projection.get(writer.key("users", account.owner)) is None
    return owner.id != account.owner_id


def owners(writer: FencedWriter, now: float) -> set[str]:
    """Users who have a service account with a token that has not expired."""
    accounts = writer.reader.many(f"{ACCOUNTS}/", ServiceAccount).values()
    return {one.owner for one in accounts if any(now < token.expires_at for token in one.tokens)}


def _person(grant: Grant | None) -> None:
    if grant is not None and grant.program:
        raise Forbidden("a service account makes no credentials", hint="somebody who is logged in has to")


def _usable(texts: tuple[str, ...]) -> tuple[str, ...]:
    """Checked scopes. One that names only what takes a person is a mistake, and told."""
    for text in check_scopes(texts):
        scope = parse_scope(text)
        if f"{scope.resource}:{scope.verb}" in PEOPLE_ONLY:
            raise InvalidInput(f"scope {text[:80]!r}: that takes somebody who is logged in", field="scopes")
    return check_scopes(texts)
