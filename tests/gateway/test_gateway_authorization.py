"""The table of permissions is what is served and what the page says; policies, and accounts above one's own."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from fastapi import APIRouter
from starlette.responses import Response

from aware_agent.colony.backup import BackupPolicy
from aware_agent.colony.retention import Keep
from aware_agent.colony.spec import Policies
from aware_agent.gateway.app import ROUTERS, GatewayApp
from aware_agent.gateway.routing import check_routes, endpoint
from aware_agent.queen import commands as do
from aware_agent.security.governed import governed_changes
from aware_agent.security.grant import Grant
from aware_agent.security.jwt import Unauthenticated
from aware_agent.security.permissions import GOVERNED, PERMISSIONS, ROUTES, NoRule, role_for
from aware_agent.security.records import UserRecord
from aware_agent.security.roles import Forbidden, Role
from tests.gateway.conftest import As
from tests.gateway.memory import PASSWORD, MemoryContext

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "authorization.md").read_text(encoding="utf-8")
GOVERNED_VALUES: dict[str, Any] = {
    "keep_events": 2000,
    "keep_audit": 2000,
    "backup": {"every": "1d", "keep": {"last": 3}},
    "certificate_lifetime_s": 7200,
    "session_lifetime_s": 7200,
    "service_token_lifetime_s": 86400,
    "jobs": {"keep": 100},
}


def test_the_page_shows_the_table() -> None:
    shown = re.findall(r"^\| `([a-z-]+)` \| `([a-z-]+)` \| ([a-z-]+) \|$", PAGE, re.MULTILINE)
    there = [(name, verb, str(role)) for name, verbs in PERMISSIONS.items() for verb, role in verbs.items()]
    assert shown == there
    for field in GOVERNED:
        assert f"`{field}`" in PAGE


def test_every_route_has_a_row_and_every_row_a_route() -> None:
    served = {(m, route.path) for module in ROUTERS for route in module.router.routes for m in _methods(route)}
    assert served == set(ROUTES)
    for rule in ROUTES.values():
        for permission in rule.permissions:
            assert role_for(permission) in Role


def _methods(route: Any) -> set[str]:
    return set(getattr(route, "methods", None) or {"WS"}) - {"HEAD"}


def test_a_route_without_a_row_cannot_be_served() -> None:
    router = APIRouter()
    with pytest.raises(NoRule, match="GET /v1/backdoor"):
        endpoint(router, "GET", "/v1/backdoor", answer=None)

    async def backdoor() -> Response:
        return Response()

    router.add_api_route("/v1/backdoor", backdoor)
    with pytest.raises(NoRule, match="GET /v1/backdoor"):
        check_routes(router.routes, ())
    with pytest.raises(NoRule, match="everybody"):
        check_routes((), ["/v1/users"])


def test_every_policy_that_keeps_or_trusts_is_governed() -> None:
    """A new policy is decided on here: these are an operator's."""
    assert set(GOVERNED.values()) | {"dead_after_s", "replace_dead", "limits"} == set(
        msgspec.structs.asdict(Policies())
    )


@pytest.mark.parametrize("field", GOVERNED_VALUES)
@pytest.mark.parametrize("role", [Role.OPERATOR, Role.ADMIN])
async def test_a_spec_that_changes_a_governed_policy_is_refused_and_says_which(
    anonymous: httpx.AsyncClient, context: MemoryContext, as_: As, field: str, role: Role
) -> None:
    before = context.reader.data()
    spec = {"colony": "demo", "size": 5, "policies": {field: GOVERNED_VALUES[field]}}
    revision = str(before.spec_revision)
    tries: list[tuple[str, dict[str, str]]] = [
        ("/v1/spec", {}),
        ("/v1/spec?dry_run=true", {}),
        ("/v1/spec", {"if-match": revision}),
        ("/v1/spec", {"if-match": "*"}),
        ("/v1/spec", {"idempotency-key": "once"}),
    ]
    for path, headers in tries:
        refused = await anonymous.put(path, json=spec, headers={**as_(role), **headers})
        assert refused.status_code == 403
        problem = refused.json()
        assert problem["code"] == "forbidden"
        assert f"policies.{field}" in problem["detail"]
        assert "security-admin" in problem["detail"]
    assert context.reader.data().spec == before.spec
    assert context.reader.data().spec_revision == before.spec_revision
    done = await anonymous.put("/v1/spec", json=spec, headers=as_(Role.SECURITY_ADMIN))
    assert done.status_code == 200
    back = {"colony": "demo", "size": 5}  # leaving out what is governed changes it too
    assert (await anonymous.put("/v1/spec", json=back, headers=as_(role))).status_code == 403
    kept = {**spec, "size": 4}
    assert (await anonymous.put("/v1/spec", json=kept, headers=as_(Role.OPERATOR))).status_code == 200


