"""Takes connections in: counted before the first byte is read, known by their real source, given a time for TLS.

A load balancer that the settings name says in front of TLS whom it speaks for (PROXY protocol); nobody else may.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import ipaddress
import logging
import socket
import ssl
import struct
from collections.abc import Callable, Sequence
from typing import Any

from aware_agent.background import Background
from aware_agent.gateway import proxy_protocol
from aware_agent.gateway.connections import Connections
from aware_agent.gateway.proxy_protocol import NoHeader, Source

log = logging.getLogger(__name__)

AT_ONCE = 64  # taken in before other work gets its turn
PROXY_S = 3.0
MAX_TOLD = 64  # addresses of which the log says that they have to speak the PROXY protocol
FULL_S = 0.1  # without file descriptors nothing can be taken in; a moment later, perhaps
_NO_ROOM = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER: whoever is refused costs us no TIME_WAIT

Factory = Callable[[Source, object], asyncio.Protocol]


class Acceptor:
    """Accepts on ``listener`` and gives each connection to a protocol ``factory`` makes.

    It has what uvicorn wants of a server it stops: :meth:`close`.
    """

    def __init__(
        self,
        listener: socket.socket,
        factory: Factory,
        *,
        tls: ssl.SSLContext | None,
        handshake_s: float,
        connections: Connections,
        proxies: Sequence[str] = (),
    ) -> None:
        self._listener, self._factory, self._tls, self._handshake_s = listener, factory, tls, handshake_s
        self._connections = connections
        self._proxies = [ipaddress.ip_network(proxy) for proxy in proxies]
        self._loop = asyncio.get_running_loop()
        self._entering = Background("a connection that enters")
        self._unproxied: set[str] = set()  # of whom that was told
        self._open = True
        self._loop.add_reader(listener.fileno(), self._accept)

    def close(self) -> None:
        """Take nobody in any more; who is on the way in is turned away."""
        if self._open:
            self._open = False
            self._loop.remove_reader(self._listener.fileno())
            self._entering.cancel()

    def _accept(self) -> None:
        for _ in range(AT_ONCE):
            try:
                connection, peer = self._listener.accept()
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno in _NO_ROOM:
                    self._pause()
                    return
                continue  # that one was gone before it was taken in
            connection.setblocking(False)
            self._entering.start(self._enter(connection, peer), name="entering")

    def _pause(self) -> None:
        log.warning("no file descriptors are left for connections")
        self._loop.remove_reader(self._listener.fileno())
        self._loop.call_later(FULL_S, self._resume)

    def _resume(self) -> None:
        if self._open:
            self._loop.add_reader(self._listener.fileno(), self._accept)

    async def _enter(self, connection: socket.socket, peer: Any) -> None:
        """One connection; whatever fails before it has a protocol ends here, in silence and counted."""
        ticket, source = object(), None
        try:
            source = await self._source(connection, peer)
            if not self._connections.admit(ticket, source.address):
                _refuse(connection)
                return
            await self._loop.connect_accepted_socket(
                lambda: self._factory(source, ticket),
                connection,
                ssl=self._tls,
                ssl_handshake_timeout=self._handshake_s if self._tls else None,
            )
        except asyncio.CancelledError:
            self._give_up(connection, ticket, "stopping")
            raise
        except NoHeader:
            self._tell_unproxied(str(peer[0]))
            self._give_up(connection, ticket, "proxy")
        except (OSError, ValueError, TimeoutError, EOFError) as error:
            self._give_up(connection, ticket, "handshake")
            if _is_wrong(error):
                self._connections.heard("handshake", str(peer[0]) if source is None else source.address)

    def _tell_unproxied(self, host: str) -> None:
        """Say once for each host why it gets no answer: it can be told nothing, for it may speak anything."""
        if host in self._unproxied or len(self._unproxied) >= MAX_TOLD:
            return
        self._unproxied.add(host)
        log.warning(
            "%s is named in gateway.proxies and sent no PROXY protocol header, version 2: it is refused. A load "
            "balancer has to send one; for other programs on its host give it a source address of its own, and name "
            "only that",
            host,
        )

    def _give_up(self, connection: socket.socket, ticket: object, reason: str) -> None:
        self._connections.refused[reason] += 1
        self._connections.release(ticket)
        with contextlib.suppress(OSError):
            connection.close()

    async def _source(self, connection: socket.socket, peer: Any) -> Source:
        """Whom this connection is from. Raises ``ValueError``, EOFError, TimeoutError for a header that is none."""
        host, port = str(peer[0]).partition("%")[0], int(peer[1])
        if not self._is_proxy(host):
            return Source(host, port)
        async with asyncio.timeout(PROXY_S):
            head = await self._read(connection, proxy_protocol.HEAD)
            rest = await self._read(connection, proxy_protocol.rest_of(head))
        told = proxy_protocol.parse(head, rest)
        return told._replace(by=host) if told.address else Source(host, port, host)

    async def _read(self, connection: socket.socket, size: int) -> bytes:
        """Exactly so many bytes: what follows is TLS's."""
        data = b""
        while len(data) < size:
            more = await self._loop.sock_recv(connection, size - len(data))
            if not more:
                raise EOFError
            data += more
        return data

    def _is_proxy(self, host: str) -> bool:
        if not self._proxies:
            return False
        address = ipaddress.ip_address(host)
        if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
            address = address.ipv4_mapped
        return any(address in network for network in self._proxies)


def _is_wrong(error: Exception) -> bool:
    """Whether a handshake failed by what the client sent, or by its silence. One who just went is a port check, a load
    balancer that looks whether somebody listens, or a client in a hurry: nothing to warn of."""
    gone = isinstance(error, (ConnectionError, EOFError, ssl.SSLEOFError))
    return isinstance(error, (ssl.SSLError, TimeoutError, ValueError)) and not gone


def _refuse(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    connection.close()
