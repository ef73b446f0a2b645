"""A dry run of every write there is: refused as the real one, and nothing is written or made."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from aware_agent.colony.backup import BackupPolicy
from aware_agent.colony.spec import CouncilSpec, Policies
from aware_agent.gateway.idempotency import WITHOUT
from tests.gateway.memory import MemoryContext
from tests.gateway.test_gateway_roles import TABLE, _path

WRITES = [row for row in TABLE if row[0] != "GET"]
TAKING = [row for row in WRITES if not row[1].startswith(WITHOUT) and row[2] is not None]


async def test_every_write_takes_it_but_those_that_prove_themselves(anonymous: httpx.AsyncClient) -> None:
    described = (await anonymous.get("/openapi.json")).json()["paths"]
    taking = {
        (method.upper(), path)
        for path, methods in described.items()
        for method, operation in methods.items()
        if any(one["name"] == "dry_run" for one in operation.get("parameters", ()))
    }
    assert taking == {(method, path) for method, path, _, _ in TAKING}
    assert {path for _, path, _, _ in WRITES} - {path for _, path in taking} == {
        "/v1/auth/token", "/v1/auth/exchange", "/v1/auth/refresh", "/v1/auth/ticket", "/v1/join", "/v1/renew",
            "/v1/hooks/heat/{cluster}",
    }  # fmt: skip


@pytest.mark.parametrize("row", TAKING, ids=lambda row: f"{row[0]} {row[1]}")
async def test_it_is_refused_as_the_real_one_and_changes_nothing(
    admin: httpx.AsyncClient, context: MemoryContext, row: Any
) -> None:
    method, path, _, body = row
    context.memory.put_spec(size=5, policies=Policies(backup=BackupPolicy(every="6h")), council=CouncilSpec(size=3))
    await admin.post("/v1/check", json={"run": "d" * 32})
    at, wishes = context.memory.etcd.revision, len(context.commands.wishes)
    headers = {"idempotency-key": "one"}
    dry = await admin.request(method, _path(path), params={"dry_run": "true"}, json=body, headers=headers)
    assert context.memory.etcd.revision == at, "nothing is written, no lease and no key"
    assert len(context.commands.wishes) == wishes, "nobody resigns"
    assert "aware1." not in dry.text
    assert "sig=" not in dry.text
    real = await admin.request(method, _path(path), json=body, headers=headers)
    if real.is_success:
        assert dry.status_code == 200
        assert dry.json()["dry_run"] is True
        assert dry.json()["changed"] == real.json().get("changed", True)
    else:
        assert (dry.status_code, dry.json()["code"]) == (real.status_code, real.json()["code"])


async def test_it_tells_what_the_history_would(admin: httpx.AsyncClient, context: MemoryContext) -> None:
    path, body = "/v1/nodes/demo-2", {"cordoned": True}
    dry = (await admin.patch(f"{path}?dry_run=true", json=body)).json()
    assert dry["would"] == ["demo-2 is cordoned"]
    assert (await admin.patch(path, json=body)).json()["changed"] is True
    assert context.history[-1][1].message == "demo-2 is cordoned"
    again = (await admin.patch(f"{path}?dry_run=true", json=body)).json()
    assert (again["changed"], again["would"]) == (False, [])


async def test_a_precondition_that_does_not_hold(admin: httpx.AsyncClient) -> None:
    refused = await admin.patch("/v1/nodes/demo-2?dry_run=true", json={"cordoned": True}, headers={"if-match": "1"})
    assert refused.status_code == 412


async def test_a_hook_by_token(admin: httpx.AsyncClient, context: MemoryContext) -> None:
    at = context.memory.etcd.revision
    path, body = "/v1/hooks/heat/demo", {"operation": "scale", "delta": -1}
    dry = await admin.post(f"{path}?dry_run=true", json=body)
    assert (dry.status_code, dry.json()["would"]) == (200, ["ada asked for scale by -1"])
    assert context.memory.etcd.revision == at
    assert (await admin.post(path, json=body)).status_code == 202


async def test_what_it_is_not_for_says_so(admin: httpx.AsyncClient) -> None:
    refused = await admin.post("/v1/auth/ticket?dry_run=true")
    assert (refused.status_code, refused.json()["field"]) == (422, "dry_run")
    assert (await admin.get("/v1/nodes?dry_run=true")).status_code == 422