async def test_the_floors_hold_for_everybody(admin: httpx.AsyncClient) -> None:
    for policies, field in (
        ({"keep_events": 999}, "policies.keep_events"),
        ({"backup": {"every": "1d", "keep": {"last": 2}}}, "policies.backup.keep.last"),
        ({"certificate_lifetime_s": 9}, "policies.certificate_lifetime_s"),
        ({"session_lifetime_s": 299}, "policies.session_lifetime_s"),
        ({"service_token_lifetime_s": 59}, "policies.service_token_lifetime_s"),
    ):
        refused = await admin.put("/v1/spec", json={"colony": "demo", "size": 5, "policies": policies})
        assert refused.status_code == 422
        assert refused.json()["field"] == field


async def test_the_queen_judges_a_spec_by_what_is_in_force_then(context: MemoryContext) -> None:
    """Between the gateway's look and hers the spec changed: what the operator leaves as it was is a change now."""
    old = context.reader.data().spec
    assert old is not None
    policy = BackupPolicy(every="6h", keep=Keep(last=9))
    context.memory.put_spec(size=5, policies=Policies(backup=policy))
    with pytest.raises(Forbidden, match=r"policies\.backup"):
        await _as(context, do.PutSpec(spec=old), "otto", Role.OPERATOR)
    now = context.reader.data().spec
    assert now is not None
    assert now.policies.backup == policy
    assert governed_changes(now, old) == ["policies.backup"]


async def test_nobody_gives_or_touches_more_than_he_has(
    anonymous: httpx.AsyncClient, context: MemoryContext, as_: As
) -> None:
    headers = as_(Role.ADMIN)
    for path, body in (
        ("/v1/users/anna", {"role": "security-admin"}),
        ("/v1/users/nina", {"role": "security-admin", "password": "long enough"}),
        ("/v1/users/ada", {"role": "viewer"}),
        ("/v1/users/ada", {"role": "security-admin", "password": "taken over"}),
        ("/v1/users/ada", {"role": "admin", "password": "taken over"}),
    ):
        refused = await anonymous.put(path, json=body, headers=headers)
        assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
    assert (await anonymous.delete("/v1/users/ada", headers=headers)).status_code == 403
    for path, body in (("/v1/tokens", {"eligible": True}), ("/v1/rotation", {"action": "start"})):
        assert (await anonymous.post(path, json=body, headers=headers)).status_code == 403
    made = await anonymous.put("/v1/users/nina", json={"role": "admin", "password": "long enough"}, headers=headers)
    assert made.status_code == 200
    assert {name: user.role for name, user in _users(context).items() if name in ("ada", "anna")} == {
        "ada": Role.SECURITY_ADMIN,
        "anna": Role.ADMIN,
    }


async def test_the_last_security_admin_stays(admin: httpx.AsyncClient, context: MemoryContext) -> None:
    refused = await admin.delete("/v1/users/ada")
    assert (refused.status_code, refused.json()["code"]) == (409, "conflict")
    assert (await admin.put("/v1/users/ada", json={"role": "admin"})).status_code == 409
    body = {"role": "security-admin", "password": "long enough"}
    assert (await admin.put("/v1/users/sara", json=body)).status_code == 200
    assert (await admin.delete("/v1/users/ada")).status_code == 200
    assert "ada" not in _users(context)


