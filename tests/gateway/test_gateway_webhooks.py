"""Webhooks over HTTP: made, changed, shown without secrets, and refused to whoever may not."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from aware_agent.colony.event import Event
from aware_agent.colony.webhook import MAX_WEBHOOKS, DeadLetter
from aware_agent.security.roles import Role
from tests.gateway.conftest import As
from tests.gateway.memory import MemoryContext

WISH = {"url": "https://hooks.example/t0ken", "filter": {"type": ["node.*"], "severity": "warning"}}


async def _made(admin: httpx.AsyncClient, **changes: Any) -> dict[str, Any]:
    response = await admin.post("/v1/webhooks", json={**WISH, **changes})
    assert response.status_code == 201, response.text
    document: dict[str, Any] = response.json()
    assert response.headers["location"] == f"/v1/webhooks/{document['id']}"
    return document


async def test_the_secret_is_shown_once(admin: httpx.AsyncClient, context: MemoryContext) -> None:
    made = await _made(admin)
    assert made["secret"].startswith("whsec_")
    one = await admin.get(f"/v1/webhooks/{made['id']}")
    listed = await admin.get("/v1/webhooks")
    assert listed.json() == {"webhooks": [one.json()]}
    assert "whsec_" not in one.text
    shown = one.json()
    assert shown["filter"] == {"type": ["node.*"], "severity": "warning"}
    assert (shown["breaker"], shown["signatures"], shown["paused"]) == ("closed", 1, "")
    told = [event for _, event in context.history if event.type.startswith("webhook.")]
    assert [event.type for event in told] == ["webhook.created"]
    assert "t0ken" not in str(told)


async def test_a_repeated_request_makes_no_second_one_and_tells_the_same_secret(admin: httpx.AsyncClient) -> None:
    key = {"idempotency-key": "k1"}
    first = await admin.post("/v1/webhooks", json=WISH, headers=key)
    again = await admin.post("/v1/webhooks", json=WISH, headers=key)
    assert again.json()["secret"] == first.json()["secret"]
    assert again.headers["idempotency-replayed"] == "true"
    assert len((await admin.get("/v1/webhooks")).json()["webhooks"]) == 1


async def test_change_pause_rotate_and_remove(admin: httpx.AsyncClient) -> None:
    made = await _made(admin)
    path = f"/v1/webhooks/{made['id']}"
    stale = await admin.patch(path, json={"paused": True}, headers={"if-match": '"1"'})
    assert stale.status_code == 412
    assert (await admin.patch(path, json={"paused": True, "filter": {}})).json()["changed"]
    shown = (await admin.get(path)).json()
    assert (shown["paused"], shown["filter"]) == ("ada paused it", {})
    rotated = await admin.post(f"{path}/secret", json={"keep_old_s": 60})
    assert rotated.status_code == 201
    assert rotated.json()["secret"] != made["secret"]
    assert (await admin.get(path)).json()["signatures"] == 2
    assert (await admin.get(f"{path}/deliveries")).json() == {"deliveries": []}
    assert (await admin.delete(path)).json()["changed"]
    assert (await admin.get(path)).status_code == 404


async def test_dead_letters_are_listed_replayed_and_dropped(admin: httpx.AsyncClient, context: MemoryContext) -> None:
    made = await _made(admin)
    event = Event(id="0" * 26, time=1.0, term=1, actor="ada", type="node.dead", subject="demo-1", message="x")
    letter = DeadLetter(event=event, revision=7, attempts=3, reason="the receiver answered 500", status=500, at=2.0)
    context.put(context.keys.key("webhook-dead", made["id"], event.id), letter)
    path = f"/v1/webhooks/{made['id']}/dead"
    (shown,) = (await admin.get(path)).json()["dead"]
    assert (shown["event"]["revision"], shown["attempts"], shown["replay"]) == (7, 3, False)
    assert (await admin.post(f"{path}/{event.id}/replay")).status_code == 202
    assert (await admin.get(path)).json()["dead"][0]["replay"]
    assert (await admin.post(f"{path}/{'1' * 26}/replay")).status_code == 404
    assert (await admin.delete(f"{path}/{event.id}")).json()["changed"]
    assert (await admin.get(path)).json() == {"dead": []}


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"url": "https://169.254.169.254/latest/meta-data/"}, "url"),
        ({"url": "http://hooks.example/"}, "url"),
        ({"url": "https://[::ffff:127.0.0.1]/"}, "url"),
        ({"url": "file:///etc/passwd"}, "url"),
        ({"filter": {"type": ["x" * 101]}}, "filter.type"),
        ({"filter": {"type": ["*"] * 17}}, "filter.type"),
        ({"filter": {"subject": ["*a*b*c*d*e"]}}, "filter.subject"),
        ({"filter": {"typ": ["node.*"]}}, None),
        ({"secret": "whsec_dG9vIHNob3J0"}, "secret"),
        ({"ca": "-----BEGIN CERTIFICATE-----"}, "ca"),
        ({"retry_s": 1e9}, "retry_s"),
        ({"pause_after_s": 0}, "pause_after_s"),
    ],
    ids=str,
)
async def test_what_cannot_be_is_refused(
    admin: httpx.AsyncClient, context: MemoryContext, change: dict[str, Any], field: str | None
) -> None:
    before = context.memory.etcd.revision
    response = await admin.post("/v1/webhooks", json={**WISH, **change})
    assert response.status_code == 422, response.text
    assert field is None or response.json()["field"] == field
    assert context.memory.etcd.revision == before


async def test_a_viewer_cannot_register_and_ten_thousand_do_not_fit(
    admin: httpx.AsyncClient, context: MemoryContext, as_: As
) -> None:
    for role in (Role.VIEWER, Role.OPERATOR):
        assert (await admin.post("/v1/webhooks", json=WISH, headers=as_(role))).status_code == 403
        assert (await admin.get("/v1/webhooks", headers=as_(role))).status_code == 403
    for _ in range(MAX_WEBHOOKS):
        await _made(admin)
    before = context.memory.etcd.revision
    refused = await admin.post("/v1/webhooks", json=WISH)
    assert (refused.status_code, refused.json()["code"]) == (409, "too-many-records")
    assert context.memory.etcd.revision == before


async def test_without_a_webhook_there_are_no_metrics_of_one(anonymous: httpx.AsyncClient) -> None:
    assert "aware_webhook" not in (await anonymous.get("/metrics")).text


async def test_metrics_of_a_webhook(admin: httpx.AsyncClient, anonymous: httpx.AsyncClient) -> None:
    made = await _made(admin)
    said = (await anonymous.get("/metrics")).text
    assert f'aware_webhook_delivered_total{{webhook="{made["id"]}"}} 0' in said
    assert f'aware_breaker_state{{breaker="webhook/{made["id"]}",state="closed"}} 1' in said
    assert "t0ken" not in said
