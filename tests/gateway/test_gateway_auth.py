"""Logging in, staying in, being thrown out."""

from __future__ import annotations

import asyncio
from pathlib import Path

import httpx
import msgspec
import pytest

from aware_agent.colony.session import Session
from aware_agent.gateway import authority as authority_module
from aware_agent.gateway.app import GatewayApp
from aware_agent.queen.commands import PutUser
from aware_agent.security.jwt import TokenSigner, Unauthenticated
from aware_agent.security.password_rules import PasswordRules
from aware_agent.security.records import UserRecord
from aware_agent.security.roles import Role
from tests.gateway.conftest import As
from tests.gateway.memory import COLONY, PASSWORD, SECRET, MemoryContext
from tests.memory_colony import join_request

LOGIN = {"username": "otto", "password": PASSWORD}


class Clock:
    """Unix time that only moves when told."""

    def __init__(self, now: float) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(app: GatewayApp) -> Clock:
    clock = Clock(app.gateway.authority.now())
    app.gateway.authority._clock = clock
    return clock


async def test_log_in_use_refresh_and_log_out(anonymous: httpx.AsyncClient) -> None:
    tokens = (await anonymous.post("/v1/auth/token", json=LOGIN)).json()
    assert tokens["token_type"] == "Bearer"
    assert tokens["role"] == "operator"
    anonymous.headers["authorization"] = f"Bearer {tokens['access_token']}"
    assert (await anonymous.get("/v1/auth/me")).json()["name"] == "otto"
    fresh = (await anonymous.post("/v1/auth/refresh", json={"refresh_token": tokens["refresh_token"]})).json()
    assert fresh["access_token"] != tokens["access_token"]
    assert fresh["session"] == tokens["session"]
    assert (await anonymous.delete("/v1/auth/token")).status_code == 200
    for token in (tokens["access_token"], fresh["access_token"]):
        anonymous.headers["authorization"] = f"Bearer {token}"
        for _ in range(2):
            assert (await anonymous.get("/v1/cluster")).status_code == 401
    for token in (tokens["refresh_token"], fresh["refresh_token"]):
        assert (await anonymous.post("/v1/auth/refresh", json={"refresh_token": token})).status_code == 401


async def test_refreshes_at_the_same_time_make_one_turn(anonymous: httpx.AsyncClient, context: MemoryContext) -> None:
    """Two programs that share the tokens of one login, as two ``aware`` beside each other."""
    tokens = (await anonymous.post("/v1/auth/token", json=LOGIN)).json()
    key = context.keys.key("sessions", tokens["session"])
    stored = context.reader.one(f"sessions/{tokens['session']}", Session)
    assert stored is not None
    context.put(key, msgspec.structs.replace(stored, refreshed_at=stored.refreshed_at - 3600))
    before, body = context.memory.etcd.revision, {"refresh_token": tokens["refresh_token"]}
    answers = await asyncio.gather(*(anonymous.post("/v1/auth/refresh", json=body) for _ in range(4)))
    assert [answer.status_code for answer in answers] == [200] * 4
    assert context.memory.etcd.revision == before + 1
    for answer in answers:
        again = await anonymous.post("/v1/auth/refresh", json={"refresh_token": answer.json()["refresh_token"]})
        assert again.status_code == 200


async def test_an_access_token_refreshes_nothing_and_a_refresh_token_opens_nothing(
    anonymous: httpx.AsyncClient,
) -> None:
    tokens = (await anonymous.post("/v1/auth/token", json=LOGIN)).json()
    wrong = await anonymous.post("/v1/auth/refresh", json={"refresh_token": tokens["access_token"]})
    assert wrong.status_code == 401
    header = {"authorization": f"Bearer {tokens['refresh_token']}"}
    assert (await anonymous.get("/v1/cluster", headers=header)).status_code == 401


