"""Attack: somebody with an account writes in a loop, to push out what others did, or to fill etcd."""

from __future__ import annotations

import httpx
import msgspec
import pytest

from aware_agent.agent.settings import QuotaSettings
from aware_agent.colony.event import COLONY
from aware_agent.colony.quota import Quotas
from aware_agent.colony.spec import Spec
from aware_agent.gateway.app import create_gateway
from aware_agent.queen import access
from aware_agent.queen.reign import Reign
from tests.gateway.conftest import USERS
from tests.gateway.memory import PASSWORD, MemoryContext

KEEP = 120
Headers = dict[str, str]


@pytest.fixture
def context() -> MemoryContext:
    context = MemoryContext()
    spec = context.reader.one("spec", Spec)
    assert spec is not None
    policies = msgspec.structs.replace(spec.policies, keep_events=KEEP)
    context.put(context.keys.key("spec"), msgspec.structs.replace(spec, policies=policies))
    return context


@pytest.fixture
def reign(context: MemoryContext) -> Reign:
    """Of the queen whom the gateway asks."""
    made = context.commands._reign = context.memory.reign()
    return made


@pytest.fixture
async def client(context: MemoryContext) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=create_gateway(context)), base_url="https://queen")


async def token(client: httpx.AsyncClient, name: str) -> Headers:
    answer = await client.post("/v1/auth/token", json={"username": name, "password": PASSWORD})
    return {"authorization": f"Bearer {answer.json()['access_token']}"}


async def flip(client: httpx.AsyncClient, headers: Headers, number: int) -> int:
    changed = {"cordoned": number % 2 == 0}
    return (await client.patch("/v1/nodes/demo-5", json=changed, headers=headers)).status_code


async def test_an_operator_who_writes_in_a_loop_pushes_out_his_own_history_alone(
    context: MemoryContext, reign: Reign, client: httpx.AsyncClient
) -> None:
    otto, ada = await token(client, "otto"), await token(client, "ada")
    new = {"role": "viewer", "password": "a good one, is it"}
    assert (await client.put("/v1/users/nina", json=new, headers=ada)).status_code == 200
    others = [event for _, event in context.history]
    before = context.projection.revision
    for number in range(4 * KEEP):
        assert await flip(client, otto, number) == 200
        if number % 20 == 0:
            await reign._reconciler.once()
    await reign._reconciler.once()
    kept = [event for _, event in context.history]
    assert len(kept) <= KEEP + KEEP // 10
    assert [event for event in kept if event.actor != "otto"][: len(others)] == others, "all of it, in order"
    assert sum(event.actor == "otto" for event in kept) > KEEP // 2
    # Nobody who resumes takes that for the whole: what is missing is said.
    assert (await client.get(f"/v1/events?since={before}", headers=otto)).status_code == 410
    assert context.oldest_event_revision > before
    everything = (await client.get("/v1/events?since=0&limit=1000", headers=otto)).json()["events"]
    assert len(everything) == len(kept)
    newest = context.oldest_event_revision
    assert (await client.get(f"/v1/events?since={newest}", headers=otto)).status_code == 200


async def test_a_node_that_comes_and_goes_pushes_out_nothing_of_the_others(
    context: MemoryContext, reign: Reign, client: httpx.AsyncClient
) -> None:
    ada = await token(client, "ada")
    assert await flip(client, ada, 0) == 200
    before = [event for _, event in context.history]
    for _ in range(3 * KEEP):
        context.emit("node.suspect", "flapping", "demo-9 is suspect")
    await reign._reconciler.once()
    kept = [event for _, event in context.history]
    assert len(kept) <= KEEP
    assert [event for event in kept if event.subject != "flapping"] == before
    assert {event.actor for event in kept} == {COLONY, "ada"}


async def test_who_writes_too_much_is_told_to_wait_and_others_are_not(
    context: MemoryContext, reign: Reign, client: httpx.AsyncClient
) -> None:
    reign._commands._quotas = Quotas(QuotaSettings(changes_per_minute=1.0, burst_minutes=10.0).rates())
    otto, ada = await token(client, "otto"), await token(client, "ada")
    codes = [await flip(client, otto, number) for number in range(11)]
    assert codes == [200] * 10 + [429]
    revision = context.memory.etcd.revision
    refused = await client.patch("/v1/nodes/demo-5", json={"cordoned": True}, headers=otto)
    assert refused.json()["code"] == "quota-spent"
    assert 1 <= int(refused.headers["retry-after"]) <= 60
    assert context.memory.etcd.revision == revision
    assert await flip(client, ada, 1) == 200
    assert (await client.get("/v1/cluster", headers=otto)).status_code == 200
    assert (await client.delete("/v1/auth/token", headers=otto)).status_code == 200, "going is free"


async def test_a_write_that_was_done_is_told_again_whatever_the_quota(reign: Reign, client: httpx.AsyncClient) -> None:
    reign._commands._quotas = Quotas(QuotaSettings(changes_per_minute=1.0, burst_minutes=1.0).rates())
    otto = {**await token(client, "otto"), "idempotency-key": "one-of-a-kind-00"}
    for replayed in (None, "true"):
        answer = await client.patch("/v1/nodes/demo-5", json={"cordoned": True}, headers=otto)
        assert (answer.status_code, answer.headers.get("idempotency-replayed")) == (200, replayed)


async def test_a_viewer_who_refreshes_in_a_loop_writes_next_to_nothing(
    context: MemoryContext, client: httpx.AsyncClient
) -> None:
    answer = await client.post("/v1/auth/token", json={"username": "vera", "password": PASSWORD})
    refresh = answer.json()["refresh_token"]
    revision, events = context.memory.etcd.revision, len(context.history)
    for _ in range(50):
        answer = await client.post("/v1/auth/refresh", json={"refresh_token": refresh})
        assert answer.status_code == 200
        refresh = answer.json()["refresh_token"]
    assert context.memory.etcd.revision == revision
    assert len(context.history) == events


async def test_of_users_and_tokens_there_are_so_many_and_no_more(
    context: MemoryContext, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(access, "MAX_USERS", len(USERS) + 1)
    monkeypatch.setattr(access, "MAX_TOKENS", 2)
    ada = await token(client, "ada")
    new = {"role": "viewer", "password": "a good one, is it"}
    codes = [(await client.put(f"/v1/users/u{number}", json=new, headers=ada)).status_code for number in range(2)]
    assert codes == [200, 409]
    assert (await client.put("/v1/users/u0", json={"role": "operator"}, headers=ada)).status_code == 200
    made = [await client.post("/v1/tokens", json={"uses": 1, "ttl_s": 60}, headers=ada) for _ in range(3)]
    assert [answer.status_code for answer in made] == [201, 201, 409]
    assert made[-1].json()["code"] == "too-many-records"
    for kv in list(context.projection.items(context.keys.key("tokens/"))):
        record = msgspec.json.decode(kv.value)
        context.put(kv.key, {**record, "expires_at": 1.0})
    assert (await client.post("/v1/tokens", json={"uses": 1}, headers=ada)).status_code == 201, "old ones make room"
    assert len(list(context.projection.items(context.keys.key("tokens/")))) == 1
