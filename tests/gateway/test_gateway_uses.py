"""When a token was used last, also at a member that does not reign: over real TLS, to who is of the council."""

from __future__ import annotations

import copy
import time
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import msgspec
import pytest

from aware_agent.colony.election import QueenRecord
from aware_agent.gateway.app import GatewayApp
from aware_agent.gateway.authority import Authority
from aware_agent.gateway.server import GatewayServer
from aware_agent.security import pki
from aware_agent.security.roles import Role
from aware_agent.security.service_account import USE_S, TokenUses
from tests.gateway.memory import COLONY, MemoryContext, node_id
from tests.gateway.service_accounts import bearer, put_account
from tests.memory_colony import colony_ca


def _header(token: str) -> bytes:
    return bearer(token)["authorization"].encode()


async def _shown(admin: httpx.AsyncClient, name: str = "deploy") -> float | None:
    (token,) = (await admin.get(f"/v1/service-accounts/{name}")).json()["tokens"]
    return token.get("last_used_at")


@pytest.fixture
async def served(app: GatewayApp, context: MemoryContext, tmp_path: Path) -> AsyncIterator[GatewayServer]:
    """The queen's gateway with a council member's certificate, and a colony that knows where it is."""
    now = time.time()
    sans = pki.node_sans(COLONY, "demo-1", ["127.0.0.1"], eligible=True)
    server = await _serve(
        app, pki.issue(colony_ca(), pki.make_key(), common_name="demo-1", sans=sans, now=now), tmp_path
    )
    _reigns_at(context, server)
    yield server
    await server.stop()


async def _serve(app: GatewayApp, pair: pki.Pair, directory: Path) -> GatewayServer:
    files = directory / "node.crt", directory / "node.key"
    for file, pem in zip(files, (pair.certificate, pair.key), strict=True):
        file.write_bytes(pem)
    server = GatewayServer(app, "127.0.0.1", 0, files, grace_s=1.0)
    await server.start()
    return server


def _reigns_at(context: MemoryContext, server: GatewayServer) -> None:
    record = context.reader.one("queen", QueenRecord)
    assert record is not None
    context.put(context.keys.queen, msgspec.structs.replace(record, url=f"https://127.0.0.1:{server.port}"))


def _other(context: MemoryContext) -> Authority:
    """What verifies tokens at another member of the same colony."""
    other = copy.copy(context)
    other.me = node_id(1)
    return Authority(other)


async def test_the_queens_own_gateway(
    anonymous: httpx.AsyncClient, admin: httpx.AsyncClient, app: GatewayApp, context: MemoryContext
) -> None:
    token = put_account(context, "deploy", Role.VIEWER)
    assert await _shown(admin) is None
    began = time.time()
    assert (await anonymous.get("/v1/nodes", headers=bearer(token))).status_code == 200
    uses = app.gateway.authority.uses
    await uses.tell(context.commands)
    used_at = await _shown(admin)
    assert used_at is not None
    assert began <= used_at <= time.time()
    at = context.memory.etcd.revision
    calls = len(context.commands.calls)
    for _ in range(1000):  # also what is answered from what is ready
        assert app.at_once(b"/v1/nodes", [(b"host", b"queen"), (b"authorization", _header(token))]) is not None
        await uses.tell(context.commands)
    assert (await anonymous.get("/v1/castes", headers=bearer(token))).status_code == 200
    assert context.memory.etcd.revision == at, "within the hour nothing more is written"
    assert len(context.commands.calls) == calls, "nor is the queen asked"
    assert token not in repr(vars(uses))


async def test_a_known_token_counts_again_after_an_hour(app: GatewayApp, context: MemoryContext) -> None:
    token = put_account(context, "deploy", Role.VIEWER, ttl_s=86400.0)
    authority = app.gateway.authority
    authority.authenticate(_header(token))
    await authority.uses.tell(context.commands)
    await authority.uses.tell(context.commands)  # it sees that this is on record
    first = authority.uses.recorded("deploy")
    context.put(context.keys.key("service-account-uses", "deploy"), _older(first, USE_S))
    assert authority.recall(_header(token)) is not None, "known, and not verified once more"
    await authority.uses.tell(context.commands)
    (again,) = authority.uses.recorded("deploy").used_at.values()
    assert again >= next(iter(first.used_at.values()))


def _older(uses: TokenUses, by_s: float) -> TokenUses:
    used_at = {token: at - by_s for token, at in uses.used_at.items()}
    return TokenUses(noted_at=uses.noted_at - by_s, used_at=used_at)


async def test_another_member_shows_it_to_the_queen(
    admin: httpx.AsyncClient, app: GatewayApp, context: MemoryContext, served: GatewayServer
) -> None:
    token = put_account(context, "deploy", Role.VIEWER, "inventory:read")
    member = _other(context)
    member.authenticate(_header(token))
    before = context.memory.etcd.revision
    await member.uses.tell(context.commands)
    assert context.commands.calls == [], "only her own gateway commands"
    assert context.memory.etcd.revision == before
    await app.gateway.authority.uses.tell(context.commands)
    assert context.commands.calls == [("NoteUses", context.me)]
    assert await _shown(admin) is not None
    seen = app.gateway.public.requests.counts["/v1/auth/me", 200]
    assert seen == 1
    await member.uses.tell(context.commands)
    member.authenticate(_header(token))
    await member.uses.tell(context.commands)
    assert app.gateway.public.requests.counts["/v1/auth/me", 200] == seen, "what is on record is not shown again"


async def test_a_token_is_shown_to_nobody_but_the_council(
    app: GatewayApp, context: MemoryContext, tmp_path: Path
) -> None:
    """A worker of the colony has a certificate too, and may have come to the address of a queen that was."""
    now = time.time()
    sans = pki.node_sans(COLONY, "demo-1", ["127.0.0.1"], eligible=False)
    worker = pki.issue(colony_ca(), pki.make_key(), common_name="demo-1", sans=sans, now=now)
    server = await _serve(app, worker, tmp_path)
    try:
        _reigns_at(context, server)
        member = _other(context)
        member.authenticate(_header(put_account(context, "deploy", Role.VIEWER)))
        await member.uses.tell(context.commands)
        assert not app.gateway.public.requests.counts
        assert list(member.uses._due()), "it is tried again"
    finally:
        await server.stop()


async def test_nothing_is_kept_of_a_token_that_ended(app: GatewayApp, context: MemoryContext) -> None:
    authority = app.gateway.authority
    authority.authenticate(_header(put_account(context, "deploy", Role.VIEWER)))
    context.delete(context.keys.key("service-accounts", "deploy"))
    await authority.uses.tell(context.commands)
    assert context.commands.calls == []
    assert not authority.uses._used


async def test_without_a_queen_it_waits(app: GatewayApp, context: MemoryContext) -> None:
    authority = app.gateway.authority
    authority.authenticate(_header(put_account(context, "deploy", Role.VIEWER)))
    queen = context.projection.get(context.keys.queen)
    assert queen is not None
    context.delete(context.keys.queen)
    await authority.uses.tell(context.commands)
    context.memory.begin_reign(0)
    await authority.uses.tell(context.commands)
    assert authority.uses.recorded("deploy").used_at
