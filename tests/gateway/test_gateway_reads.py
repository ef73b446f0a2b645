"""Reads: the same bytes by the fast path and by the routes, entity tags, compression, headers."""

from __future__ import annotations

import gzip

import httpx
import pytest

from aware_agent.colony.event import EventDraft
from aware_agent.gateway.app import GatewayApp
from aware_agent.gateway.reads import HOT
from aware_agent.security.roles import Role
from tests.gateway.conftest import As
from tests.gateway.memory import MemoryContext, node_id

PLAIN = {"accept-encoding": "identity"}


@pytest.mark.parametrize("path", [*sorted(HOT), "/v1/nodes/demo-2", "/v1/nodes/demo-2/config"])
async def test_fast_path_and_route_answer_alike(admin: httpx.AsyncClient, app: GatewayApp, path: str) -> None:
    """The first request with a token goes through FastAPI, the next past it."""
    authorization = admin.headers["authorization"].encode()
    assert app.gateway.authority.recall(authorization) is None
    first = await admin.get(path, headers={**PLAIN, "x-request-id": "r-1"})
    assert app.gateway.authority.recall(authorization) is not None
    second = await admin.get(path, headers={**PLAIN, "x-request-id": "r-1"})
    assert first.status_code == second.status_code == 200
    assert first.content == second.content
    ignored = {"x-content-type-options", "x-frame-options", "referrer-policy", "content-security-policy"}
    assert {k: v for k, v in first.headers.items() if k not in ignored} == dict(second.headers)


@pytest.mark.parametrize("path", sorted(HOT))
async def test_headers_name_revision_term_and_node(admin: httpx.AsyncClient, context: MemoryContext, path: str) -> None:
    response = await admin.get(path)
    view = context.view()
    assert response.headers["x-aware-revision"] == str(view.revision)
    assert response.headers["x-aware-term"] == str(view.term)
    assert response.headers["x-aware-node"] == node_id(0)
    revision = view.spec_revision if path == "/v1/spec" else view.revision
    assert response.headers["etag"].startswith(f'"{revision}-')


@pytest.mark.parametrize("path", [*sorted(HOT), "/v1/nodes/demo-2", "/v1/nodes/demo-2/config"])
async def test_not_modified(admin: httpx.AsyncClient, path: str) -> None:
    tag = (await admin.get(path, headers=PLAIN)).headers["etag"]
    for header in (tag, f"W/{tag}", f'"other", {tag}', "*"):
        response = await admin.get(path, headers={"if-none-match": header, **PLAIN})
        assert response.status_code == 304
        assert response.content == b""
        assert response.headers["etag"] == tag
    assert (await admin.get(path, headers={"if-none-match": '"1-0"', **PLAIN})).status_code == 200


async def test_a_change_of_the_picture_changes_the_tag(admin: httpx.AsyncClient, context: MemoryContext) -> None:
    before = await admin.get("/v1/nodes")
    context.add_node(7)
    after = await admin.get("/v1/nodes", headers={"if-none-match": before.headers["etag"]})
    assert after.status_code == 200
    assert len(after.json()["nodes"]) == len(before.json()["nodes"]) + 1


@pytest.mark.parametrize("nodes", [5, 400])
async def test_gzip_only_when_asked(app: GatewayApp, context: MemoryContext, as_: As, nodes: int) -> None:
    """400 nodes are long enough to be compressed in a thread."""
    for number in range(5, nodes):
        context.add_node(number)
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="https://q", headers=as_(Role.VIEWER)) as client:
        plain = await client.get("/v1/inventory", headers=PLAIN)
        forbidden = await client.get("/v1/inventory", headers={"accept-encoding": "gzip;q=0"})
        zipped = [
            b"".join([part async for part in response.aiter_raw()])
            for response in [
                await client.send(
                    client.build_request("GET", "/v1/inventory", headers={"accept-encoding": "br, gzip"}), stream=True
                )
                for _ in range(2)
            ]
        ]
        answer = await client.get("/v1/inventory", headers={"accept-encoding": "gzip"})
        again = await client.get("/v1/inventory", headers={"if-none-match": answer.headers["etag"]})
    assert "content-encoding" not in plain.headers
    assert "content-encoding" not in forbidden.headers
    assert gzip.decompress(zipped[0]) == gzip.decompress(zipped[1]) == plain.content
    assert answer.headers["etag"] != plain.headers["etag"]
    assert "accept-encoding" in answer.headers["vary"]
    assert again.status_code == 304


