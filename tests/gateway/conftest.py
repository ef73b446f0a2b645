"""A queen's gateway over a colony in memory: in process, and behind real uvicorn on loopback."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable

import httpx
import pytest

from aware_agent.gateway.app import QueenApp, create_queen_app
from aware_agent.gateway.server import GatewayServer
from aware_agent.gateway.switch import GatewaySwitch
from aware_agent.gateway.worker import WorkerApp
from aware_agent.security.roles import Role
from tests.gateway.memory import MemoryContext

USERS = {Role.VIEWER: "vera", Role.OPERATOR: "otto", Role.ADMIN: "ada"}
Headers = dict[str, str]
As = Callable[[Role], Headers]


@pytest.fixture
def context() -> MemoryContext:
    return MemoryContext()


@pytest.fixture
async def app(context: MemoryContext) -> QueenApp:
    return create_queen_app(context)


@pytest.fixture
def as_(app: QueenApp) -> As:
    """Headers of a user with that role."""

    def headers(role: Role) -> Headers:
        authority = app.gateway.authority
        issued = authority.signer.issue(USERS[role], role, now=authority.now())
        return {"authorization": f"Bearer {issued.token}"}

    return headers


@pytest.fixture
async def anonymous(app: QueenApp) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="https://queen") as client:
        yield client


@pytest.fixture
async def admin(app: QueenApp, as_: As) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app=app)
    headers = as_(Role.ADMIN)
    async with httpx.AsyncClient(transport=transport, base_url="https://queen", headers=headers) as client:
        yield client


class Live:
    """A gateway behind a real server."""

    def __init__(self, switch: GatewaySwitch, server: GatewayServer) -> None:
        self.switch = switch
        self.server = server

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.port}"

    @property
    def ws(self) -> str:
        return f"ws://127.0.0.1:{self.server.port}"


@pytest.fixture
async def serve() -> AsyncIterator[Callable[..., Awaitable[Live]]]:
    """Start servers; all are stopped at the end."""
    servers: list[GatewayServer] = []

    async def start(context: MemoryContext, reign: QueenApp | None = None) -> Live:
        switch = GatewaySwitch(WorkerApp(context))
        if reign is not None:
            switch.begin(reign)
        server = GatewayServer(switch, "127.0.0.1", 0, grace_s=1.0)
        await server.start()
        servers.append(server)
        return Live(switch, server)

    yield start
    for server in servers:
        await server.stop()


@pytest.fixture
async def live(context: MemoryContext, app: QueenApp, serve: Callable[..., Awaitable[Live]]) -> Live:
    return await serve(context, app)
