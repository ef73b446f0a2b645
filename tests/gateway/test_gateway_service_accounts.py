"""Service accounts over the interface: made, used, narrowed, revoked; and what they may never make themselves."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from aware_agent.colony.spec import Policies
from aware_agent.gateway.app import GatewayApp
from aware_agent.security.roles import Role
from aware_agent.security.service_account import MAX_EACH, MAX_TOKENS
from tests.gateway.conftest import As, eventually
from tests.gateway.memory import MemoryContext
from tests.gateway.service_accounts import bearer, put_account

ACCOUNTS = "/v1/service-accounts"


async def _made(client: httpx.AsyncClient, name: str, role: str = "operator", *scopes: str, **token: Any) -> Any:
    body = {"name": name, "role": role, "scopes": list(scopes)}
    answer = await client.post(ACCOUNTS, json=body)
    assert answer.status_code == 201, answer.text
    made = await client.post(f"{ACCOUNTS}/{name}/tokens", json={"ttl_s": 600, **token})
    assert made.status_code == 201, made.text
    return made.json()


async def test_one_is_made_used_listed_and_revoked_one_by_one(
    admin: httpx.AsyncClient, anonymous: httpx.AsyncClient, context: MemoryContext
) -> None:
    first = await _made(admin, "deploy", "operator", "nodes:*@caste=web")
    second = (await admin.post(f"{ACCOUNTS}/deploy/tokens", json={"ttl_s": 600, "scopes": []})).json()
    me = (await anonymous.get("/v1/auth/me", headers=bearer(first["token"]))).json()
    assert (me["name"], me["role"], me["scopes"]) == ("sa:deploy", "operator", ["nodes:*@caste=web"])
    assert me["expires_at"] == first["expires_at"]
    cordoned = await anonymous.patch("/v1/nodes/demo-2", json={"cordoned": True}, headers=bearer(first["token"]))
    assert cordoned.status_code == 200
    assert context.history[-1][1].actor == "sa:deploy"
    refused = await anonymous.patch("/v1/nodes/demo-4", json={"cordoned": True}, headers=bearer(first["token"]))
    assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
    assert "nodes:*@caste=web" in refused.json()["detail"]
    listed = await admin.get(ACCOUNTS)
    (account,) = listed.json()["accounts"]
    assert {token["id"] for token in account["tokens"]} == {first["id"], second["id"]}
    assert (account["owner"], account["role"]) == ("ada", "operator")
    kept = context.projection.get(context.keys.key("service-accounts", "deploy"))
    assert kept is not None
    for token in (first, second):
        secret = token["token"].rsplit(".", 1)[1]
        assert secret not in listed.text
        assert secret.encode() not in kept.value
        assert secret not in str(context.history)
    assert (await admin.delete(f"{ACCOUNTS}/deploy/tokens/{first['id']}")).status_code == 200
    assert (await anonymous.get("/v1/auth/me", headers=bearer(first["token"]))).status_code == 401
    assert (await anonymous.get("/v1/auth/me", headers=bearer(second["token"]))).status_code == 200
    assert (await admin.delete(f"{ACCOUNTS}/deploy")).status_code == 200
    assert (await anonymous.get("/v1/auth/me", headers=bearer(second["token"]))).status_code == 401
    assert [event.type for _, event in context.history if event.type.startswith("service-")] == [
        "service-account.created",
        "service-token.created",
        "service-token.created",
        "service-token.revoked",
        "service-account.deleted",
    ]


async def test_a_known_token_is_not_looked_at_again_and_ends_at_once_all_the_same(
    anonymous: httpx.AsyncClient, app: GatewayApp, context: MemoryContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    headers = bearer(put_account(context, "reader", Role.VIEWER, "inventory:read"))
    assert (await anonymous.get("/v1/inventory", headers=headers)).status_code == 200
    authority = app.gateway.authority
    with monkeypatch.context() as patched:
        patched.setattr(authority, "verify", None)  # who is known is not verified again
        assert (await anonymous.get("/v1/inventory", headers=headers)).status_code == 200
        assert (await anonymous.get("/v1/nodes", headers=headers)).status_code == 403, "nor let in elsewhere"
        pairs = [(b"host", b"queen"), (b"authorization", headers["authorization"].encode())]
        assert app.at_once(b"/v1/inventory", pairs) is not None
        for other in (b"/v1/nodes", b"/v1/cluster", b"/v1/spec", b"/v1/queen", b"/v1/nodes/demo-2"):
            assert app.at_once(other, pairs) is None, "while a request is parsed as little"
    context.delete(context.keys.key("service-accounts", "reader"))
    assert authority.recall(headers["authorization"].encode()) is None
    assert (await anonymous.get("/v1/inventory", headers=headers)).status_code == 401


async def test_without_a_queen_it_reads_on_and_expires(
    anonymous: httpx.AsyncClient, app: GatewayApp, context: MemoryContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    headers = bearer(put_account(context, "reader", Role.VIEWER, ttl_s=100.0))
    context.delete(context.keys.queen)
    assert (await anonymous.get("/v1/nodes", headers=headers)).status_code == 200
    now = app.gateway.authority.now()
    monkeypatch.setattr(app.gateway.authority, "_clock", lambda: now + 101)
    assert (await anonymous.get("/v1/nodes", headers=headers)).status_code == 401


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        (ACCOUNTS, {"name": "Deploy"}, "name"),
        (ACCOUNTS, {"name": "dерloy"}, "name"),  # two Cyrillic letters  # noqa: RUF001
        (ACCOUNTS, {"name": "a.b"}, "name"),
        (ACCOUNTS, {"name": ""}, "name"),
        (ACCOUNTS, {"name": "a", "role": "node"}, "role"),
        (ACCOUNTS, {"name": "a", "scopes": ["nodes:fly"]}, "scopes"),
        (ACCOUNTS, {"name": "a", "scopes": ["users:change"]}, "scopes"),
        (f"{ACCOUNTS}/deploy/tokens", {"ttl_s": 59}, "ttl_s"),
        (f"{ACCOUNTS}/deploy/tokens", {"ttl_s": 90 * 86400 + 1}, "ttl_s"),
        (f"{ACCOUNTS}/deploy/tokens", {"ttl_s": 600, "scopes": ["moons:read"]}, "scopes"),
    ],
)
async def test_what_cannot_be_is_one_clear_error(
    admin: httpx.AsyncClient, context: MemoryContext, path: str, body: Any, field: str
) -> None:
    put_account(context, "deploy", Role.VIEWER)
    before = context.memory.etcd.revision
    refused = await admin.post(path, json=body)
    assert refused.status_code == 422, refused.text
    assert refused.json()["field"] == field
    assert context.memory.etcd.revision == before


async def test_the_lifetime_is_bounded_by_the_policy_of_now(admin: httpx.AsyncClient, context: MemoryContext) -> None:
    await _made(admin, "deploy")
    context.memory.put_spec(size=5, policies=Policies(service_token_lifetime_s=300.0))
    refused = await admin.post(f"{ACCOUNTS}/deploy/tokens", json={"ttl_s": 301})
    assert refused.status_code == 422
    assert "service_token_lifetime_s" in refused.json()["hint"]
    assert (await admin.post(f"{ACCOUNTS}/deploy/tokens", json={"ttl_s": 300})).status_code == 201


async def test_neither_accounts_nor_tokens_grow_without_bound(admin: httpx.AsyncClient, context: MemoryContext) -> None:
    await _made(admin, "deploy")
    for _ in range(MAX_TOKENS - 1):
        assert (await admin.post(f"{ACCOUNTS}/deploy/tokens", json={"ttl_s": 600})).status_code == 201
    assert (await admin.post(f"{ACCOUNTS}/deploy/tokens", json={"ttl_s": 600})).status_code == 409
    put_account(context, "old", Role.VIEWER, ttl_s=-1.0)
    for _ in range(MAX_TOKENS):  # those that expired make room
        assert (await admin.post(f"{ACCOUNTS}/old/tokens", json={"ttl_s": 600})).status_code == 201
    for number in range(MAX_EACH - 2):
        put_account(context, f"a{number}", Role.VIEWER)
    assert (await admin.post(ACCOUNTS, json={"name": "more"})).status_code == 409
    assert (await admin.post(ACCOUNTS, json={"name": "deploy"})).status_code == 409


async def test_nobody_makes_one_above_himself_nor_touches_one(
    anonymous: httpx.AsyncClient, context: MemoryContext, as_: As
) -> None:
    headers = as_(Role.ADMIN)
    put_account(context, "high", Role.SECURITY_ADMIN)
    before = context.memory.etcd.revision
    for method, path, body in (
        ("POST", ACCOUNTS, {"name": "up", "role": "security-admin"}),
        ("POST", f"{ACCOUNTS}/high/tokens", {"ttl_s": 600}),
        ("DELETE", f"{ACCOUNTS}/high", None),
    ):
        assert (await anonymous.request(method, path, json=body, headers=headers)).status_code == 403
    assert context.memory.etcd.revision == before


async def test_a_token_does_not_widen_its_account(admin: httpx.AsyncClient) -> None:
    await _made(admin, "deploy", "admin", "nodes:*@caste=web", "*:read")
    for scopes in (["nodes:*"], ["nodes:cordon@caste=store"], ["*:*"], ["nodes:cordon@caste=web", "spec:change"]):
        refused = await admin.post(f"{ACCOUNTS}/deploy/tokens", json={"ttl_s": 600, "scopes": scopes})
        assert refused.status_code == 403, scopes
    narrow = await admin.post(f"{ACCOUNTS}/deploy/tokens", json={"ttl_s": 600, "scopes": ["nodes:cordon@caste=web"]})
    assert narrow.status_code == 201


async def test_labels_a_node_reports_itself_open_nothing(
    anonymous: httpx.AsyncClient, admin: httpx.AsyncClient, context: MemoryContext
) -> None:
    context.add_node(2, labels={"disk": "ssd"})
    headers = bearer(put_account(context, "deploy", Role.OPERATOR, "nodes:cordon@label:disk=ssd"))
    lying = await anonymous.patch("/v1/nodes/demo-3", json={"cordoned": True}, headers=headers)
    assert lying.status_code == 403
    assert (await admin.patch("/v1/nodes/demo-3", json={"labels": {"disk": "ssd"}})).status_code == 200
    assert (await anonymous.patch("/v1/nodes/demo-3", json={"cordoned": True}, headers=headers)).status_code == 200
    both = await anonymous.patch("/v1/nodes/demo-3", json={"cordoned": False, "labels": {"a": "b"}}, headers=headers)
    assert both.status_code == 403, "all of a request, or nothing"


async def test_they_go_with_their_owner(
    anonymous: httpx.AsyncClient, admin: httpx.AsyncClient, context: MemoryContext
) -> None:
    token = put_account(context, "deploy", Role.ADMIN, owner="anna")
    assert (await anonymous.get("/v1/users", headers=bearer(token))).status_code == 200
    assert (await admin.put("/v1/users/anna", json={"role": "operator"})).status_code == 200
    assert (await anonymous.get("/v1/users", headers=bearer(token))).status_code == 403, "bounded by its owner's role"
    assert (await admin.delete("/v1/users/anna")).status_code == 200
    assert context.projection.get(context.keys.key("service-accounts", "deploy")) is None
    assert (await anonymous.get("/v1/users", headers=bearer(token))).status_code == 401


async def test_an_operators_hook_by_scope_of_its_caste(anonymous: httpx.AsyncClient, context: MemoryContext) -> None:
    headers = bearer(put_account(context, "scaler", Role.OPERATOR, "hooks:order@caste=web"))
    order = {"operation": "scale", "delta": 1, "caste": "web", "max_size": 9}
    assert (await anonymous.post("/v1/hooks/heat/demo", json=order, headers=headers)).status_code == 202
    for other in ({**order, "caste": "store"}, {**order, "caste": ""}):
        assert (await anonymous.post("/v1/hooks/heat/demo", json=other, headers=headers)).status_code == 403
    assert len(context.commands.orders) == 1


async def test_a_stream_ends_with_its_token(
    anonymous: httpx.AsyncClient, app: GatewayApp, context: MemoryContext
) -> None:
    token = put_account(context, "watch", Role.VIEWER, "events:read")
    ticket = (await anonymous.post("/v1/auth/ticket", headers=bearer(token))).json()["ticket"]
    who = app.gateway.authority.redeem(ticket)
    assert (who.name, who.scopes) == ("sa:watch", ("events:read",))
    assert app.gateway.authority.holds(who)
    context.delete(context.keys.key("service-accounts", "watch"))
    assert not app.gateway.authority.holds(who)
    await eventually(lambda: app.gateway.authority.recall(bearer(token)["authorization"].encode()) is None)
