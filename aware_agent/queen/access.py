"""Who may do what: users, revoked access tokens, join tokens."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence

import msgspec

from aware_agent.colony.errors import Conflict, InvalidInput, NotFound
from aware_agent.colony.event import Severity
from aware_agent.queen.ledger import Ledger, Line, Written
from aware_agent.security.pki import ca_pin
from aware_agent.security.records import USER_NAME, CaRecord, UserRecord
from aware_agent.security.roles import Role
from aware_agent.security.sealed import Sealer
from aware_agent.security.token import RANDOM_BYTES, TokenRecord, beacon_key, make_token, verifier
from aware_agent.store import ops
from aware_agent.store.client import EtcdClient

MAX_TOKEN_TTL_S = 366 * 24 * 3600.0


class AccessCommands:
    """Writes about users and tokens."""

    def __init__(self, ledger: Ledger, client: EtcdClient, sealer: Sealer) -> None:
        self._ledger = ledger
        self._client = client
        self._sealer = sealer

    async def create_token(
        self, *, ttl_s: float | None, uses: int | None, node_name: str | None, actor: str
    ) -> tuple[str, TokenRecord]:
        """A new join token; its text is returned here and nowhere else."""
        if ttl_s is not None and not 1 <= ttl_s <= MAX_TOKEN_TTL_S:
            raise InvalidInput(f"ttl {ttl_s} s is out of range", field="ttl_s", hint="1 second to a year")
        if uses is not None and not 1 <= uses <= 1_000_000:
            raise InvalidInput(f"{uses} uses are out of range", field="uses", hint="1 or more")
        ca = self._ledger.reader.one("ca", CaRecord)
        if ca is None:
            raise Conflict("this colony has no CA", hint="found it: aware colony found")
        token = make_token(ca_pin(ca.certificate.encode()), os.urandom(RANDOM_BYTES))
        key = self._ledger.key("tokens", token.id)
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
        )
        async with self._ledger.writing():
            line = Line("token.created", token.id, f"{actor} made join token {token.id}", Severity.NOTICE)
            await self._ledger.commit([ops.put(key, msgspec.json.encode(record))], [line], actor, [ops.absent(key)])
        return str(token), record

    async def revoke_token(self, token_id: str, *, actor: str) -> Written:
        """Make a join token useless."""
        async with self._ledger.writing():
            key = self._ledger.key("tokens", token_id)
            if self._ledger.projection.get(key) is None:
                raise NotFound(f"no join token {token_id!r}", hint="list them: aware tokens list")
            line = Line("token.revoked", token_id, f"{actor} revoked join token {token_id}", Severity.NOTICE)
            return await self._ledger.commit([ops.delete(key)], [line], actor)

    def list_tokens(self) -> Sequence[TokenRecord]:
        """All join tokens, newest last."""
        records = self._ledger.reader.many("tokens/", TokenRecord).values()
        return sorted(records, key=lambda record: (record.created_at, record.id))

    async def put_user(self, name: str, *, password_hash: str | None, role: str, actor: str) -> Written:
        """Create or change a user; without ``password_hash`` the password stays."""
        if not USER_NAME.fullmatch(name):
            raise InvalidInput(
                f"{name[:64]!r} is not a user name", field="name", hint="lower-case letters, digits, . _ @ -"
            )
        async with self._ledger.writing():
            key = self._ledger.key("users", name)
            before = self._ledger.reader.one(f"users/{name}", UserRecord)
            if before is None and password_hash is None:
                raise InvalidInput(f"new user {name!r} needs a password", field="password")
            if before and before.role is Role.ADMIN and Role(role) is not Role.ADMIN:
                self._keep_an_admin(name)
            now = time.time()
            after = UserRecord(
                name=name,
                role=Role(role),
                password_hash=password_hash or (before.password_hash if before else ""),
                created_at=before.created_at if before else now,
                changed_at=now,
                password_at=now if before and password_hash else (before.password_at if before else 0.0),
            )
            if before and before.role == after.role and password_hash is None:
                return self._ledger.unchanged()
            verb = "changed" if before else "created"
            line = Line("user.changed", name, f"{actor} {verb} user {name} ({after.role})", Severity.NOTICE)
            return await self._ledger.commit([ops.put(key, msgspec.json.encode(after))], [line], actor)

    async def delete_user(self, name: str, *, actor: str) -> Written:
        """Delete a user; the last admin stays."""
        async with self._ledger.writing():
            if self._ledger.reader.one(f"users/{name}", UserRecord) is None:
                raise NotFound(f"no user {name!r}", hint="list them: aware users list")
            self._keep_an_admin(name)
            line = Line("user.changed", name, f"{actor} deleted user {name}", Severity.NOTICE)
            return await self._ledger.commit([ops.delete(self._ledger.key("users", name))], [line], actor)

    async def revoke_access(self, jti: str, expires_at: float, *, actor: str) -> Written:
        """Refuse an access or refresh token from now on; remembered until it would have expired anyway."""
        ttl = max(1, int(expires_at - time.time()) + 60)
        async with self._ledger.writing():
            lease = await self._client.grant(ttl)
            key = self._ledger.key("revoked", jti)
            line = Line("token.revoked", actor, f"{actor} logged out")
            return await self._ledger.commit([ops.put(key, b"{}", lease=lease.id)], [line], actor)

    def _keep_an_admin(self, but: str) -> None:
        users = self._ledger.reader.many("users/", UserRecord)
        if users[but].role is Role.ADMIN and not any(
            user.role is Role.ADMIN for name, user in users.items() if name != but
        ):
            raise Conflict(f"{but} is the last admin", hint="make another admin first")
