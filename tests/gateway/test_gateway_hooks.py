"""Hooks over HTTP: who may give which order, and what a signed URL may not be talked into."""

from __future__ import annotations

import time
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import msgspec
import pytest

from aware_agent.agent.member.operations import RunnerMissing
from aware_agent.colony.errors import Conflict
from aware_agent.colony.hook import HookOperation, Order
from aware_agent.gateway.app import GatewayApp
from aware_agent.queen import commands as do
from aware_agent.security.records import UserRecord
from aware_agent.security.roles import Role
from aware_agent.security.signed_url import Permit
from tests.gateway.conftest import As
from tests.gateway.memory import COLONY, MemoryContext

HEAT = f"/v1/hooks/heat/{COLONY}"
SCALE = {"operation": "scale", "delta": 2, "max_size": 9, "caste": "web", "ttl_s": 600}


async def _signed(client: httpx.AsyncClient, as_: As, role: Role = Role.OPERATOR, **changes: Any) -> str:
    response = await client.post("/v1/hooks/sign", json={**SCALE, **changes}, headers=as_(role))
    assert response.status_code == 201, response.text
    document = response.json()
    assert document["url"].endswith(document["path"])
    assert urlsplit(document["url"]).scheme == "https"
    return str(document["path"])


def _only(context: MemoryContext) -> tuple[Order, Permit | None]:
    assert len(context.commands.orders) == 1
    return context.commands.orders[0]


async def test_a_signed_url_needs_no_token_and_gives_its_order(
    anonymous: httpx.AsyncClient, context: MemoryContext, as_: As
) -> None:
    path = await _signed(anonymous, as_, uses=3)
    response = await anonymous.post(path)
    assert response.status_code == 202
    document = response.json()
    assert document["state"] == "queued"
    assert document["actor"] == "otto"
    order, permit = _only(context)
    assert order == Order(operation=HookOperation.SCALE, delta=2, caste="web", max_size=9)
    assert permit is not None
    assert permit.uses == 3
    assert response.headers["location"] == f"/v1/jobs/{document['id']}"
    shown = await anonymous.get(response.headers["location"], headers=as_(Role.VIEWER))
    assert shown.json() == document
    listed = await anonymous.get("/v1/jobs", headers=as_(Role.VIEWER))
    assert listed.json() == {"jobs": [document]}


async def test_who_was_made_anew_in_the_second_of_the_signing_signed_nothing_of_it(
    anonymous: httpx.AsyncClient, context: MemoryContext, as_: As
) -> None:
    """A URL says whole seconds: within one, what the user before signed must not count as the next one's."""
    path = await _signed(anonymous, as_)
    issued_at = int(parse_qs(urlsplit(path).query)["iat"][0])
    otto = context.reader.one("users/otto", UserRecord)
    assert otto is not None
    key = context.keys.key("users", "otto")
    for late in ({"created_at": issued_at + 0.1, "id": "another"}, {"password_at": issued_at + 0.1}):
        context.put(key, msgspec.structs.replace(otto, **late))  # type: ignore[arg-type]
        refused = await anonymous.post(path)
        assert (refused.status_code, refused.json()["code"]) == (401, "signature-refused")
    assert context.commands.orders == []
    context.put(key, otto)
    assert (await anonymous.post(path)).status_code == 202


async def test_what_is_signed_in_the_second_of_a_new_password_holds(
    anonymous: httpx.AsyncClient, context: MemoryContext, as_: As
) -> None:
    otto = context.reader.one("users/otto", UserRecord)
    assert otto is not None
    now = time.time()
    for fresh in ({"password_at": now}, {"created_at": now}, {"created_at": now + 1.0}):  # another member's clock
        context.put(context.keys.key("users", "otto"), msgspec.structs.replace(otto, **fresh))
        path = await _signed(anonymous, as_)
        assert (await anonymous.post(path)).status_code == 202


async def test_the_body_can_only_narrow(anonymous: httpx.AsyncClient, context: MemoryContext, as_: As) -> None:
    path = await _signed(anonymous, as_)
    response = await anonymous.post(path, json={"delta": 1, "reference": "server-1"})
    assert response.status_code == 202
    order, _ = _only(context)
    assert order == Order(operation=HookOperation.SCALE, delta=1, caste="web", max_size=9, reference="server-1")


@pytest.mark.parametrize(
    "body",
    [
        {"delta": 3}, {"delta": -1}, {"delta": -2}, {"operation": "verify"}, {"caste": "store"}, {"max_size": 99},
        {"playbook": "evil.yml"}, {"reference": "a b"}, {"reference": "x" * 65}, {"delta": "{{ 1 }}"}, [], "x", 1.5,
        {"reference": "{{ x }}"},
    ],
    ids=str,
)  # fmt: skip
async def test_what_was_not_signed_is_refused(
    anonymous: httpx.AsyncClient, context: MemoryContext, as_: As, body: Any
) -> None:
    path = await _signed(anonymous, as_)
    response = await anonymous.post(path, json=body)
    assert response.status_code == 422
    assert response.json()["code"] == "invalid-input"
    assert context.commands.orders == []


