"""Earlier versions of the spec and of configurations: listed, read, compared, and put in force again."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from aware_agent.colony.version import CONFIG_BOUNDS, SPEC_BOUNDS
from tests.gateway.memory import MemoryContext, node_id

WANTS = [{"colony": "demo", "size": size, "castes": {"web": {"count": count}}} for size, count in ((6, 1), (7, 2))]
CONFIG = "/v1/nodes/demo-2/config"


async def _specs(admin: httpx.AsyncClient) -> list[int]:
    """Two specs are put; their revisions."""
    return [(await admin.put("/v1/spec", json=want)).json()["revision"] for want in WANTS]


async def test_the_history_of_the_spec(admin: httpx.AsyncClient, context: MemoryContext) -> None:
    before = (await admin.get("/v1/spec")).json()
    first, second = await _specs(admin)
    listed = (await admin.get("/v1/spec/history")).json()
    assert [(one["revision"], one["current"]) for one in listed["versions"]] == [(second, True), (first, False)]
    newest = listed["versions"][0]
    assert (newest["actor"], newest["term"]) == ("ada", context.view().term)
    assert newest["message"].startswith("size 6 -> 7; caste web: 1 -> 2 nodes")
    # The first spec here was written past the queen: nobody keeps what that was.
    assert listed["oldest"] == first
    for revision, wanted in ((first, WANTS[0]), (second - 1, WANTS[0]), (second, WANTS[1])):
        shown = (await admin.get(f"/v1/spec?at={revision}")).json()
        assert shown["spec"]["size"] == wanted["size"]
        assert shown["revision"] in (first, second)
    gone = await admin.get(f"/v1/spec?at={before['revision']}")
    assert (gone.status_code, gone.json()["code"], gone.json()["oldest"]) == (410, "version-forgotten", first)
    ahead = await admin.get(f"/v1/spec?at={context.projection.revision + 1000}")
    assert (ahead.status_code, ahead.json()["code"]) == (410, "revision-ahead")


async def test_what_changed_between_two_revisions(admin: httpx.AsyncClient, context: MemoryContext) -> None:
    first, second = await _specs(admin)
    told = (await admin.get(f"/v1/spec/diff?from={first}&to={second}")).json()
    assert (told["from"], told["to"]) == (first, second)
    assert told["steps"] == ["size 6 -> 7", "caste web: 1 -> 2 nodes"]
    assert told["changes"] == [
        {"path": ["castes", "web", "count"], "from": 1, "to": 2},
        {"path": ["size"], "from": 6, "to": 7},
    ]
    assert (await admin.get(f"/v1/spec/diff?from={first}")).json() == told
    events = [event for revision, event in context.history if revision == second and event.type == "spec.changed"]
    assert [event.payload["changes"] for event in events] == [told["changes"]]


async def test_back_to_an_earlier_spec(admin: httpx.AsyncClient, context: MemoryContext) -> None:
    first, second = await _specs(admin)
    at = context.projection.revision
    dry = await admin.post("/v1/spec/rollback?dry_run=true", json={"revision": first})
    assert dry.status_code == 200
    assert dry.json()["changed"] is True
    assert dry.json()["steps"][:2] == ["size 7 -> 6", "caste web: 2 -> 1 node"]
    assert context.projection.revision == at, "nothing was written"
    stale = await admin.post("/v1/spec/rollback", json={"revision": first}, headers={"if-match": str(first)})
    assert stale.status_code == 412
    done = await admin.post("/v1/spec/rollback", json={"revision": first}, headers={"if-match": str(second)})
    assert done.status_code == 200
    now = (await admin.get("/v1/spec")).json()
    assert (now["revision"], now["spec"]["size"]) == (done.json()["revision"], 6)
    newest = (await admin.get("/v1/spec/history?limit=1")).json()["versions"][0]
    assert newest["message"].startswith(f"back to the spec of revision {first}: size 7 -> 6")
    again = await admin.post("/v1/spec/rollback", json={"revision": first})
    assert (again.status_code, again.json()["changed"]) == (200, False)


async def test_a_spec_that_is_not_possible_any_more(admin: httpx.AsyncClient, context: MemoryContext) -> None:
    first, _ = await _specs(admin)
    context.add_node(9, name="web", record={"name": "web"})
    refused = await admin.post("/v1/spec/rollback", json={"revision": first})
    assert refused.status_code == 409
    assert "caste 'web' is called like a node" in refused.json()["detail"]
    assert (await admin.get("/v1/spec")).json()["spec"]["size"] == 7


async def test_configurations_have_versions_too(admin: httpx.AsyncClient, context: MemoryContext) -> None:
    revisions = [(await admin.put(CONFIG, json={"config": {"vars": {"n": n}}})).json()["revision"] for n in range(3)]
    listed = (await admin.get(f"{CONFIG}/history")).json()
    assert [(one["version"], one["revision"]) for one in listed["versions"]] == list(
        zip((3, 2, 1), revisions[::-1], strict=True)
    )
    shown = (await admin.get(f"{CONFIG}?at={revisions[1]}")).json()
    assert (shown["version"], shown["config"]["vars"]) == (2, {"n": 1})
    assert (await admin.get(f"{CONFIG}?at={revisions[0] - 1}")).json()["version"] == 0, "it had none then"
    told = (await admin.get(f"{CONFIG}/diff?from={revisions[0]}")).json()
    assert told["changes"] == [{"path": ["vars", "n"], "from": 0, "to": 2}]
    dry = (await admin.post(f"{CONFIG}/rollback?dry_run=true", json={"revision": revisions[0]})).json()
    assert (dry["changed"], dry["dry_run"], dry["steps"]) == (True, True, ["vars.n: 2 -> 0"])
    assert (await admin.get(CONFIG)).json()["version"] == 3
    done = (await admin.post(f"{CONFIG}/rollback", json={"revision": revisions[0]})).json()
    assert (done["changed"], done["version"]) == (True, 4)
    assert (await admin.get(CONFIG)).json()["config"]["vars"] == {"n": 0}
    nothing = await admin.post(f"{CONFIG}/rollback", json={"revision": revisions[0] - 1})
    assert nothing.status_code == 404
    assert (await admin.delete("/v1/nodes/demo-2?force=true")).status_code == 200
    left = [kv.key for kv in context.projection.items(context.keys.key(f"versions/config/{node_id(1)}/"))]
    assert left == [], "nothing is kept of a node that was removed"


@pytest.mark.parametrize(
    ("path", "bounds", "body"),
    [
        ("/v1/spec", SPEC_BOUNDS, lambda n: {"colony": "demo", "size": 5 + n % 2}),
        (CONFIG, CONFIG_BOUNDS, lambda n: {"config": {"vars": {"n": n, "long": "x" * 30_000}}}),
    ],
)
async def test_not_more_is_kept_than_the_bounds_say(
    admin: httpx.AsyncClient, context: MemoryContext, path: str, bounds: Any, body: Any
) -> None:
    for number in range(bounds.number + 3):
        assert (await admin.put(path, json=body(number))).status_code == 200
    kept = list(context.projection.items(context.keys.key("versions/")))
    assert 1 < len(kept) <= bounds.number
    assert sum(len(kv.value) for kv in kept) <= bounds.size
    listed = (await admin.get(f"{path}/history")).json()
    assert len(listed["versions"]) == len(kept)
    assert listed["oldest"] == listed["versions"][-1]["revision"]
    gone = await admin.post(f"{path}/rollback", json={"revision": listed["oldest"] - 1})
    assert (gone.status_code, gone.json()["oldest"]) == (410, listed["oldest"])


async def test_a_spec_has_a_largest_size(admin: httpx.AsyncClient, context: MemoryContext) -> None:
    before = context.projection.revision
    castes = {f"c{n}": {"count": 0, "requires": {"labels": {"k": "v" * 60}}} for n in range(5000)}
    refused = await admin.put("/v1/spec", json={"colony": "demo", "size": 5, "castes": castes})
    assert refused.status_code == 422
    assert "at most 262144" in refused.json()["hint"]
    assert context.projection.revision == before
