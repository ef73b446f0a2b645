"""How many requests one party may make, and that nobody pays for another."""

from __future__ import annotations

import asyncio

import httpx
import pytest
import websockets

from aware_agent.agent.settings import GatewaySettings
from aware_agent.gateway.app import create_gateway
from aware_agent.gateway.throttle import Throttle
from aware_agent.security.roles import Role
from tests.gateway.conftest import Live
from tests.gateway.memory import PASSWORD, MemoryContext

SETTINGS = GatewaySettings(
    requests_per_s=1.0, requests_per_s_per_source=1.0, requests_per_s_of_strangers=3.0, request_burst_s=8.0
)
BURST = 8


class Clock:
    """Goes only where a test moves it."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Ends:
    """A gateway whose limits have a clock of ours."""

    def __init__(self) -> None:
        self.context = MemoryContext()
        self.app = create_gateway(self.context, SETTINGS)
        self.clock = Clock()
        self.app.gateway.throttle = Throttle(SETTINGS, self.clock)

    def at(self, address: str) -> httpx.AsyncClient:
        """A client at that address."""
        transport = httpx.ASGITransport(app=self.app, client=(address, 1))
        return httpx.AsyncClient(transport=transport, base_url="https://queen")

    async def token(self, address: str, user: str) -> dict[str, str]:
        """Headers of a user who has logged in there; the token was seen once."""
        async with self.at(address) as client:
            answer = await client.post("/v1/auth/token", json={"username": user, "password": PASSWORD})
            headers = {"authorization": f"Bearer {answer.json()['access_token']}"}
            assert (await client.get("/v1/auth/me", headers=headers)).status_code == 200
            return headers


@pytest.fixture
def ends() -> Ends:
    return Ends()


@pytest.mark.parametrize("path", ["/v1/cluster", "/v1/auth/me", "/metrics"], ids=["hot", "route", "public"])
async def test_a_user_has_a_budget_and_an_answer_that_says_when_to_come_again(ends: Ends, path: str) -> None:
    headers = await ends.token("192.0.2.1", "vera")
    async with ends.at("192.0.2.1") as client:
        seen = [await client.get(path, headers=headers) for _ in range(BURST + 1)]
        assert [answer.status_code for answer in seen] == [200] * BURST + [429]
        refused = seen[-1]
        assert refused.headers["content-type"] == "application/problem+json"
        assert refused.json()["code"] == "too-many-requests"
        assert refused.headers["retry-after"] == "1"
        assert refused.headers["ratelimit"] == '"user";r=0;t=1'
        assert refused.headers["ratelimit-policy"] == '"user";q=8;w=8'
        ends.clock.now += 1
        assert (await client.get(path, headers=headers)).status_code == 200
        assert (await client.get(path, headers=headers)).status_code == 429
    other = await ends.token("192.0.2.2", "otto")
    async with ends.at("192.0.2.2") as client:
        assert (await client.get(path, headers=other)).status_code == 200
    assert ends.app.gateway.throttle.refused == {"user": 2}


async def test_whoever_is_logged_in_does_not_pay_for_the_others_behind_his_address(ends: Ends) -> None:
    headers = await ends.token("192.0.2.1", "vera")
    async with ends.at("192.0.2.1") as client:
        flood = [(await client.get("/healthz")).status_code for _ in range(BURST + 4)]
        assert flood[-4:] == [429] * 4
        forged = {"authorization": "Bearer not.a.token"}
        assert (await client.get("/v1/cluster", headers=forged)).status_code == 429
        assert (await client.get("/v1/cluster", headers=headers)).status_code == 200
        changed = await client.patch("/v1/nodes/demo-2", headers=headers, json={"cordoned": True})
        assert changed.status_code == 403, "it is judged, not refused for the crowd's sake"


async def test_an_ipv6_network_is_one_source_and_all_strangers_have_one_budget_together(ends: Ends) -> None:
    codes = []
    for number in range(BURST + 1):
        async with ends.at(f"2001:db8::{number:x}") as client:
            codes.append((await client.get("/healthz")).status_code)
    assert codes == [200] * BURST + [429]
    codes = []
    for number in range(20):
        async with ends.at(f"198.51.100.{number}") as client:
            codes.append((await client.get("/healthz")).status_code)
    assert codes.count(200) == 3 * BURST - BURST, "what is left of the strangers' budget"
    assert ends.app.gateway.throttle.refused["strangers"] == codes.count(429)
    async with ends.at("198.51.100.19") as client:
        ends.clock.now += 1
        assert (await client.get("/healthz")).status_code == 200, "who was refused for the others' sake paid nothing"


async def test_what_is_refused_changes_nothing(ends: Ends) -> None:
    headers = await ends.token("192.0.2.1", "otto")
    async with ends.at("192.0.2.1") as client:
        while (await client.get("/v1/cluster", headers=headers)).status_code == 200:
            pass
        before = ends.context.memory.etcd.revision
        refused = await client.patch(
            "/v1/nodes/demo-2", headers={**headers, "idempotency-key": "k" * 20}, json={"cordoned": True}
        )
        assert (refused.status_code, ends.context.memory.etcd.revision) == (429, before)
        ends.clock.now += 2
        done = await client.patch(
            "/v1/nodes/demo-2", headers={**headers, "idempotency-key": "k" * 20}, json={"cordoned": True}
        )
        assert done.status_code == 200
        assert "idempotency-replayed" not in done.headers


async def test_a_websocket_too_many_is_refused_before_its_handshake(ends: Ends, serve: object) -> None:
    live: Live = await serve(ends.app)  # type: ignore[operator]
    async with httpx.AsyncClient() as client:
        while (await client.get(f"{live.url}/healthz")).status_code == 200:
            pass
    async with asyncio.timeout(20):
        with pytest.raises(websockets.InvalidStatus) as caught:
            await websockets.connect(f"{live.ws}/v1/events/ws")
    assert caught.value.response.status_code == 429
    assert b"too-many-requests" in caught.value.response.body


def test_roles_have_no_part_in_it(ends: Ends) -> None:
    """A name is what is counted: an admin who logs in again and again has one budget."""
    throttle = ends.app.gateway.throttle
    assert [throttle.user(str(Role.ADMIN)) for _ in range(BURST)] == [None] * BURST
    assert throttle.user(str(Role.ADMIN)) is not None
