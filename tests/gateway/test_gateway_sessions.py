"""Sessions over HTTP: who sees and ends which, and that every gateway refuses one that ended."""

from __future__ import annotations

import time

import httpx
import msgspec
import pytest

from aware_agent.colony.session import GRACE_S, Session
from aware_agent.gateway.app import GatewayApp, create_gateway
from aware_agent.gateway.mirror import Mirror
from aware_agent.security.roles import Role
from tests.gateway.conftest import As
from tests.gateway.memory import PASSWORD, MemoryContext, node_id


async def log_in(client: httpx.AsyncClient, name: str, agent: str = "test/1") -> dict[str, str]:
    """The tokens."""
    body = {"username": name, "password": PASSWORD}
    answer = await client.post("/v1/auth/token", json=body, headers={"user-agent": agent})
    assert answer.status_code == 200
    return dict(answer.json())


def bearer(tokens: dict[str, str]) -> dict[str, str]:
    return {"authorization": f"Bearer {tokens['access_token']}"}


def age(context: MemoryContext, session: str, seconds: float = GRACE_S) -> None:
    """Let ``seconds`` pass for a session."""
    stored = context.reader.one(f"sessions/{session}", Session)
    assert stored is not None
    older = msgspec.structs.replace(stored, refreshed_at=stored.refreshed_at - seconds)
    context.put(context.keys.key("sessions", session), older)


async def test_without_a_queen_whoever_wants_to_know_why_can_log_in_and_read(
    context: MemoryContext, anonymous: httpx.AsyncClient
) -> None:
    """For minutes, and with nothing that outlives the vacancy or could not be had with a queen."""
    tokens, old = await log_in(anonymous, "vera"), await log_in(anonymous, "otto")
    age(context, old["session"])
    newer = (await anonymous.post("/v1/auth/refresh", json={"refresh_token": old["refresh_token"]})).json()
    ended = await log_in(anonymous, "ada")
    context.delete(context.keys.key("sessions", ended["session"]))
    context.delete(context.keys.queen)
    sessions = context.reader.many("sessions/", Session)

    async def refresh(token: str) -> httpx.Response:
        return await anonymous.post("/v1/auth/refresh", json={"refresh_token": token})

    bare = await log_in(anonymous, "vera")
    assert (bare["refresh_token"], bare["session"], bare["expires_in"]) == ("", "", 300)
    again = (await refresh(tokens["refresh_token"])).json()
    assert (again["refresh_token"], again["session"]) == (tokens["refresh_token"], tokens["session"])
    for good in (bare, again):
        assert (await anonymous.get("/v1/nodes", headers=bearer(good))).status_code == 200
        assert (await anonymous.get("/v1/auth/me", headers=bearer(good))).json()["role"] == "viewer"
    lost = (await refresh(old["refresh_token"])).json()  # the queen's answer was lost, and then she was
    assert lost["session"] == old["session"]
    for bad in (ended["refresh_token"], ""):
        assert (await refresh(bad)).status_code == 401
    assert (await refresh(newer["refresh_token"])).status_code == 200
    wrong = await anonymous.post("/v1/auth/token", json={"username": "vera", "password": "wrong"})
    assert wrong.status_code == 401
    assert context.reader.many("sessions/", Session) == sessions, "nothing was written"
    age(context, old["session"])
    assert (await refresh(old["refresh_token"])).status_code == 401, "it lost no answer for so long"
    context.memory.begin_reign(0)
    assert (await refresh(lost["refresh_token"])).json()["session"] == old["session"], "it counts as the newest turn"
    assert (await refresh(tokens["refresh_token"])).json()["session"] == tokens["session"], "it was not used up"


async def test_each_sees_his_own_and_an_admin_all(anonymous: httpx.AsyncClient) -> None:
    vera, ada = await log_in(anonymous, "vera", "curl/8"), await log_in(anonymous, "ada", "aware\x7f")
    (own,) = (await anonymous.get("/v1/sessions", headers=bearer(vera))).json()["sessions"]
    assert (own["id"], own["user"], own["client"], own["current"]) == (vera["session"], "vera", "curl/8", True)
    assert own["source"] == "127.0.0.1"
    assert own["begun_at"] == own["refreshed_at"] < own["ends_at"]
    everybody = (await anonymous.get("/v1/sessions", headers=bearer(ada))).json()["sessions"]
    assert {(one["user"], one["current"]) for one in everybody} == {("vera", False), ("ada", True)}
    assert {one["client"] for one in everybody} == {"curl/8", "aware?"}
    assert (await anonymous.get("/v1/auth/me", headers=bearer(vera))).json()["session"] == vera["session"]


