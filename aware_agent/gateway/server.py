"""The HTTP server: uvicorn as a guest in an event loop that is not its own.

It captures no signals, writes no access log and binds its port itself, so that a port in use is one clear line.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from email.utils import formatdate
from pathlib import Path
from typing import Any, cast

from aware_agent.agent.settings import GatewaySettings
from aware_agent.colony.errors import AwareError, InvalidInput
from aware_agent.gateway.acceptor import Acceptor
from aware_agent.gateway.asgi import App, AtOnce
from aware_agent.gateway.http_protocol import GatewayHttp
from aware_agent.gateway.limits import Limits, limits_of, sweep
from aware_agent.gateway.proxy_protocol import Source
from aware_agent.gateway.running import Running
from aware_agent.gateway.uvicorn_parts import Config, Server
from aware_agent.listening import listen

Tls = tuple[Path, Path]  # certificate chain, key
MAX_MESSAGE = 64 * 1024  # bytes a WebSocket client may send at once; clients only ever send a token
_TICK_S, _TAKE_S = 1.0, 0.1
_LAST_WORDS_S = 1.0  # for a refusal, and for a connection to be gone after it was cut
log = logging.getLogger(__name__)


class _Guest(Server):
    """A server that leaves signals to the process, and lets in whom :class:`Acceptor` lets in."""

    def __init__(self, config: Config, context: ssl.SSLContext | None, limits: Limits, at_once: AtOnce | None) -> None:
        super().__init__(config)
        self._context, self._limits, self._at_once = context, limits, at_once
        self._sweeping: asyncio.Task[None] | None = None
        self._ending = asyncio.Event()
        self._somebody = asyncio.Event()  # has a connection, or had one a moment ago; or all ends

    def end(self) -> None:
        """Stop serving, at once."""
        self.should_exit = True
        self._ending.set()
        self._somebody.set()

    async def main_loop(self) -> None:
        """As uvicorn has it, which looks ten times a second: most of what a quiet worker would cost."""
        while not await self.on_tick(0):  # 0: it writes the time of day for the answers' headers
            if not self.server_state.connections:
                self._somebody.clear()
                await self._somebody.wait()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_TICK_S):
                    await self._ending.wait()
                    await asyncio.sleep(_TAKE_S)  # whoever has connected by now is still taken

    def _entered(self) -> None:
        """A connection is there and nothing of it was read yet. While there was none nobody kept the time of day, and
        newcomers judge their clocks by it.
        """
        if not self._somebody.is_set():
            today = formatdate(time.time(), usegmt=True).encode()
            self.server_state.default_headers = [(b"date", today), *self.config.encoded_headers]
            self._somebody.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Accept on the one socket there is."""
        assert sockets is not None
        acceptor: Any = Acceptor(
            sockets[0],
            self._protocol,
            tls=self._context,
            handshake_s=self._limits.first_request_s,
            connections=self._limits.connections,
            proxies=self._limits.proxies,
        )
        self.servers = [acceptor]  # uvicorn closes these when it stops
        self._sweeping = asyncio.create_task(sweep(self.server_state.connections, self._somebody.wait), name="sweep")
        self.started = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """As uvicorn has it; slow clients are swept until the end."""
        try:
            await super().shutdown(sockets)
        finally:
            if self._sweeping is not None:
                self._sweeping.cancel()
                await asyncio.gather(self._sweeping, return_exceptions=True)

    def _protocol(self, source: Source, ticket: object) -> asyncio.Protocol:
        made = GatewayHttp(config=self.config, server_state=self.server_state, app_state={})
        made.source, made.ticket, made.limits = source, ticket, self._limits
        made.entered, made.at_once = self._entered, self._at_once
        return made


