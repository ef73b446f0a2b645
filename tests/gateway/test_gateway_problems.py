"""Errors: always a problem document, never more than the caller may know."""

from __future__ import annotations

import logging

import httpx
import pytest

from aware_agent.gateway import problems
from aware_agent.store.errors import StoreUnreachable
from tests.gateway.memory import MemoryContext, node_id


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/v1/nothing", 404, "no-such-route"),
        ("GET", "/v1/nodes/", 404, "no-such-route"),
        ("GET", "/v1/nodes/demo-1/", 404, "no-such-route"),
        ("GET", "/v1/nodes/demo-1/config/", 404, "no-such-route"),
        ("GET", "/v1/nodes/demo-1/nothing", 404, "no-such-route"),
        ("GET", "/assets/../server.py", 404, "no-such-route"),
        ("GET", "/assets/%2e%2e%2fserver.py", 404, "no-such-route"),
        ("GET", "/assets/secret.txt", 404, "no-such-route"),
        ("POST", "/v1/cluster", 405, "method-not-allowed"),
        ("DELETE", "/healthz", 405, "method-not-allowed"),
        ("GET", "/v1/nodes/nobody", 404, "not-found"),
    ],
)
async def test_every_refusal_is_a_problem(
    admin: httpx.AsyncClient, method: str, path: str, status: int, code: str
) -> None:
    await admin.get("/v1/auth/me")  # the token is known from here on: the fast path has its say too
    response = await admin.request(method, path)
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    assert response.headers["x-aware-node"] == node_id(0)
    problem = response.json()
    assert problem["code"] == code
    assert problem["status"] == status
    assert problem["type"] == f"https://aware-colony.github.io/problems/{code}"
    assert problem["title"]
    assert problem["detail"]


async def test_405_says_what_is_allowed(admin: httpx.AsyncClient) -> None:
    allowed = (await admin.post("/v1/nodes/demo-1/config")).headers["allow"]
    assert allowed


async def test_a_bug_leaks_nothing_but_its_number(
    admin: httpx.AsyncClient, context: MemoryContext, caplog: pytest.LogCaptureFixture
) -> None:
    context.commands.error = RuntimeError("the password is hunter2")
    with caplog.at_level(logging.ERROR):
        response = await admin.put("/v1/spec", json={"colony": "demo", "size": 2})
    assert response.status_code == 500
    problem = response.json()
    assert problem["code"] == "internal-error"
    assert "hunter2" not in response.text
    assert "RuntimeError" not in response.text
    assert problem["incident"] in caplog.text
    assert "hunter2" in caplog.text


async def test_an_unknown_outcome_says_so(admin: httpx.AsyncClient, context: MemoryContext) -> None:
    error = StoreUnreachable("etcd did not answer")
    error.maybe_applied = True
    context.commands.error = error
    response = await admin.put("/v1/spec", json={"colony": "demo", "size": 2})
    assert response.status_code == 503
    assert response.json()["maybe_applied"] is True


def test_only_known_members_leave_the_node() -> None:
    error = StoreUnreachable("no")
    error.password = "hunter2"  # type: ignore[attr-defined]
    assert b"hunter2" not in problems.encode(error)[2]


DEEP = [b"[" * 30_000, b'{"a":' * 10_000, b"[" * 30_000 + b"]" * 30_000]
ODD = [*DEEP, b"\xff", b'{"a": "\\ud800"}', b"9" * 30_000, b'{"a": 1e999}', b"NaN", b"\x00", b'"', b"{}{}"]


@pytest.mark.parametrize("body", ODD, ids=range(len(ODD)))
async def test_no_body_however_odd_is_a_bug(admin: httpx.AsyncClient, body: bytes) -> None:
    """Every route that takes a body refuses what is none, in a problem document, before anything is done."""
    asked = 0
    document = (await admin.get("/openapi.json")).json()
    for path, operations in document["paths"].items():
        for method in ("post", "put", "patch"):
            if "requestBody" not in operations.get(method, {}):
                continue
            where = path.replace("{node}", "demo-1").replace("{name}", "vera").replace("{", "").replace("}", "")
            response = await admin.request(method, where, content=body)
            assert 400 <= response.status_code < 500, (method, where, response.text)
            assert response.headers["content-type"] == "application/problem+json"
            asked += 1
    assert asked >= 10


@pytest.mark.parametrize(
    "word", ["A" * 20, "eyJ" + "W1tb" * 1500, "W1tb" * 1900 + ".e30.e30", ".".join(["W" * 900] * 3)]
)
async def test_no_token_however_odd_is_a_bug(anonymous: httpx.AsyncClient, word: str) -> None:
    response = await anonymous.get("/v1/cluster", headers={"authorization": f"Bearer {word}"})
    assert response.status_code == 401


@pytest.mark.parametrize("depth", [18, 25, 200, 500, 800, 950, 1000, 1500])
async def test_variables_are_nested_to_a_bound(admin: httpx.AsyncClient, depth: int) -> None:
    """What one decoder takes and the next one on its way would not."""
    body = b'{"config": {"vars": {"a": ' + b"[" * depth + b"]" * depth + b"}}}"
    response = await admin.put("/v1/nodes/demo-1/config", content=body)
    assert response.status_code == (200 if depth == 18 else 422), response.text


@pytest.mark.parametrize(
    ("method", "path", "field"),
    [
        ("DELETE", "/v1/secrets/{}", "name"),
        ("DELETE", "/v1/users/{}", "name"),
        ("DELETE", "/v1/identity-providers/{}", "name"),
        ("DELETE", "/v1/service-accounts/{}", "name"),
        ("DELETE", "/v1/service-accounts/{}/tokens/x", "account"),
        ("DELETE", "/v1/service-accounts/ci/tokens/{}", "token"),
        ("DELETE", "/v1/webhooks/{}", "webhook"),
        ("POST", "/v1/webhooks/{}/dead/replay", "webhook"),
        ("DELETE", "/v1/webhooks/{}/dead/x", "webhook"),
        ("DELETE", "/v1/denied-keys/{}", "key"),
    ],
)
async def test_a_name_with_control_characters_is_refused_in_plain_words(
    admin: httpx.AsyncClient, method: str, path: str, field: str
) -> None:
    for odd in ("%00", "a%1bb"):
        response = await admin.request(method, path.format(odd))
        problem = response.json()
        assert (response.status_code, problem["detail"], problem["field"]) == (
            422,
            f"{field} has control characters",
            field,
        )
