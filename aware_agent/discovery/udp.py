"""Broadcast sockets. One per link, plain non-blocking sockets on the event loop's reader.

Not an asyncio datagram transport: that allocates 256 KiB for each datagram read, a hundred agents on one machine
each hear every beacon, and a beacon has 512 bytes.
"""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Callable, Iterable
from typing import Self

from aware_agent.discovery.beacon import MAX_SIZE
from aware_agent.discovery.errors import PortInUse
from aware_agent.discovery.interfaces import Link

Source = tuple[str, int]
Handler = Callable[[bytes, Source, "BroadcastSocket"], None]
# Read at most so many before other tasks get their turn; the rest waits in the kernel's buffer.
_BURST = 64


class BroadcastSocket:
    """Sends to and receives from one link's broadcast address.

    ``shared=True`` is a member's: bound to the broadcast address and the colony's beacon port, which any number
    of agents of any user share, each hearing every broadcast. ``shared=False`` is a newcomer's: bound to the
    link's own address, where answers reach only it, and to the same port, for an answer to a broadcast belongs to no
    flow that a stateful firewall knows: it passes as a beacon or not at all. When another newcomer at this address has
    the port (agents side by side on one machine), a free one is taken.
    """

    def __init__(self, link: Link, port: int, handler: Handler, *, shared: bool) -> None:
        self.link = link
        self.send_errors = 0
        self._target = (link.broadcast, port)
        self._handler = handler
        self._socket = _bind(link.broadcast, port, shared=True) if shared else _bind_alone(link.address, port)
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._socket.fileno(), self._read)

    def broadcast(self, datagram: bytes) -> bool:
        """Send to all; whether the kernel took it. Errors are counted, never raised: the next one may pass."""
        return self.send(datagram, self._target)

    def send(self, datagram: bytes, target: Source) -> bool:
        """Send to one address; see :meth:`broadcast`."""
        try:
            self._socket.sendto(datagram, target)
        except OSError:
            self.send_errors += 1
            return False
        return True

    def close(self) -> None:
        """Stop reading and close. Calling it again does nothing."""
        if self._socket.fileno() >= 0:
            self._loop.remove_reader(self._socket.fileno())
            self._socket.close()

    def __enter__(self) -> Self:
        """Itself; closed at the end of the block."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close."""
        self.close()

    def _read(self) -> None:
        for _ in range(_BURST):
            try:
                # One byte more than allowed, so that what is too long can be told from what just fits.
                datagram, source = self._socket.recvfrom(MAX_SIZE + 1)
            except OSError:  # nothing left, or an ICMP error of an earlier send
                return
            self._handler(datagram, source, self)
            if self._socket.fileno() < 0:  # the handler closed us
                return


def open_all(links: Iterable[Link], port: int, handler: Handler, *, shared: bool) -> list[BroadcastSocket]:
    """One socket per link; all or none. Raises :class:`PortInUse`, or ``OSError`` for an address not ours."""
    sockets: list[BroadcastSocket] = []
    try:
        for link in links:
            sockets.append(BroadcastSocket(link, port, handler, shared=shared))  # noqa: PERF401 - closed on error
    except BaseException:
        for opened in sockets:
            opened.close()
        raise
    return sockets


def _bind_alone(address: str, port: int) -> socket.socket:
    try:
        return _bind(address, port, shared=False)
    except PortInUse:
        return _bind(address, 0, shared=False)


def _bind(address: str, port: int, *, shared: bool) -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        if shared:
            # SO_REUSEPORT would share only among sockets of one user, and gives a broadcast to all anyway.
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((address, port))
    except OSError as error:
        sock.close()
        if error.errno == errno.EADDRINUSE:
            raise PortInUse(address, port) from error
        raise
    return sock