async def test_cluster_document(admin: httpx.AsyncClient) -> None:
    document = (await admin.get("/v1/cluster")).json()
    assert document["queen"]["name"] == "demo-1"
    assert document["heir"] == {"id": node_id(1), "name": "demo-2"}
    assert document["size"] == {
        "wanted": 5, "servers": 5, "missing": 0,
        "ready": 5, "suspect": 0, "dead": 0, "left": 0, "away": 0, "cordoned": 0, "total": 5,
    }  # fmt: skip
    assert document["castes"][0] == {"name": "web", "wanted": 2, "assigned": ["demo-2", "demo-3"], "missing": 0}
    assert document["status"] == "healthy"


async def test_without_a_queen_key_the_queen_resource_says_so(admin: httpx.AsyncClient, context: MemoryContext) -> None:
    await admin.get("/v1/queen")  # the token is known from here on: both ways are tried
    context.delete(context.keys.queen)
    response = await admin.get("/v1/queen")
    assert response.status_code == 503
    assert response.json()["code"] == "no-queen"
    assert response.headers["retry-after"] == "1"
    assert (await admin.get("/v1/cluster")).json()["queen"] is None


async def test_nodes_by_id_and_by_name(admin: httpx.AsyncClient) -> None:
    by_name = (await admin.get("/v1/nodes/demo-3")).json()
    assert (await admin.get(f"/v1/nodes/{node_id(2)}")).json() == by_name
    missing = await admin.get("/v1/nodes/nobody")
    assert missing.status_code == 404
    assert missing.json()["code"] == "not-found"


async def test_an_ambiguous_name_is_no_node(admin: httpx.AsyncClient, context: MemoryContext) -> None:
    context.add_node(9, record={"name": "demo-2"})
    assert (await admin.get("/v1/nodes/demo-2")).status_code == 409
    assert (await admin.get(f"/v1/nodes/{node_id(9)}")).status_code == 200


async def test_events_page_by_page_and_by_type(admin: httpx.AsyncClient, context: MemoryContext) -> None:
    for number in range(10):
        context.emit("node.joined" if number % 2 else "node.ready", node_id(number), f"event {number}")
    seen: list[int] = []
    since, more = 0, True
    while more:
        page = (await admin.get("/v1/events", params={"since": since, "limit": 5})).json()
        seen += [event["revision"] for event in page["events"]]
        since, more = page["revision"], page["more"]
    assert seen == [revision for revision, _ in context.history]
    joined = (await admin.get("/v1/events", params={"type": "node.joined"})).json()["events"]
    assert [event["message"] for event in joined] == [f"event {number}" for number in (1, 3, 5, 7, 9)]


async def test_a_page_never_cuts_a_revision(admin: httpx.AsyncClient, context: MemoryContext) -> None:
    followers = [EventDraft("caste.assigned", node_id(2), text) for text in ("second", "third")]
    revision = context.memory.emit(EventDraft("node.dead", node_id(1), "first of three"), *followers)
    for _ in range(6):
        context.emit("node.ready", node_id(1), "after")
    for limit in (1, 2, 3):
        page = (await admin.get("/v1/events", params={"since": revision - 1, "limit": limit})).json()
        assert [event["revision"] for event in page["events"]].count(revision) == 3
        assert page["more"]
        rest = (await admin.get("/v1/events", params={"since": page["revision"]})).json()
        assert len(page["events"]) + len(rest["events"]) == 9
        assert not rest["more"]


async def test_trimmed_history_is_gone(admin: httpx.AsyncClient, context: MemoryContext) -> None:
    context.trim(50)
    response = await admin.get("/v1/events", params={"since": 7})
    assert response.status_code == 410
    assert response.json()["oldest"] == 50
    assert (await admin.get("/v1/events", params={"since": 49})).status_code == 200
    assert (await admin.get("/v1/events")).status_code == 200


@pytest.mark.parametrize("text", ["1_000", "+5", " 5", "5 ", "05", "5.0", "1e3", "-1", "", "nan", str(2**63)])
@pytest.mark.parametrize("name", ["since", "limit"])
async def test_numbers_in_a_query_have_one_spelling(admin: httpx.AsyncClient, name: str, text: str) -> None:
    for path in ("/v1/events", "/v1/events/stream") if name == "since" else ("/v1/events",):
        response = await admin.get(path, params={name: text})
        assert response.status_code == 422
        assert response.json()["field"] == name


@pytest.mark.parametrize("text", ["1_000", "+5", "05", "\xb2", str(2**63)])
async def test_revisions_in_headers_too(admin: httpx.AsyncClient, text: str) -> None:
    last = await admin.get("/v1/events/stream", headers={"Last-Event-ID": text.encode("latin-1")})
    match = await admin.put("/v1/spec", headers={"If-Match": text.encode("latin-1")}, json={})
    assert (last.status_code, match.status_code) == (422, 422)
