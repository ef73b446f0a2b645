"""A gateway over a colony in memory: in process, and behind real uvicorn on loopback."""

from __future__ import annotations

import asyncio
import datetime
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import httpx
import pytest

from aware_agent.colony.session import Session
from aware_agent.gateway.app import GatewayApp, create_gateway
from aware_agent.gateway.asgi import App
from aware_agent.gateway.server import GatewayServer
from aware_agent.security.roles import Role
from tests.gateway.memory import MemoryContext

USERS = {Role.VIEWER: "vera", Role.OPERATOR: "otto", Role.ADMIN: "anna", Role.SECURITY_ADMIN: "ada"}
Headers = dict[str, str]
As = Callable[[Role], Headers]


@pytest.fixture
def context() -> MemoryContext:
    return MemoryContext()


@pytest.fixture
async def app(context: MemoryContext) -> GatewayApp:
    return create_gateway(context)


@pytest.fixture
def as_(app: GatewayApp, context: MemoryContext) -> As:
    """Headers of a user with that role, in a session of its own."""

    def headers(role: Role) -> Headers:
        authority = app.gateway.authority
        key, now = os.urandom(16).hex(), authority.now()
        session = Session(user=USERS[role], user_id="", begun_at=now, refreshed_at=now)
        context.put(context.keys.key("sessions", key), session)
        issued = authority.signer.issue(USERS[role], role, now=now, session=key)
        return {"authorization": f"Bearer {issued.token}"}

    return headers


@pytest.fixture
async def anonymous(app: GatewayApp) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="https://queen") as client:
        yield client


@pytest.fixture
async def admin(app: GatewayApp, as_: As) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app=app)
    headers = as_(Role.SECURITY_ADMIN)  # who may do everything
    async with httpx.AsyncClient(transport=transport, base_url="https://queen", headers=headers) as client:
        yield client


class Live:
    """A gateway behind a real server."""

    def __init__(self, server: GatewayServer) -> None:
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

    async def start(app: App) -> Live:
        server = GatewayServer(app, "127.0.0.1", 0, grace_s=1.0)
        await server.start()
        servers.append(server)
        return Live(server)

    yield start
    for server in servers:
        await server.stop()


@pytest.fixture
async def live(app: GatewayApp, serve: Callable[..., Awaitable[Live]]) -> Live:
    return await serve(app)


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    chain, private = tmp_path / "node.crt", tmp_path / "node.key"
    chain.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return chain, private


async def eventually(done: Callable[[], object], limit_s: float = 30.0) -> None:
    """Wait until ``done``; while it is asked it may push the matter on."""
    async with asyncio.timeout(limit_s):
        while not done():
            await asyncio.sleep(0.01)
