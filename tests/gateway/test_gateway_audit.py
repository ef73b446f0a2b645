"""The audit log at the gateway: request ids, refusals, and reading it."""

from __future__ import annotations

import re
from typing import Any

import httpx
import pytest

from aware_agent.gateway import paging
from aware_agent.gateway.app import GatewayApp
from aware_agent.gateway.routes.audit import MAX_LOOKED_AT
from aware_agent.security.roles import Role
from aware_agent.security.service_account import parts
from tests.gateway.conftest import As
from tests.gateway.memory import PASSWORD, MemoryContext
from tests.gateway.service_accounts import bearer, put_account

MADE = re.compile(r"[0-9a-f]{8}-[0-9a-f]+")


async def read(admin: httpx.AsyncClient, **params: Any) -> dict[str, Any]:
    answer = await admin.get("/v1/audit", params=params)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


@pytest.mark.parametrize("path", ["/v1/cluster", "/v1/users", "/healthz", "/v1/nowhere", "/v1/spec"])
async def test_every_answer_has_the_id_of_its_request(admin: httpx.AsyncClient, path: str) -> None:
    for _ in range(2):  # the second time the token is known, and what is hot goes the short way
        answer = await admin.get(path, headers={"x-request-id": "abc-1"})
        assert answer.headers.get_list("x-request-id") == ["abc-1"]
    made = [(await admin.get(path)).headers["x-request-id"] for _ in range(2)]
    assert all(MADE.fullmatch(one) for one in made)
    assert made[0] != made[1]


@pytest.mark.parametrize("said", ["", "a b", "x" * 65, 'a"b', "a\\b", "a,b"])
async def test_an_id_that_is_none_is_replaced(anonymous: httpx.AsyncClient, said: str) -> None:
    answer = await anonymous.get("/v1/users", headers={"x-request-id": said})
    assert MADE.fullmatch(answer.headers["x-request-id"])


async def test_a_write_is_told_with_who_asked_from_where_and_in_which_request(
    anonymous: httpx.AsyncClient, admin: httpx.AsyncClient
) -> None:
    body = {"username": "ada", "password": PASSWORD}
    tokens = (await anonymous.post("/v1/auth/token", json=body, headers={"x-request-id": "login-1"})).json()
    headers = {"authorization": f"Bearer {tokens['access_token']}", "x-request-id": "write-1"}
    done = await anonymous.patch("/v1/nodes/demo-2", json={"labels": {"a": "b"}}, headers=headers)
    assert done.status_code == 200
    login, write = (await read(admin))["lines"][-2:]
    assert (login["action"], login["actor"], login["request"]) == ("begin-session", "ada", "login-1")
    assert tokens["session"] in login["change"]
    assert (write["action"], write["actor"], write["kind"], write["role"]) == (
        "change-node",
        "ada",
        "user",
        "security-admin",
    )
    assert (write["request"], write["route"]) == ("write-1", "PATCH /v1/nodes/{node}")
    assert (write["source"], write["credential"]) == ("127.0.0.1", f"session:{tokens['session']}")
    assert tokens["access_token"] not in str(write)
    assert tokens["refresh_token"] not in str(login)


async def test_what_a_service_account_did_or_was_refused_is_told_with_its_token(
    app: GatewayApp, anonymous: httpx.AsyncClient, admin: httpx.AsyncClient, context: MemoryContext
) -> None:
    text = put_account(context, "ci", Role.OPERATOR, "nodes:label")
    token = parts(text)[1]
    labels = {"labels": {"a": "b"}}
    assert (await anonymous.patch("/v1/nodes/demo-2", json=labels, headers=bearer(text))).status_code == 200
    line = (await read(admin))["lines"][-1]
    assert (line["action"], line["kind"], line["role"]) == ("change-node", "service", "operator")
    assert line["credential"] == f"token:{token}"
    assert text not in str(line)
    assert (await anonymous.put("/v1/spec", json={}, headers=bearer(text))).status_code == 403
    app.gateway.audit._clock = lambda: 1e9
    (one,) = app.gateway.audit.due()
    assert (one.actor, one.kind, one.credential) == (line["actor"], "service", line["credential"])


async def test_refusals_are_counted_with_who_was_refused(
    app: GatewayApp, anonymous: httpx.AsyncClient, as_: As
) -> None:
    viewer = as_(Role.VIEWER)
    for _ in range(3):
        assert (await anonymous.put("/v1/spec", json={}, headers=viewer)).status_code == 403
    assert (await anonymous.get("/v1/users")).status_code == 401
    secret = "typed-where-names-belong"
    for name in ("ada", secret):
        assert (await anonymous.post("/v1/auth/token", json={"username": name, "password": "no"})).status_code == 401
    app.gateway.audit._clock = lambda: 1e9
    told = {(e.route, e.status, e.actor, e.subject): e for e in app.gateway.audit.due()}
    forbidden = told["PUT /v1/spec", 403, "vera", ""]
    assert (forbidden.count, forbidden.code, forbidden.role) == (3, "forbidden", "viewer")
    assert told["GET /v1/users", 401, "", ""].kind == "anonymous"
    (login,) = [one for one in told.values() if one.route == "POST /v1/auth/token"]
    assert (login.count, login.subject) == (2, "ada")
    assert secret not in str(told)


