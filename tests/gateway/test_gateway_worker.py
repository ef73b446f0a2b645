"""A worker: signpost to the queen, light, and never in the way."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable

import httpx
import msgspec
import pytest
import websockets

from aware_agent.colony.council_document import CouncilDocument
from aware_agent.gateway.worker import WorkerApp
from aware_agent.store.health import MemberState, StoreState, judge
from aware_agent.telemetry import Family, gauge
from tests.gateway.conftest import Live
from tests.gateway.memory import CA, COLONY, MemoryContext, node_id

QUEEN = "https://10.0.0.7:20101"


class WorkerContext(MemoryContext):
    queen_at: str | None = QUEEN

    def ready(self) -> tuple[bool, str]:
        return self.is_ready, "reigns" if self.is_ready else "is starting"

    def families(self) -> list[Family]:
        return [gauge("aware_up", "Always 1.", 1)]

    def council(self) -> CouncilDocument:
        return CouncilDocument(colony=COLONY, term=1, queen=self.queen_at, members=(QUEEN,))

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


async def test_without_a_queen_for_want_of_etcd_it_says_so_and_not_retry(
    client: httpx.AsyncClient, worker: WorkerContext
) -> None:
    worker.queen_at = None
    gone = MemberState(endpoint="10.0.0.2:2379", answers=False, reason="connection refused")
    left = MemberState(endpoint="10.0.0.1:2379", answers=True, reason="it answers, but knows no leader")
    worker.store_state = judge([left, gone], StoreState(), time.time() - 90)
    response = await client.get("/v1/cluster")
    problem = response.json()
    assert (response.status_code, problem["code"], response.headers["retry-after"]) == (503, "no-queen", "5")
    assert "etcd has no majority" in problem["detail"]
    assert "10.0.0.2:2379 (connection refused)" in problem["detail"]
    assert re.search(r"for 9\d s now", problem["detail"])
    assert "election" not in response.text
    assert "start its members" in problem["hint"]
    assert (problem["store"]["quorum"], problem["store"]["reachable"]) == (False, True)
    for path in ("/healthz", "/readyz", "/readyz/queen"):
        assert (await client.get(path)).json()["store"]["trouble"] == "no-quorum"


async def test_what_a_worker_answers_itself(client: httpx.AsyncClient, worker: WorkerContext) -> None:
    store = msgspec.json.decode(msgspec.json.encode(worker.store_state))
    assert (await client.get("/healthz")).json() == {"status": "ok", "store": store}
    assert (await client.get("/readyz")).json() == {"ready": True, "reason": "reigns", "store": store}
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
    live = await serve(WorkerApp(worker))
    async with websockets.connect(f"{live.ws}/v1/events/ws", proxy=None) as socket:
        with pytest.raises(websockets.ConnectionClosed) as closed:
            await socket.recv()
    assert closed.value.rcvd
    assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (code, reason)


async def test_a_load_balancer_does_not_take_a_worker_for_the_queen(client: httpx.AsyncClient) -> None:
    assert (await client.get("/readyz")).status_code == 200
    no = await client.get("/readyz/queen")
    assert (no.status_code, no.json()["ready"], no.json()["reason"]) == (503, False, "not the queen")


async def test_what_a_worker_answers_is_counted(client: httpx.AsyncClient) -> None:
    await client.get("/v1/cluster")
    text = (await client.get("/metrics")).text
    assert 'aware_gateway_requests_total{resource="redirect",status="3xx"} 1' in text
    assert "aware_nodes{" not in text


def test_a_worker_imports_nothing_heavy() -> None:
    """In a process of its own: the server and the signpost, as the agent loads them."""
    program = (
        "import sys\n"
        "import aware_agent.gateway.worker, aware_agent.gateway.server\n"
        "import aware_agent.gateway.context\n"
        "heavy = {'fastapi', 'starlette', 'pydantic', 'jwt', 'cryptography', 'jinja2', 'websockets', 'grpc'}\n"
        "print(sorted(heavy & {name.partition('.')[0] for name in sys.modules}))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
