"""A member's listener and nodes with real certificates on loopback."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
from websockets.asyncio.client import ClientConnection, connect

from aware_agent.channel.client import Channel
from aware_agent.channel.frames import FromMember, Hello, Seat, Why, encode
from aware_agent.channel.limits import SourceLimits
from aware_agent.channel.server import ChannelServer
from aware_agent.channel.session import Session
from aware_agent.channel.tls import client_context, server_context
from aware_agent.colony.ids import ulid
from aware_agent.colony.node import Report
from aware_agent.listening import listen
from aware_agent.security import pki

COUNCIL = "council.lab.aware"


def node_id(number: int) -> str:
    return ulid(1_700_000_000.0 + number, number.to_bytes(10, "big"))


def report(name: str = "n", **changes: object) -> Report:
    made = Report(name=name, address="127.0.0.1", url="https://127.0.0.1:1", incarnation="i1")
    return msgspec.structs.replace(made, **changes)


class Papers:
    """A CA and what it signed, as files."""

    def __init__(self, directory: Path, colony: str = "lab") -> None:
        directory.mkdir(exist_ok=True)
        self.directory = directory
        self.authority = pki.create_ca(colony, time.time())

    def pair(self, common_name: str, sans: Sequence[str] = ()) -> tuple[Path, Path]:
        certificate, key = (self.directory / f"{common_name or 'none'}.{end}" for end in ("crt", "key"))
        if not certificate.exists():
            made = pki.issue(self.authority, pki.make_key(), common_name=common_name, sans=sans, now=time.time())
            certificate.write_bytes(made.certificate)
            key.write_bytes(made.key)
        return certificate, key

    def server(self) -> ssl.SSLContext:
        return server_context(*self.pair(node_id(0), [COUNCIL]), self.authority.certificate)

    def client(self, common_name: str, ca: bytes | None = None) -> ssl.SSLContext:
        return client_context(*self.pair(common_name), ca or self.authority.certificate)


class Register:
    """Implements Registry: writes down what it is told."""

    def __init__(self, beat_s: float = 0.1) -> None:
        self.beat = beat_s
        self.refused: dict[str, Why] = {}
        self.told: list[tuple[str, str]] = []
        self.first: list[FromMember] = []
        self.loads: list[bytes] = []
        self.ended: dict[str, tuple[Why, str] | None] = {}

    def refusal(self, node: str, certificate: bytes) -> tuple[Why, str] | None:
        assert certificate
        return (self.refused[node], "not you") if node in self.refused else None

    def beat_s(self, node: str) -> float:
        return self.beat

    def opened(self, session: Session) -> Sequence[FromMember]:
        self.told.append(("opened", session.node))
        return self.first

    def reported(self, session: Session) -> None:
        self.told.append(("reported", session.report.name))

    def loaded(self, session: Session, raw: bytes) -> None:
        self.told.append(("loaded", session.node))
        self.loads.append(raw)

    def judged(self, session: Session) -> None:
        self.told.append(("silent" if session.silent else "heard", session.node))

    def closed(self, session: Session) -> None:
        self.told.append(("closed", session.node))
        self.ended[session.node] = session.why

    def twin(self, node: str, source: str) -> None:
        self.told.append(("twin", node))


@asynccontextmanager
async def serving(
    papers: Papers, register: Register, limits: SourceLimits | None = None
) -> AsyncIterator[ChannelServer]:
    server = ChannelServer(node_id(0), listen("127.0.0.1", 0, "channel"), papers.server(), register, limits=limits)
    await server.start()
    try:
        yield server
    finally:
        await server.stop()


@asynccontextmanager
async def dialled(papers: Papers, server: ChannelServer, node: str) -> AsyncIterator[ClientConnection]:
    """A raw WebSocket of ``node``: what is sent on it is up to the test."""
    stream = await connect(
        f"wss://127.0.0.1:{server.port}/",
        ssl=papers.client(node),
        server_hostname=COUNCIL,
        compression=None,
        ping_interval=None,
        close_timeout=0.5,
        proxy=None,
    )
    try:
        yield stream
    finally:
        stream.transport.abort()


def hello(incarnation: str = "i1", name: str = "n") -> bytes:
    return encode(Hello(incarnation=incarnation, report=report(name, incarnation=incarnation)))


class Caller:
    """Implements channel.client.Node for one node."""

    def __init__(self, papers: Papers, node: str, incarnation: str = "i1") -> None:
        self.papers, self.node, self.incarnation = papers, node, incarnation
        self.frames: list[FromMember] = []
        self.moves: list[str] = []
        self.busy = b""
        self.report = report(node, incarnation=incarnation)

    def hello(self) -> Hello:
        return Hello(incarnation=self.incarnation, report=self.report)

    def context(self) -> ssl.SSLContext:
        return self.papers.client(self.node)

    def load(self, channel: Channel) -> bytes:
        return self.busy

    def told(self, channel: Channel, frame: FromMember) -> None:
        self.frames.append(frame)

    def moved(self, channel: Channel) -> None:
        self.moves.append(str(channel.state.phase))


def seat(server: ChannelServer) -> Seat:
    return Seat(id=node_id(0), name="m", url="https://127.0.0.1:1", channel=f"127.0.0.1:{server.port}")


async def until(happened: Callable[[], object], limit_s: float = 20.0) -> None:
    """Wait until ``happened`` is true; fails after ``limit_s``."""
    async with asyncio.timeout(limit_s):
        while not happened():
            await asyncio.sleep(0.005)
