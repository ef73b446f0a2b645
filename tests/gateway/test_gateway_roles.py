"""Who may do what, over every route there is: a new route without a row here fails the first test."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from aware_agent.colony.backup import BackupPolicy
from aware_agent.colony.spec import Policies
from aware_agent.security.roles import Role
from tests.gateway.conftest import As
from tests.gateway.memory import MemoryContext

VIEW, CHANGE, GOVERN, SECURE = Role.VIEWER, Role.OPERATOR, Role.ADMIN, Role.SECURITY_ADMIN
SPEC = {"colony": "demo", "size": 4, "policies": {"backup": {"every": "6h"}}}
PROVIDER = {"kind": "keystone", "url": "https://cloud:5000/v3", "rules": [{"role": "viewer", "values": ["a"]}]}
# method, path, least role (None: everybody), body
TABLE: list[tuple[str, str, Role | None, Any]] = [
    ("GET", "/v1/cluster", VIEW, None),
    ("GET", "/v1/spec", VIEW, None),
    ("PUT", "/v1/spec", CHANGE, SPEC),
    ("GET", "/v1/spec/history", VIEW, None),
    ("GET", "/v1/spec/diff", VIEW, None),
    ("POST", "/v1/spec/rollback", CHANGE, {"revision": 1}),
    ("GET", "/v1/castes", VIEW, None),
    ("GET", "/v1/castes/{name}", VIEW, None),
    ("PUT", "/v1/castes/{name}/demand", CHANGE, {"value": 12.5}),
    ("GET", "/v1/nodes", VIEW, None),
    ("GET", "/v1/nodes/{node}", VIEW, None),
    ("PATCH", "/v1/nodes/{node}", CHANGE, {"cordoned": True}),
    ("DELETE", "/v1/nodes/{node}", GOVERN, None),
    ("PUT", "/v1/nodes/{node}/away", GOVERN, {"reason": "a new disk"}),
    ("DELETE", "/v1/nodes/{node}/away", GOVERN, None),
    ("GET", "/v1/nodes/{node}/config", VIEW, None),
    ("PUT", "/v1/nodes/{node}/config", CHANGE, {"config": {"vars": {"a": 1}}}),
    ("GET", "/v1/nodes/{node}/config/history", VIEW, None),
    ("GET", "/v1/nodes/{node}/config/diff", VIEW, None),
    ("POST", "/v1/nodes/{node}/config/rollback", CHANGE, {"revision": 1}),
    ("GET", "/v1/denied-keys", GOVERN, None),
    ("DELETE", "/v1/denied-keys/{key}", GOVERN, None),
    ("POST", "/v1/nodes/{node}/commands", CHANGE, {"command": {"type": "log-level", "level": "debug"}}),
    ("GET", "/v1/nodes/{node}/channel", VIEW, None),
    ("GET", "/v1/queen", VIEW, None),
    ("POST", "/v1/queen/step-down", GOVERN, None),
    ("POST", "/v1/queen/transfer", GOVERN, {"node": "demo-2"}),
    ("GET", "/v1/events", VIEW, None),
    ("GET", "/v1/events/stream", VIEW, None),
    ("GET", "/v1/inventory", VIEW, None),
    ("POST", "/v1/auth/token", None, {"username": "a", "password": "b"}),
    ("POST", "/v1/auth/refresh", None, {"refresh_token": "x"}),
    ("DELETE", "/v1/auth/token", VIEW, None),
    ("GET", "/v1/auth/me", VIEW, None),
    ("POST", "/v1/auth/ticket", VIEW, None),
    ("GET", "/v1/auth/providers", None, None),
    ("GET", "/v1/auth/oidc/{name}/login", None, None),
    ("GET", "/v1/auth/oidc/{name}/callback", None, None),
    ("POST", "/v1/auth/exchange", None, {"provider": "vera", "token": "x"}),
    ("GET", "/v1/identity-providers", GOVERN, None),
    ("GET", "/v1/identity-providers/{name}", GOVERN, None),
    ("PUT", "/v1/identity-providers/{name}", GOVERN, PROVIDER),
    ("DELETE", "/v1/identity-providers/{name}", GOVERN, None),
    ("GET", "/v1/secrets", GOVERN, None),
    ("GET", "/v1/secrets/{name}", GOVERN, None),
    ("PUT", "/v1/secrets/{name}", GOVERN, {"kind": "text", "text": "swordfish"}),
    ("DELETE", "/v1/secrets/{name}", GOVERN, None),
    ("GET", "/v1/users", GOVERN, None),
    ("GET", "/v1/users/{name}", GOVERN, None),
    ("PUT", "/v1/users/{name}", GOVERN, {"role": "viewer", "password": "long enough"}),
    ("DELETE", "/v1/users/{name}", GOVERN, None),
    ("DELETE", "/v1/users/{name}/sessions", VIEW, None),
    ("GET", "/v1/service-accounts", GOVERN, None),
    ("POST", "/v1/service-accounts", GOVERN, {"name": "deploy", "role": "viewer"}),
    ("GET", "/v1/service-accounts/{name}", GOVERN, None),
    ("DELETE", "/v1/service-accounts/{name}", GOVERN, None),
    ("POST", "/v1/service-accounts/{name}/tokens", GOVERN, {"ttl_s": 600}),
    ("DELETE", "/v1/service-accounts/{name}/tokens/{token_id}", GOVERN, None),
    ("GET", "/v1/sessions", VIEW, None),
    ("DELETE", "/v1/sessions", GOVERN, None),
    ("DELETE", "/v1/sessions/{session_id}", VIEW, None),
    ("GET", "/v1/tokens", GOVERN, None),
    ("POST", "/v1/tokens", GOVERN, {}),
    ("DELETE", "/v1/tokens/{token_id}", GOVERN, None),
    ("POST", "/v1/join", None, {}),
    ("POST", "/v1/renew", None, {}),
    ("GET", "/v1/rotation", VIEW, None),
    ("POST", "/v1/rotation", SECURE, {"action": "start"}),
    ("POST", "/v1/hooks/sign", CHANGE, {"operation": "verify", "ttl_s": 60}),
    ("POST", "/v1/hooks/heat/{cluster}", None, {"operation": "verify"}),
    ("GET", "/v1/operations", VIEW, None),
    ("GET", "/v1/jobs", VIEW, None),
    ("POST", "/v1/jobs", CHANGE, {"operation": "scale", "parameters": {"delta": 1}}),
    ("GET", "/v1/jobs/{job_id}", VIEW, None),
    ("GET", "/v1/jobs/{job_id}/log", CHANGE, None),
    ("POST", "/v1/jobs/{job_id}/cancel", CHANGE, None),
    ("POST", "/v1/jobs/{job_id}/retry", CHANGE, None),
    ("GET", "/v1/webhooks", GOVERN, None),
    ("POST", "/v1/webhooks", GOVERN, {"url": "https://hooks.example/aware"}),
    ("GET", "/v1/webhooks/{webhook_id}", GOVERN, None),
    ("PATCH", "/v1/webhooks/{webhook_id}", GOVERN, {"paused": True}),
    ("DELETE", "/v1/webhooks/{webhook_id}", GOVERN, None),
    ("POST", "/v1/webhooks/{webhook_id}/secret", GOVERN, {}),
    ("POST", "/v1/webhooks/{webhook_id}/test", GOVERN, None),
    ("GET", "/v1/webhooks/{webhook_id}/deliveries", GOVERN, None),
    ("GET", "/v1/webhooks/{webhook_id}/dead", GOVERN, None),
    ("DELETE", "/v1/webhooks/{webhook_id}/dead", GOVERN, None),
    ("POST", "/v1/webhooks/{webhook_id}/dead/replay", GOVERN, None),
    ("DELETE", "/v1/webhooks/{webhook_id}/dead/{event_id}", GOVERN, None),
    ("POST", "/v1/webhooks/{webhook_id}/dead/{event_id}/replay", GOVERN, None),
    ("GET", "/v1/backups", VIEW, None),
    ("POST", "/v1/backups", CHANGE, None),
    ("GET", "/v1/audit", GOVERN, None),
    ("POST", "/v1/check", CHANGE, {"run": "c" * 32}),
    ("GET", "/v1/check/{run}", CHANGE, None),
    ("PUT", "/v1/check/{run}", CHANGE, {"value": 1}),
    ("DELETE", "/v1/check/{run}", CHANGE, None),
    ("GET", "/healthz", None, None),
    ("GET", "/readyz", None, None),
    ("GET", "/readyz/queen", None, None),
    ("GET", "/metrics", None, None),
    ("GET", "/v1/ca", None, None),
    ("GET", "/v1/council", None, None),
    ("GET", "/v1/council/members", VIEW, None),
    ("GET", "/v1/election", VIEW, None),
    ("GET", "/v1/monitoring/targets", VIEW, None),
    ("POST", "/v1/council/move", GOVERN, {"from": "demo-2"}),
]
GUARDED = [row for row in TABLE if row[2] is not None]


def _path(path: str) -> str:
    ids = {"token_id": "0" * 16, "session_id": "0" * 32, "job_id": "0" * 26, "key": "p" * 43, "run": "c" * 32}
    ids |= {"webhook_id": "0" * 26, "event_id": "0" * 26}
    return path.format(node="demo-2", name="vera", cluster="demo", **ids) if "{" in path else path


def _name(row: tuple[str, str, Role | None, Any]) -> str:
    return f"{row[0]} {row[1]}"


async def test_the_table_knows_every_route(anonymous: httpx.AsyncClient) -> None:
    described = (await anonymous.get("/openapi.json")).json()["paths"]
    routes = {(m.upper(), p, d.get("x-aware-role")) for p, ms in described.items() for m, d in ms.items()}
    assert routes == {(method, path, role and str(role)) for method, path, role, _ in TABLE}


@pytest.mark.parametrize("row", GUARDED, ids=_name)
async def test_nobody_gets_in_without_a_token(anonymous: httpx.AsyncClient, row: Any) -> None:
    method, path, _, body = row
    for headers in ({}, {"authorization": "Bearer nonsense"}, {"authorization": "Basic YTpi"}):
        response = await anonymous.request(method, _path(path), json=body, headers=headers)
        assert response.status_code == 401
        assert response.headers["www-authenticate"].startswith("Bearer")
        assert response.json()["code"] == "unauthenticated"


@pytest.mark.parametrize("row", [row for row in GUARDED if row[2] is not VIEW], ids=_name)
async def test_lower_roles_are_refused_and_change_nothing(
    anonymous: httpx.AsyncClient, context: MemoryContext, as_: As, row: Any
) -> None:
    method, path, needed, body = row
    order = (VIEW, CHANGE, GOVERN, SECURE)
    for role in order[: order.index(needed)]:
        response = await anonymous.request(method, _path(path), json=body, headers=as_(role))
        assert response.status_code == 403
        assert response.json()["code"] == "forbidden"
    assert context.commands.calls == []


@pytest.mark.parametrize("patch", [{"pinned": ["192.0.2.7"]}, {"drained": True}])
async def test_what_of_a_node_an_operator_may_not_change(
    anonymous: httpx.AsyncClient, context: MemoryContext, as_: As, patch: dict[str, Any]
) -> None:
    """Addresses of its certificate; and whether it reigns and sits, as with a transfer and a moved seat."""
    refused = await anonymous.patch("/v1/nodes/demo-2", json=patch, headers=as_(CHANGE))
    assert refused.status_code == 403
    assert context.commands.calls == []
    assert (await anonymous.patch("/v1/nodes/demo-2", json=patch, headers=as_(GOVERN))).status_code == 200


@pytest.mark.parametrize("row", [row for row in GUARDED if "stream" not in row[1]], ids=_name)
async def test_the_least_role_suffices(anonymous: httpx.AsyncClient, context: MemoryContext, as_: As, row: Any) -> None:
    method, path, needed, body = row
    context.memory.put_spec(size=5, policies=Policies(backup=BackupPolicy(every="6h")))
    response = await anonymous.request(method, _path(path), json=body, headers=as_(needed))
    # Join token, job, webhook, check and service account do not exist, a living node is removed by force only, and the
    # spec has no council: all say that the role let us pass.
    expected = {
        "/v1/tokens/{token_id}": (404,),
        "/v1/denied-keys/{key}": (404,),
        "/v1/sessions/{session_id}": (404,),
        "/v1/nodes/{node}": (200, 409),
        "/v1/jobs/{job_id}": (404,),
        "/v1/jobs/{job_id}/log": (404,),
        "/v1/jobs/{job_id}/cancel": (404,),
        "/v1/jobs/{job_id}/retry": (404,),
        "/v1/council/move": (409,),
        "/v1/check/{run}": (200, 404),
        "/v1/castes/{name}": (404,),  # the name is a user's
        "/v1/castes/{name}/demand": (404,),
        "/v1/spec/diff": (422,),  # from which revision?
        "/v1/nodes/{node}/config/diff": (422,),
        "/v1/spec/rollback": (404, 410),  # there was nothing at revision 1
        "/v1/nodes/{node}/config/rollback": (404,),
        "/v1/identity-providers/{name}": (200, 404),
        "/v1/secrets/{name}": (200, 404),
        "/v1/service-accounts/{name}": (404,),
        "/v1/service-accounts/{name}/tokens": (404,),
        "/v1/service-accounts/{name}/tokens/{token_id}": (404,),
    }.get(path, (404,) if "{webhook_id}" in path else (200, 201, 202))
    assert response.status_code in expected


@pytest.mark.parametrize("row", [row for row in TABLE if row[2] is None], ids=_name)
async def test_open_routes_ask_for_no_token(anonymous: httpx.AsyncClient, row: Any) -> None:
    method, path, _, body = row
    response = await anonymous.request(method, path, json=body)
    expected = {
        "/v1/join": 422,
        "/v1/renew": 422,
        "/v1/auth/token": 401,
        "/v1/auth/refresh": 401,
        "/v1/auth/exchange": 404,
        "/v1/auth/oidc/{name}/login": 422,
        "/v1/auth/oidc/{name}/callback": 422,
        "/v1/hooks/heat/{cluster}": 401,
    }
    assert response.status_code == expected.get(path, 200)


@pytest.mark.parametrize("order", ["restart", "diagnostics"])
async def test_what_interrupts_a_node_or_tells_much_of_it_is_for_admins(
    anonymous: httpx.AsyncClient, as_: As, order: str
) -> None:
    path, body = "/v1/nodes/demo-2/commands", {"command": {"type": order}}
    refused = await anonymous.post(path, json=body, headers=as_(CHANGE))
    assert refused.status_code == 403
    assert refused.json()["code"] == "forbidden"
    done = await anonymous.post(path, json=body, headers=as_(GOVERN))
    assert done.status_code == 200
    assert done.json()["node"]["name"] == "demo-2"
    assert done.json()["answer"]["did"] in ("RestartAgent", "CollectDiagnostics")
