"""Writes: merge patches, If-Match, dry runs, idempotency keys, input that is refused."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from aware_agent.colony.errors import Conflict, Deposed
from tests.gateway.memory import MemoryContext, node_id

SPEC = {"colony": "demo", "size": 4, "castes": {"web": {"count": 1}}}


async def test_labels_are_merged_and_removed(admin: httpx.AsyncClient, context: MemoryContext) -> None:
    first = (await admin.patch("/v1/nodes/demo-2", json={"labels": {"rack": "r1", "tier": "gold"}})).json()
    assert first["changed"]
    second = (await admin.patch("/v1/nodes/demo-2", json={"labels": {"rack": None}, "cordoned": True})).json()
    assert second["node"]["labels"] == {"tier": "gold"}
    assert second["node"]["cordoned"] is True
    assert second["revision"] == second["node"]["revision"]
    same = (await admin.patch("/v1/nodes/demo-2", json={"cordoned": True})).json()
    assert same["changed"] is False
    drained = (await admin.patch("/v1/nodes/demo-2", json={"drained": True})).json()["node"]
    assert (drained["cordoned"], drained["drained"]) == (True, True)
    opened = (await admin.patch("/v1/nodes/demo-2", json={"cordoned": False})).json()["node"]
    assert (opened["cordoned"], opened["drained"]) == (False, False)
    assert context.commands.calls == [("ChangeNode", "ada")] * 5


@pytest.mark.parametrize("tag", ["{0}", '"{0}"', 'W/"{0}"', '"{0}-abcdef"', '"1", "{0}-x"', "*"])
async def test_if_match_that_holds(admin: httpx.AsyncClient, context: MemoryContext, tag: str) -> None:
    node = context.view().find("demo-2")
    assert node
    header = {"if-match": tag.format(node.revision)}
    assert (await admin.patch("/v1/nodes/demo-2", json={"cordoned": True}, headers=header)).status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PATCH", "/v1/nodes/demo-2", {"cordoned": True}),
        ("PUT", "/v1/nodes/demo-2/config", {"config": {"vars": {"a": 2}}}),
        ("PUT", "/v1/spec", SPEC),
        ("PUT", "/v1/spec?dry_run=true", SPEC),
    ],
)
@pytest.mark.parametrize("off", [-1, 1])
async def test_if_match_that_does_not_hold(
    admin: httpx.AsyncClient, context: MemoryContext, method: str, path: str, body: Any, off: int
) -> None:
    """Older than the present revision, or one this node has not seen."""
    await admin.put("/v1/nodes/demo-2/config", json={"config": {"vars": {"a": 1}}})
    current = int((await admin.get(path.partition("?")[0])).headers["etag"].strip('"').split("-")[0])
    before = context.projection.revision
    response = await admin.request(method, path, json=body, headers={"if-match": f'"{current + off}"'})
    assert response.status_code == 412
    assert response.json()["code"] == "precondition-failed"
    assert response.json()["current"] == current
    assert context.projection.revision == before


async def test_etag_of_a_read_is_good_for_the_write(admin: httpx.AsyncClient) -> None:
    for path, body in (
        ("/v1/nodes/demo-2/config", {"config": {"vars": {"a": 1}}}),
        ("/v1/spec", SPEC),
    ):
        tag = (await admin.get(path, headers={"accept-encoding": "gzip"})).headers["etag"]
        assert (await admin.put(path, json=body, headers={"if-match": tag})).status_code == 200
        assert (await admin.put(path, json=body, headers={"if-match": tag})).status_code == 412


async def test_if_match_nonsense_is_invalid(admin: httpx.AsyncClient) -> None:
    response = await admin.patch("/v1/nodes/demo-2", json={"cordoned": True}, headers={"if-match": '"abc"'})
    assert response.status_code == 422
    assert response.json()["field"] == "If-Match"


async def test_a_conflict_without_if_match_stays_one(admin: httpx.AsyncClient, context: MemoryContext) -> None:
    context.commands.error = Conflict("in the way")
    assert (await admin.patch("/v1/nodes/demo-2", json={"cordoned": True})).status_code == 409


async def test_a_deposed_queen_says_retry(admin: httpx.AsyncClient, context: MemoryContext) -> None:
    context.commands.error = Deposed(12)
    response = await admin.put("/v1/spec", json=SPEC)
    assert response.status_code == 503
    assert response.json()["term"] == 12
    assert response.headers["retry-after"] == "1"


async def test_spec_dry_run_changes_nothing(admin: httpx.AsyncClient, context: MemoryContext) -> None:
    before = context.projection.revision
    document = (await admin.put("/v1/spec", params={"dry_run": True}, json=SPEC)).json()
    assert document["changed"]
    assert document["dry_run"]
    assert "size 5 -> 4" in document["steps"]
    assert document["before"]["size"] == 5
    assert document["after"] == SPEC
    assert context.projection.revision == before
    real = (await admin.put("/v1/spec", json=SPEC)).json()
    assert real["steps"] == document["steps"]
    again = (await admin.put("/v1/spec", json=SPEC)).json()
    assert again["changed"] is False
    assert (await admin.get("/v1/spec")).json() == {"revision": real["revision"], "spec": SPEC}


async def test_config_is_versioned(admin: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    path = "/v1/nodes/demo-2/config"
    assert (await admin.get(path)).json()["version"] == 0
    first = (await admin.put(path, json={"config": {"agent": {"priority": 5}, "vars": {"x": [1]}}})).json()
    assert (first["changed"], first["version"]) == (True, 1)
    same = (await admin.put(path, json={"config": {"agent": {"priority": 5}, "vars": {"x": [1]}}})).json()
    assert (same["changed"], same["version"], same["revision"]) == (False, 1, first["revision"])
    # A gateway whose copy has not come so far says what the queen wrote, not what it sees.
    with monkeypatch.context() as lagging:
        lagging.setattr("aware_agent.gateway.routes.config.revision_of", lambda _gateway, _key: 1)
        late = (await admin.put(path, json={"config": {"agent": {"priority": 5}, "vars": {"x": [1]}}})).json()
    assert (late["version"], late["revision"]) == (0, first["revision"])
    read = (await admin.get(path)).json()
    assert read["config"] == {"agent": {"priority": 5}, "vars": {"x": [1]}}
    assert read["applied"] is False


@pytest.mark.parametrize(
    ("method", "path", "body", "field"),
    [
        ("PUT", "/v1/spec", {"colony": "demo"}, "size"),
        ("PUT", "/v1/spec", {"colony": "demo", "size": 3, "casts": {}}, "casts"),
        ("PUT", "/v1/spec", {"colony": "demo", "size": "3"}, "size"),
        ("PUT", "/v1/spec", {"colony": "demo", "size": 0}, "size"),
        ("PUT", "/v1/spec", {"colony": "other", "size": 3}, "colony"),
        ("PATCH", "/v1/nodes/demo-2", {"cordoned": "yes"}, "cordoned"),
        ("PATCH", "/v1/nodes/demo-2", {"drained": True, "cordoned": False}, "cordoned"),
        ("PATCH", "/v1/nodes/demo-2", {"label": {}}, "label"),
        ("PATCH", "/v1/nodes/demo-2", {"labels": {"a b": "c"}}, "labels"),
        ("PATCH", "/v1/nodes/demo-2", {"labels": {"a": "c\nd"}}, "labels.a"),
        ("PUT", "/v1/nodes/demo-2/config", {"config": {"agent": {"log_level": "loud"}}}, "config.agent.log_level"),
        ("PUT", "/v1/nodes/demo-2/config", {"vars": {}}, "vars"),
        ("POST", "/v1/queen/transfer", {}, "node"),
        ("PUT", "/v1/users/nina", {"role": "node", "password": "long enough"}, "role"),
        ("PUT", "/v1/users/nina", {"role": "viewer", "password": "short"}, "password"),
        ("POST", "/v1/tokens", {"node_name": "Not A Name"}, "node_name"),
        ("GET", "/v1/events?since=-1", None, "since"),
        ("GET", "/v1/events?limit=100000", None, "limit"),
    ],
)
async def test_bad_input_names_its_field(
    admin: httpx.AsyncClient, context: MemoryContext, method: str, path: str, body: Any, field: str
) -> None:
    before = context.projection.revision
    response = await admin.request(method, path, json=body)
    assert response.status_code == 422
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json()["code"] == "invalid-input"
    assert response.json()["field"] == field
    assert context.projection.revision == before


@pytest.mark.parametrize("raw", [b"", b"{", b"\xff\xfe", b"[]", b"null", b'{"colony": "demo", "size": NaN}'])
async def test_bodies_that_are_no_document(admin: httpx.AsyncClient, raw: bytes) -> None:
    assert (await admin.put("/v1/spec", content=raw)).status_code == 422


async def test_a_body_without_end_is_refused(admin: httpx.AsyncClient) -> None:
    response = await admin.put("/v1/spec", content=b" " * (1024 * 1024 + 1))
    assert response.status_code == 413


async def test_transfer_names_both(admin: httpx.AsyncClient, context: MemoryContext) -> None:
    response = await admin.post("/v1/queen/transfer", json={"node": "demo-3"})
    assert response.status_code == 202
    assert response.json() == {
        "from": {"id": node_id(0), "name": "demo-1"},
        "to": {"id": node_id(2), "name": "demo-3"},
        "term": context.view().term,
    }
    assert (await admin.post("/v1/queen/transfer", json={"node": "nobody"})).status_code == 404
    assert (await admin.post("/v1/queen/step-down")).json()["to"]["name"] == "demo-2"


async def test_an_idempotency_key_runs_once(admin: httpx.AsyncClient, context: MemoryContext) -> None:
    headers = {"idempotency-key": "abc-1"}
    first = await admin.patch("/v1/nodes/demo-2", json={"cordoned": True}, headers=headers)
    assert "idempotency-replayed" not in first.headers
    second = await admin.patch("/v1/nodes/demo-2", json={"cordoned": True}, headers=headers)
    assert second.content == first.content
    assert second.json()["changed"] is True
    assert second.headers["idempotency-replayed"] == "true"
    other = await admin.patch("/v1/nodes/demo-2", json={"cordoned": False}, headers=headers)
    assert other.status_code == 409
    for bad in ("x" * 200, "", "no\x7fdelete"):
        refused = await admin.patch("/v1/nodes/demo-2", json={}, headers={"idempotency-key": bad})
        assert (refused.status_code, refused.json()["field"]) == (422, "Idempotency-Key")


# Every write that takes a key; what proves itself does not.
KEYED = [
    ("PATCH", "/v1/nodes/demo-2", {"cordoned": True}),
    ("PUT", "/v1/nodes/demo-2/away", {"reason": "a new disk"}),
    ("PUT", "/v1/nodes/demo-2/config", {"config": {"vars": {"a": 2}}}),
    ("POST", "/v1/nodes/demo-2/commands", {"command": {"type": "diagnostics"}}),
    ("DELETE", "/v1/nodes/demo-5?force=true", None),
    ("PUT", "/v1/spec", SPEC),
    ("PUT", "/v1/users/nina", {"role": "viewer", "password": "long enough"}),
    ("DELETE", "/v1/users/vera", None),
    ("POST", "/v1/tokens", {"uses": 1}),
    ("POST", "/v1/hooks/sign", {"operation": "verify", "ttl_s": 60}),
    ("POST", "/v1/jobs", {"operation": "scale", "parameters": {"delta": 1}}),
    ("POST", "/v1/queen/step-down", None),
    ("POST", "/v1/queen/transfer", {"node": "demo-2"}),
]


@pytest.mark.parametrize(("method", "path", "body"), KEYED, ids=[f"{method} {path}" for method, path, _ in KEYED])
async def test_the_answer_of_a_repeated_write_is_the_first_ones(
    admin: httpx.AsyncClient, context: MemoryContext, method: str, path: str, body: Any
) -> None:
    headers = {"idempotency-key": "a/slash and a space", "if-match": "*"}
    first = await admin.request(method, path, json=body, headers=headers)
    assert first.is_success
    before = context.memory.etcd.revision
    second = await admin.request(method, path, json=body, headers=headers)
    assert second.status_code == first.status_code
    # What was done is as before; what else an answer shows is as it is now, and a spec has no steps left.
    now = {"steps", "before", "changes", "missing_nodes", "surplus_nodes"} if path == "/v1/spec" else set()
    assert _without(second.json(), now) == _without(first.json(), now)
    assert second.headers["idempotency-replayed"] == "true"
    assert context.memory.etcd.revision == before, "nothing was written"


def _without(document: dict[str, Any], names: set[str]) -> dict[str, Any]:
    return {name: value for name, value in document.items() if name not in names}


async def test_with_a_key_a_precondition_is_that_of_the_first(admin: httpx.AsyncClient, context: MemoryContext) -> None:
    node = context.view().find("demo-2")
    assert node
    headers = {"idempotency-key": "k", "if-match": str(node.revision)}
    first = await admin.patch("/v1/nodes/demo-2", json={"cordoned": True}, headers=headers)
    second = await admin.patch("/v1/nodes/demo-2", json={"cordoned": True}, headers=headers)
    assert (first.status_code, second.status_code) == (200, 200)
    late = {"idempotency-key": "another", "if-match": str(node.revision)}
    assert (await admin.patch("/v1/nodes/demo-2", json={"cordoned": True}, headers=late)).status_code == 412


async def test_a_node_that_is_not_there_is_not_there_with_a_key_either(admin: httpx.AsyncClient) -> None:
    missing = await admin.delete("/v1/nodes/nobody", headers={"idempotency-key": "k"})
    assert missing.status_code == 404


async def test_a_failed_write_may_be_tried_again_with_its_key(admin: httpx.AsyncClient, context: MemoryContext) -> None:
    headers = {"idempotency-key": "abc-2"}
    context.commands.error = Deposed(12)
    assert (await admin.put("/v1/spec", json=SPEC, headers=headers)).status_code == 503
    context.commands.error = None
    assert (await admin.put("/v1/spec", json=SPEC, headers=headers)).json()["changed"] is True


async def test_an_idempotency_key_needs_a_token_too(anonymous: httpx.AsyncClient) -> None:
    assert (await anonymous.put("/v1/spec", json=SPEC, headers={"idempotency-key": "a"})).status_code == 401


async def test_users_and_join_tokens(admin: httpx.AsyncClient) -> None:
    put = await admin.put("/v1/users/nina", json={"role": "operator", "password": "long enough"})
    assert put.status_code == 200
    assert (await admin.get("/v1/users/nina")).json() == {
        "name": "nina",
        "role": "operator",
        "provider": "",
        "display": "",
    }
    assert "scrypt" not in (await admin.get("/v1/users")).text
    assert (await admin.delete("/v1/users/nina")).status_code == 200
    assert (await admin.get("/v1/users/nina")).status_code == 404
    made = await admin.post("/v1/tokens", json={"uses": 3, "ttl_s": 60})
    assert made.status_code == 201
    assert made.json()["token"].startswith(f"aware1.{made.json()['id']}.")
    listed = await admin.get("/v1/tokens")
    assert [token["uses_left"] for token in listed.json()["tokens"]] == [3]
    assert made.json()["token"].split(".")[2] not in listed.text
    assert set(listed.json()["tokens"][0]) == {
        "id", "created_at", "created_by", "expires_at", "uses_left", "node_name", "eligible", "addresses",
    }  # fmt: skip
    assert (await admin.delete(f"/v1/tokens/{made.json()['id']}")).status_code == 200
    assert (await admin.get("/v1/tokens")).json() == {"tokens": []}
