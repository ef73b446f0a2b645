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
        ("GET", "/dashboard/../server.py", 404, "no-such-route"),
        ("GET", "/dashboard/%2e%2e%2fserver.py", 404, "no-such-route"),
        ("GET", "/dashboard/secret.txt", 404, "no-such-route"),
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
