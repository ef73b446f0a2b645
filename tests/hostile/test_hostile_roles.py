"""Somebody with a little right tries to get more: each way was thought of by somebody who wanted it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import msgspec
import pytest

from aware_agent.colony.session import Session
from aware_agent.colony.spec import CasteSpec, Policies
from aware_agent.gateway.app import GatewayApp, create_gateway
from aware_agent.queen import commands as do
from aware_agent.security.grant import Grant
from aware_agent.security.jwt import TokenSigner, Unauthenticated, token_key
from aware_agent.security.records import UserRecord
from aware_agent.security.roles import Forbidden, Role
from aware_agent.security.service_account import ServiceAccount
from tests.gateway.memory import COLONY, PASSWORD, SECRET, MemoryContext
from tests.gateway.service_accounts import bearer, put_account

ACCOUNTS = "/v1/service-accounts"


@pytest.fixture
def context() -> MemoryContext:
    return MemoryContext()


@pytest.fixture
async def app(context: MemoryContext) -> GatewayApp:
    return create_gateway(context)


@pytest.fixture
async def client(app: GatewayApp) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="https://queen") as client:
        yield client


async def _login(client: httpx.AsyncClient, name: str) -> dict[str, str]:
    answer = await client.post("/v1/auth/token", json={"username": name, "password": PASSWORD})
    assert answer.status_code == 200, answer.text
    return {"authorization": f"Bearer {answer.json()['access_token']}"}


async def test_an_operator_does_not_get_at_the_policies_by_any_door(
    client: httpx.AsyncClient, context: MemoryContext
) -> None:
    """Dry run, preconditions, a repeated key, a spec that was right a moment ago, and the whole spec left out."""
    context.memory.put_spec(size=5, castes={"web": CasteSpec(count=2)}, policies=Policies(keep_events=5000))
    mine = await _login(client, "otto")
    spec = (await client.get("/v1/spec", headers=mine)).json()
    tag = str(spec["revision"])
    good, bad = spec["spec"], {**spec["spec"], "policies": {}}
    less = {**good, "policies": {**good["policies"], "keep_events": 1000}}
    for body in (bad, less, {**good, "policies": {"keep_events": 5000.5}}, {"colony": "demo", "size": 5}):
        for headers in ({}, {"if-match": tag}, {"if-match": "*"}, {"if-match": "0"}, {"idempotency-key": "k"}):
            for query in ("", "?dry_run=true", "?dry_run=false"):
                answer = await client.put("/v1/spec" + query, json=body, headers={**mine, **headers})
                assert answer.status_code in (403, 412, 422), (body, headers, query)
    same = {"idempotency-key": "twice"}
    assert (await client.put("/v1/spec", json={**good, "size": 6}, headers={**mine, **same})).status_code == 200
    again = await client.put("/v1/spec", json=less, headers={**mine, **same})
    assert again.status_code == 409, "the key was another request's"
    # Back to what was there before a security-admin changed it: a rollback by hand.
    context.memory.put_spec(size=5, policies=Policies(keep_events=9000))
    assert (await client.put("/v1/spec", json=good, headers=mine)).status_code == 403
    now = context.reader.data().spec
    assert now is not None
    assert now.policies.keep_events == 9000


@pytest.mark.parametrize("query", ["", "?dry_run=true"])
async def test_an_operator_does_not_roll_the_policies_back(
    client: httpx.AsyncClient, context: MemoryContext, query: str
) -> None:
    ada, otto = await _login(client, "ada"), await _login(client, "otto")
    spec = {"colony": "demo", "size": 5, "policies": {"keep_events": 2000}}
    lax = (await client.put("/v1/spec", json=spec, headers=ada)).json()["revision"]
    strict = {**spec, "policies": {"keep_events": 9000}}
    assert (await client.put("/v1/spec", json=strict, headers=ada)).status_code == 200
    refused = await client.post("/v1/spec/rollback" + query, json={"revision": lax}, headers=otto)
    assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
    assert "policies.keep_events" in refused.json()["detail"]
    now = context.reader.data().spec
    assert now is not None
    assert now.policies.keep_events == 9000
    if not query:
        assert (await client.post("/v1/spec/rollback", json={"revision": lax}, headers=ada)).status_code == 200


async def test_an_admin_does_not_come_by_a_provider_with_more(
    client: httpx.AsyncClient, context: MemoryContext
) -> None:
    """By a rule of his own, or by an issuer, a CA or a host of his own under a rule that is there."""
    ada, anna = await _login(client, "ada"), await _login(client, "anna")
    rules = [{"role": "admin", "values": ["ops"]}, {"role": "security-admin", "values": ["guards"]}]
    good = {"kind": "oidc", "issuer": "https://id.example.org", "audiences": ["a"], "rules": rules}
    path = "/v1/identity-providers/corp"
    assert (await client.put(path, json=good, headers=anna)).status_code == 403
    assert (await client.put(path, json=good, headers=ada)).status_code == 200
    before = context.memory.etcd.revision
    program = bearer(put_account(context, "deploy", Role.SECURITY_ADMIN, "*:*"))
    for change in ({"issuer": "https://evil.example"}, {"hosts": ["evil"]}, {"ca": "evil"}, {"rules": rules[:1]}, {}):
        for query in ("", "?dry_run=true"):
            for headers in (anna, {**anna, "if-match": str(before)}, program):
                answer = await client.put(path + query, json={**good, **change}, headers=headers)
                assert (answer.status_code, answer.json()["code"]) == (403, "forbidden"), (change, query)
    assert (await client.delete(path, headers=anna)).status_code == 403
    kept = (await client.get(path, headers=anna)).json()
    assert (kept["issuer"], kept["hosts"], len(kept["rules"])) == ("https://id.example.org", [], 2)


async def test_a_program_makes_nothing_stronger_than_itself(client: httpx.AsyncClient, context: MemoryContext) -> None:
    """Also with every role and every scope: what it makes would outlive it."""
    headers = bearer(put_account(context, "deploy", Role.SECURITY_ADMIN, "*:*"))
    before = context.memory.etcd.revision
    tries: list[tuple[str, str, Any]] = [
        ("PUT", "/v1/users/eve", {"role": "viewer", "password": "long enough"}),
        ("PUT", "/v1/users/ada", {"role": "security-admin", "password": "long enough"}),
        ("POST", ACCOUNTS, {"name": "eve"}),
        ("POST", f"{ACCOUNTS}/deploy/tokens", {"ttl_s": 600}),
        ("POST", "/v1/hooks/sign", {"operation": "verify", "ttl_s": 60}),
        ("POST", "/v1/rotation", {"action": "start"}),
        ("POST", "/v1/tokens", {"eligible": True}),
        ("DELETE", "/v1/auth/token", None),
    ]
    for method, path, body in tries:
        answer = await client.request(method, path, json=body, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden"), path
    assert context.memory.etcd.revision == before


async def test_the_queen_does_not_believe_a_gateway_that_lets_a_program_pass(context: MemoryContext) -> None:
    token = put_account(context, "deploy", Role.SECURITY_ADMIN, "*:*")
    account = context.reader.one("service-accounts/deploy", ServiceAccount)
    assert account is not None
    grant = Grant(role=Role.SECURITY_ADMIN, account=account.id, scopes=account.scopes, token=token.split(".")[2])
    reign = context.memory.reign()
    before = context.memory.etcd.revision
    for command in (
        do.PutUser(name="eve", role="viewer", password_hash="h"),
        do.CreateServiceAccount(name="eve", role=Role.VIEWER),
        do.CreateServiceToken(account="deploy", ttl_s=600.0),
    ):
        with pytest.raises(Forbidden):
            await context.memory.execute(reign, command, actor="sa:deploy", grant=grant)
    for changed in (
        msgspec.structs.replace(grant, token="0" * 16),
        msgspec.structs.replace(grant, account="another"),
    ):
        with pytest.raises(Unauthenticated):
            await context.memory.execute(reign, do.DeleteUser(name="vera"), actor="sa:deploy", grant=changed)
    with pytest.raises(Unauthenticated):  # and nobody is somebody else by his name
        await context.memory.execute(reign, do.DeleteUser(name="vera"), actor="sa:other", grant=grant)
    assert context.memory.etcd.revision == before


@pytest.mark.parametrize(
    "name",
    ["sa:deploy", "аda", "ada ", "ADA", "ada\u200b", "ａda", "ada%00", "ada~", "colony", "../ada"],  # noqa: RUF001
)
async def test_names_that_look_like_others_are_nobodys(
    client: httpx.AsyncClient, context: MemoryContext, name: str
) -> None:
    from urllib.parse import quote

    admin = await _login(client, "ada")
    body = {"role": "viewer", "password": "long enough"}
    before = dict(context.reader.many("users/", UserRecord))
    answer = await client.put(f"/v1/users/{quote(name, safe='')}", json=body, headers=admin)
    assert answer.status_code in (404, 422)
    assert context.reader.many("users/", UserRecord) == before
    login = await client.post("/v1/auth/token", json={"username": name, "password": PASSWORD})
    assert login.status_code == 401


async def test_a_program_does_not_log_in_as_a_person(client: httpx.AsyncClient, context: MemoryContext) -> None:
    secret = put_account(context, "deploy", Role.ADMIN)
    for name in ("deploy", "sa:deploy"):
        for password in (secret, secret.rsplit(".", 1)[1], PASSWORD):
            answer = await client.post("/v1/auth/token", json={"username": name, "password": password})
            assert answer.status_code in (401, 429)
    assert (await client.post("/v1/auth/refresh", json={"refresh_token": secret})).status_code == 401
    assert (await client.post("/v1/auth/refresh", json={"refresh_token": secret[:-1]})).status_code == 401


async def test_a_forged_token_of_a_program_is_nothing(client: httpx.AsyncClient, context: MemoryContext) -> None:
    """Another name, another id, an id that is a pattern, more or less parts; and a JWT that says it were one."""
    good = put_account(context, "deploy", Role.ADMIN)
    prefix, name, token_id, secret = good.split(".")
    forged = [
        f"{prefix}.deploy2.{token_id}.{secret}",
        f"{prefix}.{name}.{'0' * 16}.{secret}",
        f"{prefix}.{name}.{token_id}.{'A' * 43}",
        f"{prefix}.{name}.{token_id}",
        f"{prefix}.{name}.{token_id}.{secret}.x",
        f"{prefix}.../users/ada.{token_id}.{secret}",
        f"{prefix}.{name}.{token_id[:-1]}*.{secret}",
        f"{prefix}.{name}.{token_id}.{secret[:-1]}é",
        f"aware-sa2.{name}.{token_id}.{secret}",
        *(f"{prefix}.{name}.{token_id}.{secret[:-1]}{last}" for last in "ABCDEFGHIJKLMNOP" if last != secret[-1]),
        f"{prefix.upper()}.{name}.{token_id}.{secret}",
        good * 50,
    ]
    signer = TokenSigner(COLONY, token_key(COLONY, b"x" * 32))
    forged.append(signer.issue("sa:deploy", Role.ADMIN, now=1e9).token)
    for token in forged:
        answer = await client.get("/v1/auth/me", headers=[("authorization", f"Bearer {token}".encode())])
        assert answer.status_code == 401, token[:60]
    assert (await client.get("/v1/auth/me", headers=bearer(good))).status_code == 200


async def test_a_token_for_a_programs_name_is_not_the_programs(
    client: httpx.AsyncClient, app: GatewayApp, context: MemoryContext
) -> None:
    """Who holds the colony's secret signs what he likes: a program's name is no user's, so it opens nothing."""
    put_account(context, "deploy", Role.ADMIN)
    now = app.gateway.authority.now()
    signer = TokenSigner(COLONY, token_key(COLONY, SECRET))
    context.put(
        context.keys.key("sessions", "d" * 32),
        Session(user="sa:deploy", user_id="", begun_at=now, refreshed_at=now),
    )
    for session in ("", "d" * 32):
        token = signer.issue("sa:deploy", Role.ADMIN, now=now, ttl_s=60, session=session).token
        assert (await client.get("/v1/auth/me", headers=bearer(token))).status_code == 401