class GatewayServer:
    """Serve ``app`` on ``host:port`` (0 picks a free one) until stopped; TLS 1.2 or newer when ``tls`` is given.

    ``listener``: a socket that listens there already. ``at_once``: what ``app`` can answer while a request is parsed.
    """

    unfit = ""  # never: a worker's server lives and dies with its agent

    def __init__(
        self,
        app: App,
        host: str,
        port: int,
        tls: Tls | None = None,
        *,
        node: str = "",
        grace_s: float = 2.0,
        listener: socket.socket | None = None,
        settings: GatewaySettings | None = None,
        at_once: AtOnce | None = None,
    ) -> None:
        self._host, self._port, self._tls, self._grace_s = host, port, tls, grace_s
        self._listener = listener
        self._settings = settings or GatewaySettings()
        self.limits = limits_of(self._settings)
        self._running = Running(app, node)
        self._at_once = at_once
        self._context: ssl.SSLContext | None = None
        self._server: _Guest | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def port(self) -> int:
        """The port it listens on; the real one once started."""
        return self._port

    @property
    def serving(self) -> bool:
        """Whether requests are answered."""
        return self._server is not None and bool(self._server.started)

    def watch(self, changed: Callable[[], None]) -> None:
        """Nothing to tell: see :attr:`unfit`."""

    async def run(self) -> None:
        """A duty: lasts until :meth:`stop`."""
        assert self._task is not None
        await asyncio.shield(self._task)

    async def start(self) -> None:
        """Listen. Returns when requests are answered. Raises PortInUse, AddressMissing, InvalidInput for a bad host."""
        self._context = _tls_context(self._tls, self._settings) if self._tls else None
        listener = self._listener or listen(self._host, self._port, "gateway")
        self._port = listener.getsockname()[1]
        self._server = _Guest(self._config(), self._context, self.limits, self._at_once)
        self._task = asyncio.create_task(self._server.serve(sockets=[listener]), name="gateway-server")
        while not self._server.started:
            if self._task.done():
                listener.close()
                self._task.result()
                raise AwareError("the gateway's server ended while it started")
            await asyncio.sleep(0.005)

    async def stop(self) -> None:
        """Stop listening and let requests end for the grace time. What still runs then is refused, or cut when its
        answer had begun. Idempotent.
        """
        if self._server is None or self._task is None:
            return
        self._server.end()
        task, server, self._task, self._server = self._task, self._server, None, None
        done, _ = await asyncio.wait({task}, timeout=self._grace_s)
        if not done:
            await self._cut(server)
            await asyncio.wait({task}, timeout=_LAST_WORDS_S)
            task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    async def _cut(self, server: _Guest) -> None:
        """End whatever still runs. uvicorn would cancel it, and log that as errors of the application."""
        refused = await self._running.refuse_waiting(_LAST_WORDS_S)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LAST_WORDS_S):
                # Most of these only wait for a client that owes its good-bye, to TLS or to a WebSocket.
                while server.server_state.connections:
                    for connection in list(server.server_state.connections):
                        connection.transport.abort()
                    await asyncio.sleep(0.01)
        ended = await self._running.end(_LAST_WORDS_S)
        if refused or ended:
            log.info("stopped with %d requests unanswered and %d answers cut short", refused, ended)

    def reload_tls(self) -> None:
        """Use the certificate and key files as they are now for new connections."""
        if self._context is not None and self._tls is not None:
            self._context.load_cert_chain(*self._tls)

    def _config(self) -> Config:
        return Config(
            self._running,
            http=GatewayHttp,
            loop="none",
            lifespan="off",
            interface="asgi3",
            ws=cast("type[asyncio.Protocol]", _late_websockets),  # uvicorn only calls it
            ws_max_size=MAX_MESSAGE,
            ws_per_message_deflate=False,
            log_config=None,
            log_level="error",  # below that strangers fill the log, and query strings are in it, tickets with them
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=int(self.limits.idle_s),
            timeout_graceful_shutdown=None,  # :meth:`stop` sees to it
        )


def _late_websockets(*args: Any, **kwargs: Any) -> asyncio.Protocol:
    """Load the WebSocket protocol when the first client asks for one."""
    from aware_agent.gateway.ws_protocol import GatewayWebSocket

    return GatewayWebSocket(*args, **kwargs)


def _tls_context(tls: Tls, settings: GatewaySettings) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3 if settings.tls_minimum == "1.3" else ssl.TLSVersion.TLSv1_2
    try:
        if settings.tls_ciphers:
            context.set_ciphers(settings.tls_ciphers)
    except ssl.SSLError as error:
        raise InvalidInput(f"gateway.tls_ciphers: OpenSSL knows none of {settings.tls_ciphers[:80]!r}") from error
    try:
        context.load_cert_chain(*tls)
    except (OSError, ssl.SSLError) as error:
        raise InvalidInput(f"gateway: cannot use certificate {tls[0]} with key {tls[1]}: {error}") from error
    return context