@pytest.mark.parametrize(
    "login", [{"username": "otto", "password": "wrong"}, {"username": "nobody", "password": PASSWORD}]
)
async def test_a_failed_login_does_not_say_what_was_wrong(anonymous: httpx.AsyncClient, login: object) -> None:
    response = await anonymous.post("/v1/auth/token", json=login)
    assert response.status_code == 401
    assert response.json()["detail"] == "user name or password is wrong"


async def test_lock_out_grows_and_ends(anonymous: httpx.AsyncClient, clock: Clock) -> None:
    wrong = {"username": "otto", "password": "wrong"}
    for _ in range(5):
        assert (await anonymous.post("/v1/auth/token", json=wrong)).status_code == 401
    waits = []
    for _ in range(3):
        # While locked out even the right password is refused.
        locked = await anonymous.post("/v1/auth/token", json=LOGIN)
        assert locked.status_code == 429
        assert locked.json()["code"] == "too-many-attempts"
        waits.append(int(locked.headers["retry-after"]))
        clock.now += waits[-1]
        assert (await anonymous.post("/v1/auth/token", json=wrong)).status_code == 401
    assert waits == [5, 10, 20]
    other = {"username": "vera", "password": PASSWORD}
    assert (await anonymous.post("/v1/auth/token", json=other)).status_code == 200
    clock.now += 1000
    assert (await anonymous.post("/v1/auth/token", json=LOGIN)).status_code == 200


async def test_guesses_sent_at_once_are_counted_each(anonymous: httpx.AsyncClient) -> None:
    wrong = {"username": "otto", "password": "wrong"}
    answers = await asyncio.gather(*(anonymous.post("/v1/auth/token", json=wrong) for _ in range(12)))
    assert sorted(answer.status_code for answer in answers) == [401] * 5 + [429] * 7


async def test_wrong_join_tokens_lock_their_source_out(anonymous: httpx.AsyncClient) -> None:
    body = msgspec.to_builtins(join_request("0" * 16, "x" * 43))
    for _ in range(5):
        refused = await anonymous.post("/v1/join", json=body)
        assert refused.status_code == 403
        assert refused.json()["code"] == "token-refused"
        assert "x" * 43 not in refused.text
    assert (await anonymous.post("/v1/join", json=body)).status_code == 429


async def test_a_good_join_token_joins(admin: httpx.AsyncClient, anonymous: httpx.AsyncClient) -> None:
    token = (await admin.post("/v1/tokens", json={})).json()["token"].split(".")
    body = msgspec.to_builtins(join_request(token[1], token[2]))
    answer = await anonymous.post("/v1/join", json=body)
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    assert answer.json()["etcd"] == [], "a worker is not even told where etcd is"


async def test_a_token_ends_with_its_time(admin: httpx.AsyncClient, clock: Clock) -> None:
    assert (await admin.get("/v1/cluster")).status_code == 200
    clock.now += 3600 + 10
    for _ in range(2):
        assert (await admin.get("/v1/cluster")).status_code == 401


async def test_a_lower_role_binds_tokens_given_before(admin: httpx.AsyncClient, context: MemoryContext) -> None:
    assert (await admin.get("/v1/users")).status_code == 200
    _change(context, "ada", Role.VIEWER)
    assert (await admin.get("/v1/users")).status_code == 403
    assert (await admin.get("/v1/auth/me")).json()["role"] == "viewer"


async def test_a_higher_role_does_not_raise_tokens_given_before(
    anonymous: httpx.AsyncClient, context: MemoryContext, as_: As
) -> None:
    headers = as_(Role.VIEWER)
    _change(context, "vera", Role.ADMIN)
    assert (await anonymous.get("/v1/users", headers=headers)).status_code == 403