async def test_what_an_alarm_tells_of_itself_is_ignored(
    anonymous: httpx.AsyncClient, context: MemoryContext, as_: As
) -> None:
    alarm = {
        "alarm_id": "a",
        "alarm_name": "busy",
        "current": "alarm",
        "previous": "ok",
        "reason": "r",
        "severity": "low",
    }
    path = await _signed(anonymous, as_)
    assert (await anonymous.post(path, json={**alarm, "delta": 9, "operation": "verify"})).status_code == 202
    order, _ = _only(context)
    assert order == Order(operation=HookOperation.SCALE, delta=2, caste="web", max_size=9)
    refused = await anonymous.post(HEAT, json={**alarm, "operation": "verify"}, headers=as_(Role.OPERATOR))
    assert refused.status_code == 422


async def test_forged_and_foreign_urls_are_refused(
    anonymous: httpx.AsyncClient, context: MemoryContext, as_: As
) -> None:
    path = await _signed(anonymous, as_)
    tried = (
        path.replace("delta=2", "delta=3"),
        path + "&delta=2",
        path.replace(HEAT, "/v1/hooks/heat/other"),
        HEAT + "?sig=x",
        HEAT + "?",
        path.replace("sig=", "sig=A"),
    )
    for attempt in tried:
        response = await anonymous.post(attempt)
        assert response.status_code == 401, attempt
    # A token does not make up for a bad signature, and a good signature is no token.
    assert (await anonymous.post(tried[0], headers=as_(Role.ADMIN))).status_code == 401
    assert (await anonymous.get("/v1/jobs?" + path.partition("?")[2])).status_code == 401
    assert context.commands.orders == []


async def test_it_expires(
    anonymous: httpx.AsyncClient, app: GatewayApp, as_: As, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = await _signed(anonymous, as_, ttl_s=60)
    monkeypatch.setattr(app.gateway.authority, "_clock", lambda: time.time() + 61)
    response = await anonymous.post(path)
    assert response.status_code == 401
    assert "expired" in response.json()["detail"]


async def test_it_holds_only_while_its_signer_may(
    anonymous: httpx.AsyncClient, context: MemoryContext, as_: As
) -> None:
    path = await _signed(anonymous, as_)
    await context.commands.run(do.PutUser(name="otto", password_hash=None, role="viewer"), actor="ada")
    demoted = await anonymous.post(path)
    await context.commands.run(do.DeleteUser(name="otto"), actor="ada")
    gone = await anonymous.post(path)
    assert demoted.status_code == gone.status_code == 401
    assert context.commands.orders == []


async def test_a_revoked_nonce_ends_it(anonymous: httpx.AsyncClient, context: MemoryContext, as_: As) -> None:
    path = await _signed(anonymous, as_)
    nonce = next(part for part in path.partition("?")[2].split("&") if part.startswith("nonce="))[6:]
    await context.commands.run(do.RevokeAccess(jti=nonce, expires_at=time.time() + 600), actor="ada")
    assert (await anonymous.post(path)).status_code == 401


async def test_an_operator_needs_no_signature(anonymous: httpx.AsyncClient, context: MemoryContext, as_: As) -> None:
    body = {"operation": "scale", "delta": -1, "reference": "by-hand"}
    response = await anonymous.post(HEAT, json=body, headers=as_(Role.OPERATOR))
    assert response.status_code == 202
    order, permit = _only(context)
    assert order == Order(operation=HookOperation.SCALE, delta=-1, reference="by-hand")
    assert permit is None


async def test_others_are_refused(anonymous: httpx.AsyncClient, context: MemoryContext, as_: As) -> None:
    body = {"operation": "verify"}
    assert (await anonymous.post(HEAT, json=body)).status_code == 401
    assert (await anonymous.post(HEAT, json=body, headers=as_(Role.VIEWER))).status_code == 403
    other = await anonymous.post("/v1/hooks/heat/other", json=body, headers=as_(Role.OPERATOR))
    assert other.status_code == 404
    empty = await anonymous.post(HEAT, headers=as_(Role.OPERATOR))
    assert empty.status_code == 422
    assert "scale" in empty.json()["hint"]
    assert context.commands.orders == []


@pytest.mark.parametrize(
    "changes",
    [
        {"ttl_s": 0}, {"ttl_s": 366 * 86400 + 1}, {"uses": 0}, {"uses": 101}, {"delta": 0}, {"delta": 101},
        {"max_size": 0}, {"max_size": -1}, {"caste": "../x"}, {"operation": "destroy"}, {"operation": "verify"},
    ],
    ids=str,
)  # fmt: skip
async def test_nothing_unbounded_is_signed(
    anonymous: httpx.AsyncClient, context: MemoryContext, as_: As, changes: Any
) -> None:
    response = await anonymous.post("/v1/hooks/sign", json={**SCALE, **changes}, headers=as_(Role.OPERATOR))
    assert response.status_code == 422
    assert context.commands.calls == []


async def test_problems_of_the_queen_come_through(
    anonymous: httpx.AsyncClient, context: MemoryContext, as_: As
) -> None:
    path = await _signed(anonymous, as_)
    for error in (RunnerMissing("no ansible-runner", hint="install it"), Conflict("at the limit")):
        context.commands.error = error
        response = await anonymous.post(path)
        assert response.status_code == error.status
        assert response.json()["code"] == error.code


async def test_an_oversized_body_is_refused(anonymous: httpx.AsyncClient, context: MemoryContext, as_: As) -> None:
    path = await _signed(anonymous, as_)
    assert (await anonymous.post(path, content=b" " * 5000)).status_code == 422
    assert (await anonymous.post(path, content=b"\xff")).status_code == 422
    assert context.commands.orders == []