async def test_a_scope_is_not_widened_by_what_the_request_says(
    client: httpx.AsyncClient, context: MemoryContext
) -> None:
    """Other names of a node, other spellings of a path, other methods, a body that asks for more."""
    headers = bearer(put_account(context, "deploy", Role.SECURITY_ADMIN, "nodes:cordon@caste=web"))
    node = next(n for n in context.view().nodes if n.name == "demo-4")  # of caste store
    before = context.memory.etcd.revision
    for path in (f"/v1/nodes/{node.id}", "/v1/nodes/demo-4", "/v1/nodes/demo-4?node=demo-2", "/v1/nodes//demo-4"):
        answer = await client.patch(path, json={"cordoned": True}, headers=headers)
        assert answer.status_code in (403, 404, 405)
    for body in ({"drained": True}, {"labels": {"a": "b"}}, {"cordoned": True, "pinned": ["192.0.2.1"]}):
        assert (await client.patch("/v1/nodes/demo-2", json=body, headers=headers)).status_code == 403
    for method, path in (
        ("HEAD", "/v1/nodes"),
        ("GET", "/v1/nodes/"),
        ("DELETE", "/v1/nodes/demo-2"),
        ("GET", "/v1/spec"),
    ):
        assert (await client.request(method, path, headers=headers)).status_code in (403, 404, 405)
    assert context.memory.etcd.revision == before
