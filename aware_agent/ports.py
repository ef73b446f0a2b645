"""Free ports of this machine, for programs that are started here: embedded etcd, tests, benchmarks.

Nothing but the standard library: tests of the collection import it beside an old ansible-core and nothing else.
"""

from __future__ import annotations

import errno
import random
import socket

# Below the range from which the kernel takes ports for connections, and below that of a colony on one machine
# (aware.cluster.local_ports), which cannot see what is only reserved here.
_FIRST, _LAST = 10_000, 19_999
_BLOCK = 40


class _Ports:
    """Ports of 127.0.0.1 for the programs this process starts, none given twice.

    To bind a port and close it again reserves nothing: of two test runs that choose at random, one takes the port the
    other has written into a configuration but not bound yet. So a process owns whole blocks: it listens on the first
    port of each for as long as it lives, which is how others see that the block is taken.
    """

    def __init__(self) -> None:
        self._left: list[int] = []

    def take(self) -> int:
        """The next port nobody listens on. :raises OSError: there is none."""
        while True:
            while self._left:
                port = self._left.pop()
                if (sock := _bound(port)) is not None:
                    sock.close()
                    return port
            self._next_block()

    def _next_block(self) -> None:
        starts = list(range(_FIRST, _LAST - _BLOCK, _BLOCK))
        random.shuffle(starts)
        for start in starts:
            if (guard := _bound(start)) is not None:
                guard.listen()
                guard.detach()  # stays open until the process ends
                self._left = list(range(start + _BLOCK - 1, start, -1))
                return
        raise OSError(errno.EADDRINUSE, f"no free port was found between {_FIRST} and {_LAST}")


_ports = _Ports()


def free_ports(count: int) -> list[int]:
    """So many ports of 127.0.0.1 that nobody listens on; see :class:`_Ports`. :raises OSError: there are none."""
    return [_ports.take() for _ in range(count)]


def free_port() -> int:
    """One of :func:`free_ports`."""
    return _ports.take()


def _bound(port: int) -> socket.socket | None:
    sock = socket.socket()
    try:
        sock.bind(("127.0.0.1", port))
    except OSError:
        sock.close()
        return None
    return sock
