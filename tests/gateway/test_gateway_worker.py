"""A worker: signpost to the queen, light, and never in the way."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Awaitable, Callable

import httpx
import pytest
import websockets

from aware_agent.gateway.app import QueenApp
from aware_agent.gateway.switch import GatewaySwitch
from aware_agent.gateway.worker import WorkerApp
from tests.gateway.conftest import As, Live
from tests.gateway.memory import CA, MemoryContext, node_id

QUEEN = "https://10.0.0.7:20101"


class WorkerContext(MemoryContext):
    queen_at: str | None = QUEEN

    def queen_url(self) -> str | None:
        return self.queen_at


@pytest.fixture
def worker() -> WorkerContext:
    return WorkerContext()


@pytest.fixture
async def client(worker: WorkerContext) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=WorkerApp(worker)), base_url="https://worker")


@pytest.mark.parametrize(
    "target",
    ["/v1/cluster", "/v1/nodes/a%2Fb?x=1&y=%20", "/", "/docs", "/v1/events?since=5", "//evil.example/v1", "/v1/ca/x"],
)
@pytest.mark.parametrize("method", ["GET", "PUT", "POST", "DELETE", "PATCH"])
async def test_redirects_with_path_query_and_method_kept(client: httpx.AsyncClient, method: str, target: str) -> None:
    response = await client.send(client.build_request(method, f"https://worker{target}"))
    assert response.status_code == 307
    assert response.headers["location"] == QUEEN + target
    assert response.headers["x-aware-queen"] == QUEEN
    assert response.headers["x-aware-node"] == node_id(0)


async def test_a_path_can_never_change_the_host(worker: WorkerContext) -> None:
    sent: list[dict[str, object]] = []

    async def send(message: dict[str, object]) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "GET",
        "path": "@evil.example/",
        "raw_path": b"@evil.example/",
        "query_string": b"",
    }
    await WorkerApp(worker)(scope, None, send)  # type: ignore[arg-type]
    assert (b"location", b"https://10.0.0.7:20101/@evil.example/") in sent[0]["headers"]  # type: ignore[operator]


async def test_without_a_queen_it_says_retry(client: httpx.AsyncClient, worker: WorkerContext) -> None:
    worker.queen_at = None
    response = await client.get("/v1/cluster")
    assert response.status_code == 503
    assert response.headers["retry-after"] == "1"
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json()["code"] == "no-queen"


async def test_what_a_worker_answers_itself(client: httpx.AsyncClient, worker: WorkerContext) -> None:
    assert (await client.get("/healthz")).json() == {"status": "ok"}
    assert (await client.get("/readyz")).json() == {"ready": True, "reason": "reigns"}
    worker.is_ready = False
    assert (await client.get("/readyz")).status_code == 503
    assert (await client.get("/v1/ca")).content == CA
    assert "aware_up 1" in (await client.get("/metrics")).text
    refused = await client.post("/healthz")
    assert refused.status_code == 405
    assert refused.json()["code"] == "method-not-allowed"


@pytest.mark.parametrize(("queen", "code", "reason"), [(QUEEN, 1008, f"queen {QUEEN}"), (None, 1013, "no queen")])
async def test_a_websocket_is_told_where_the_queen_is(
    serve: Callable[..., Awaitable[Live]], worker: WorkerContext, queen: str | None, code: int, reason: str
) -> None:
    worker.queen_at = queen
    live = await serve(worker)
    async with websockets.connect(f"{live.ws}/v1/events/ws", proxy=None) as socket:
        with pytest.raises(websockets.ConnectionClosed) as closed:
            await socket.recv()
    assert closed.value.rcvd
    assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (code, reason)


async def test_the_switch_changes_rooms(
    serve: Callable[..., Awaitable[Live]], worker: WorkerContext, app: QueenApp, as_: As
) -> None:
    live = await serve(worker)
    async with httpx.AsyncClient(base_url=live.url) as client:
        assert (await client.get("/v1/cluster")).status_code == 307
        live.switch.begin(app)
        assert live.switch.reigning
        assert (await client.get("/v1/cluster")).status_code == 401
        with pytest.raises(RuntimeError):
            live.switch.begin(app)
        await live.switch.end("over")
        await live.switch.end("over")
        assert (await client.get("/v1/cluster")).status_code == 307


async def test_a_load_balancer_finds_the_queen(
    serve: Callable[..., Awaitable[Live]], worker: WorkerContext, app: QueenApp
) -> None:
    live = await serve(worker)
    async with httpx.AsyncClient(base_url=live.url) as client:
        assert (await client.get("/readyz")).status_code == 200
        assert (await client.get("/readyz/queen")).status_code == 503
        live.switch.begin(app)
        assert (await client.get("/readyz/queen")).status_code == 200
        app.gateway.context.is_ready = False  # type: ignore[misc]
        assert (await client.get("/readyz/queen")).status_code == 503
        await live.switch.end("over")
        assert (await client.get("/readyz/queen")).json() == {"ready": False, "reason": "not the queen"}


async def test_counters_go_on_through_a_reign(worker: WorkerContext) -> None:
    from aware_agent.gateway.app import create_queen_app

    signpost = WorkerApp(worker)
    switch = GatewaySwitch(signpost)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=switch), base_url="https://n") as client:
        await client.get("/v1/cluster")
        switch.begin(create_queen_app(worker, signpost.public))
        await client.get("/v1/cluster")
        reigning = (await client.get("/metrics")).text
        await switch.end("over")
        after = (await client.get("/metrics")).text
    assert 'aware_gateway_requests_total{resource="redirect",status="3xx"} 1' in reigning
    assert 'aware_gateway_requests_total{resource="/v1/cluster",status="4xx"} 1' in reigning
    assert 'aware_nodes{status="ready"} 5' in reigning
    assert "aware_nodes_wanted 5" in reigning
    assert 'aware_gateway_requests_total{resource="/v1/cluster",status="4xx"} 1' in after
    assert "aware_nodes{" not in after


def test_a_worker_imports_nothing_heavy() -> None:
    """In a process of its own: the server, the switch and the signpost, as the agent loads them."""
    program = (
        "import sys\n"
        "import aware_agent.gateway.worker, aware_agent.gateway.switch, aware_agent.gateway.server\n"
        "import aware_agent.gateway.context\n"
        "heavy = {'fastapi', 'starlette', 'pydantic', 'jwt', 'cryptography', 'jinja2', 'websockets', 'grpc'}\n"
        "print(sorted(heavy & {name.partition('.')[0] for name in sys.modules}))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
