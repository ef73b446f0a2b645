"""The listener of a council member: takes the channels of nodes, one each, and knows at once when one ends.

It has a port and TLS of its own, because nothing that the public can load or crash may touch it. Before a certificate
was verified a stranger costs one socket out of a bounded number; afterwards a node costs what its limits allow.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import ssl
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Protocol, cast

from websockets.asyncio.connection import Connection
from websockets.asyncio.server import Server, ServerConnection
from websockets.exceptions import ConnectionClosed, InvalidHandshake
from websockets.protocol import State
from websockets.server import ServerProtocol

from aware_agent.background import Background
from aware_agent.channel.frames import (
    MAX_FRAME,
    MAX_TEXT,
    AuditNotes,
    BadFrame,
    FromMember,
    Goodbye,
    NodeOrder,
    Welcome,
    Why,
    encode,
)
from aware_agent.channel.limits import SourceLimits
from aware_agent.channel.session import NoChannel, Session, read_hello
from aware_agent.channel.thin import repeat_steadily
from aware_agent.channel.tls import WrongCertificate, peer_of
from aware_agent.colony.connection import is_silent

log = logging.getLogger(__name__)

HELLO_S = 5.0  # for TLS, upgrade and hello together
SWEEP_S = 0.25  # between looks at who is silent
RETRY_S = 0.2  # after the system had no room for another connection
MAX_QUEUE = 4  # frames read ahead of one node


class Registry(Protocol):
    """What a member knows of nodes, and hears of their channels. All calls return at once."""

    def refusal(self, node: str, certificate: bytes) -> tuple[Why, str] | None:
        """Why ``node`` with this certificate (DER) gets no channel; None when it does."""

    def beat_s(self, node: str) -> float:
        """How often the node shall be heard."""

    def opened(self, session: Session) -> Sequence[FromMember]:
        """The node is here. Returns what it is told first."""

    def reported(self, session: Session) -> None:
        """Its report changed."""

    def noted(self, session: Session, frame: AuditNotes) -> None:
        """It has something for the audit log."""

    def loaded(self, session: Session, raw: bytes) -> None:
        """It says how busy it is; nobody has looked at it yet."""

    def judged(self, session: Session) -> None:
        """It became silent, or answers again."""

    def closed(self, session: Session) -> None:
        """It is gone; ``session.why`` tells how."""

    def twin(self, node: str, source: str) -> None:
        """Another process with the identity of a node that is here asked for a channel, and got none."""


class ChannelServer:
    """Listens on ``sock`` as member ``me`` from :meth:`start` to :meth:`stop`."""

    def __init__(
        self,
        me: str,
        sock: socket.socket,
        context: ssl.SSLContext,
        registry: Registry,
        *,
        limits: SourceLimits | None = None,
    ) -> None:
        self._me = me
        self._socket = sock
        self._context = context
        self._registry = registry
        # Seats for handshakes: one source can take a quarter of them.
        self._limits = limits or SourceLimits(rate=50, burst=200, pending_each=64, pending=256)
        self._tasks = Background("a channel")
        self._duties: list[asyncio.Task[None]] = []
        self._stopping = False
        self.sessions: dict[str, Session] = {}
        self.counts: Counter[str] = Counter()  # what became of those who came

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._socket.getsockname()[1])

    def is_serving(self) -> bool:
        """Whether newcomers are taken; ``websockets`` asks its server so."""
        return not self._stopping

    async def start(self) -> None:
        """Take channels."""
        self._socket.setblocking(False)
        self._duties = [asyncio.create_task(duty(), name="channel") for duty in (self._accept, self._sweep)]

    async def stop(self, why: Why = Why.STOPPING) -> None:
        """Close all channels and the listener."""
        self._stopping = True
        for task in self._duties:
            task.cancel()
        await asyncio.gather(*self._duties, return_exceptions=True)
        await asyncio.gather(*(session.close(why) for session in list(self.sessions.values())))
        await self._tasks.close()
        self._socket.close()

    def use(self, context: ssl.SSLContext) -> None:
        """Show and believe what ``context`` holds, to those who come from now on."""
        self._context = context

    async def renew(self, why: Why = Why.RENEWED) -> None:
        """Close all channels, so that every node shows its certificate anew: a CA is not believed any more."""
        await asyncio.gather(*(session.close(why) for session in list(self.sessions.values())))

    async def command(self, node: str, order: NodeOrder, term: int, timeout_s: float) -> dict[str, Any]:
        """Have ``node`` do ``order``. Raises NoChannel, NoAnswer, NodeRefused."""
        session = self.sessions.get(node)
        if session is None:
            raise NoChannel("this node has no channel to the queen now", hint="is its agent up? see: aware nodes show")
        return await session.command(order, term, timeout_s)

    def dismiss(self, node: str, why: Why, text: str = "") -> None:
        """Close the channel of a node that was removed."""
        session = self.sessions.get(node)
        if session is not None:
            self._tasks.start(session.close(why, text))

    def states(self) -> Mapping[str, int]:
        """How many channels are in which state."""
        silent = sum(session.silent for session in self.sessions.values())
        return {"open": len(self.sessions) - silent, "silent": silent, "connecting": self._limits.under_way}

    # Newcomers -------------------------------------------------------------------------------------------------------

    async def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                sock, address = await loop.sock_accept(self._socket)
            except OSError as error:  # no descriptors left: those who are here go on
                log.warning("cannot take a connection: %s", error.strerror)
                await asyncio.sleep(RETRY_S)
                continue
            source = self._limits.begin(str(address[0]), time.monotonic())
            if source is None:
                self.counts["limited"] += 1
                sock.close()
            else:
                self._tasks.start(self._admit(sock, source))

    async def _admit(self, sock: socket.socket, source: str) -> None:
        """A connection, from its TLS handshake to its end."""
        repeat_steadily(sock)
        pending = contextlib.ExitStack()
        pending.callback(self._limits.end, source)
        stream: ServerConnection | None = None
        try:
            async with asyncio.timeout(HELLO_S):
                stream = await self._shake_hands(sock)
                session = await self._introduce(stream, source)
            pending.close()
            if session is not None:
                await self._hold(session)
        except (TimeoutError, OSError, ConnectionClosed, InvalidHandshake, EOFError, WrongCertificate) as error:
            self.counts["failed"] += 1
            log.debug("no channel for %s: %s", source, error)
        finally:
            pending.close()
            if stream is not None:
                stream.transport.abort()

    async def _shake_hands(self, sock: socket.socket) -> ServerConnection:
        loop = asyncio.get_running_loop()
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        stream = self._protocol()  # uvloop returns its own protocol for TLS, not this one
        await loop.connect_accepted_socket(
            lambda: stream, sock, ssl=self._context, ssl_handshake_timeout=HELLO_S, ssl_shutdown_timeout=1.0
        )
        try:
            await stream.handshake(server_header=None)
        except BaseException:
            stream.transport.abort()
            raise
        if stream.state is not State.OPEN:
            stream.transport.abort()
            raise EOFError("no WebSocket")
        return stream

    def _protocol(self) -> _Stream:
        return _Stream(
            ServerProtocol(max_size=MAX_FRAME),
            cast("Server", self),  # it is only asked whether it is serving
            ping_interval=None,  # heartbeats are frames of ours
            close_timeout=1.0,
            max_queue=MAX_QUEUE,
        )

    async def _introduce(self, stream: ServerConnection, source: str) -> Session | None:
        """Who comes, and whether it may. None: it was told why not."""
        peer = peer_of(stream.transport)
        refusal = self._registry.refusal(peer.id, peer.certificate)
        try:
            hello = await read_hello(stream)
        except BadFrame as error:
            log.info("no channel for %s: %s", source, error.message)
            await self._refuse(stream, *(refusal or (Why.BAD_FRAME, error.message)))
            return None
        if refusal is None and self._is_twin(peer.id, hello.incarnation):
            self._registry.twin(peer.id, source)
            refusal = Why.TWIN, "another process with this identity is connected"
        if refusal is not None:
            await self._refuse(stream, *refusal)
            return None
        return Session(peer.id, hello, stream, self._registry, self._registry.beat_s(peer.id))

    async def _refuse(self, stream: ServerConnection, why: Why, text: str) -> None:
        """Say why, and close: who hears nothing tries again at once, and nobody there knows what is wrong."""
        self.counts[f"refused-{why}"] += 1
        await stream.send(encode(Goodbye(why=why, text=text[:MAX_TEXT])))
        await stream.close()

    def _is_twin(self, node: str, incarnation: str) -> bool:
        """Another process is here under this id and alive. One that restarted left a silent channel at most."""
        if node == self._me:
            return True
        old = self.sessions.get(node)
        if old is None or old.incarnation == incarnation:
            return False
        return not is_silent(old.heard_at, old.beat_s, time.monotonic())

    async def _hold(self, session: Session) -> None:
        old = self.sessions.get(session.node)
        if old is not None:
            self._tasks.start(old.close(Why.REPLACED, "a newer channel of the same node"))
        self.sessions[session.node] = session
        self.counts["opened"] += 1
        session.send(Welcome(member=self._me, beat_s=session.beat_s))
        try:
            for frame in self._registry.opened(session):
                session.send(frame)
            await session.read()
        finally:
            # One that was replaced is not missed: the newer one is there.
            if self.sessions.get(session.node) is session:
                del self.sessions[session.node]
                self._registry.closed(session)

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_S)
            now = time.monotonic()
            for session in list(self.sessions.values()):
                if session.judge(now):
                    self._registry.judged(session)


class _Stream(ServerConnection):
    """A WebSocket whose handshake is driven by :meth:`ChannelServer._admit`, not by a task of the library."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        Connection.connection_made(self, cast("asyncio.Transport", transport))