async def test_each_ends_his_own_and_an_admin_anybodys(anonymous: httpx.AsyncClient) -> None:
    first, second, otto, ada = [await log_in(anonymous, name) for name in ("vera", "vera", "otto", "ada")]

    async def end(path: str, by: dict[str, str]) -> int:
        return (await anonymous.delete(path, headers=bearer(by))).status_code

    async def lasts(tokens: dict[str, str]) -> bool:
        return (await anonymous.get("/v1/cluster", headers=bearer(tokens))).status_code == 200

    assert await end(f"/v1/sessions/{otto['session']}", first) == 404, "nor is it said that it is there"
    assert await end("/v1/users/otto/sessions", first) == 403
    assert await end("/v1/sessions", first) == 403
    assert await end(f"/v1/sessions/{second['session']}", first) == 200
    assert [await lasts(tokens) for tokens in (first, second, otto)] == [True, False, True]
    assert await end("/v1/users/vera/sessions", first) == 200
    assert await end(f"/v1/sessions/{otto['session']}", ada) == 200
    assert [await lasts(tokens) for tokens in (first, otto, ada)] == [False, False, True]
    assert await end("/v1/sessions", ada) == 200
    assert not await lasts(ada)
    assert await lasts(await log_in(anonymous, "ada")), "no rotation: a password is all it takes"


async def test_a_used_refresh_token_ends_the_session_and_is_told(
    anonymous: httpx.AsyncClient, context: MemoryContext
) -> None:
    tokens = await log_in(anonymous, "otto")
    old = {"refresh_token": tokens["refresh_token"]}
    age(context, tokens["session"])
    fresh = (await anonymous.post("/v1/auth/refresh", json=old)).json()
    again = await anonymous.post("/v1/auth/refresh", json=old)
    assert again.status_code == 200, "its answer was lost"
    age(context, tokens["session"])
    refused = await anonymous.post("/v1/auth/refresh", json=old)
    assert (refused.status_code, refused.json()["code"]) == (401, "token-reused")
    for holder in (tokens, fresh, again.json()):
        assert (await anonymous.get("/v1/cluster", headers=bearer(holder))).status_code == 401
        shown = {"refresh_token": holder["refresh_token"]}
        assert (await anonymous.post("/v1/auth/refresh", json=shown)).status_code == 401
    told = [event for _, event in context.history if event.type.startswith("session.")]
    assert [(event.type, event.subject) for event in told] == [("session.reused", "otto")]
    assert (await anonymous.get("/v1/cluster", headers=bearer(await log_in(anonymous, "otto")))).status_code == 200


async def test_refreshing_in_a_loop_writes_no_history(anonymous: httpx.AsyncClient, context: MemoryContext) -> None:
    tokens = await log_in(anonymous, "vera")
    events, before = len(context.history), context.memory.etcd.revision
    for _ in range(50):
        answer = await anonymous.post("/v1/auth/refresh", json={"refresh_token": tokens["refresh_token"]})
        tokens = answer.json()
    assert answer.status_code == 200
    assert context.memory.etcd.revision == before
    assert len(context.history) == events


async def test_another_gateway_refuses_it_as_soon_as_its_mirror_shows_it(
    anonymous: httpx.AsyncClient, context: MemoryContext
) -> None:
    """The real mirror of a second member, which learns of the end by its watch alone."""
    member = Other(context)
    app = create_gateway(member)
    tokens = await log_in(anonymous, "ada")
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="https://member", headers=bearer(tokens)) as client:
        assert [(await client.get("/v1/cluster")).status_code for _ in range(2)] == [200, 200]
        login = await client.post("/v1/auth/token", json={"username": "ada", "password": PASSWORD})
        assert login.status_code == 307, "sessions are the queen's to begin"
        await anonymous.delete("/v1/auth/token", headers=bearer(tokens))
        assert [(await client.get(path)).status_code for path in ("/v1/cluster", "/v1/auth/me")] == [401, 401]


class Other(MemoryContext):
    """A second member of the same colony."""

    def __init__(self, first: MemoryContext) -> None:
        Mirror.__init__(self, first.memory.store, first.keys)
        for name in ("memory", "ca_pem", "council_ca_pem", "colony", "token_keys", "url_keys", "store_state"):
            setattr(self, name, getattr(first, name))
        self.projection, self.commands = first.projection, first.commands
        self.patience_s, self.me = 0.0, node_id(1)
        self._open()


@pytest.mark.parametrize("keep", [True, False])
async def test_a_changed_user_logs_in_again_unless_it_is_said_otherwise(
    anonymous: httpx.AsyncClient, admin: httpx.AsyncClient, keep: bool
) -> None:
    tokens = await log_in(anonymous, "otto")
    body = {"role": "viewer", "password": "another good password", "keep_sessions": keep}
    assert (await admin.put("/v1/users/otto", json=body)).status_code == 200
    me = await anonymous.get("/v1/auth/me", headers=bearer(tokens))
    assert me.status_code == (200 if keep else 401)
    if keep:
        assert me.json()["role"] == "viewer", "bounded all the same"


async def test_a_signed_url_of_a_deleted_user_is_not_the_new_ones(
    anonymous: httpx.AsyncClient, admin: httpx.AsyncClient, app: GatewayApp, as_: As, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app.gateway.authority, "_clock", lambda: time.time() - 2)
    body = {"operation": "scale", "ttl_s": 60, "delta": 1, "max_size": 9}
    path = (await anonymous.post("/v1/hooks/sign", json=body, headers=as_(Role.OPERATOR))).json()["path"]
    monkeypatch.undo()
    await admin.delete("/v1/users/otto")
    await admin.put("/v1/users/otto", json={"role": "operator", "password": PASSWORD})
    assert (await anonymous.post(path)).status_code == 401
