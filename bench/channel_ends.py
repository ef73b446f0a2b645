"""The two ends of the channel benchmark, each a process: ``python -m bench.channel_ends END ARGUMENTS``.

``member`` and ``echo`` listen on a free port, print it and serve until their standard input ends; ``nodes`` and
``talkers`` hold connections to it, print a line when all are open, and end the same way.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec
import uvloop
from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from aware_agent.channel.client import Channel
from aware_agent.channel.frames import FromMember, Hello, Seat, Why
from aware_agent.channel.limits import SourceLimits
from aware_agent.channel.server import ChannelServer
from aware_agent.channel.session import Session
from aware_agent.channel.tls import client_context, server_context
from aware_agent.colony.node import Report
from aware_agent.listening import listen

BEAT_S = 5.0
COUNCIL = "council.bench.aware"
AT_ONCE = 32  # connections being opened by one process


def files(directory: Path, name: str) -> tuple[Path, Path, bytes]:
    """Certificate and key of ``name``, and the CA."""
    return directory / f"{name}.crt", directory / f"{name}.key", (directory / "ca.crt").read_bytes()


class Everybody:
    """Implements channel.server.Registry: takes whoever comes."""

    def refusal(self, node: str, certificate: bytes) -> None:
        return None

    def beat_s(self, node: str) -> float:
        return BEAT_S

    def opened(self, session: Session) -> Sequence[FromMember]:
        return ()

    def reported(self, session: Session) -> None:
        pass

    def loaded(self, session: Session, raw: bytes) -> None:
        pass

    def judged(self, session: Session) -> None:
        pass

    def closed(self, session: Session) -> None:
        pass

    def twin(self, node: str, source: str) -> None:
        pass


async def member(directory: Path) -> None:
    """AWARE's listener."""
    limits = SourceLimits(rate=10_000, burst=10_000, pending_each=256, pending=256)
    listener = listen("127.0.0.1", 0, "channel")
    server = ChannelServer("m", listener, server_context(*files(directory, "member")), Everybody(), limits=limits)
    await server.start()
    print(server.port, flush=True)
    await _end_of_input()
    print(len(server.sessions), server.states()["silent"], flush=True)
    await server.stop()


async def echo(directory: Path) -> None:
    """The floor: ``websockets`` alone answers each message with itself."""

    async def handle(stream: ServerConnection) -> None:
        with contextlib.suppress(ConnectionClosed):
            async for message in stream:
                await stream.send(message)

    options = {"compression": None, "ping_interval": None, "max_queue": 4}
    context = server_context(*files(directory, "member"))
    async with serve(handle, sock=listen("127.0.0.1", 0, "channel"), ssl=context, **options) as server:  # type: ignore[arg-type]
        print(server.sockets[0].getsockname()[1], flush=True)
        await _end_of_input()
        print(len(server.connections), 0, flush=True)


class Caller:
    """Implements channel.client.Node."""

    def __init__(self, directory: Path, node: str) -> None:
        self._context = client_context(*files(directory, node))
        report = Report(name=node, address="127.0.0.1", url="https://127.0.0.1:1", incarnation=node)
        self._hello = Hello(incarnation=node, report=report)

    def hello(self) -> Hello:
        return self._hello

    def context(self):  # type: ignore[no-untyped-def]
        return self._context

    def load(self, channel: Channel) -> bytes:
        return b""

    def told(self, channel: Channel, frame: FromMember) -> None:
        pass

    def moved(self, channel: Channel) -> None:
        pass


async def nodes(directory: Path, port: int, ids: Sequence[str]) -> None:
    """AWARE's nodes."""
    seat = Seat(id="m", name="member", url="", channel=f"127.0.0.1:{port}")
    channels = [Channel(seat, Caller(directory, node), COUNCIL) for node in ids]
    for start in range(0, len(channels), AT_ONCE):
        some = channels[start : start + AT_ONCE]
        for channel in some:
            channel.start()
        async with asyncio.timeout(120):
            while not all(channel.is_open for channel in some):
                await asyncio.sleep(0.02)
    print("open", flush=True)
    await _end_of_input()
    await asyncio.gather(*(channel.close(Why.STOPPING) for channel in channels))


async def talkers(directory: Path, port: int, ids: Sequence[str]) -> None:
    """Clients of the floor: the same message at the same pace."""
    message = msgspec.msgpack.encode({"type": "beat", "count": 1})
    tasks = []

    async def talk(stream: object) -> None:
        while True:
            await asyncio.sleep(BEAT_S)
            await stream.send(message)  # type: ignore[attr-defined]
            await stream.recv()  # type: ignore[attr-defined]

    async def dial(node: str) -> None:
        context = client_context(*files(directory, node))
        url = f"wss://127.0.0.1:{port}/"
        stream = await connect(
            url,
            ssl=context,
            server_hostname=COUNCIL,
            compression=None,
            ping_interval=None,
            proxy=None,
            open_timeout=60,  # many dial at once, and other work may be on the machine
        )
        tasks.append(asyncio.create_task(talk(stream)))

    for start in range(0, len(ids), AT_ONCE):
        await asyncio.gather(*(dial(node) for node in ids[start : start + AT_ONCE]))
    print("open", flush=True)
    await _end_of_input()
    for task in tasks:
        task.cancel()


async def _end_of_input() -> None:
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    await reader.read()


def main(argv: Sequence[str]) -> None:
    end, directory = argv[0], Path(argv[1])
    work = {"member": member, "echo": echo}
    if end in work:
        uvloop.run(work[end](directory))
        return
    holders = {"nodes": nodes, "talkers": talkers}
    uvloop.run(holders[end](directory, int(argv[2]), argv[3:]))


if __name__ == "__main__":
    main(sys.argv[1:])