async def test_a_write_refused_because_of_what_it_found_is_a_refusal_and_a_wrong_one_is_not(
    app: GatewayApp, admin: httpx.AsyncClient
) -> None:
    headers = {"if-match": '"1"'}
    assert (await admin.patch("/v1/nodes/demo-2", json={"cordoned": True}, headers=headers)).status_code == 412
    assert (await admin.patch("/v1/nodes/demo-2", json={"cordoned": "x"})).status_code == 422
    app.gateway.audit._clock = lambda: 1e9
    (one,) = app.gateway.audit.due()
    assert (one.status, one.actor, one.subject) == (412, "ada", "/v1/nodes/demo-2")


async def test_a_login_while_nobody_reigns_is_told_too(
    app: GatewayApp, context: MemoryContext, anonymous: httpx.AsyncClient
) -> None:
    context.delete(context.keys.queen)
    answer = await anonymous.post("/v1/auth/token", json={"username": "ada", "password": PASSWORD})
    assert answer.status_code == 200
    (one,) = app.gateway.audit.due()
    assert (one.action, one.actor, one.result) == ("begin-session", "ada", "done")
    assert "while nobody reigned" in one.change


async def test_the_log_is_read_in_pieces_and_narrowed(admin: httpx.AsyncClient) -> None:
    for number in range(7):
        await admin.put(f"/v1/users/u{number}", json={"role": "viewer", "password": "long enough"})
    first = await read(admin, limit=3)
    second = await read(admin, limit=1000, cursor=first["next"])
    assert second["next"] is None
    assert [line["seq"] for line in first["lines"] + second["lines"]] == list(range(1, 9))
    assert first["first"] == 1
    assert second["head"] == {key: second["lines"][-1][key] for key in ("seq", "hash")}
    assert [line["seq"] for line in (await read(admin, last=2))["lines"]] == [7, 8]
    assert [line["seq"] for line in (await read(admin, after=6))["lines"]] == [7, 8]
    assert (await read(admin, last=1, fields="seq,actor"))["lines"] == [{"seq": 8, "actor": "ada"}]
    assert (await read(admin, who="eva"))["lines"] == []
    assert len((await read(admin, who="ada", what="put-user"))["lines"]) == 7
    assert len((await read(admin, what="PUT /v1/users"))["lines"]) == 7
    assert (await read(admin, result="refused"))["lines"] == []
    assert (await read(admin, until=1))["lines"] == []
    assert len((await read(admin, since=1))["lines"]) == 8


async def test_what_is_no_line_is_left_out_and_the_rest_is_read(
    admin: httpx.AsyncClient, context: MemoryContext
) -> None:
    await admin.put("/v1/users/eva", json={"role": "viewer", "password": "long enough"})
    context.put(context.keys.key("audit", "0" * 15 + "x"), {"seq": 1})
    context.put(context.keys.key("audit", "9" * 16), ["garbage"])
    context.put(context.keys.key("audit-head"), "garbage")
    found = await read(admin)
    assert [line["seq"] for line in found["lines"]] == [1, 2]
    assert found["head"]["seq"] == 0


async def test_what_is_no_line_does_not_end_the_pages(admin: httpx.AsyncClient, context: MemoryContext) -> None:
    """However much of it somebody puts between the lines: what stands behind it is read."""
    await admin.put("/v1/users/eva", json={"role": "viewer", "password": "long enough"})
    for number in range(MAX_LOOKED_AT + 1):
        context.put(context.keys.key("audit", f"{1:016d}-{number}"), "garbage")
    first = await read(admin)
    second = await read(admin, cursor=first["next"])
    assert [line["seq"] for line in first["lines"] + second["lines"]] == [1, 2]
    assert second["next"] is None


async def test_a_cursor_is_good_for_its_question(admin: httpx.AsyncClient) -> None:
    for number in range(3):
        await admin.put(f"/v1/users/u{number}", json={"role": "viewer", "password": "long enough"})
    found = (await read(admin, limit=1, who="ada"))["next"]
    assert (await admin.get("/v1/audit", params={"cursor": found})).status_code == 422
    assert (await admin.get("/v1/audit", params={"cursor": found, "who": "ada", "after": 1})).status_code == 422
    odd = paging.cursor("\u20ac", ("audit", 0, 2**53 - 1, "ada", "", None))
    assert (await admin.get("/v1/audit", params={"cursor": odd, "who": "ada"})).status_code == 200


@pytest.mark.parametrize("query", ["limit=0", "limit=1001", "after=-1", "since=x", "result=maybe", "last=1001"])
async def test_impossible_questions_are_refused(admin: httpx.AsyncClient, query: str) -> None:
    assert (await admin.get(f"/v1/audit?{query}")).status_code == 422