async def test_a_role_that_was_taken_away_meanwhile_does_nothing(context: MemoryContext) -> None:
    """The gateway let it pass; before the queen came to it, the role was gone, or the whole account."""
    record = _users(context)["anna"]
    await _as(context, do.RemoveNode(node="x" * 26, force=True), "anna", Role.ADMIN, expect=True)
    context.put(context.keys.key("users", "anna"), msgspec.structs.replace(record, role=Role.VIEWER))
    with pytest.raises(Forbidden, match="is viewer now"):
        await _as(context, do.DeleteUser(name="vera"), "anna", Role.ADMIN)
    context.delete(context.keys.key("users", "anna"))
    with pytest.raises(Unauthenticated):
        await _as(context, do.DeleteUser(name="vera"), "anna", Role.ADMIN)
    context.put(context.keys.key("users", "anna"), msgspec.structs.replace(record, id="another"))
    with pytest.raises(Unauthenticated):
        await _as(context, do.DeleteUser(name="vera"), "anna", Role.ADMIN)
    assert "vera" in _users(context)


async def test_a_role_that_goes_between_the_queens_look_and_her_write_is_seen_in_the_transaction(
    context: MemoryContext,
) -> None:
    """Somebody writes the record right before her transaction: it is not made, and judged once more."""
    record = _users(context)["anna"]
    store, taken = context.memory.store, [True]
    first = store.txn

    async def late(*args: Any, **more: Any) -> Any:
        if taken:
            taken.clear()
            context.put(context.keys.key("users", "anna"), msgspec.structs.replace(record, role=Role.OPERATOR))
        return await first(*args, **more)

    store.txn = late  # type: ignore[method-assign]
    with pytest.raises(Forbidden, match="is operator now"):
        await _as(context, do.DeleteUser(name="vera"), "anna", Role.ADMIN)
    assert "vera" in _users(context)


async def test_who_has_a_name_anew_cannot_repeat_what_the_old_one_did(
    anonymous: httpx.AsyncClient, admin: httpx.AsyncClient, context: MemoryContext
) -> None:
    async def headers() -> dict[str, str]:
        body = {"role": "admin", "password": PASSWORD}
        assert (await admin.put("/v1/users/nina", json=body)).status_code == 200
        login = await anonymous.post("/v1/auth/token", json={"username": "nina", "password": PASSWORD})
        return {"authorization": f"Bearer {login.json()['access_token']}", "idempotency-key": "mine"}

    old = await headers()
    first = await anonymous.post("/v1/tokens", json={}, headers=old)
    assert (await anonymous.post("/v1/tokens", json={}, headers=old)).json() == first.json(), "a repeated request"
    assert (await admin.delete("/v1/users/nina")).status_code == 200
    new = await headers()
    assert (await anonymous.post("/v1/tokens", json={}, headers=old)).status_code == 401
    other = await anonymous.post("/v1/tokens", json={}, headers=new)
    assert other.status_code == 201
    assert "idempotency-replayed" not in other.headers
    assert other.json()["token"] != first.json()["token"]


def _users(context: MemoryContext) -> dict[str, UserRecord]:
    return context.reader.many("users/", UserRecord)


async def _as(context: MemoryContext, command: Any, name: str, role: Role, *, expect: bool = False) -> Any:
    """As a gateway hands it on that let ``name`` pass with ``role``."""
    memory = context.memory
    reign = memory.reign()
    grant = Grant(role=role, account="")
    try:
        return await memory.execute(reign, command, actor=name, grant=grant)
    except Exception as error:
        if expect and not isinstance(error, Forbidden | Unauthenticated):
            return error  # judged on its own merits
        raise


def test_the_app_is_made_with_the_table(app: GatewayApp) -> None:
    assert app.gateway.public.pages.keys() <= {path for method, path in ROUTES if method == "GET"}
