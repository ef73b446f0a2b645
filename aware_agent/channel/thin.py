"""Channels where packets get lost: TCP sends a lost one again at a steady pace, instead of ever more seldom.

A heartbeat is a packet or two. When one is lost TCP doubles its patience each time (0.2, 0.6, 1.4, 3.0, 6.2 s after the
first), and all later heartbeats wait behind it: where three of ten packets are lost, a queen who is well is silent for
four seconds about once a minute. Linux can be told to be steady. What it costs is a packet a second to a host that is
gone, until the channel is given up.
"""

from __future__ import annotations

import contextlib
import socket
import sys
from typing import Any

# Of linux/tcp.h; Python has no names for them.
_THIN_LINEAR_TIMEOUTS = 16  # tcp-thin.rst: no doubling for the first six times, where a congestion control allows it
_RTO_MAX_MS = 44  # since Linux 6.15: never longer than this
_LONGEST_MS = 1000  # the least that it takes


def repeat_steadily(sock: Any) -> None:
    """Of a connected TCP socket, or what a transport gives as one. An option that this system lacks is left out."""
    if sys.platform == "linux":
        for option, value in ((_THIN_LINEAR_TIMEOUTS, 1), (_RTO_MAX_MS, _LONGEST_MS)):
            with contextlib.suppress(OSError):
                sock.setsockopt(socket.IPPROTO_TCP, option, value)
