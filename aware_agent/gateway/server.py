"""The HTTP server: uvicorn as a guest in the agent's event loop.

It captures no signals, writes no access log and binds its port itself, so that a port in use is one clear line.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import ipaddress
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import uvicorn

from aware_agent.colony.errors import AwareError, InvalidInput
from aware_agent.gateway.asgi import App
from aware_agent.gateway.errors import PortInUse

Tls = tuple[Path, Path]  # certificate chain, key
MAX_MESSAGE = 64 * 1024  # bytes a WebSocket client may send at once; clients only ever send a token
_BACKLOG = 1024
_SILENCE_MS = 60_000


class _Guest(uvicorn.Server):
    """A server that leaves signals to the agent."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class GatewayServer:
    """Serve ``app`` on ``host:port`` (0 picks a free one) until stopped; TLS 1.2 or newer when ``tls`` is given."""

    def __init__(self, app: App, host: str, port: int, tls: Tls | None = None, *, grace_s: float = 2.0) -> None:
        self._app, self._host, self._port, self._tls, self._grace_s = app, host, port, tls, grace_s
        self._context: ssl.SSLContext | None = None
        self._server: _Guest | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def port(self) -> int:
        """The port it listens on; the real one once started."""
        return self._port

    async def start(self) -> None:
        """Listen. Returns when requests are answered. Raises :class:`PortInUse`, InvalidInput for a bad host."""
        self._context = _tls_context(self._tls) if self._tls else None
        listener = _bind(self._host, self._port)
        self._port = listener.getsockname()[1]
        self._server = _Guest(self._config())
        self._task = asyncio.create_task(self._server.serve(sockets=[listener]), name="gateway-server")
        while not self._server.started:
            if self._task.done():
                listener.close()
                self._task.result()
                raise AwareError("the gateway's server ended while it started")
            await asyncio.sleep(0.005)

    async def stop(self) -> None:
        """Stop listening, let running requests end for the grace time, then cut them. Idempotent."""
        if self._server is None or self._task is None:
            return
        self._server.should_exit = True
        task, self._task, self._server = self._task, None, None
        done, _ = await asyncio.wait({task}, timeout=self._grace_s + 2)
        if not done:
            task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    def reload_tls(self) -> None:
        """Use the certificate and key files as they are now for new connections."""
        if self._context is not None and self._tls is not None:
            self._context.load_cert_chain(*self._tls)

    def _config(self) -> uvicorn.Config:
        context = self._context
        return uvicorn.Config(
            self._app,
            http="httptools",
            loop="none",
            lifespan="off",
            interface="asgi3",
            ws=cast("type[asyncio.Protocol]", _late_websockets),  # uvicorn only calls it
            ws_max_size=MAX_MESSAGE,
            ws_per_message_deflate=False,
            log_config=None,
            log_level="warning",  # below that it logs query strings, and tickets with them
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=30,
            timeout_graceful_shutdown=max(1, round(self._grace_s)),
            ssl_context_factory=(lambda _config, _default: context) if context else None,
        )


def _late_websockets(*args: Any, **kwargs: Any) -> asyncio.Protocol:
    """Load the WebSocket protocol when the first client asks for one."""
    from aware_agent.gateway.ws_protocol import GatewayWebSocket

    return GatewayWebSocket(*args, **kwargs)


def _bind(host: str, port: int) -> socket.socket:
    try:
        family = socket.AF_INET6 if ipaddress.ip_address(host).version == 6 else socket.AF_INET
    except ValueError:
        raise InvalidInput(f"gateway: {host!r} is not an IP address to listen on", field="address") from None
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # Inherited by connections: whoever takes no byte for so long is gone, whatever its kernel says.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _SILENCE_MS)
        listener.bind((host, port))
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        raise _refused(error, host, port) from error
    listener.setblocking(False)
    return listener


def _refused(error: OSError, host: str, port: int) -> AwareError:
    if error.errno == errno.EADDRINUSE:
        return PortInUse(f"port {port} on {host} is in use by another process", hint="choose another [gateway] port")
    why = error.strerror or "error"
    return InvalidInput(f"cannot listen on {host} port {port}: {why}", field="gateway.port")


def _tls_context(tls: Tls) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(*tls)
    except (OSError, ssl.SSLError) as error:
        raise InvalidInput(f"gateway: cannot use certificate {tls[0]} with key {tls[1]}: {error}") from error
    return context