async def test_a_changed_password_ends_all_tokens_given_before(
    anonymous: httpx.AsyncClient, app: GatewayApp, context: MemoryContext
) -> None:
    tokens = (await anonymous.post("/v1/auth/token", json=LOGIN)).json()
    anonymous.headers["authorization"] = f"Bearer {tokens['access_token']}"
    assert (await anonymous.get("/v1/cluster")).status_code == 200
    user = app.gateway.authority.user("otto")
    assert user is not None
    changed = PutUser(name="otto", role="operator", password_hash=user.password_hash)
    await context.commands.run(changed, actor="ada")
    assert (await anonymous.get("/v1/cluster")).status_code == 401
    refused = await anonymous.post("/v1/auth/refresh", json={"refresh_token": tokens["refresh_token"]})
    assert refused.status_code == 401
    again = (await anonymous.post("/v1/auth/token", json=LOGIN)).json()
    anonymous.headers["authorization"] = f"Bearer {again['access_token']}"
    assert (await anonymous.get("/v1/cluster")).status_code == 200


async def test_a_deleted_user_is_out_at_once(admin: httpx.AsyncClient, context: MemoryContext) -> None:
    assert (await admin.get("/v1/cluster")).status_code == 200
    context.delete(context.keys.key("users", "ada"))
    for path in ("/v1/cluster", "/v1/auth/me"):
        assert (await admin.get(path)).status_code == 401


async def test_tokens_of_another_colony_or_secret_are_refused(anonymous: httpx.AsyncClient, app: GatewayApp) -> None:
    now = app.gateway.authority.now()
    for signer in (TokenSigner("other", SECRET), TokenSigner(COLONY, b"t" * 32)):
        token = signer.issue("ada", Role.ADMIN, now=now).token
        header = {"authorization": f"Bearer {token}"}
        assert (await anonymous.get("/v1/cluster", headers=header)).status_code == 401


async def test_memory_for_tokens_and_tickets_is_bounded(
    app: GatewayApp, as_: As, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(authority_module, "MAX_CACHED", 8)
    monkeypatch.setattr(authority_module, "MAX_TICKETS", 8)
    authority = app.gateway.authority
    headers = [as_(Role.VIEWER)["authorization"].encode() for _ in range(20)]
    principals = [authority.authenticate(header) for header in headers]
    assert len(authority._verified) == 8
    assert authority.recall(headers[-1]) == principals[-1]
    tickets = [authority.ticket(principal) for principal in principals]
    assert len(authority._tickets) == 8
    authority.redeem(tickets[-1])
    with pytest.raises(Unauthenticated):
        authority.redeem(tickets[0])


async def test_a_ticket_works_once_and_not_for_long(app: GatewayApp, as_: As, clock: Clock) -> None:
    authority = app.gateway.authority
    principal = authority.authenticate(as_(Role.VIEWER)["authorization"].encode())
    ticket = authority.ticket(principal)
    assert authority.redeem(ticket) == principal
    with pytest.raises(Unauthenticated):
        authority.redeem(ticket)
    late = authority.ticket(principal)
    clock.now += 31
    with pytest.raises(Unauthenticated):
        authority.redeem(late)


def _change(context: MemoryContext, name: str, role: Role) -> None:
    key = context.keys.key("users", name)
    stored = context.projection.get(key)
    assert stored
    record = msgspec.json.decode(stored.value, type=UserRecord)
    context.put(key, msgspec.structs.replace(record, role=role))


async def test_a_password_has_to_follow_the_rules_when_it_is_set(
    admin: httpx.AsyncClient, context: MemoryContext, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    refused = tmp_path / "refused.txt"
    refused.write_text("everybody's first\n")
    context.password_rules = PasswordRules(min_length=10, refused_file=str(refused))
    for password, status, code in (
        ("too short", 422, "invalid-input"),
        ("everybody's first", 422, "password-refused"),
        ("quite another", 200, ""),
    ):
        answer = await admin.put("/v1/users/nina", json={"role": "viewer", "password": password})
        assert (answer.status_code, answer.json().get("code", "")) == (status, code)
        assert password not in answer.text + caplog.text
    refused.unlink()
    answer = await admin.put("/v1/users/nina", json={"role": "viewer", "password": "yet another one"})
    assert (answer.status_code, answer.json()["code"]) == (503, "password-list-unreadable")
    assert (await admin.put("/v1/users/nina", json={"role": "operator"})).status_code == 200
